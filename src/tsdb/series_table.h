// SPDX-License-Identifier: Apache-2.0
/*
 * The series of a shard by id. Ids count up and are never given twice, so that a number in the WAL,
 * in a key or at a part means one series as long as the process lives; what churn leaves are holes.
 * Entries therefore stand in blocks of 64, found by two short tables, and a block goes with its
 * last series: memory is that of the living (and 8 bytes for 65,536 series that ever were).
 *
 * Guarded by the shard's lock, but for the marks.
 */
#ifndef TSDB_SERIES_TABLE_H
#define TSDB_SERIES_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct series;

/* What batches leave at a series. Changed under the shard's lock for reading. */
struct mark {
    _Atomic uint32_t touched; /* flights.h: by batches that began then or before */
    _Atomic uint32_t defined; /* where the WAL has its definition: write.c */
};

struct series_place {
    struct series *s; /* NULL: removed */
    struct mark mark;
};

enum { TABLE_BLOCK = 64, TABLE_SPAN = 1024 };

struct series_span {
    uint32_t blocks; /* that are there */
    struct {
        struct series_place *at; /* NULL: no series of it lives */
        uint64_t live;           /* a bit each */
    } block[TABLE_SPAN];
};

struct series_table {
    VEC(struct series_span *) spans; /* NULL: no series of it lives */
    uint32_t end;                    /* ids below it were given */
    size_t blocks;
};

void series_table_fini(struct series_table *t);
/* All ids were given. */
static inline bool series_table_is_full(const struct series_table *t)
{
    return t->end == UINT32_MAX;
}
/* The id that series_table_add gives next. */
static inline uint32_t series_table_end(const struct series_table *t)
{
    return t->end;
}
void series_table_add(struct series_table *t, struct series *s);
void series_table_remove(struct series_table *t, uint32_t id);
/* Bytes of memory, without the series. */
size_t series_table_bytes(const struct series_table *t);

/* NULL when its block is gone. */
static inline struct series_place *series_table_place(const struct series_table *t, uint32_t id)
{
    if (id >= t->end)
        return NULL;
    const struct series_span *span = t->spans.at[id / TABLE_BLOCK / TABLE_SPAN];
    struct series_place *at = span ? span->block[id / TABLE_BLOCK % TABLE_SPAN].at : NULL;
    return at ? &at[id % TABLE_BLOCK] : NULL;
}

/* NULL: it was removed. */
static inline struct series *series_table_get(const struct series_table *t, uint32_t id)
{
    const struct series_place *p = series_table_place(t, id);
    return p ? p->s : NULL;
}

/* The first series with an id of at least *id, which becomes its own; NULL: there is none, and *id
 * is the end. `for (uint32_t id = 0; (s = series_table_next(t, &id)); id++)` goes over all. */
struct series *series_table_next(const struct series_table *t, uint32_t *id);

#endif
