// SPDX-License-Identifier: Apache-2.0
#include "tsdb/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/self.h"
#include "tsdb/head.h"

enum {
    SLOTS_MIN = 64,
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
        free(k->tables[i].slots);
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

static bool is_key(const struct key_entry *a, const struct key_entry *b)
{
    return a->tag == b->tag && a->more == b->more;
}

/* The slot of the entry with this key, or the free one where its number would go. */
static uint32_t *slot_of(const struct key_table *t, const struct key_entry *e)
{
    size_t mask = t->slots_n - 1, i = e->tag & mask;
    while (t->slots[i] && !is_key(&t->at[t->slots[i] - 1], e))
        i = (i + 1) & mask;
    return &t->slots[i];
}

const struct key_entry *keys_follow(const struct keys *k, struct keys_walk *w,
                                    struct series_key key)
{
    size_t table = table_of(key);
    const struct key_table *t = &k->tables[table];
    struct key_entry e = entry_of(key, 0, 0);
    if (w->next[table] >= t->n || !is_key(&t->at[w->next[table]], &e))
        return NULL;
    return &t->at[w->next[table]++];
}

void keys_prefetch(const struct keys *k, struct series_key key)
{
    const struct key_table *t = &k->tables[table_of(key)];
    if (t->slots_n)
        __builtin_prefetch(&t->slots[key.lo & (t->slots_n - 1)]);
}

const struct key_entry *keys_find(const struct keys *k, struct keys_walk *w, struct series_key key)
{
    const struct key_entry *next = keys_follow(k, w, key);
    size_t table = table_of(key);
    const struct key_table *t = &k->tables[table];
    struct key_entry e = entry_of(key, 0, 0);
    if (next || !t->slots_n)
        return next;
    uint32_t number = *slot_of(t, &e);
    if (!number)
        return NULL;
    w->next[table] = number;
    return &t->at[number - 1];
}

static bool is_live(const struct head *h, const struct key_entry *e)
{
    const struct shard *sh = &h->shards[e->shard];
    return series_table_get(&sh->table, e->id) != NULL;
}

/* Leaves out those whose series left; gives how many are left. */
static size_t keep_live(struct head *h, struct key_entry *at, size_t n)
{
    size_t live = 0;
    head_lock_shards(h);
    for (size_t i = 0; i < n; i++)
        if (is_live(h, &at[i]))
            at[live++] = at[i];
    head_unlock_shards(h);
    return live;
}

/* Makes room in a full table: by what is dead, and if that is little, by growing; a table with more
 * keys than may stay is emptied. Under its lock, for writing. */
static void rebuild(struct keys *k, struct key_table *t, struct head *h)
{
    size_t series = atomic_load_explicit(&h->series, memory_order_relaxed), before = t->slots_n;
    size_t n = keep_live(h, t->at, t->n);
    t->n = n;
    if (n > SPELLINGS_MAX * series / KEYS_TABLES + ALWAYS) {
        self_add(SELF_TSDB_KEYS_DROPPED, (int64_t)n);
        t->n = 0;
    } else if (n * 8 >= before * 3) {
        t->slots_n = before ? 2 * before : SLOTS_MIN;
        t->at = mem_realloc(t->at, t->slots_n / 2 * sizeof *t->at);
    }
    free(t->slots);
    t->slots = mem_zalloc(t->slots_n * sizeof *t->slots);
    for (size_t i = 0; i < t->n; i++)
        *slot_of(t, &t->at[i]) = (uint32_t)i + 1;
    atomic_fetch_add_explicit(&k->bytes,
                              (t->slots_n - before) * (sizeof *t->slots + sizeof *t->at / 2),
                              memory_order_relaxed);
}

static void put(struct keys *k, struct key_table *t, struct head *h, const struct key_new *new)
{
    struct key_entry e = entry_of(new->key, new->shard, new->id);
    if (t->n >= t->slots_n / 2)
        rebuild(k, t, h);
    uint32_t *slot = slot_of(t, &e);
    if (!*slot)
        *slot = (uint32_t)++t->n;
    t->at[*slot - 1] = e;
}

void keys_put(struct keys *k, struct head *h, const struct key_new *at, size_t n)
{
    uint32_t tables = 0;
    for (size_t i = 0; i < n; i++)
        tables |= 1U << table_of(at[i].key);
    for (; tables; tables &= tables - 1) {
        size_t table = (size_t)__builtin_ctz(tables);
        struct key_table *t = &k->tables[table];
        pthread_rwlock_wrlock(&t->lock);
        for (size_t i = 0; i < n; i++)
            if (table_of(at[i].key) == table)
                put(k, t, h, &at[i]);
        pthread_rwlock_unlock(&t->lock);
    }
}
