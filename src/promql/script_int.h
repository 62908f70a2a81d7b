// SPDX-License-Identifier: Apache-2.0
/* Series lines of scripts, and how results are compared with them. */
#ifndef PROMQL_SCRIPT_INT_H
#define PROMQL_SCRIPT_INT_H

#include "base/vec.h"
#include "promql/mem_source.h"
#include "promql/promql.h"
#include "promql/script.h"

struct script_value {
    double v;
    bool gap;
    bool hint; /* of a histogram: its reset hint was written, so it is compared */
    const struct histogram *h;
};

struct script_series {
    struct labels labels;
    struct script_value *values;
    size_t n;
    bool starts; /* the values are start times, in milliseconds from each sample */
};

typedef VEC(struct script_series) script_series_vec;

/* metric{a="b"} 1 2 3, or metric{a="b"}@st -1m -1m; everything in the arena. */
bool script_series_parse(str line, struct arena *a, struct script_series *out, struct err *err);
/* True when both are the same number, to a relative error of 1e-6; NaN is NaN. */
bool script_almost_equal(double a, double b);
/* The same of histograms, bucket by bucket. */
bool script_similar(const struct histogram *a, const struct histogram *b, bool hint);
/* Adds the histograms with custom buckets that classic ones among the series are, `gap` ms apart.
 */
bool script_add_nhcb(const script_series_vec *series, int64_t gap, struct mem_source *to,
                     struct arena *a, struct err *err);

/* The expression with every selector at `t`; `*out` NULL: its result would still depend on when it
 * is evaluated. The caller frees it. */
bool script_pin(str expr, unsigned features, ts_ms t, struct promql_expr **out, struct err *err);

#endif
