// SPDX-License-Identifier: Apache-2.0
#include "model/histogram.h"

#include <math.h>
#include <string.h>

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

struct histogram_walk histogram_walk_of(const struct histogram_buckets *b)
{
    return (struct histogram_walk){.b = b};
}

bool histogram_walk_next(struct histogram_walk *w)
{
    while (w->left == 0) {
        if (w->span == w->b->spans_n)
            return false;
        const struct histogram_span *s = &w->b->spans[w->span++];
        w->next_index += s->offset;
        w->left = s->n;
    }
    w->left--;
    w->index = w->next_index++;
    w->count = w->b->counts[w->at++];
    return true;
}

/* ---- checks ---- */

static bool check_buckets(const struct histogram_buckets *b, const char *sign, struct err *err)
{
    uint64_t n = 0;
    int64_t index = 0;
    if (b->counts_n > HISTOGRAM_BUCKETS_MAX || b->spans_n > HISTOGRAM_BUCKETS_MAX)
        return err_set(err, ERR_LIMIT, "histogram: more than %d %s buckets", HISTOGRAM_BUCKETS_MAX,
                       sign);
    for (uint32_t i = 0; i < b->spans_n; i++) {
        if (i > 0 && b->spans[i].offset < 0)
            return err_set(err, ERR_INVALID, "histogram: span %u of the %s buckets goes back", i,
                           sign);
        n += b->spans[i].n;
        index += (int64_t)b->spans[i].offset + b->spans[i].n;
        if (index > HISTOGRAM_INDEX_MAX || index < -HISTOGRAM_INDEX_MAX)
            return err_set(err, ERR_INVALID, "histogram: %s spans lead out of all bounds", sign);
    }
    if (n != b->counts_n)
        return err_set(err, ERR_INVALID,
                       "histogram: spans name %llu %s buckets, there are %u counts",
                       (unsigned long long)n, sign, b->counts_n);
    for (uint32_t i = 0; i < b->counts_n; i++)
        if (!(b->counts[i] >= 0))
            return err_set(err, ERR_INVALID, "histogram: %s bucket %u has the count %g", sign, i,
                           b->counts[i]);
    return true;
}

static bool check_bounds(const struct histogram *h, struct err *err)
{
    if (h->custom_n >= HISTOGRAM_BUCKETS_MAX)
        return err_set(err, ERR_LIMIT, "histogram: %u custom bounds, at most %d", h->custom_n,
                       HISTOGRAM_BUCKETS_MAX - 1);
    for (uint32_t i = 0; i < h->custom_n; i++) {
        if (!(i == 0 || h->custom[i] > h->custom[i - 1]) || isnan(h->custom[i]))
            return err_set(err, ERR_INVALID, "histogram: custom bounds do not rise at %u", i);
        if (h->custom[i] == INFINITY)
            return err_set(err, ERR_INVALID, "histogram: +Inf is among the custom bounds");
    }
    return true;
}

static bool check_custom(const struct histogram *h, struct err *err)
{
    int64_t end = 0;
    if (!check_bounds(h, err))
        return false;
    if (h->zero_count != 0 || h->zero_threshold != 0)
        return err_set(err, ERR_INVALID, "histogram: custom buckets have no zero bucket");
    if (h->negative.spans_n || h->negative.counts_n)
        return err_set(err, ERR_INVALID, "histogram: custom buckets have no negative ones");
    for (uint32_t i = 0; i < h->positive.spans_n; i++) {
        end += (int64_t)h->positive.spans[i].offset + h->positive.spans[i].n;
        if (i == 0 && h->positive.spans[i].offset < 0)
            return err_set(err, ERR_INVALID, "histogram: custom buckets begin below 0");
    }
    if (end > (int64_t)h->custom_n + 1)
        return err_set(err, ERR_INVALID, "histogram: %lld custom buckets, only %u bounds",
                       (long long)end, h->custom_n);
    return true;
}

bool histogram_check(const struct histogram *h, struct err *err)
{
    bool exponential = h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX;
    if (!exponential && h->schema != HISTOGRAM_CUSTOM)
        return err_set(err, ERR_INVALID, "histogram: unknown schema %d", h->schema);
    if (h->reset > HISTOGRAM_GAUGE)
        return err_set(err, ERR_INVALID, "histogram: unknown reset hint %u", h->reset);
    if (!check_buckets(&h->positive, "positive", err) ||
        !check_buckets(&h->negative, "negative", err))
        return false;
    if (!(h->count >= 0) || !(h->zero_count >= 0))
        return err_set(err, ERR_INVALID, "histogram: a count is below zero");
    if (!exponential)
        return check_custom(h, err);
    if (h->custom_n)
        return err_set(err, ERR_INVALID, "histogram: schema %d has custom bounds", h->schema);
    if (!(h->zero_threshold >= 0) || isinf(h->zero_threshold))
        return err_set(err, ERR_INVALID, "histogram: the zero threshold is %g", h->zero_threshold);
    return true;
}

/* ---- comparing ---- */

static bool next_used(struct histogram_walk *w)
{
    while (histogram_walk_next(w))
        if (w->count != 0)
            return true;
    return false;
}

static bool buckets_equal(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    struct histogram_walk x = histogram_walk_of(a), y = histogram_walk_of(b);
    for (;;) {
        bool more = next_used(&x);
        if (more != next_used(&y))
            return false;
        if (!more)
            return true;
        if (x.index != y.index || !same_bits(x.count, y.count))
            return false;
    }
}

static bool values_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->schema != b->schema || !same_bits(a->count, b->count) || !same_bits(a->sum, b->sum) ||
        !same_bits(a->zero_threshold, b->zero_threshold) ||
        !same_bits(a->zero_count, b->zero_count) || a->custom_n != b->custom_n)
        return false;
    if (a->custom_n && memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) != 0)
        return false;
    return buckets_equal(&a->positive, &b->positive) && buckets_equal(&a->negative, &b->negative);
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
    return a->reset == b->reset && values_equal(a, b);
}

bool histogram_same_sample(const struct histogram *a, const struct histogram *b)
{
    return (a->reset == HISTOGRAM_GAUGE) == (b->reset == HISTOGRAM_GAUGE) && values_equal(a, b);
}

static bool whole(double v)
{
    return v >= 0 && v <= 0x1p53 && v == trunc(v) && !signbit(v);
}

static bool all_whole(const struct histogram_buckets *b)
{
    for (uint32_t i = 0; i < b->counts_n; i++)
        if (!whole(b->counts[i]))
            return false;
    return true;
}

bool histogram_is_integral(const struct histogram *h)
{
    return whole(h->count) && whole(h->zero_count) && all_whole(&h->positive) &&
           all_whole(&h->negative);
}

/* ---- copying ---- */

static void *put(uint8_t **p, const void *from, size_t n)
{
    void *at = *p;
    if (n)
        memcpy(at, from, n);
    *p += n;
    return at;
}

static void dup_buckets(struct histogram_buckets *to, const struct histogram_buckets *from,
                        uint8_t **p)
{
    to->spans = put(p, from->spans, from->spans_n * sizeof *from->spans);
    to->counts = put(p, from->counts, from->counts_n * sizeof *from->counts);
}

struct histogram *histogram_dup(struct arena *a, const struct histogram *h)
{
    size_t spans = (size_t)h->positive.spans_n + h->negative.spans_n;
    size_t doubles = (size_t)h->positive.counts_n + h->negative.counts_n + h->custom_n;
    uint8_t *p = arena_alloc(a, sizeof *h + spans * sizeof(struct histogram_span) +
                                    doubles * sizeof(double));
    struct histogram *copy = put(&p, h, sizeof *h);
    dup_buckets(&copy->positive, &h->positive, &p);
    dup_buckets(&copy->negative, &h->negative, &p);
    copy->custom = put(&p, h->custom, h->custom_n * sizeof *h->custom);
    return copy;
}
