// SPDX-License-Identifier: Apache-2.0
/*
 * Index of a shard of the head: for every label name its values, for every value the ids of the
 * series that have it. Ids rise, so adding is appending. What left the shard is taken out later, a
 * piece at a time (head_index_clean), so lists may name series that are gone; they are let pass
 * when something is matched. Memory is that of the living.
 *
 * Postings are arrays of 4-byte ids: most (name, value) pairs have few series, where a bitmap's
 * header would be larger than the list. Guarded by the shard's lock.
 */
#ifndef TSDB_HEAD_INDEX_H
#define TSDB_HEAD_INDEX_H

#include "base/vec.h"
#include "tsdb/numbers.h"
#include "tsdb/series_table.h"

struct series;

struct postings {
    uint32_t name, value; /* symbols; its series count them */
    uint32_t n;           /* 0: not used */
    uint32_t cap : 31, dirty : 1;
    union {
        uint32_t one; /* cap 0 */
        uint32_t *at; /* rising series ids */
    };
};

struct label_values {
    uint32_t name;
    bool dirty;             /* some of its postings are not used any more */
    uint64_t series;        /* that are in them */
    VEC(uint32_t) postings; /* places in head_index.postings */
};

struct head_index {
    VEC(struct postings) postings;
    VEC(uint32_t) unused, dirty; /* places in it: free; with ids that are gone */
    VEC(struct label_values) names;
    struct numbers pairs;   /* name << 32 | value -> postings */
    struct numbers by_name; /* name -> names */
    bool stale;             /* some ids in lists are gone */
};

void head_index_fini(struct head_index *x);
/* Bytes that its pairs take, for the budget: about. */
static inline uint64_t head_index_bytes(const struct head_index *x)
{
    return 48 * (x->postings.n - x->unused.n);
}

/* NULL: no series has that label. */
const struct postings *head_index_find(const struct head_index *x, uint32_t name, uint32_t value);
/* Adds the series, whose id is above all that were added before. */
void head_index_add(struct head_index *x, const struct series *s);
/* The series left the table. Its symbols are needed until head_index_clean has nothing to do. */
void head_index_leave(struct head_index *x, const struct series *s);
/* Takes out ids that are not in the table any more, looking at about so many. False: there are
 * more. */
bool head_index_clean(struct head_index *x, const struct series_table *t, size_t ids_max);

static inline const uint32_t *postings_ids(const struct postings *p)
{
    return p->cap ? p->at : &p->one;
}

#endif
