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
};

struct script_series {
    struct labels labels;
    struct script_value *values;
    size_t n;
};

/* metric{a="b"} 1 2 3; everything in the arena. `*unsupported`: the values are histograms or start
 * times, which is no error of the line. */
bool script_series_parse(str line, struct arena *a, struct script_series *out, bool *unsupported,
                         struct err *err);
/* True when both are the same number, to a relative error of 1e-6; NaN is NaN. */
bool script_almost_equal(double a, double b);

#endif
