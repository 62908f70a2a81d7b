// SPDX-License-Identifier: Apache-2.0
#include "promql/tier_window.h"

#include <math.h>

#include "promql/functions/mixed_int.h"

/* A window in its three pieces: a row cut at its start, what is wholly inside, a row cut at its
 * end. One row may be cut at both: then it is `left` and `right`. */
struct pieces {
    ts_ms start, end;
    const struct tier_row *left, *right; /* NULL: the border cuts no row */
    struct tier_fold inside;
};

/* One of the windows S and G. */
struct extent {
    ts_ms start, end;
    struct tier_fold all;
};

size_t tier_rows_behind(const struct tier_row *rows, size_t n, ts_ms t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (rows[mid].last_t > t)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Whether the row has samples that the function looks at. */
static bool counts(const struct tier_row *r, enum tier_function fn)
{
    bool any_kind = fn == TIER_COUNT || fn == TIER_PRESENT || fn == TIER_TIME_OF_FIRST ||
                    fn == TIER_TIME_OF_LAST;
    return r->count > 0 && (!r->hist || any_kind);
}

/* The first of rising times behind t, or n. */
static size_t samples_behind(const ts_ms *at, size_t n, ts_ms t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (at[mid] > t)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Most windows end before the samples begin. */
static void add_samples(struct pieces *p, const struct tier_series *s)
{
    if (s->n == 0 || s->t[0] > p->end)
        return;
    size_t lo = samples_behind(s->t, s->n, p->start), hi = samples_behind(s->t, s->n, p->end);
    tier_fold_samples(&p->inside, s->t + lo, s->v + lo, hi - lo);
}

static struct pieces pieces_of(const struct tier_series *s, ts_ms start, ts_ms end,
                               enum tier_function fn)
{
    struct pieces p = {.start = start, .end = end};
    for (size_t i = tier_rows_behind(s->rows, s->rows_n, start); i < s->rows_n; i++) {
        const struct tier_row *r = &s->rows[i];
        if (r->first_t > end)
            break;
        if (!counts(r, fn))
            continue;
        if (r->first_t <= start)
            p.left = r;
        if (r->last_t > end)
            p.right = r;
        if (r->first_t > start && r->last_t <= end)
            tier_fold_row(&p.inside, r);
    }
    add_samples(&p, s);
    return p;
}

static ts_ms later(ts_ms a, ts_ms b)
{
    return a > b ? a : b;
}
static ts_ms earlier(ts_ms a, ts_ms b)
{
    return a < b ? a : b;
}

static struct extent shrunk(const struct pieces *p)
{
    struct extent e = {p->start, p->end, p->inside};
    if (p->left)
        e.start = earlier(p->left->end, p->end);
    if (p->right)
        e.end = later(p->right->start, e.start);
    return e;
}

static struct extent grown(const struct pieces *p)
{
    struct extent e = {p->start, p->end, {{0}, 0}};
    if (p->left) {
        tier_fold_row(&e.all, p->left);
        e.start = earlier(p->left->start, p->start);
    }
    tier_fold_join(&e.all, &p->inside);
    if (p->right && p->right != p->left)
        tier_fold_row(&e.all, p->right);
    if (p->right)
        e.end = later(p->right->end, p->end);
    return e;
}

static double length(ts_ms start, ts_ms end)
{
    return (double)end - (double)start;
}

/* Where between S (0) and G (1) the window is; never 0, as it is longer than S. */
static double place(const struct pieces *p, const struct extent *s, const struct extent *g)
{
    double least = length(s->start, s->end), most = length(g->start, g->end);
    double share = (length(p->start, p->end) - least) / (most - least);
    return share > 1e-9 ? fmin(share, 1) : 1e-9;
}

static double between(double a, double b, double share)
{
    return share < 1 && isfinite(a) && isfinite(b) ? a + share * (b - a) : b;
}

/* ---- what is between ---- */

static double increase_of(const struct extent *e, enum tier_function fn, double range_s)
{
    const struct tier_row *r = &e->all.r;
    bool counter = fn != TIER_DELTA;
    double v = r->last - r->first + (counter ? r->lost : 0);
    double share = counter && v > 0 && r->first >= 0 ? r->first / v : -1;
    double factor = extrapolation(r->first_t, r->last_t, r->count, e->start, e->end, share);
    return v * (fn == TIER_RATE ? factor / range_s : factor);
}

static double amount_of(const struct extent *e, enum tier_function fn, double range_s)
{
    if (fn == TIER_COUNT)
        return (double)e->all.r.count;
    if (fn == TIER_SUM)
        return e->all.r.count ? tier_fold_sum(&e->all) : 0;
    return e->all.r.count > 1 ? increase_of(e, fn, range_s) : 0;
}

static double average(const struct extent *s, const struct extent *g, double share)
{
    double n = between(amount_of(s, TIER_COUNT, 1), amount_of(g, TIER_COUNT, 1), share);
    return between(amount_of(s, TIER_SUM, 1), amount_of(g, TIER_SUM, 1), share) / n;
}

static bool amount(const struct pieces *p, enum tier_function fn, double *out)
{
    struct extent s = shrunk(p), g = grown(p);
    size_t needed = fn == TIER_RATE || fn == TIER_INCREASE || fn == TIER_DELTA ? 2 : 1;
    if (s.all.r.count < needed && needed == 2)
        s.end = s.start; /* as if nothing was wholly inside */
    bool cut = p->left || p->right;
    double share = cut ? place(p, &s, &g) : 1;
    double range_s = length(p->start, p->end) / 1000;
    if (g.all.r.count < needed)
        return false;
    if (fn == TIER_AVG)
        *out = average(&s, &g, share);
    else
        *out = between(amount_of(&s, fn, range_s), amount_of(&g, fn, range_s), share);
    if (fn == TIER_COUNT)
        *out = fmax(rint(*out), 1);
    return true;
}

/* ---- known samples ---- */

static bool oldest(const struct pieces *p, ts_ms *t, double *v)
{
    const struct tier_row *in = &p->inside.r;
    if (p->left && p->left == p->right)
        *t = p->end, *v = p->left->first;
    else if (p->left)
        *t = p->left->last_t, *v = p->left->last;
    else if (in->count > 0)
        *t = in->first_t, *v = in->first;
    else if (p->right)
        *t = p->right->first_t, *v = p->right->first;
    else
        return false;
    return true;
}

static bool newest(const struct pieces *p, ts_ms *t, double *v)
{
    const struct tier_row *in = &p->inside.r;
    if (p->right)
        *t = p->left == p->right ? p->end : p->right->first_t, *v = p->right->first;
    else if (in->count > 0)
        *t = in->last_t, *v = in->last;
    else if (p->left)
        *t = p->left->last_t, *v = p->left->last;
    else
        return false;
    return true;
}

static bool known(const struct pieces *p, enum tier_function fn, double *out)
{
    ts_ms t = 0;
    double v = 0;
    bool first = fn == TIER_FIRST || fn == TIER_TIME_OF_FIRST;
    if (!(first ? oldest(p, &t, &v) : newest(p, &t, &v)))
        return false;
    *out = fn == TIER_FIRST || fn == TIER_LAST ? v : fn == TIER_PRESENT ? 1 : (double)t / 1000;
    return true;
}

bool tier_window(enum tier_function fn, const struct tier_series *s, ts_ms start, ts_ms end,
                 double *out)
{
    struct pieces p = pieces_of(s, start, end, fn);
    struct extent g;
    switch (fn) {
    case TIER_NEEDS_SAMPLES:
        return false;
    case TIER_MIN:
    case TIER_MAX:
        g = grown(&p);
        *out = fn == TIER_MIN ? g.all.r.min : g.all.r.max;
        return g.all.r.count > 0;
    case TIER_SUM:
    case TIER_AVG:
    case TIER_COUNT:
    case TIER_RATE:
    case TIER_INCREASE:
    case TIER_DELTA:
        return amount(&p, fn, out);
    default:
        return known(&p, fn, out);
    }
}

void tier_window_cut(const struct tier_series *s, ts_ms start, ts_ms end, struct tier_cut *out)
{
    struct pieces p = pieces_of(s, start, end, TIER_COUNT);
    struct extent small = shrunk(&p), large = grown(&p);
    if (small.all.r.count < 2)
        small.end = small.start; /* as if nothing was wholly inside */
    *out = (struct tier_cut){
        .left = p.left,
        .right = p.right,
        .inside = {small.start, small.end, small.all.r.count},
        .grown = {large.start, large.end, large.all.r.count},
        .share = p.left || p.right ? place(&p, &small, &large) : 1,
    };
}

const struct tier_row *tier_row_around(const struct tier_row *rows, size_t n, ts_ms t)
{
    size_t i = tier_rows_behind(rows, n, t);
    return i < n && rows[i].first_t <= t ? &rows[i] : NULL;
}
