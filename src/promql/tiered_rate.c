// SPDX-License-Identifier: Apache-2.0
/*
 * Increase, rate and delta of native histograms over windows that touch rows of tiers: the
 * functions for samples, given those that rows know. What was lost in the resets inside of a row
 * stands between its first and last as one more that ends before a reset, so the sum is the same.
 */
#include "promql/functions/mixed_int.h"

/* Samples of one extent while they are put together. */
struct stand_ins {
    ts_ms *t;
    double *v;
    const struct histogram **h;
    size_t n;
};

static const struct histogram *with_hint(struct arena *a, const struct histogram *h,
                                         enum histogram_reset hint)
{
    if (h->reset == HISTOGRAM_GAUGE)
        return h;
    struct histogram *copy = arena_new(a, struct histogram);
    *copy = *h;
    copy->reset = (uint8_t)hint;
    return copy;
}

static void put(struct stand_ins *s, ts_ms t, const struct histogram *h)
{
    s->t[s->n] = t;
    s->v[s->n] = 0;
    s->h[s->n++] = h;
}

static void put_row(struct stand_ins *s, const struct tier_row *r, struct arena *a)
{
    if (!r->hist || r->count == 0)
        return;
    put(s, r->first_t, r->hist->first);
    if (r->count < 2)
        return;
    if (r->hist->lost)
        put(s, r->first_t, with_hint(a, r->hist->lost, HISTOGRAM_RESET_NO));
    put(s, r->last_t,
        with_hint(a, r->hist->last, r->hist->lost ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO));
}

static const bool *find_falls(const struct stand_ins *s, struct arena *a)
{
    bool *fell = arena_array(a, bool, s->n + 1);
    for (size_t i = 1; i < s->n; i++)
        fell[i] = histogram_was_reset(s->h[i], s->h[i - 1]);
    return fell;
}

struct extent_window {
    const struct mixed_window *like;
    const struct range_series *s;
    const struct tier_cut *cut;
    bool grown; /* with the cut rows */
};

static bool takes(const struct extent_window *x, const struct tier_row *r)
{
    return x->grown || (r != x->cut->left && r != x->cut->right);
}

/* The function over one extent; false when it has no value. */
static bool over_extent(const struct extent_window *x, const struct function *fn,
                        struct mixed_value *out)
{
    const struct range_series *s = x->s;
    const struct tier_extent *e = x->grown ? &x->cut->grown : &x->cut->inside;
    struct mixed_window m = *x->like;
    struct arena *a = m.arena;
    size_t room = 3 * s->rows_n + s->n - s->raw_from + 1;
    struct stand_ins in = {.t = arena_array(a, ts_ms, room),
                           .v = arena_array(a, double, room),
                           .h = arena_array(a, const struct histogram *, room)};
    if (e->count < 2)
        return false;
    for (size_t i = tier_rows_behind(s->rows, s->rows_n, m.w.start); i < s->rows_n; i++) {
        if (s->rows[i].first_t > m.w.end)
            break;
        if (takes(x, &s->rows[i]))
            put_row(&in, &s->rows[i], a);
    }
    for (size_t i = s->raw_from; i < s->n; i++)
        if (s->t[i] > m.w.start && s->t[i] <= m.w.end)
            put(&in, s->t[i], s->h[i]);
    m.w.t = in.t;
    m.w.v = in.v;
    m.w.n = in.n;
    m.w.start = e->start;
    m.w.end = e->end;
    m.h = in.h;
    m.start_times = NULL;
    m.fell = find_falls(&in, a);
    m.floats_n = 0;
    m.histograms_n = in.n;
    m.stand_for = e->count;
    return in.n > 1 && fn->mixed(&m, out) && out->h;
}

/* a * a_weight + b * b_weight; a may be NULL. */
static bool weighted(const struct mixed_window *m, const struct histogram *a, double a_weight,
                     const struct histogram *b, double b_weight, struct mixed_value *out)
{
    struct histogram_work w = {0};
    histogram_work_set(&w, b);
    histogram_work_scale(&w, b_weight);
    bool ok = !a || mixed_add(m, &w, a, a_weight);
    if (ok)
        out->h = histogram_work_freeze(&w, m->arena);
    histogram_work_fini(&w);
    return ok;
}

static double length(ts_ms start, ts_ms end)
{
    return (double)end - (double)start;
}

bool tiered_histograms(const struct mixed_window *m, const struct range_series *s,
                       const struct function *fn, struct mixed_value *out)
{
    struct tier_series in = {.rows = s->rows,
                             .rows_n = s->rows_n,
                             .t = s->t + s->raw_from,
                             .v = s->v + s->raw_from,
                             .n = s->n - s->raw_from};
    struct tier_cut cut;
    struct mixed_value small = {0}, large = {0};
    tier_window_cut(&in, m->w.start, m->w.end, &cut);
    struct extent_window x = {m, s, &cut, true};
    if (!over_extent(&x, fn, &large))
        return false;
    if (!cut.left && !cut.right) {
        *out = large;
        return true;
    }
    x.grown = false;
    if (!over_extent(&x, fn, &small))
        small.h = NULL;
    double least = 1 - cut.share, most = cut.share;
    if (fn->tier == TIER_RATE) { /* each is per second of its extent */
        double whole = length(m->w.start, m->w.end);
        least *= length(cut.inside.start, cut.inside.end) / whole;
        most *= length(cut.grown.start, cut.grown.end) / whole;
    }
    return weighted(m, small.h, least, large.h, most, out);
}
