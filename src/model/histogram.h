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

#include "base/arena.h"
#include "base/err.h"

enum { HISTOGRAM_SCHEMA_MIN = -4, HISTOGRAM_SCHEMA_MAX = 8, HISTOGRAM_CUSTOM = -53 };

enum {
    HISTOGRAM_BUCKETS_MAX = 16384, /* of one sign. Clients keep about 160 */
    HISTOGRAM_INDEX_MAX = 1 << 20, /* of a bucket; the largest double is in 2^18 of schema 8 */
};

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

/*
 * What Prometheus checks before it stores one: the schema, that spans go up and cover the counts,
 * that custom bounds rise and have no other buckets, that no count is below zero. ERR_INVALID says
 * what is wrong, ERR_LIMIT names HISTOGRAM_BUCKETS_MAX. Views are followed, so they must be valid.
 */
bool histogram_check(const struct histogram *h, struct err *err);

/* The same distribution under the same schema, threshold, bounds and hint, bit by bit; how spans
 * are cut and which buckets are written though they are empty makes no difference. */
bool histogram_equal(const struct histogram *a, const struct histogram *b);

/* The same but for a hint that says nothing in one of them: what makes a sample a duplicate. */
bool histogram_same_sample(const struct histogram *a, const struct histogram *b);

/* Deep copy, in one piece. */
struct histogram *histogram_dup(struct arena *a, const struct histogram *h);

/* True when count, zero count and buckets are all whole numbers that a double holds exactly. */
bool histogram_is_integral(const struct histogram *h);

/*
 * Walks the buckets of one sign in order of index:
 *
 *     struct histogram_walk w = histogram_walk_of(&h->positive);
 *     while (histogram_walk_next(&w)) use(w.index, w.count);
 */
struct histogram_walk {
    const struct histogram_buckets *b;
    uint32_t span, left, at; /* next: span, buckets left in it, place in counts */
    int64_t next_index;
    int64_t index;
    double count;
};
struct histogram_walk histogram_walk_of(const struct histogram_buckets *b);
bool histogram_walk_next(struct histogram_walk *w);

#endif
