// SPDX-License-Identifier: Apache-2.0
/* Buckets and their borders, counter resets. */
#include "model/histogram_math.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/histogram_int.h"

static double power_of_two(double fraction, int64_t exponent)
{
    int64_t e = exponent < -3000 ? -3000 : exponent > 3000 ? 3000 : exponent;
    return ldexp(fraction, (int)e);
}

/* The last regular bucket ends at the largest number, so that the one behind it holds Inf only. */
static double bound_exponential(int64_t index, int schema)
{
    if (schema < 0) {
        int64_t e = index * (1 << -schema);
        return e == 1024 ? DBL_MAX : power_of_two(1, e);
    }
    double fraction = histogram_fractions[(index & ((1 << schema) - 1)) << (8 - schema)];
    int64_t e = (index >> schema) + 1;
    return fraction == 0.5 && e == 1025 ? DBL_MAX : power_of_two(fraction, e);
}

double histogram_bound(const struct histogram_scale *s, int64_t index)
{
    if (s->schema != HISTOGRAM_CUSTOM)
        return bound_exponential(index, s->schema);
    if (index < 0)
        return -INFINITY;
    return (uint64_t)index < s->custom_n ? s->custom[index] : INFINITY;
}

size_t histogram_size(const struct histogram *h)
{
    size_t spans = (size_t)h->positive.spans_n + h->negative.spans_n;
    size_t counts = (size_t)h->positive.counts_n + h->negative.counts_n + h->custom_n;
    return sizeof *h + spans * sizeof(struct histogram_span) + counts * sizeof(double);
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    return a->custom_n == b->custom_n &&
           (!a->custom_n || memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) == 0);
}

/* ---- counter resets ---- */

/* Buckets merged into those of a coarser schema; `walk` is one ahead. */
struct merging {
    struct histogram_walk walk;
    int by;
    bool more;
    int32_t index;
    double count;
};

static void merging_init(struct merging *m, const struct histogram_buckets *b, int by)
{
    *m = (struct merging){.walk = histogram_walk_of(b), .by = by};
    m->more = histogram_walk_next(&m->walk);
}

static bool merging_next(struct merging *m)
{
    if (!m->more)
        return false;
    m->index = histogram_coarser(m->walk.index, m->by);
    m->count = 0;
    do {
        m->count += m->walk.count;
        m->more = histogram_walk_next(&m->walk);
    } while (m->more && histogram_coarser(m->walk.index, m->by) == m->index);
    return true;
}

/* Whether a bucket outside the zero bucket lost observations. `scale` is that of `now`. */
static bool any_fell(const struct histogram_buckets *now, const struct histogram_buckets *before,
                     int by, const struct histogram_scale *scale, double zero)
{
    struct merging old;
    struct histogram_walk cur = histogram_walk_of(now);
    bool more = histogram_walk_next(&cur);
    merging_init(&old, before, by);
    while (merging_next(&old)) {
        if (old.count == 0 || (zero > 0 && histogram_bound(scale, old.index) <= zero))
            continue;
        while (more && cur.index < old.index)
            more = histogram_walk_next(&cur);
        if (!more || cur.index > old.index || cur.count < old.count)
            return true;
    }
    return false;
}

/* Custom buckets of different bounds are compared at those that both have. */
static bool common_fell(const struct histogram *now, const struct histogram *before)
{
    size_t max = now->custom_n < before->custom_n ? now->custom_n : before->custom_n;
    double *bounds = mem_array(max + 1, sizeof *bounds);
    size_t n = histogram_common_bounds(now->custom, now->custom_n, before->custom, before->custom_n,
                                       bounds);
    struct histogram_cells a = {0}, b = {0};
    histogram_cells_read(&a, &now->positive);
    histogram_cells_read(&b, &before->positive);
    histogram_cells_rebound(&a, now->custom, now->custom_n, bounds, n);
    histogram_cells_rebound(&b, before->custom, before->custom_n, bounds, n);
    bool fell = false;
    for (size_t i = 0, k = 0; i < b.n && !fell; i++) {
        while (k < a.n && a.at[k].index < b.at[i].index)
            k++;
        bool there = k < a.n && a.at[k].index == b.at[i].index;
        fell = (there ? a.at[k].count : 0) < b.at[i].count;
    }
    histogram_cells_fini(&a);
    histogram_cells_fini(&b);
    free(bounds);
    return fell;
}

/* Count of the zero bucket that `h` had if it reached to `threshold`; false when that cuts a bucket
 * which is not empty. */
static bool zero_count_at(const struct histogram *h, double threshold, double *out)
{
    struct histogram_zero z = {h->zero_threshold, h->zero_count, 0};
    if (threshold != h->zero_threshold) {
        struct histogram_cells p = {0}, n = {0};
        histogram_cells_read(&p, &h->positive);
        histogram_cells_read(&n, &h->negative);
        histogram_zero_widen(
            &(struct histogram_sides){&p, &n, {h->custom, h->custom_n, h->schema}, &z}, threshold);
        histogram_cells_fini(&p);
        histogram_cells_fini(&n);
    }
    *out = z.count + z.low;
    return z.threshold == threshold;
}

bool histogram_was_reset(const struct histogram *now, const struct histogram *before)
{
    struct histogram_scale scale = {now->custom, now->custom_n, now->schema};
    double zero;
    if (now->reset == HISTOGRAM_RESET_YES || now->reset == HISTOGRAM_RESET_NO)
        return now->reset == HISTOGRAM_RESET_YES;
    if (now->count < before->count)
        return true;
    if (histogram_is_custom(now) != histogram_is_custom(before))
        return true;
    if (histogram_is_custom(now))
        return same_bounds(now, before) ? any_fell(&now->positive, &before->positive, 0, &scale, 0)
                                        : common_fell(now, before);
    if (now->schema > before->schema || now->zero_threshold < before->zero_threshold)
        return true;
    if (!zero_count_at(before, now->zero_threshold, &zero) || now->zero_count < zero)
        return true;
    int by = before->schema - now->schema;
    return any_fell(&now->positive, &before->positive, by, &scale, now->zero_threshold) ||
           any_fell(&now->negative, &before->negative, by, &scale, now->zero_threshold);
}

/* ---- listing ---- */

static void put_bucket(struct histogram_bucket *b, const struct histogram *h, int64_t index,
                       double count, bool negative)
{
    struct histogram_scale s = {h->custom, h->custom_n, h->schema};
    double upper = histogram_bound(&s, index), lower = histogram_bound(&s, index - 1);
    b->count = count;
    b->lower = negative ? -upper : lower;
    b->upper = negative ? -lower : upper;
    b->lower_in = histogram_is_custom(h) ? index == 0 : b->lower < 0;
    b->upper_in = histogram_is_custom(h) || b->upper > 0;
    double z = histogram_is_custom(h) ? 0 : h->zero_threshold;
    if (b->upper < 0 && b->upper > -z)
        b->upper = -z;
    else if (b->lower > 0 && b->lower < z)
        b->lower = z;
}

size_t histogram_list(const struct histogram *h, struct histogram_bucket *out)
{
    size_t n = 0;
    struct histogram_walk w = histogram_walk_of(&h->negative);
    while (histogram_walk_next(&w))
        if (w.count != 0)
            put_bucket(&out[n++], h, w.index, w.count, true);
    for (size_t i = 0; i < n / 2; i++) {
        struct histogram_bucket b = out[i];
        out[i] = out[n - 1 - i];
        out[n - 1 - i] = b;
    }
    if (!histogram_is_custom(h) && h->zero_count > 0)
        out[n++] = (struct histogram_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count,
                                             true, true};
    w = histogram_walk_of(&h->positive);
    while (histogram_walk_next(&w))
        if (w.count != 0)
            put_bucket(&out[n++], h, w.index, w.count, false);
    return n;
}
