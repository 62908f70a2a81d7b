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
/* Labels are copied. Times of one series must rise: false when the sample was dropped for it. */
bool mem_source_add(struct mem_source *m, struct labels ls, ts_ms t, double v);
/* Forgets everything. */
void mem_source_clear(struct mem_source *m);

#endif
