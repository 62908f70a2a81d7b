// SPDX-License-Identifier: Apache-2.0
#include "model/tier.h"

#include <math.h>

#include "base/kahan.h"
#include "model/histogram_math.h"
#include "model/source.h"

ts_ms tier_window_start(ts_ms t, int64_t step_ms)
{
    int64_t rest = t % step_ms;
    int64_t back = rest > 0 ? rest : rest + step_ms;
    return t < INT64_MIN + back ? INT64_MIN : t - back;
}

static ts_ms window_end(ts_ms t, int64_t step_ms)
{
    ts_ms start = tier_window_start(t, step_ms);
    return start > INT64_MAX - step_ms ? INT64_MAX : start + step_ms;
}

/* ---- numbers ---- */

static double smaller(double now, double x)
{
    return isnan(now) || x < now ? x : now;
}
static double larger(double now, double x)
{
    return isnan(now) || x > now ? x : now;
}

static void fold_begin(struct tier_fold *f, ts_ms t, double v)
{
    f->r.first_t = f->r.last_t = t;
    f->r.first = f->r.last = f->r.min = f->r.max = f->r.sum = v;
    f->r.lost = f->sum_low = 0;
    f->r.count = 1;
}

static void fold_sample(struct tier_fold *f, ts_ms t, double v)
{
    struct tier_row *r = &f->r;
    if (v < r->last)
        r->lost += r->last;
    r->last = v;
    r->last_t = t;
    r->min = smaller(r->min, v);
    r->max = larger(r->max, v);
    r->count++;
    kahan_add(v, &r->sum, &f->sum_low);
}

void tier_fold_samples(struct tier_fold *f, const ts_ms *t, const double *v, size_t n)
{
    size_t i = 0;
    if (n > 0 && f->r.count == 0)
        fold_begin(f, t[i], v[i]), i++;
    for (; i < n; i++)
        fold_sample(f, t[i], v[i]);
}

void tier_fold_join(struct tier_fold *f, const struct tier_fold *next)
{
    struct tier_row *r = &f->r;
    const struct tier_row *x = &next->r;
    if (x->count == 0)
        return;
    if (r->count == 0) {
        *f = *next;
        return;
    }
    if (x->first < r->last)
        r->lost += r->last;
    r->lost += x->lost;
    r->last = x->last;
    r->last_t = x->last_t;
    r->min = smaller(r->min, x->min);
    r->max = larger(r->max, x->max);
    r->count += x->count;
    kahan_add(x->sum, &r->sum, &f->sum_low);
    f->sum_low += next->sum_low;
}

void tier_fold_row(struct tier_fold *f, const struct tier_row *r)
{
    tier_fold_join(f, &(struct tier_fold){.r = *r});
}

/* ---- histograms ---- */

static const struct histogram *plus(struct arena *a, const struct histogram *x,
                                    const struct histogram *y)
{
    struct histogram_work w = {0};
    unsigned flags = 0;
    if (!x || !y)
        return x ? x : y;
    histogram_work_set(&w, x);
    histogram_work_add(&w, y, 1, &flags);
    const struct histogram *sum = histogram_work_freeze(&w, a);
    histogram_work_fini(&w);
    return sum;
}

static void join_hist(struct arena *a, struct tier_row *r, const struct tier_hist *x)
{
    struct tier_hist *h = arena_new(a, struct tier_hist);
    *h = *r->hist;
    if (histogram_was_reset(x->first, h->last))
        h->lost = plus(a, h->lost, h->last);
    h->lost = plus(a, h->lost, x->lost);
    h->last = x->last;
    r->hist = h;
}

/* Numbers, exponential and custom histograms do not mix in a row. */
static bool same_kind(const struct tier_row *r, const struct histogram *h)
{
    if (!r->hist || !h)
        return !r->hist && !h;
    return histogram_is_custom(r->hist->first) == histogram_is_custom(h);
}

/* ---- building ---- */

struct tier_row *tier_rows_room(struct tier_rows *out, size_t n)
{
    if (out->cap - out->n < n) {
        struct tier_row *at = out->at;
        out->cap = out->cap * 2 > out->n + n ? out->cap * 2 : out->n + n + 16;
        out->at = arena_alloc(out->arena, out->cap * sizeof *out->at);
        if (out->n)
            memcpy(out->at, at, out->n * sizeof *at);
    }
    memset(out->at + out->n, 0, n * sizeof *out->at);
    return out->at + out->n;
}

/* The last row of `out` while it may still grow. */
struct building {
    struct tier_rows *out;
    int64_t step_ms;
    size_t from; /* rows before this are not ours */
    bool open;   /* the last row is `now` */
    struct tier_fold now;
};

static void push(struct building *b, const struct tier_row *r)
{
    *tier_rows_room(b->out, 1) = *r;
    b->out->n++;
}

static void close_row(struct building *b)
{
    if (!b->open)
        return;
    b->now.r.sum = tier_fold_sum(&b->now);
    push(b, &b->now.r);
    b->open = false;
}

static const struct tier_row *newest(const struct building *b)
{
    return b->open ? &b->now.r : b->out->n > b->from ? &b->out->at[b->out->n - 1] : NULL;
}

/* Behind what ended early in the window of t. */
static ts_ms row_start(const struct building *b, ts_ms t)
{
    const struct tier_row *last = newest(b);
    ts_ms start = tier_window_start(t, b->step_ms);
    return last && last->end > start && last->end < t ? last->end : start;
}

static void put_stale(struct building *b, ts_ms t)
{
    const struct tier_row *last = newest(b);
    if (b->open && t <= b->now.r.end) {
        b->now.r.end = t;
        b->now.r.stale = true;
    } else if (!last || !last->stale) {
        struct tier_row r = {.start = row_start(b, t), .end = t, .stale = true};
        r.first_t = r.last_t = t;
        close_row(b);
        push(b, &r);
    }
    close_row(b);
}

/* Begins a row for samples up to t when the open one cannot take them. */
static void make_open(struct building *b, ts_ms t, const struct histogram *kind)
{
    if (b->open && t <= b->now.r.end && same_kind(&b->now.r, kind))
        return;
    if (b->open && t <= b->now.r.end)
        b->now.r.end = b->now.r.last_t;
    ts_ms start = row_start(b, t);
    close_row(b);
    b->now = (struct tier_fold){.r = {.start = start, .end = window_end(t, b->step_ms)}};
    b->open = true;
}

static void put_hist(struct building *b, const struct tier_row *r)
{
    struct tier_row *now = &b->now.r;
    if (now->count == 0) {
        now->first_t = r->first_t;
        now->hist = r->hist;
    } else {
        join_hist(b->out->arena, now, r->hist);
    }
    now->last_t = r->last_t;
    now->count += r->count;
}

static void put_hist_sample(struct building *b, ts_ms t, const struct histogram *h)
{
    struct tier_hist *one = arena_new(b->out->arena, struct tier_hist);
    one->first = one->last = h;
    make_open(b, t, h);
    put_hist(b, &(struct tier_row){.first_t = t, .last_t = t, .count = 1, .hist = one});
}

void tier_of_samples(struct tier_rows *out, int64_t step_ms, const struct columns *c)
{
    struct building b = {.out = out, .step_ms = step_ms, .from = out->n};
    for (size_t i = 0; i < c->n; i++) {
        const struct histogram *h = c->h ? c->h[i] : NULL;
        if (!h && is_stale_nan(c->v[i])) {
            put_stale(&b, c->t[i]);
        } else if (h) {
            put_hist_sample(&b, c->t[i], h);
        } else {
            make_open(&b, c->t[i], NULL);
            tier_fold_samples(&b.now, &c->t[i], &c->v[i], 1);
        }
    }
    close_row(&b);
}

static void fold_into(struct building *b, const struct tier_row *r)
{
    struct tier_row keep = b->now.r;
    tier_fold_row(&b->now, r);
    b->now.r.start = keep.start;
    b->now.r.end = keep.end;
    b->now.r.stale = false;
}

static void put_row(struct building *b, const struct tier_row *r)
{
    if (r->count > 0) {
        make_open(b, r->last_t, r->hist ? r->hist->first : NULL);
        if (r->hist)
            put_hist(b, r);
        else
            fold_into(b, r);
    }
    if (r->stale)
        put_stale(b, r->end);
}

void tier_of_rows(struct tier_rows *out, int64_t step_ms, const struct tier_row *rows, size_t n)
{
    struct building b = {.out = out, .step_ms = step_ms, .from = out->n};
    for (size_t i = 0; i < n; i++)
        put_row(&b, &rows[i]);
    close_row(&b);
}

/* ---- merging ---- */

static bool before(const struct tier_row *x, const struct tier_row *y)
{
    return x->first_t != y->first_t ? x->first_t < y->first_t : x->last_t < y->last_t;
}

/* The samples of `r` lie among those of the open row: all but `lost` can be told. */
static void interleave(struct building *b, const struct tier_row *r)
{
    struct tier_fold *f = &b->now;
    if (r->last_t > f->r.last_t) {
        f->r.last = r->last;
        f->r.last_t = r->last_t;
    }
    f->r.min = smaller(f->r.min, r->min);
    f->r.max = larger(f->r.max, r->max);
    f->r.lost += r->lost;
    f->r.count += r->count;
    kahan_add(r->sum, &f->r.sum, &f->sum_low);
}

static void interleave_hist(struct building *b, const struct tier_row *r)
{
    struct tier_hist *h = arena_new(b->out->arena, struct tier_hist);
    *h = *b->now.r.hist;
    h->lost = plus(b->out->arena, h->lost, r->hist->lost);
    if (r->last_t > b->now.r.last_t) {
        h->last = r->hist->last;
        b->now.r.last_t = r->last_t;
    }
    b->now.r.hist = h;
    b->now.r.count += r->count;
}

/* A marker at `end`, which later rows may still take back: the row stays open. */
static void mark_end(struct building *b, ts_ms end)
{
    if (!b->open || end > window_end(b->now.r.last_t, b->step_ms)) {
        put_stale(b, end);
        return;
    }
    b->now.r.end = end;
    b->now.r.stale = true;
}

/* What begins behind the samples of another kind; what lies among them is not told. */
static void clip_row(struct tier_row *r, ts_ms behind)
{
    if (r->last_t <= behind)
        r->count = 0;
    else if (r->first_t <= behind)
        r->first_t = behind + 1;
}

static void merge_samples(struct building *b, struct tier_row r)
{
    const struct tier_row *last = newest(b);
    const struct histogram *kind = r.hist ? r.hist->first : NULL;
    bool among = b->open && r.first_t <= b->now.r.last_t && same_kind(&b->now.r, kind);
    r.stale = false;
    if (among && r.hist) {
        interleave_hist(b, &r);
    } else if (among) {
        interleave(b, &r);
    } else {
        if (last)
            clip_row(&r, last->last_t);
        if (b->open && b->now.r.stale)
            close_row(b);
        put_row(b, &r);
    }
}

static void merge_row(struct building *b, const struct tier_row *r)
{
    struct tier_row *now = &b->now.r;
    ts_ms marker = 0;
    bool marked = r->count > 0 && b->open && now->stale && r->first_t <= now->end;
    if (marked) { /* it goes behind these samples, or they took it back */
        marker = now->end;
        marked = r->last_t <= marker;
        now->stale = false;
        now->end = window_end(now->last_t, b->step_ms);
    }
    if (r->count > 0)
        merge_samples(b, *r);
    const struct tier_row *last = newest(b);
    if (marked)
        mark_end(b, marker);
    if (r->stale && !(last && last->count > 0 && r->end <= last->last_t) &&
        !(marked && marker < r->end))
        mark_end(b, r->end);
}

void tier_merge(struct tier_rows *out, int64_t step_ms, const struct tier_row *a, size_t a_n,
                const struct tier_row *b, size_t b_n)
{
    struct building to = {.out = out, .step_ms = step_ms, .from = out->n};
    while (a_n + b_n > 0) {
        bool from_a = b_n == 0 || (a_n > 0 && !before(b, a));
        merge_row(&to, from_a ? a : b);
        if (from_a)
            a++, a_n--;
        else
            b++, b_n--;
    }
    close_row(&to);
}
