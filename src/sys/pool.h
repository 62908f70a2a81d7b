// SPDX-License-Identifier: Apache-2.0
/*
 * Worker pool in two lanes, ingest and the rest, of which each lets at most `slots` tasks compute
 * at once. Threads of ingest have the process' priority and those of the rest a lower one, so that
 * the system takes a CPU from a query in the moment in which a batch comes; a query never delays it
 * until one of its own borders. In the second lane tasks are chosen by class, query before
 * background. A task that is about to wait (disk, lock held across disk) says so with
 * pool_block_begin, which lends its slot to another task; there are more threads than slots for
 * that. Long tasks call pool_yield at their natural borders (every few ms), which gives the slot up
 * when a task of a higher class of the lane waits; and, after a slice of time, when any task waits,
 * so that long queries share the slots with short ones.
 */
#ifndef SYS_POOL_H
#define SYS_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool;

enum pool_class { POOL_INGEST, POOL_QUERY, POOL_BACKGROUND, POOL_CLASSES };

struct pool_options {
    unsigned slots;       /* of each lane; 0: one per CPU */
    unsigned threads_max; /* of each lane; 0: slots + 32 */
    size_t queue_max;     /* per class; 0: 10,000 */
    /* Tasks of a class that are begun and not ended, waiting ones included, each with its thread;
     * 0: no bound. What is above waits in the queue. Bound the lower classes below threads_max, or
     * their tasks take all threads and higher ones find none. */
    unsigned tasks_max[POOL_CLASSES];
    unsigned slice_ms; /* after which pool_yield also gives way to its own class and lower; 0: 10 */
    int nice;          /* added to that of the process on threads of queries and background work */
};

struct pool *pool_new(const struct pool_options *o);
/* Runs what is queued, then joins. Not from a task. */
void pool_free(struct pool *p);

/* Queues fn(arg); false when the queue of this class is full or the pool is ending. Any thread. */
bool pool_submit(struct pool *p, enum pool_class c, void (*fn)(void *arg), void *arg);

/* How many tasks the pool that this thread works for runs at once; 1 on a thread that is none of a
 * pool's. */
unsigned pool_width(void);
/* Inside a task: queues fn(arg) beside it, in its class. False as pool_submit, and on any other
 * thread. */
bool pool_submit_here(void (*fn)(void *arg), void *arg);

/* Inside a task only; both do nothing on a thread that is none of the pool's. */
void pool_block_begin(void);
void pool_block_end(void);
void pool_yield(void);

/* Lets so much time pass, with the slot lent; any thread that may wait. */
void pool_pause(unsigned ms);

/* Tasks that wait for a slot (new or after pool_block_end) and that hold one, for the self metrics.
 */
void pool_load(struct pool *p, enum pool_class c, size_t *waiting, size_t *running);

#endif
