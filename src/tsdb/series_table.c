// SPDX-License-Identifier: Apache-2.0
#include "tsdb/series_table.h"

#include <assert.h>
#include <stdlib.h>

enum { SPAN_IDS = TABLE_BLOCK * TABLE_SPAN };
static_assert(sizeof(struct series_place) == 16, "four in a cache line");

void series_table_fini(struct series_table *t)
{
    VEC_EACH (span, &t->spans) {
        for (size_t i = 0; *span && i < TABLE_SPAN; i++)
            free((*span)->block[i].at);
        free(*span);
    }
    vec_fini(&t->spans);
    *t = (struct series_table){0};
}

/* Frees the block of `id` if nothing of it lives, and its span. Those that ids are given from stay.
 */
static void drop_empty(struct series_table *t, uint32_t id)
{
    struct series_span *span = t->spans.at[id / SPAN_IDS];
    uint32_t k = id / TABLE_BLOCK % TABLE_SPAN;
    if (!span || !span->block[k].at || span->block[k].live ||
        id / TABLE_BLOCK == t->end / TABLE_BLOCK)
        return;
    free(span->block[k].at);
    span->block[k].at = NULL;
    t->blocks--;
    if (--span->blocks || id / SPAN_IDS == t->end / SPAN_IDS)
        return;
    free(span);
    t->spans.at[id / SPAN_IDS] = NULL;
}

void series_table_add(struct series_table *t, struct series *s)
{
    uint32_t id = t->end;
    assert(!series_table_is_full(t));
    if (id / SPAN_IDS == t->spans.n)
        vec_push(&t->spans, mem_new(struct series_span));
    struct series_span *span = t->spans.at[id / SPAN_IDS];
    uint32_t k = id / TABLE_BLOCK % TABLE_SPAN;
    if (!span->block[k].at) {
        span->block[k].at = mem_zalloc(TABLE_BLOCK * sizeof(struct series_place));
        span->blocks++;
        t->blocks++;
        if (id)
            drop_empty(t, id - 1); /* that block was kept for this id's sake */
    }
    span->block[k].at[id % TABLE_BLOCK].s = s;
    span->block[k].live |= 1ULL << id % TABLE_BLOCK;
    t->end++;
}

void series_table_remove(struct series_table *t, uint32_t id)
{
    struct series_span *span = t->spans.at[id / SPAN_IDS];
    uint32_t k = id / TABLE_BLOCK % TABLE_SPAN;
    span->block[k].at[id % TABLE_BLOCK].s = NULL;
    span->block[k].live &= ~(1ULL << id % TABLE_BLOCK);
    drop_empty(t, id);
}

size_t series_table_bytes(const struct series_table *t)
{
    size_t spans = 0;
    VEC_EACH (span, &t->spans)
        spans += *span != NULL;
    return t->blocks * TABLE_BLOCK * sizeof(struct series_place) +
           spans * sizeof(struct series_span) + t->spans.cap * sizeof(void *);
}

struct series *series_table_next(const struct series_table *t, uint32_t *id)
{
    while (*id < t->end) {
        const struct series_span *span = t->spans.at[*id / SPAN_IDS];
        uint32_t k = *id / TABLE_BLOCK % TABLE_SPAN;
        uint64_t left = span ? span->block[k].live >> *id % TABLE_BLOCK : 0;
        if (left) {
            *id += (uint32_t)__builtin_ctzll(left);
            return span->block[k].at[*id % TABLE_BLOCK].s;
        }
        uint64_t step = span ? TABLE_BLOCK : SPAN_IDS, next = (*id / step + 1) * step;
        *id = next < t->end ? (uint32_t)next : t->end;
    }
    return NULL;
}
