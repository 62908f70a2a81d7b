// SPDX-License-Identifier: Apache-2.0
/* Which series a shard has: table by labels. */
#include <stdlib.h>

#include "tsdb/head.h"

enum { SLOTS_MIN = 64 };

static bool has_labels(const struct head *h, const struct series *s, struct labels ls)
{
    if (s->labels_n != ls.n)
        return false;
    for (size_t i = 0; i < ls.n; i++)
        if (!str_eq(symbols_text(&h->symbols, s->labels[2 * i + 1]), ls.at[i].value) ||
            !str_eq(symbols_text(&h->symbols, s->labels[2 * i]), ls.at[i].name))
            return false;
    return true;
}

struct series *shard_find(struct head *h, struct shard *sh, struct labels ls, uint64_t hash)
{
    if (!sh->slots_n)
        return NULL;
    for (size_t i = hash & (sh->slots_n - 1); sh->slots[i]; i = (i + 1) & (sh->slots_n - 1)) {
        struct series *s = series_table_get(&sh->table, sh->slots[i] - 1);
        if (s->hash == hash && has_labels(h, s, ls))
            return s;
    }
    return NULL;
}

/* Three dependent places for each, so three rounds: the misses of a round overlap. */
void shard_prefetch(const struct shard *sh, const uint64_t *hashes, size_t n)
{
    size_t mask = sh->slots_n - 1;
    if (!sh->slots_n)
        return;
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&sh->slots[hashes[i] & mask]);
    for (size_t i = 0; i < n; i++)
        if (sh->slots[hashes[i] & mask])
            __builtin_prefetch(series_table_place(&sh->table, sh->slots[hashes[i] & mask] - 1));
    for (size_t i = 0; i < n; i++) {
        if (!sh->slots[hashes[i] & mask])
            continue;
        const char *s = (const char *)series_table_get(&sh->table, sh->slots[hashes[i] & mask] - 1);
        __builtin_prefetch(s);
        __builtin_prefetch(s + 64); /* the labels */
        __builtin_prefetch(s + 128);
    }
}

static void slot_put(struct shard *sh, const struct series *s)
{
    size_t i = s->hash & (sh->slots_n - 1);
    while (sh->slots[i])
        i = (i + 1) & (sh->slots_n - 1);
    sh->slots[i] = s->id + 1;
}

/* Makes the table anew, `n` slots, from the series that are there. */
static void rebuild_slots(struct shard *sh, size_t n)
{
    free(sh->slots);
    sh->slots_n = n;
    sh->slots = mem_zalloc(n * sizeof *sh->slots);
    const struct series *s;
    for (uint32_t id = 0; (s = series_table_next(&sh->table, &id)); id++)
        slot_put(sh, s);
}

void shard_shrink(struct shard *sh)
{
    size_t n = sh->slots_n;
    while (n > SLOTS_MIN && sh->live * 8 < n)
        n /= 2;
    if (n < sh->slots_n)
        rebuild_slots(sh, n);
}

static size_t series_size(size_t labels_n)
{
    return offsetof(struct series, labels) + 2 * labels_n * sizeof(uint32_t);
}

size_t series_bytes(const struct series *s)
{
    /* The struct, its slots and table entries, its postings. */
    return series_size(s->labels_n) + s->labels_n * 5 + 16 + sizeof(struct series_place);
}

struct series *shard_add(struct head *h, struct shard *sh, struct labels ls, uint64_t hash)
{
    struct series *s = mem_zalloc(series_size(ls.n));
    s->hash = hash;
    s->labels_n = (uint16_t)ls.n;
    s->gen = UINT32_MAX; /* none yet */
    s->id = series_table_end(&sh->table);
    for (size_t i = 0; i < ls.n; i++) {
        s->labels[2 * i] = symbols_ref(&h->symbols, ls.at[i].name);
        s->labels[2 * i + 1] = symbols_ref(&h->symbols, ls.at[i].value);
    }
    uint64_t before = head_index_bytes(&sh->index);
    head_index_add(&sh->index, s);
    series_table_add(&sh->table, s);
    sh->live++;
    if (sh->live * 4 >= sh->slots_n * 3)
        rebuild_slots(sh, sh->slots_n ? sh->slots_n * 2 : SLOTS_MIN);
    else
        slot_put(sh, s);
    atomic_fetch_add_explicit(&h->memory, series_bytes(s) + head_index_bytes(&sh->index) - before,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&h->series, 1, memory_order_relaxed);
    atomic_fetch_add(&h->added, 1);
    return s;
}

int series_cmp(const struct head *h, const struct series *x, const struct series *y)
{
    size_t n = x->labels_n < y->labels_n ? x->labels_n : y->labels_n;
    for (size_t i = 0; i < 2 * n; i++) {
        if (x->labels[i] == y->labels[i]) /* equal symbols are equal text */
            continue;
        return str_cmp(symbols_text(&h->symbols, x->labels[i]),
                       symbols_text(&h->symbols, y->labels[i]));
    }
    return (x->labels_n > y->labels_n) - (x->labels_n < y->labels_n);
}

struct labels series_labels(const struct head *h, const struct series *s, struct arena *a)
{
    struct label *at = arena_alloc(a, (s->labels_n + 1) * sizeof *at);
    for (size_t i = 0; i < s->labels_n; i++)
        at[i] = (struct label){symbols_text(&h->symbols, s->labels[2 * i]),
                               symbols_text(&h->symbols, s->labels[2 * i + 1])};
    return (struct labels){at, s->labels_n};
}

bool series_matches(const struct head *h, const struct series *s, const struct matcher *m,
                    size_t m_n)
{
    for (size_t k = 0; k < m_n; k++) {
        str value = STR("");
        for (size_t i = 0; i < s->labels_n; i++)
            if (str_eq(symbols_text(&h->symbols, s->labels[2 * i]), m[k].name))
                value = symbols_text(&h->symbols, s->labels[2 * i + 1]);
        if (!matcher_test(&m[k], value))
            return false;
    }
    return true;
}

/* ---- all of it ---- */

static void shard_fini(struct shard *sh)
{
    struct series *s;
    for (uint32_t id = 0; (s = series_table_next(&sh->table, &id)); id++) {
        free(s->open);
        free(s->late);
        struct chunk *lists[] = {s->sealed, s->frozen};
        for (size_t i = 0; i < 2; i++)
            for (struct chunk *c = lists[i], *next; c; c = next) {
                next = c->next;
                free(c);
            }
        free(s);
    }
    head_index_fini(&sh->index);
    series_table_fini(&sh->table);
    free(sh->slots);
    pthread_rwlock_destroy(&sh->lock);
}

void head_lock_shards(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        pthread_rwlock_rdlock(&h->shards[i].lock);
}

void head_unlock_shards(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        pthread_rwlock_unlock(&h->shards[i].lock);
}

void head_init(struct head *h, unsigned shards)
{
    pthread_rwlockattr_t attr;
    *h = (struct head){.shards_n = shards, .gen = 1, .min_t = INT64_MAX, .max_t = INT64_MIN};
    /* Readers that keep coming must not keep a batch waiting. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&h->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    reclaim_init(&h->reclaim);
    symbols_init(&h->symbols, &h->reclaim);
    extras_init(&h->extras, &h->reclaim, &h->memory);
    keys_init(&h->keys);
    flights_init(&h->flights);
    order_init(&h->order);
    moments_init(&h->moments);
    h->shards = aligned_alloc(64, shards * sizeof *h->shards);
    if (!h->shards)
        abort();
    memset(h->shards, 0, shards * sizeof *h->shards);
    for (unsigned i = 0; i < shards; i++)
        pthread_rwlock_init(&h->shards[i].lock, NULL);
}

void head_fini(struct head *h)
{
    for (unsigned i = 0; i < h->shards_n; i++)
        shard_fini(&h->shards[i]);
    free(h->shards);
    VEC_EACH (l, &h->leaving)
        free(l->s);
    vec_fini(&h->leaving);
    extras_fini(&h->extras);
    symbols_fini(&h->symbols);
    keys_fini(&h->keys);
    flights_fini(&h->flights);
    order_fini(&h->order);
    moments_fini(&h->moments);
    reclaim_fini(&h->reclaim);
    pthread_rwlock_destroy(&h->gate);
}
