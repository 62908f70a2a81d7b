// SPDX-License-Identifier: Apache-2.0
/*
 * Native histogram: one sample that is a whole distribution. Counts are absolute, one per bucket
 * that a span names; integer counts are held as doubles, exact up to 2^53.
 *
 * Exponential schemas (-4..8): bucket i ends at 2^(i * 2^-schema), values of the other sign mirror
 * it. HISTOGRAM_CUSTOM: bucket i ends at custom[i], the one behind the last bound at +Inf; no
 * negative buckets, no zero bucket.
 */
#ifndef MODEL_HISTOGRAM_H
#define MODEL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SCHEMA_MIN = -4, HISTOGRAM_SCHEMA_MAX = 8, HISTOGRAM_CUSTOM = -53 };

/* What is known about a counter reset between this sample and the one before. */
enum histogram_reset {
    HISTOGRAM_RESET_UNKNOWN,
    HISTOGRAM_RESET_YES,
    HISTOGRAM_RESET_NO,
    HISTOGRAM_GAUGE, /* may go up and down */
};

/* `n` neighbouring buckets; `offset` empty ones lie before them (of the first span: its index). */
struct histogram_span {
    int32_t offset;
    uint32_t n;
};

struct histogram_buckets {
    const struct histogram_span *spans;
    const double *counts; /* one for each bucket of the spans in turn */
    uint32_t spans_n, counts_n;
};

/* Immutable once built; its arrays live where it lives. */
struct histogram {
    double count, sum;
    double zero_threshold, zero_count;
    struct histogram_buckets positive, negative;
    const double *custom; /* upper bounds, rising, without +Inf */
    uint32_t custom_n;
    int8_t schema;
    uint8_t reset; /* enum histogram_reset */
};

#endif
