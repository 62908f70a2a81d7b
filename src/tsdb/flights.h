// SPDX-License-Identifier: Apache-2.0
/*
 * Batches on their way between the look-up of their series and their end. A series must not leave
 * the head meanwhile, and counting its batches would cost two writes to it for each sample.
 *
 * Instead there are rounds, one for each removal of series. A batch notes the round in which it
 * begins, in the order of a list, and marks its series with it (mostly they bear the mark already).
 * A removal begins a round and spares what bears the mark of the oldest batch on its way, or a
 * later one: a batch that has the series marked it with its own round or found a later one there.
 */
#ifndef TSDB_FLIGHTS_H
#define TSDB_FLIGHTS_H

#include <pthread.h>
#include <stdint.h>

struct flight {
    struct flight *prev, *next;
    uint32_t round;
};

struct flights {
    pthread_mutex_t lock;
    struct flight on_way; /* ring; oldest is next */
    uint32_t round;
};

static inline void flights_init(struct flights *f)
{
    pthread_mutex_init(&f->lock, NULL);
    f->on_way.next = f->on_way.prev = &f->on_way;
    f->round = 1;
}

/* Nothing may be on its way. */
static inline void flights_fini(struct flights *f)
{
    pthread_mutex_destroy(&f->lock);
}

static inline void flight_begin(struct flights *f, struct flight *x)
{
    pthread_mutex_lock(&f->lock);
    x->round = f->round;
    x->prev = f->on_way.prev;
    x->next = &f->on_way;
    x->prev->next = x->next->prev = x;
    pthread_mutex_unlock(&f->lock);
}

static inline void flight_end(struct flights *f, struct flight *x)
{
    pthread_mutex_lock(&f->lock);
    x->prev->next = x->next;
    x->next->prev = x->prev;
    pthread_mutex_unlock(&f->lock);
}

/* Begins a round. */
static inline void flights_next_round(struct flights *f)
{
    pthread_mutex_lock(&f->lock);
    f->round++;
    pthread_mutex_unlock(&f->lock);
}

/* Series with this mark or a later one may have batches on their way. Under the lock of their
 * shard, for writing: whoever looks a series up later finds it gone. */
static inline uint32_t flights_oldest(struct flights *f)
{
    pthread_mutex_lock(&f->lock);
    uint32_t oldest = f->on_way.next == &f->on_way ? f->round : f->on_way.next->round;
    pthread_mutex_unlock(&f->lock);
    return oldest;
}

#endif
