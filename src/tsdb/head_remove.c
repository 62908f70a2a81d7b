// SPDX-License-Identifier: Apache-2.0
/*
 * Series that were silent leave the head, and everything that grew with them: places in tables,
 * lists, symbols. Half of all series may go at once, so it is done in slices, between which
 * batches and queries have the locks:
 *
 *   leave    out of the tables: nobody finds it any more               gate and shard, for writing
 *   clean    out of the lists, which name ids that are gone until then            shard, for
 * writing forget   out of the order                                                     order.lock
 *   retire   its symbols and the series itself, when no selection has it          gate, for writing
 */
#include <stdlib.h>

#include "sys/pool.h"
#include "tsdb/head.h"

enum { LOOKS = 4096, LEAVES = 256, IDS = 1 << 15, RETIRES = 256, AHEAD = 8 };

typedef VEC(struct series *) series_vec;

static bool is_removable(const struct shard *sh, const struct series *s, uint32_t idle_min,
                         uint32_t spared)
{
    return s->idle >= idle_min && !s->open && !s->sealed && !s->frozen && !s->late &&
           atomic_load(&series_table_place(&sh->table, s->id)->mark.touched) < spared;
}

/* Closes the gap that a removed slot leaves in its row of probes. */
static void remove_slot(struct shard *sh, const struct series *s)
{
    size_t mask = sh->slots_n - 1, hole = s->hash & mask;
    while (sh->slots[hole] != s->id + 1)
        hole = (hole + 1) & mask;
    for (size_t i = (hole + 1) & mask; sh->slots[i]; i = (i + 1) & mask) {
        size_t home = series_table_get(&sh->table, sh->slots[i] - 1)->hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        sh->slots[hole] = sh->slots[i];
        hole = i;
    }
    sh->slots[hole] = 0;
}

static void leave(struct shard *sh, struct series *s)
{
    remove_slot(sh, s);
    head_index_leave(&sh->index, s);
    series_table_remove(&sh->table, s->id);
    sh->live--;
    s->gone = true;
}

/* Series lie anywhere: asks the memory for what is looked at of one that comes soon. */
static inline void prefetch(const struct shard *sh, uint32_t id)
{
    const struct series *s = series_table_get(&sh->table, id);
    if (s) {
        __builtin_prefetch(&s->sealed);
        __builtin_prefetch(&s->idle);
    }
}

/* From *id on; false: all were looked at. */
static bool leave_slice(struct head *h, struct shard *sh, uint32_t idle_min, uint32_t *id,
                        series_vec *gone)
{
    size_t before = gone->n, looks = 0;
    struct series *s = NULL;
    pthread_rwlock_wrlock(&h->gate);
    pthread_rwlock_wrlock(&sh->lock);
    uint32_t spared = flights_oldest(&h->flights);
    for (; looks < LOOKS && gone->n - before < LEAVES; ++*id, looks++) {
        prefetch(sh, *id + AHEAD);
        s = series_table_next(&sh->table, id);
        if (!s)
            break;
        if (!is_removable(sh, s, idle_min, spared))
            continue;
        vec_push(gone, s);
        leave(sh, s);
    }
    atomic_fetch_sub_explicit(&h->series, gone->n - before, memory_order_relaxed);
    atomic_fetch_add(&h->removed, gone->n - before); /* links.c: before anybody can miss them */
    pthread_rwlock_unlock(&sh->lock);
    pthread_rwlock_unlock(&h->gate);
    return s != NULL;
}

static void clean(struct head *h, struct shard *sh)
{
    for (bool done = false; !done; pool_yield()) {
        pthread_rwlock_wrlock(&sh->lock);
        uint64_t before = head_index_bytes(&sh->index);
        done = head_index_clean(&sh->index, &sh->table, IDS);
        atomic_fetch_sub_explicit(&h->memory, before - head_index_bytes(&sh->index),
                                  memory_order_relaxed);
        if (done)
            shard_shrink(sh);
        pthread_rwlock_unlock(&sh->lock);
    }
}

static void retire(struct head *h, struct series *s)
{
    for (size_t i = 0; i < 2 * (size_t)s->labels_n; i++)
        symbols_unref(&h->symbols, s->labels[i]);
    atomic_fetch_sub_explicit(&h->memory, series_bytes(s), memory_order_relaxed);
    if (s->has_extra)
        extras_remove(&h->extras, head_series_number(h, s));
    reclaim_retire(&h->reclaim, s);
}

/* Those that nobody can have any more. Others wait for the next removal. */
static void retire_passed(struct head *h)
{
    size_t n = 0;
    while (n < h->leaving.n && reclaim_passed(&h->reclaim, h->leaving.at[n].moment)) {
        uint64_t moment = h->leaving.at[n].moment;
        pthread_rwlock_wrlock(&h->gate);
        for (size_t i = 0; i < RETIRES && n < h->leaving.n && h->leaving.at[n].moment == moment;
             i++)
            retire(h, h->leaving.at[n++].s);
        pthread_rwlock_unlock(&h->gate);
        pool_yield();
    }
    h->leaving.n -= n;
    if (h->leaving.n)
        memmove(h->leaving.at, h->leaving.at + n, h->leaving.n * sizeof h->leaving.at[0]);
    else
        vec_fini(&h->leaving);
}

void head_remove_idle(struct head *h, uint32_t idle_min)
{
    series_vec gone = {0};
    flights_next_round(&h->flights);
    for (unsigned i = 0; i < h->shards_n; i++) {
        size_t before = gone.n;
        uint32_t id = 0;
        while (leave_slice(h, &h->shards[i], idle_min, &id, &gone))
            pool_yield();
        if (gone.n > before)
            clean(h, &h->shards[i]);
    }
    if (gone.n)
        order_forget(h, gone.at, gone.n);
    uint64_t moment = reclaim_moment(&h->reclaim);
    VEC_EACH (s, &gone)
        vec_push(&h->leaving, (struct leaver){*s, moment});
    vec_fini(&gone);
    retire_passed(h);
}
