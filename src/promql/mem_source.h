// SPDX-License-Identifier: Apache-2.0
/*
 * A source in memory, for scripts and tests. Owned by one thread; samples may only be added while
 * no selection is open.
 */
#ifndef PROMQL_MEM_SOURCE_H
#define PROMQL_MEM_SOURCE_H

#include "model/source.h"

struct mem_source;

struct mem_source *mem_source_new(void);
void mem_source_free(struct mem_source *m);
struct source *mem_source_source(struct mem_source *m);
struct mem_sample {
    ts_ms t;
    double v;
    const struct histogram *h; /* not NULL: it is the value */
    ts_ms start;               /* 0: not known */
};
/* Labels and histogram are copied. Times of one series must rise: false when the sample was dropped
 * for it. The reset hint of a histogram that is no gauge becomes what upstream's storage knows of
 * it: nothing for the first of a chunk, that there was none for those behind it. */
bool mem_source_add(struct mem_source *m, struct labels ls, const struct mem_sample *s);
/* From now on selections have rows of this step of the samples up to `until`, a multiple of it,
 * which is behind those of coarser tiers given before. At most SOURCE_TIERS_MAX. */
void mem_source_tier(struct mem_source *m, int64_t step_ms, ts_ms until);
/* Forgets everything. */
void mem_source_clear(struct mem_source *m);

#endif
