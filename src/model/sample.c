// SPDX-License-Identifier: Apache-2.0
#include "model/sample.h"

static const str names[] = {
    [METRIC_UNKNOWN] = STR_INIT("unknown"),   [METRIC_COUNTER] = STR_INIT("counter"),
    [METRIC_GAUGE] = STR_INIT("gauge"),       [METRIC_HISTOGRAM] = STR_INIT("histogram"),
    [METRIC_SUMMARY] = STR_INIT("summary"),   [METRIC_INFO] = STR_INIT("info"),
    [METRIC_STATESET] = STR_INIT("stateset"), [METRIC_GAUGEHISTOGRAM] = STR_INIT("gaugehistogram"),
};

str metric_type_name(enum metric_type t)
{
    return names[t];
}

enum metric_type metric_type_parse(str s)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(names[i], s))
            return (enum metric_type)i;
    }
    return METRIC_UNKNOWN;
}
