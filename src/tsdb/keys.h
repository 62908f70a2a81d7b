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
 * An entry has 16 bytes, so it lies in one cache line, and 92 bits of the key count (64 as tag, 24
 * more, and 4 that chose the table), of a hash under a secret of this process: a wrong hit is
 * beyond chance and nobody can look for one.
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
    uint64_t tag; /* 0: free */
    uint32_t id;
    uint32_t shard : 8, more : 24;
};
static_assert(sizeof(struct key_entry) == 16, "four in a cache line");

struct key_table {
    pthread_rwlock_t lock;
    struct key_entry *at;
    size_t cap, n;
} __attribute__((aligned(64)));

struct keys {
    struct key_table tables[KEYS_TABLES];
    _Atomic size_t bytes;
};

void keys_init(struct keys *k);
void keys_fini(struct keys *k);
/* For reading. */
void keys_lock(struct keys *k);
void keys_unlock(struct keys *k);
/* Under keys_lock. NULL when it is not known. */
const struct key_entry *keys_find(const struct keys *k, struct series_key key);
/* Asks the memory for what keys_find will look at. Under keys_lock. */
void keys_prefetch(const struct keys *k, struct series_key key);
/* An entry of that key is replaced: its series left. */
struct head;
void keys_put(struct keys *k, struct series_key key, struct head *h, uint32_t shard, uint32_t id);
static inline size_t keys_bytes(struct keys *k)
{
    return atomic_load_explicit(&k->bytes, memory_order_relaxed);
}

#endif
