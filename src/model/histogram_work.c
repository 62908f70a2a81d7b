// SPDX-License-Identifier: Apache-2.0
/* Arithmetic on whole histograms; which results it gives is upstream's (model/histogram). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kahan.h"
#include "base/mem.h"
#include "model/histogram_int.h"

void histogram_work_fini(struct histogram_work *w)
{
    histogram_cells_fini(&w->positive);
    histogram_cells_fini(&w->negative);
    for (int i = 0; i < 3; i++)
        histogram_cells_fini(&w->scratch[i]);
    free(w->custom);
    *w = (struct histogram_work){0};
}

static void set_custom(struct histogram_work *w, const double *custom, size_t n)
{
    if (n > w->custom_cap) {
        w->custom_cap = n;
        w->custom = mem_realloc(w->custom, n * sizeof *w->custom);
    }
    if (n)
        memcpy(w->custom, custom, n * sizeof *w->custom);
    w->custom_n = n;
}

void histogram_work_set(struct histogram_work *w, const struct histogram *h)
{
    w->count = h->count;
    w->sum = h->sum;
    w->count_low = w->sum_low = 0;
    w->zero = (struct histogram_zero){h->zero_threshold, h->zero_count, 0};
    w->schema = h->schema;
    w->reset = h->reset;
    set_custom(w, h->custom, h->custom_n);
    histogram_cells_read(&w->positive, &h->positive);
    histogram_cells_read(&w->negative, &h->negative);
}

void histogram_work_copy(struct histogram_work *w, const struct histogram_work *from)
{
    w->count = from->count;
    w->count_low = from->count_low;
    w->sum = from->sum;
    w->sum_low = from->sum_low;
    w->zero = from->zero;
    w->schema = from->schema;
    w->reset = from->reset;
    set_custom(w, from->custom, from->custom_n);
    histogram_cells_copy(&w->positive, &from->positive);
    histogram_cells_copy(&w->negative, &from->negative);
}

static struct histogram_sides sides_of(struct histogram_work *w)
{
    return (struct histogram_sides){
        &w->positive, &w->negative, {w->custom, w->custom_n, w->schema}, &w->zero};
}

/* One zero bucket for both: each grows to the other's, or beyond when that would cut a bucket. */
static void reconcile_zero(const struct histogram_sides *a, const struct histogram_sides *b)
{
    while (a->zero->threshold < b->zero->threshold || a->zero->threshold > b->zero->threshold) {
        if (a->zero->threshold > b->zero->threshold)
            histogram_zero_widen(b, a->zero->threshold);
        if (b->zero->threshold > a->zero->threshold)
            histogram_zero_widen(a, b->zero->threshold);
    }
}

/* What the result's hint is; true when the two contradict each other. */
static bool reconcile_hints(uint8_t *mine, uint8_t other)
{
    if (*mine == other || *mine == HISTOGRAM_GAUGE)
        return false;
    if (other == HISTOGRAM_GAUGE) {
        *mine = HISTOGRAM_GAUGE;
        return false;
    }
    bool collide = *mine != HISTOGRAM_RESET_UNKNOWN && other != HISTOGRAM_RESET_UNKNOWN;
    *mine = HISTOGRAM_RESET_UNKNOWN;
    return collide;
}

/* The operand's cells, in the work's scratch, are made to fit, or the work's are. */
static void fit_custom(struct histogram_work *w, struct histogram_cells *other,
                       const struct histogram *h, unsigned *flags)
{
    size_t n = w->custom_n, both = n < h->custom_n ? n : h->custom_n;
    if (n == h->custom_n && (!n || memcmp(w->custom, h->custom, n * sizeof *h->custom) == 0))
        return;
    double *common = mem_array(both + 1, sizeof *common);
    size_t common_n = histogram_common_bounds(w->custom, n, h->custom, h->custom_n, common);
    histogram_cells_rebound(&w->positive, w->custom, n, common, common_n);
    histogram_cells_rebound(other, h->custom, h->custom_n, common, common_n);
    set_custom(w, common, common_n);
    free(common);
    *flags |= HISTOGRAM_RECONCILED;
}

void histogram_work_reduce(struct histogram_work *w, int8_t schema)
{
    if (schema >= w->schema)
        return;
    histogram_cells_reduce(&w->positive, w->schema - schema);
    histogram_cells_reduce(&w->negative, w->schema - schema);
    w->schema = schema;
}

static void fit_exponential(struct histogram_work *w, struct histogram_cells *positive,
                            struct histogram_cells *negative, struct histogram_zero *zero,
                            const struct histogram *h)
{
    struct histogram_sides mine = sides_of(w),
                           other = {positive, negative, {NULL, 0, h->schema}, zero};
    reconcile_zero(&mine, &other);
    histogram_cells_reduce(positive, h->schema - w->schema);
    histogram_cells_reduce(negative, h->schema - w->schema);
    histogram_work_reduce(w, h->schema);
}

bool histogram_work_add(struct histogram_work *w, const struct histogram *h, double factor,
                        unsigned *flags)
{
    struct histogram_cells *positive = &w->scratch[0], *negative = &w->scratch[1];
    struct histogram_zero zero = {h->zero_threshold, h->zero_count, 0};
    if ((w->schema == HISTOGRAM_CUSTOM) != histogram_is_custom(h))
        return false;
    if (reconcile_hints(&w->reset, h->reset))
        *flags |= HISTOGRAM_COLLISION;
    histogram_cells_read(positive, &h->positive);
    histogram_cells_read(negative, &h->negative);
    if (histogram_is_custom(h))
        fit_custom(w, positive, h, flags);
    else
        fit_exponential(w, positive, negative, &zero, h);
    histogram_cells_add(&w->positive, positive, factor, &w->scratch[2]);
    histogram_cells_add(&w->negative, negative, factor, &w->scratch[2]);
    kahan_add(zero.count * factor, &w->zero.count, &w->zero.low);
    kahan_add(zero.low * factor, &w->zero.count, &w->zero.low);
    kahan_add(h->count * factor, &w->count, &w->count_low);
    kahan_add(h->sum * factor, &w->sum, &w->sum_low);
    return true;
}

/* A low part of 0 times infinity must not spoil the whole. */
static void scale_pair(double *v, double *low, double factor)
{
    *v *= factor;
    *low = isfinite(factor) ? *low * factor : 0;
}

void histogram_work_scale(struct histogram_work *w, double factor)
{
    scale_pair(&w->count, &w->count_low, factor);
    scale_pair(&w->sum, &w->sum_low, factor);
    scale_pair(&w->zero.count, &w->zero.low, factor);
    histogram_cells_scale(&w->positive, factor);
    histogram_cells_scale(&w->negative, factor);
    if (factor < 0)
        w->reset = HISTOGRAM_GAUGE;
}

static void divide_cells(struct histogram_cells *c, double divisor)
{
    for (size_t i = 0; i < c->n; i++) {
        c->at[i].count /= divisor;
        c->at[i].low /= divisor;
    }
}

void histogram_work_divide(struct histogram_work *w, double divisor)
{
    w->count = (w->count + w->count_low) / divisor;
    w->sum = (w->sum + w->sum_low) / divisor;
    w->zero.count = (w->zero.count + w->zero.low) / divisor;
    w->count_low = w->sum_low = w->zero.low = 0;
    if (divisor == 0) {
        w->positive.n = w->negative.n = 0;
        return;
    }
    divide_cells(&w->positive, divisor);
    divide_cells(&w->negative, divisor);
    if (divisor < 0)
        w->reset = HISTOGRAM_GAUGE;
}

static bool any_infinite(const struct histogram_cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (isinf(c->at[i].count))
            return true;
    return false;
}

bool histogram_work_overflowed(const struct histogram_work *w)
{
    return isinf(w->count) || isinf(w->sum) || isinf(w->zero.count) || any_infinite(&w->positive) ||
           any_infinite(&w->negative);
}

/* Neighbouring cells share a span. */
static void freeze_side(const struct histogram_cells *c, struct arena *a,
                        struct histogram_buckets *out)
{
    struct histogram_span *spans = arena_alloc(a, c->n * sizeof *spans);
    double *counts = arena_alloc(a, c->n * sizeof *counts);
    int64_t next = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct histogram_cell *cell = &c->at[i];
        double count = cell->count + cell->low;
        if (count == 0)
            continue;
        if (out->spans_n && cell->index == next)
            spans[out->spans_n - 1].n++;
        else
            spans[out->spans_n++] = (struct histogram_span){(int32_t)(cell->index - next), 1};
        counts[out->counts_n++] = count;
        next = (int64_t)cell->index + 1;
    }
    out->spans = spans;
    out->counts = counts;
}

struct histogram *histogram_work_freeze(const struct histogram_work *w, struct arena *a)
{
    struct histogram *h = arena_new(a, struct histogram);
    h->count = w->count + w->count_low;
    h->sum = w->sum + w->sum_low;
    h->zero_threshold = w->zero.threshold;
    h->zero_count = w->zero.count + w->zero.low;
    h->schema = w->schema;
    h->reset = w->reset;
    freeze_side(&w->positive, a, &h->positive);
    freeze_side(&w->negative, a, &h->negative);
    if (w->custom_n) {
        double *custom = arena_array(a, double, w->custom_n);
        memcpy(custom, w->custom, w->custom_n * sizeof *custom);
        h->custom = custom;
        h->custom_n = (uint32_t)w->custom_n;
    }
    return h;
}
