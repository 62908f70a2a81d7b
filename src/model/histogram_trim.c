// SPDX-License-Identifier: Apache-2.0
/*
 * Cutting a histogram at a value (the operators </ and >/). The bucket that the value is in is
 * split by interpolation; the sum is estimated anew from the middle of what is left of each bucket.
 */
#include <math.h>

#include "model/histogram_int.h"

struct trimming {
    double at;
    bool upper; /* what lies above goes */
    bool linear;
    double count, sum; /* of what is left */
    bool changed;
};

static double middle(double lower, double upper, bool positive, bool linear)
{
    if (isinf(lower))
        return isinf(upper) ? 0 : upper > 0 ? upper / 2 : upper;
    if (isinf(upper))
        return lower;
    if (linear)
        return (lower + upper) / 2;
    double mean = sqrt(fabs(lower * upper));
    return positive ? mean : -mean;
}

static double finite_or_zero(double v)
{
    return isinf(v) ? 0 : v;
}

/* A bucket that begins at -Inf: nobody knows how its observations are spread, unless it ends above
 * zero, where it is taken to begin. */
static double cut_lowest(const struct trimming *t, double upper, double count, double *mid)
{
    if (t->upper) {
        if (t->at > 0 && upper > 0 && !isinf(upper)) {
            *mid = t->at / 2;
            return count * t->at / upper;
        }
        *mid = upper <= 0 ? t->at : finite_or_zero(upper);
        return upper <= 0 ? count : 0;
    }
    if (t->at >= 0 && upper > t->at && !isinf(upper)) {
        *mid = (t->at + upper) / 2;
        return count * (1 - t->at / upper);
    }
    *mid = finite_or_zero(upper);
    return t->at == -INFINITY ? count : 0;
}

/* How much of a bucket that is cut stays, and where its middle is. */
static double cut(const struct trimming *t, double lower, double upper, double count, bool positive,
                  double *mid)
{
    if (lower == -INFINITY)
        return cut_lowest(t, upper, count, mid);
    if (upper == INFINITY) {
        bool stays = !t->upper && t->at >= lower;
        *mid = stays ? t->at : finite_or_zero(lower);
        return stays ? count : 0;
    }
    double below = count * histogram_share(lower, upper, t->at, t->linear);
    *mid = t->upper ? middle(lower, t->at, positive, t->linear)
                    : middle(t->at, upper, positive, t->linear);
    return t->upper ? below : count - below;
}

static void trim_cell(struct trimming *t, struct histogram_cell *c, double lower, double upper,
                      bool positive)
{
    double kept = 0, mid = 0;
    if (t->upper ? upper <= t->at : lower >= t->at) {
        kept = c->count;
        mid = middle(lower, upper, positive, t->linear);
    } else if (t->upper ? lower < t->at : upper > t->at) {
        kept = cut(t, lower, upper, c->count, positive, &mid);
    }
    t->count += kept;
    t->sum += mid * kept;
    t->changed |= kept != c->count;
    c->count = kept;
}

/* The zero bucket reaches only to the sides that have buckets. */
static void trim_zero(struct trimming *t, struct histogram_work *w, bool negative, bool positive)
{
    double lower = positive && !negative ? 0 : -w->zero.threshold;
    double upper = negative && !positive ? 0 : w->zero.threshold;
    double share = 1, mid = (lower + upper) / 2;
    if (t->at <= lower) {
        share = t->upper ? 0 : 1;
    } else if (t->at >= upper) {
        share = t->upper ? 1 : 0;
    } else {
        double below = (t->at - lower) / (upper - lower);
        share = t->upper ? below : (upper - t->at) / (upper - lower);
        mid = t->upper ? (lower + t->at) / 2 : (t->at + upper) / 2;
    }
    double kept = w->zero.count * share;
    t->count += kept;
    t->sum += kept != 0 ? mid * kept : 0;
    t->changed |= kept != w->zero.count;
    w->zero.count = kept;
}

void histogram_work_trim(struct histogram_work *w, double at, bool upper)
{
    struct histogram_scale s = {w->custom, w->custom_n, w->schema};
    struct trimming t = {.at = at, .upper = upper, .linear = w->schema == HISTOGRAM_CUSTOM};
    bool positive = w->positive.n > 0, negative = w->negative.n > 0;
    for (size_t i = 0; i < w->positive.n; i++) {
        struct histogram_cell *c = &w->positive.at[i];
        trim_cell(&t, c, histogram_bound(&s, (int64_t)c->index - 1), histogram_bound(&s, c->index),
                  true);
    }
    for (size_t i = 0; i < w->negative.n; i++) {
        struct histogram_cell *c = &w->negative.at[i];
        trim_cell(&t, c, -histogram_bound(&s, c->index),
                  -histogram_bound(&s, (int64_t)c->index - 1), false);
    }
    if (w->zero.count > 0)
        trim_zero(&t, w, negative, positive);
    if (!t.changed)
        return;
    w->count = t.count;
    w->sum = t.sum;
    w->count_low = w->sum_low = 0;
}
