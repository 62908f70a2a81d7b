// SPDX-License-Identifier: Apache-2.0
/*
 * Since when the samples of one series count: spans of time in which all samples of the series have
 * the same start timestamp. A counter that never restarts is one span. Outside of spans nothing is
 * known.
 */
#ifndef TSDB_STARTS_H
#define TSDB_STARTS_H

#include "base/str.h"

struct start_span {
    ts_ms from, to; /* both inclusive */
    ts_ms start;    /* not 0 */
};

/* Rising, apart from each other. */
struct start_list {
    struct start_span *at;
    size_t n, cap;
};

/* Says that the sample at `t` has this start; 0: none. Others keep what was said of them. `before`:
 * the newest other sample when `t` is later than all, else anything after `t`. */
void starts_set(struct start_list *l, ts_ms t, ts_ms start, ts_ms before);
/* 0: not known. */
ts_ms starts_get(const struct start_span *at, size_t n, ts_ms t);

#endif
