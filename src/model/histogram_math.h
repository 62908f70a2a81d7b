// SPDX-License-Identifier: Apache-2.0
/*
 * What PromQL does with native histograms: their buckets with borders, resets, quantiles, text,
 * arithmetic. Arithmetic is done in a `struct histogram_work`, which holds buckets one by one and
 * sums with compensation:
 *
 *     struct histogram_work w = {0};
 *     unsigned flags = 0;
 *     histogram_work_set(&w, a);
 *     if (histogram_work_add(&w, b, 1, &flags)) ...
 *     const struct histogram *sum = histogram_work_freeze(&w, &arena);
 *     histogram_work_fini(&w);
 *
 * Everything is pure and takes histograms that histogram_check accepts, but that counts may be any
 * number, as differences are. A work belongs to one thread.
 */
#ifndef MODEL_HISTOGRAM_MATH_H
#define MODEL_HISTOGRAM_MATH_H

#include "base/strbuf.h"
#include "model/histogram.h"

static inline bool histogram_is_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_CUSTOM;
}

/* Bytes that a copy takes, about. */
size_t histogram_size(const struct histogram *h);

/* Whether a counter started anew between `before` and `now`: the hint of `now`, or any count that
 * fell, or a finer schema or smaller zero bucket, which only a restart can bring. */
bool histogram_was_reset(const struct histogram *now, const struct histogram *before);

struct histogram_bucket {
    double lower, upper, count;
    bool lower_in, upper_in; /* whether the border belongs to the bucket */
};

/* Room that histogram_list needs. */
static inline size_t histogram_list_max(const struct histogram *h)
{
    return (size_t)h->positive.counts_n + h->negative.counts_n + 1;
}
/* Buckets that are not empty, from the lowest to the highest, the zero bucket among them; returns
 * how many. */
size_t histogram_list(const struct histogram *h, struct histogram_bucket *out);

/* ---- statistics, interpolated inside buckets as upstream does ---- */

enum histogram_nan {
    HISTOGRAM_NAN_NONE,
    HISTOGRAM_NAN_SKEWS,  /* observations of NaN shift the result */
    HISTOGRAM_NAN_RESULT, /* the quantile is one of them */
};
/* -Inf and +Inf for q outside [0, 1]; NaN when the histogram is empty. */
double histogram_quantile(const struct histogram *h, double q, enum histogram_nan *nan);
/* Share of the observations between two values. */
double histogram_fraction(const struct histogram *h, double lower, double upper,
                          enum histogram_nan *nan);
/* Estimated from the middle of each bucket. */
double histogram_variance(const struct histogram *h);

/* ---- text ---- */

/* {count:3, sum:2.5, [-0.001,0.001]:1, (1,2]:2} */
void histogram_format(const struct histogram *h, struct strbuf *out);
/* {{schema:1 count:3 sum:2.5 offset:1 buckets:[2]}}: as scripts and unit tests write it. */
void histogram_format_script(const struct histogram *h, struct strbuf *out);
/* Reads the form above, all of `s`; keys in any order. `*hint_set`: counter_reset_hint was there.
 * The result lives in the arena. */
bool histogram_parse(str s, struct arena *a, struct histogram *out, bool *hint_set,
                     struct err *err);

/* ---- arithmetic ---- */

struct histogram_cell {
    int32_t index;
    double count, low; /* low: what rounding took from count */
};

struct histogram_cells {
    struct histogram_cell *at;
    size_t n, cap;
};

struct histogram_zero {
    double threshold, count, low;
};

/* All zero is an empty histogram of schema 0. */
struct histogram_work {
    double count, count_low, sum, sum_low;
    struct histogram_zero zero;
    struct histogram_cells positive, negative;
    double *custom;
    size_t custom_n, custom_cap;
    int8_t schema;
    uint8_t reset;
    struct histogram_cells scratch[3]; /* buckets of an operand, room to merge */
};

void histogram_work_fini(struct histogram_work *w);
void histogram_work_set(struct histogram_work *w, const struct histogram *h);
void histogram_work_copy(struct histogram_work *w, const struct histogram_work *from);

enum histogram_flags {
    HISTOGRAM_RECONCILED = 1, /* custom bounds differed: only the common ones are left */
    HISTOGRAM_COLLISION = 2,  /* one hint said reset, the other said none */
};
/*
 * Adds h * factor. Schemas, zero buckets and custom bounds are brought to what both can be said
 * in. False, and nothing changed, when one has custom buckets and the other has not.
 * `*flags` |= what happened.
 */
bool histogram_work_add(struct histogram_work *w, const struct histogram *h, double factor,
                        unsigned *flags);
/* All counts and the sum times `factor`; a negative one makes a gauge. */
void histogram_work_scale(struct histogram_work *w, double factor);
/* As scale by 1 / divisor, rounded as a division; by 0 all buckets go. */
void histogram_work_divide(struct histogram_work *w, double divisor);
/* Lower the resolution; nothing when it is as low already. */
void histogram_work_reduce(struct histogram_work *w, int8_t schema);
/* Keeps what was observed below `at` (`upper`) or above it; a bucket that `at` cuts is split. */
void histogram_work_trim(struct histogram_work *w, double at, bool upper);
/* Whether anything in it is infinite. */
bool histogram_work_overflowed(const struct histogram_work *w);
/* What it holds, in the arena, without empty buckets. */
struct histogram *histogram_work_freeze(const struct histogram_work *w, struct arena *a);

#endif
