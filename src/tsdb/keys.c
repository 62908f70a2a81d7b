// SPDX-License-Identifier: Apache-2.0
#include "tsdb/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/self.h"
#include "tsdb/head.h"

enum {
    CAP_MIN = 64,
    SPELLINGS_MAX = 4, /* keys for each series, on average */
    ALWAYS = 4096,     /* and these in each table */
};

void keys_init(struct keys *k)
{
    memset(k, 0, sizeof *k);
    for (size_t i = 0; i < KEYS_TABLES; i++)
        pthread_rwlock_init(&k->tables[i].lock, NULL);
}

void keys_fini(struct keys *k)
{
    for (size_t i = 0; i < KEYS_TABLES; i++) {
        free(k->tables[i].at);
        pthread_rwlock_destroy(&k->tables[i].lock);
    }
}

void keys_lock(struct keys *k)
{
    for (size_t i = 0; i < KEYS_TABLES; i++)
        pthread_rwlock_rdlock(&k->tables[i].lock);
}

void keys_unlock(struct keys *k)
{
    for (size_t i = 0; i < KEYS_TABLES; i++)
        pthread_rwlock_unlock(&k->tables[i].lock);
}

static size_t table_of(struct series_key key)
{
    return key.hi >> 60;
}
static_assert(KEYS_TABLES == 16, "four bits choose the table");

static struct key_entry entry_of(struct series_key key, uint32_t shard, uint32_t id)
{
    return (struct key_entry){.tag = key.lo ? key.lo : 1,
                              .id = id,
                              .shard = shard & 0xff,
                              .more = (uint32_t)key.hi & 0xffffff};
}

/* The place of an entry with this key, or the free one where it would go. */
static struct key_entry *place_of(const struct key_table *t, const struct key_entry *e)
{
    size_t i = e->tag & (t->cap - 1);
    while (t->at[i].tag && (t->at[i].tag != e->tag || t->at[i].more != e->more))
        i = (i + 1) & (t->cap - 1);
    return &t->at[i];
}

void keys_prefetch(const struct keys *k, struct series_key key)
{
    const struct key_table *t = &k->tables[table_of(key)];
    if (t->cap)
        __builtin_prefetch(&t->at[key.lo & (t->cap - 1)]);
}

const struct key_entry *keys_find(const struct keys *k, struct series_key key)
{
    const struct key_table *t = &k->tables[table_of(key)];
    struct key_entry e = entry_of(key, 0, 0);
    if (!t->cap)
        return NULL;
    const struct key_entry *there = place_of(t, &e);
    return there->tag ? there : NULL;
}

static bool is_live(const struct head *h, const struct key_entry *e)
{
    const struct shard *sh = &h->shards[e->shard];
    return series_table_get(&sh->table, e->id) != NULL;
}

/* Takes those out whose series left, and gives how many are left. */
static size_t count_live(struct head *h, struct key_entry *at, size_t n)
{
    size_t live = 0;
    head_lock_shards(h);
    for (size_t i = 0; i < n; i++) {
        if (at[i].tag && !is_live(h, &at[i]))
            at[i].tag = 0;
        live += at[i].tag != 0;
    }
    head_unlock_shards(h);
    return live;
}

/* Makes the table anew of those that are alive, twice as large if they fill more than half of it;
 * of none when they are more than may stay. Under the table's lock, for writing. */
static void rebuild(struct keys *k, struct key_table *t, struct head *h)
{
    struct key_table old = *t;
    size_t series = atomic_load_explicit(&h->series, memory_order_relaxed);
    size_t n = count_live(h, old.at, old.cap);
    bool keep = n <= SPELLINGS_MAX * series / KEYS_TABLES + ALWAYS;
    if (!keep)
        self_add(SELF_TSDB_KEYS_DROPPED, (int64_t)n);
    t->n = keep ? n : 0;
    t->cap = !old.cap ? CAP_MIN : keep && n * 2 > old.cap ? old.cap * 2 : old.cap;
    t->at = mem_zalloc(t->cap * sizeof *t->at);
    for (size_t i = 0; keep && i < old.cap; i++)
        if (old.at[i].tag)
            *place_of(t, &old.at[i]) = old.at[i];
    free(old.at);
    atomic_fetch_add_explicit(&k->bytes, (t->cap - old.cap) * sizeof *t->at, memory_order_relaxed);
}

void keys_put(struct keys *k, struct series_key key, struct head *h, uint32_t shard, uint32_t id)
{
    struct key_table *t = &k->tables[table_of(key)];
    struct key_entry e = entry_of(key, shard, id);
    pthread_rwlock_wrlock(&t->lock);
    if ((t->n + 1) * 5 > t->cap * 4)
        rebuild(k, t, h);
    struct key_entry *there = place_of(t, &e);
    t->n += there->tag == 0;
    *there = e;
    pthread_rwlock_unlock(&t->lock);
}
