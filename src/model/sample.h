// SPDX-License-Identifier: Apache-2.0
/* Samples and what is known about a metric. */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include <string.h>

#include "base/str.h"

/* The value that says "this series ends here": one NaN among many, told by its bits. */
#define STALE_NAN_BITS 0x7ff0000000000002ULL

/* What every other NaN from outside is stored as, so that none can be taken for the one above. */
#define NORMAL_NAN_BITS 0x7ff8000000000001ULL

static inline double f64_from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
static inline double stale_nan(void)
{
    return f64_from_bits(STALE_NAN_BITS);
}
static inline double normal_nan(void)
{
    return f64_from_bits(NORMAL_NAN_BITS);
}

static inline bool is_stale_nan(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == STALE_NAN_BITS;
}

/* Stands in a column of values where the sample is a native histogram. As a float from outside it
 * is one NaN among many. */
#define HISTOGRAM_MARK_BITS 0x7ff468697374006dULL

static inline double histogram_mark(void)
{
    return f64_from_bits(HISTOGRAM_MARK_BITS);
}

static inline bool is_histogram_mark(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == HISTOGRAM_MARK_BITS;
}

enum metric_type {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET,
    METRIC_GAUGEHISTOGRAM,
};

/* "counter", ...; "unknown" is written "unknown". */
str metric_type_name(enum metric_type t);
/* METRIC_UNKNOWN for anything it does not know; "untyped" is unknown too. */
enum metric_type metric_type_parse(str s);

struct metadata {
    str family; /* metric family name */
    enum metric_type type;
    str unit, help;
    ts_ms since; /* when a store was first told; 0: not said */
};

#endif
