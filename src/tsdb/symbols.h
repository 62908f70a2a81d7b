// SPDX-License-Identifier: Apache-2.0
/*
 * Interned text: label names and values of the head, each once, as 4-byte numbers. Counted; text
 * that nobody counts any more is retired (reclaim.h) and its number used again.
 *
 * Thread-safe. `symbols_text` takes no lock: the caller holds a count, or is inside `reclaim`.
 */
#ifndef TSDB_SYMBOLS_H
#define TSDB_SYMBOLS_H

#include "tsdb/reclaim.h"

struct symbol {
    uint32_t refs, n;
    uint64_t hash;
    char text[];
};

enum { SYMBOLS_CHUNK = 1 << 14, SYMBOLS_CHUNKS = 1 << 16 };

struct symbols {
    pthread_mutex_t lock;
    struct reclaim *reclaim;
    struct symbol ***chunks; /* number >> 14 -> array of texts */
    uint32_t next;           /* numbers below were used; 0 is never given */
    VEC(uint32_t) unused;
    uint32_t *slots; /* hash table of numbers; 0: free */
    size_t slots_n, live;
    uint64_t bytes;
};

void symbols_init(struct symbols *s, struct reclaim *r);
void symbols_fini(struct symbols *s);
/* The number of `text`, with one count added. */
uint32_t symbols_ref(struct symbols *s, str text);
void symbols_unref(struct symbols *s, uint32_t id);
/* 0 when it is not there. */
uint32_t symbols_find(struct symbols *s, str text);
uint64_t symbols_bytes(struct symbols *s);

static inline str symbols_text(const struct symbols *s, uint32_t id)
{
    /* Published with release before the number was handed out. */
    struct symbol **chunk = __atomic_load_n(&s->chunks[id / SYMBOLS_CHUNK], __ATOMIC_ACQUIRE);
    const struct symbol *y = __atomic_load_n(&chunk[id % SYMBOLS_CHUNK], __ATOMIC_ACQUIRE);
    return (str){y->text, y->n};
}

#endif
