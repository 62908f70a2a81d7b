// SPDX-License-Identifier: Apache-2.0
/*
 * Quantiles, fractions and variance of one histogram. Inside a bucket observations are taken to be
 * spread evenly, on a logarithmic scale in exponential buckets.
 */
#include <math.h>

#include "base/kahan.h"
#include "base/mem.h"
#include "model/histogram_int.h"

double histogram_share(double lower, double upper, double v, bool linear)
{
    if (linear)
        return (v - lower) / (upper - lower);
    double l = log2(fabs(lower)), u = log2(fabs(upper)), x = log2(fabs(v));
    return v > 0 ? (x - l) / (u - l) : 1 - (x - u) / (l - u);
}

/* The zero bucket reaches only to the sides that have buckets. */
static void narrow_zero(const struct histogram *h, struct histogram_bucket *b)
{
    if (!h->negative.counts_n && h->positive.counts_n)
        b->lower = 0;
    else if (!h->positive.counts_n && h->negative.counts_n)
        b->upper = 0;
}

static double inside(const struct histogram *h, const struct histogram_bucket *b, double fraction)
{
    if (histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0))
        return b->lower + (b->upper - b->lower) * fraction;
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper));
    if (b->lower > 0)
        return exp2(lower + (upper - lower) * fraction);
    return -exp2(upper + (lower - upper) * (1 - fraction));
}

/* NaN is in no bucket: more observations than the buckets hold. */
static bool holds_nan(const struct histogram *h, const struct histogram_bucket *b, size_t n)
{
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += b[i].count;
    return all < h->count;
}

/* Buckets are counted from below, or from above for the upper half, which rounds less. */
static double quantile(const struct histogram *h, double q, const struct histogram_bucket *list,
                       size_t n, enum histogram_nan *nan)
{
    bool upwards = isnan(h->sum) || q < 0.5;
    double rank = (upwards ? q : 1 - q) * h->count, count = 0;
    struct histogram_bucket b = {0};
    for (size_t i = 0; i < n; i++) {
        b = list[upwards ? i : n - 1 - i];
        count += b.count;
        if (count >= rank)
            break;
    }
    if (!histogram_is_custom(h) && b.lower < 0 && b.upper > 0) {
        narrow_zero(h, &b);
    } else if (histogram_is_custom(h) && b.lower == -INFINITY) {
        if (b.upper <= 0)
            return b.upper;
        b.lower = 0;
    } else if (histogram_is_custom(h) && b.upper == INFINITY) {
        return b.lower;
    }
    count = count > h->count ? h->count : count;
    if (count < rank) {
        *nan = isnan(h->sum) ? HISTOGRAM_NAN_RESULT : HISTOGRAM_NAN_NONE;
        return isnan(h->sum) ? NAN : b.upper;
    }
    rank = upwards ? rank - (count - b.count) : count - rank;
    if (isnan(h->sum) && holds_nan(h, list, n))
        *nan = HISTOGRAM_NAN_SKEWS;
    return inside(h, &b, rank / b.count);
}

double histogram_quantile(const struct histogram *h, double q, enum histogram_nan *nan)
{
    *nan = HISTOGRAM_NAN_NONE;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    if (h->count == 0 || isnan(q))
        return NAN;
    struct histogram_bucket *list = mem_array(histogram_list_max(h), sizeof *list);
    double v = quantile(h, q, list, histogram_list(h, list), nan);
    free(list);
    return v;
}

/* How many observations are below v. */
static double rank_of(const struct histogram *h, double v, const struct histogram_bucket *list,
                      size_t n, bool *found)
{
    double rank = 0;
    *found = true;
    for (size_t i = 0; i < n; i++) {
        struct histogram_bucket b = list[i];
        bool zero = b.lower <= 0 && b.upper >= 0;
        if (zero)
            narrow_zero(h, &b);
        if (b.lower >= v)
            return rank;
        if (b.upper > v) {
            bool linear = histogram_is_custom(h) || zero;
            if (linear && b.lower == -INFINITY)
                return b.count;
            return rank + b.count * histogram_share(b.lower, b.upper, v, linear);
        }
        rank += b.count;
    }
    *found = false;
    return rank;
}

static double fraction(const struct histogram *h, double lower, double upper,
                       const struct histogram_bucket *list, size_t n, enum histogram_nan *nan)
{
    bool lower_found, upper_found;
    double l = rank_of(h, lower, list, n, &lower_found), count = h->count;
    double u = rank_of(h, upper, list, n, &upper_found);
    if (isnan(h->sum)) {
        count = 0;
        for (size_t i = 0; i < n; i++)
            count += list[i].count;
        if (count < h->count)
            *nan = HISTOGRAM_NAN_SKEWS;
    }
    if (!lower_found || l > count)
        l = count;
    if (!upper_found || u > count)
        u = count;
    return (u - l) / h->count;
}

double histogram_fraction(const struct histogram *h, double lower, double upper,
                          enum histogram_nan *nan)
{
    *nan = HISTOGRAM_NAN_NONE;
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    struct histogram_bucket *list = mem_array(histogram_list_max(h), sizeof *list);
    double v = fraction(h, lower, upper, list, histogram_list(h, list), nan);
    free(list);
    return v;
}

/* Arithmetic middle of custom buckets, geometric of exponential ones. */
static double bucket_value(const struct histogram *h, const struct histogram_bucket *b)
{
    if (histogram_is_custom(h))
        return (b->upper + b->lower) / 2;
    if (b->lower <= 0 && b->upper >= 0)
        return 0;
    double mean = sqrt(b->upper * b->lower);
    return b->upper < 0 ? -mean : mean;
}

double histogram_variance(const struct histogram *h)
{
    struct histogram_bucket *list = mem_array(histogram_list_max(h), sizeof *list);
    size_t n = histogram_list(h, list);
    double mean = h->sum / h->count, sum = 0, low = 0;
    for (size_t i = 0; i < n; i++) {
        double delta = bucket_value(h, &list[i]) - mean;
        kahan_add(list[i].count * delta * delta, &sum, &low);
    }
    free(list);
    return (sum + low) / h->count;
}
