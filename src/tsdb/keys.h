// SPDX-License-Identifier: Apache-2.0
/*
 * Keys: which series of the head a producer's key means (model/sink.h), so that labels of series
 * that come again and again are not looked at.
 *
 * A cache: what is not in it is found by its labels. An entry names a series by shard and id; ids
 * are never given twice, so the entry of a series that left the head finds nothing. Entries like
 * that go when their table is full; a table in which most are alive grows, up to a bound that is
 * some keys for each series (labels may be spelled in many ways), beyond which it is emptied.
 *
 * Producers send their series in one order again and again, so entries lie in the order in which
 * they came, and the one that is looked for is nearly always the next one: a walk remembers where
 * in each table it stands. Only where it does not go on is the place hashed.
 *
 * Of a key 92 bits count (64 as tag, 24 more, and 4 that chose the table), of a hash under a secret
 * of this process: a wrong hit is beyond chance and nobody can look for one.
 *
 * Locks: keys_lock holds all tables for reading, for the look-ups of a batch; keys_put takes one
 * for writing and is called without any. Shards are locked after them.
 */
#ifndef TSDB_KEYS_H
#define TSDB_KEYS_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "model/sink.h"

enum { KEYS_TABLES = 16 };

struct key_entry {
    uint64_t tag;
    uint32_t id;
    uint32_t shard : 8, more : 24;
};
static_assert(sizeof(struct key_entry) == 16, "four in a cache line");

struct key_table {
    pthread_rwlock_t lock;
    struct key_entry *at; /* in the order they came: n of at most slots_n / 2 */
    uint32_t *slots;      /* number of an entry + 1; 0: free */
    size_t n, slots_n;
} __attribute__((aligned(64)));

struct keys {
    struct key_table tables[KEYS_TABLES];
    _Atomic size_t bytes;
};

/* Of each table, the entry that is expected next. Zeroed to begin with; good under one lock. */
struct keys_walk {
    uint32_t next[KEYS_TABLES];
};

void keys_init(struct keys *k);
void keys_fini(struct keys *k);
/* For reading. */
void keys_lock(struct keys *k);
void keys_unlock(struct keys *k);
/* Under keys_lock. The next entry if it has this key; else NULL, which says nothing yet. */
const struct key_entry *keys_follow(const struct keys *k, struct keys_walk *w,
                                    struct series_key key);
/* Under keys_lock, after keys_follow found nothing: asks the memory for what keys_find looks at. */
void keys_prefetch(const struct keys *k, struct series_key key);
/* Under keys_lock. The walk goes on behind what is found. NULL: the key is not known. */
const struct key_entry *keys_find(const struct keys *k, struct keys_walk *w,
                                  struct series_key key);
struct key_new {
    struct series_key key;
    uint32_t shard, id;
};
/* Puts down those of a batch, in its order and with no others between. An entry of the same key is
 * replaced: its series left. */
struct head;
void keys_put(struct keys *k, struct head *h, const struct key_new *at, size_t n);
static inline size_t keys_bytes(struct keys *k)
{
    return atomic_load_explicit(&k->bytes, memory_order_relaxed);
}

#endif
