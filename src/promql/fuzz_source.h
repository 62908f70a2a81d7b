// SPDX-License-Identifier: Apache-2.0
/* A few series of every kind, for fuzz targets: gauges with gaps, counters with resets and start
 * times, odd floats at uneven times, classic and native histograms with exponential and custom
 * buckets, series of both kinds that come and go, info series. */
#ifndef PROMQL_FUZZ_SOURCE_H
#define PROMQL_FUZZ_SOURCE_H

#include "model/budget.h"
#include "promql/mem_source.h"

/* Made at the first call, the same one ever after; from 0 to 600 s, every 30 s. */
struct mem_source *promql_fuzz_source(void);

/* A budget for one query over it that is out of time after some seconds of work, by a clock that
 * counts how often it is asked: the same at each run. */
struct budget promql_fuzz_budget(uint64_t samples_max, size_t memory_max_bytes);

#endif
