// SPDX-License-Identifier: Apache-2.0
/*
 * Samples from the source: series by series, decoded once per query whatever the number of steps. A
 * lookup or window is left-open: a sample exactly `range` before its end is outside.
 */
#include "promql/histogram_int.h"
#include "promql/scan_int.h"

/* Earliest and latest of the times. */
static void span(const ts_ms *t, size_t n, ts_ms *min, ts_ms *max)
{
    *min = *max = t[0];
    for (size_t i = 1; i < n; i++) {
        *min = t[i] < *min ? t[i] : *min;
        *max = t[i] > *max ? t[i] : *max;
    }
}

/* The newest sample at or before each time, if younger than the lookback and no stale marker. The
 * number of those found. */
static uint64_t look_up(const struct columns *c, const ts_ms *at, size_t n, int64_t lookback_ms,
                        double *out)
{
    uint64_t found = 0;
    for (size_t i = 0, k = 0; i < n; i++) {
        while (k < c->n && c->t[k] <= at[i])
            k++;
        out[i] = absent();
        if (k == 0 || at[i] - c->t[k - 1] >= lookback_ms || is_stale_nan(c->v[k - 1]))
            continue;
        out[i] = c->v[k - 1];
        found++;
    }
    return found;
}

/* The same of a series with histograms, or of times instead of values. `h` has room for all steps.
 */
static bool look_up_mixed(struct eval *ev, const struct columns *c, const ts_ms *at, size_t n,
                          enum lookup what, struct row *r)
{
    bool any = false;
    for (size_t i = 0, k = 0; i < n; i++) {
        while (k < c->n && c->t[k] <= at[i])
            k++;
        r->v[i] = absent();
        if (r->h)
            r->h[i] = NULL;
        if (k == 0 || at[i] - c->t[k - 1] >= ev->lookback_ms)
            continue;
        bool histogram = c->h && c->h[k - 1];
        if (!histogram && is_stale_nan(c->v[k - 1]))
            continue;
        if (what == LOOKUP_TIME || what == LOOKUP_INFO)
            r->v[i] = (double)c->t[k - 1] / 1000;
        else if (what == LOOKUP_START)
            r->v[i] = c->start ? (double)c->start[k - 1] / 1000 : 0;
        else if (histogram)
            r->h[i] = c->h[k - 1];
        else
            r->v[i] = c->v[k - 1];
        eval_looked_at(ev, i, histogram && what == LOOKUP_VALUE ? sample_weight(c->h[k - 1]) : 1);
        any = true;
    }
    return any;
}

struct instant {
    struct eval *ev;
    const struct node *node;
    const ts_ms *at;
    size_t n;
    enum lookup what;
    double *v;
    const struct histogram **h; /* room, made at the first histogram */
    struct arena *scratch;      /* of the series at hand */
    struct smoother smoother;
    const struct row_sink *sink;
};

static bool look_up_smoothed(struct instant *in, struct columns c, struct row *r, bool *any,
                             struct err *err)
{
    if (!columns_drop_stale(&c, in->scratch))
        return eval_over_memory(in->ev, err);
    struct range_series s = {.labels = r->labels, .n = c.n, .t = c.t, .v = c.v, .h = c.h};
    *any = smooth_lookup(&in->smoother, &s, in->at, in->n, r);
    return !arena_over(in->scratch) || eval_over_memory(in->ev, err);
}

static bool refuse_histograms(struct labels ls, struct err *err)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    label_set_format(ls, &b);
    return err_set(err, ERR_EXEC, "this should be an info metric, with float samples: %s", b.p);
}

static bool is_smoothed(const struct instant *in)
{
    return in->node->selector.extended == EXTENDED_SMOOTHED;
}

/* Floats looked up by value, which most are. */
static void prepare_lookup(void *ctx, struct scanned *s, struct scan_room *room)
{
    const struct instant *in = ctx;
    if (in->what != LOOKUP_VALUE || s->c.h || is_smoothed(in))
        return;
    s->v = arena_alloc(room->arena, in->n * sizeof *s->v);
    s->looked_at = look_up(&s->c, in->at, in->n, in->ev->lookback_ms, s->v);
    s->any = s->looked_at > 0;
    s->ready = true;
}

/* Fills the row of one series; `*any`: it has a value at some step. */
static bool look_up_series(struct instant *in, const struct columns *c, struct row *r, bool *any,
                           struct err *err)
{
    r->v = in->v;
    if (c->h && in->what == LOOKUP_INFO)
        return refuse_histograms(r->labels, err);
    if (c->h && !in->h && !(in->h = eval_histograms_new(in->ev, in->n, err)))
        return false;
    r->h = c->h && in->what == LOOKUP_VALUE ? in->h : NULL;
    if (is_smoothed(in) && in->what == LOOKUP_VALUE)
        return look_up_smoothed(in, *c, r, any, err);
    *any = look_up_mixed(in->ev, c, in->at, in->n, in->what, r);
    return true;
}

static void count_lookups(const struct instant *in, const struct scanned *s)
{
    if (!in->ev->per_step || in->ev->counting != COUNT_AT_STEP) {
        eval_looked_at_together(in->ev, s->looked_at);
        return;
    }
    for (size_t i = 0; i < in->n; i++)
        if (!is_absent(s->v[i]))
            eval_looked_at(in->ev, i, 1);
}

static bool put_lookup(void *ctx, struct labels ls, struct scanned *s, struct err *err)
{
    struct instant *in = ctx;
    struct row r = {.labels = ls, .v = s->v};
    bool any = s->any;
    if (s->ready)
        count_lookups(in, s);
    arena_reset(in->scratch);
    if (!s->ready && !look_up_series(in, &s->c, &r, &any, err))
        return false;
    if (s->tiered)
        any |= tiered_look_up(s->tiered, in->at, in->n, in->what, &r);
    return !any || in->sink->put(in->sink->ctx, &r, err);
}

bool eval_selector(struct eval *ev, const struct node *n, const struct grid *g, enum lookup what,
                   const struct row_sink *sink, struct err *err)
{
    double *v = eval_row_new(ev, g->n, err);
    ts_ms *at = (ts_ms *)eval_row_new(ev, g->n, err), min, max;
    if (!v || !at || !eval_when(ev, &n->selector.when, g, at, err))
        return false;
    span(at, g->n, &min, &max);
    bool smoothed = n->selector.extended == EXTENDED_SMOOTHED;
    struct select_hints h = {.start = min - ev->lookback_ms + 1,
                             .end = smoothed ? max + ev->lookback_ms : max,
                             .step_ms = g->n > 1 ? g->step_ms : 0,
                             .newest_only = min == max && !smoothed};
    struct arena scratch;
    arena_init_quota(&scratch, eval_quota(ev));
    struct instant in = {.ev = ev,
                         .node = n,
                         .at = at,
                         .n = g->n,
                         .what = what,
                         .v = v,
                         .scratch = &scratch,
                         .smoother = {ev, n, &scratch, {0}},
                         .sink = sink};
    struct scan s = {.ev = ev,
                     .selector = n,
                     .hints = &h,
                     .steps = in.n,
                     .prepare = prepare_lookup,
                     .put = put_lookup,
                     .ctx = &in};
    bool ok = scan_run(&s, err);
    histogram_work_fini(&in.smoother.work);
    arena_fini(&scratch);
    return ok;
}

/* The step, so that windows lie side by side; the lookback where there is no step. Functions that
 * need two samples get four intervals of scrapes at least, as is good practice for rates. */
static int64_t implied_window(const struct eval *ev, enum implied implied, const struct grid *g)
{
    int64_t step = g->step_ms > 1 ? g->step_ms : ev->q->step_ms;
    int64_t interval = ev->q->scrape_interval_ms ? ev->q->scrape_interval_ms : 60000;
    int64_t window = step ? step : ev->lookback_ms;
    return implied == IMPLIED_RATE && window < 4 * interval ? 4 * interval : window;
}

bool eval_windows(struct eval *ev, const struct node *n, const struct grid *g, struct windows *out,
                  struct err *err)
{
    bool sub = n->kind == NODE_SUBQUERY;
    const struct when *w = sub ? &n->subquery.when : &n->range.selector->selector.when;
    *out = (struct windows){.n = g->n, .end = (ts_ms *)eval_row_new(ev, g->n, err)};
    out->extended = sub ? EXTENDED_NONE : n->range.selector->selector.extended;
    out->before_ms = out->extended ? ev->lookback_ms : 0;
    out->after_ms = out->extended == EXTENDED_SMOOTHED ? ev->lookback_ms : 0;
    enum implied implied = sub ? n->subquery.implied : n->range.implied;
    if (!out->end || !eval_when(ev, w, g, out->end, err))
        return false;
    if (implied)
        out->range_ms = implied_window(ev, implied, g);
    return implied || eval_duration(ev, sub ? n->subquery.range_ms : n->range.range_ms,
                                    sub ? n->subquery.range_expr : n->range.range_expr, false,
                                    &out->range_ms, err);
}

struct range_scan {
    const struct range_sink *sink;
    const struct select_hints *hints;
};

static bool range_selector_put(void *ctx, struct labels ls, struct scanned *in, struct err *err)
{
    const struct range_scan *scan = ctx;
    const struct range_sink *sink = scan->sink;
    struct range_series s = {.labels = ls,
                             .n = in->c.n,
                             .t = in->c.t,
                             .v = in->c.v,
                             .h = in->c.h,
                             .start = in->c.start,
                             .ready = in->ready ? in : NULL};
    if (in->tiered && in->tiered->rows.n) {
        s.rows = in->tiered->rows.at;
        s.rows_n = in->tiered->rows.n;
        s.rows_end = tiered_end(in->tiered, scan->hints);
        s.raw_from = in->raw_from;
    }
    return (s.n == 0 && s.rows_n == 0) || sink->put(sink->ctx, &s, err);
}

static void range_selector_prepare(void *ctx, struct scanned *s, struct scan_room *room)
{
    const struct range_sink *sink = ((const struct range_scan *)ctx)->sink;
    if (s->c.n)
        sink->prepare(sink->ctx, s, room);
}

static bool range_selector(struct eval *ev, const struct node *n, const struct windows *w,
                           const struct range_sink *sink, struct err *err)
{
    ts_ms min, max;
    span(w->end, w->n, &min, &max);
    struct select_hints h = {.start = min - w->range_ms - w->before_ms + 1,
                             .end = max + w->after_ms,
                             .step_ms = w->n > 1 ? w->end[1] - w->end[0] : 0,
                             .range_ms = w->range_ms,
                             .func = ev->func};
    struct range_scan range = {sink, &h};
    struct scan s = {.ev = ev,
                     .selector = n->range.selector,
                     .hints = &h,
                     .steps = w->n,
                     .drop_stale = true,
                     .prepare = sink->prepare ? range_selector_prepare : NULL,
                     .put = range_selector_put,
                     .ctx = &range};
    return scan_run(&s, err);
}

/* ---- subqueries ---- */

struct subquery {
    struct eval *ev;
    enum counting outer; /* of who takes the series */
    const struct grid *grid;
    const struct range_sink *sink;
    ts_ms *t;
    struct arena arena; /* of the series at hand */
};

/* A sample may be skipped or given twice, so what its hint says about the one before it is not true
 * any more. */
static const struct histogram *forget_reset(const struct histogram *h, struct arena *a)
{
    if (!h || h->reset == HISTOGRAM_GAUGE || h->reset == HISTOGRAM_RESET_UNKNOWN)
        return h;
    struct histogram *copy = arena_new(a, struct histogram);
    *copy = *h;
    copy->reset = HISTOGRAM_RESET_UNKNOWN;
    return copy;
}

/* A row of the inner expression becomes the samples of a series. */
static bool subquery_put(void *ctx, struct row *r, struct err *err)
{
    struct subquery *s = ctx;
    size_t n = 0;
    arena_reset(&s->arena);
    for (size_t i = 0; i < s->grid->n; i++)
        if (row_has(r, i)) {
            s->t[n] = grid_at(s->grid, i);
            if (r->h)
                r->h[n] = forget_reset(r->h[i], &s->arena);
            r->v[n++] = r->v[i];
        }
    if (n == 0)
        return true;
    struct range_series series = {
        .labels = r->labels, .drop_name = r->drop_name, .n = n, .t = s->t, .v = r->v, .h = r->h};
    enum counting inner = s->ev->counting;
    s->ev->counting = s->outer;
    bool ok = budget_use(s->ev->q->budget, n, err) && s->sink->put(s->sink->ctx, &series, err);
    s->ev->counting = inner;
    return ok;
}

/* The inner grid: multiples of its step inside (first end - range, last end]. */
static bool subquery_grid(struct eval *ev, const struct node *n, const struct windows *w,
                          struct grid *out, struct err *err)
{
    ts_ms min, max;
    int64_t step;
    span(w->end, w->n, &min, &max);
    if (n->subquery.implied == IMPLIED_STEP) { /* one value in each window: that at its end */
        *out = (struct grid){min, w->range_ms, (size_t)((max - min) / w->range_ms) + 1};
        return true;
    }
    if (!eval_duration(ev, n->subquery.step_ms, n->subquery.step_expr, false, &step, err))
        return false;
    if (step == 0)
        step = ev->q->subquery_step_ms ? ev->q->subquery_step_ms : 60000;
    if (n->subquery.implied && step > w->range_ms / 4)
        step = w->range_ms / 4 ? w->range_ms / 4 : 1;
    ts_ms from = min - w->range_ms;
    ts_ms start = from / step * step;
    if (start <= from)
        start += step;
    *out = (struct grid){start, step, 0};
    if (start <= max)
        out->n = (size_t)((max - start) / step) + 1;
    return true;
}

static bool range_subquery(struct eval *ev, const struct node *n, const struct windows *w,
                           const struct range_sink *sink, struct err *err)
{
    struct grid g;
    if (!subquery_grid(ev, n, w, &g, err))
        return false;
    if (g.n == 0)
        return true;
    struct subquery s = {.ev = ev, .outer = ev->counting, .grid = &g, .sink = sink};
    ev->counting = ev->only_subquery ? COUNT_AT_ALL : COUNT_NOWHERE;
    ev->only_subquery = false;
    arena_init_quota(&s.arena, eval_quota(ev));
    s.t = (ts_ms *)eval_row_new(ev, g.n, err);
    bool ok = s.t && eval_rows(ev, n->subquery.expr, &g, &(struct row_sink){subquery_put, &s}, err);
    arena_fini(&s.arena);
    ev->counting = s.outer;
    return ok;
}

bool eval_range(struct eval *ev, const struct node *n, const struct windows *w,
                const struct range_sink *sink, struct err *err)
{
    return ev->costs ? measure_range(ev, n, w, sink, err) : eval_range_plain(ev, n, w, sink, err);
}

bool eval_range_plain(struct eval *ev, const struct node *n, const struct windows *w,
                      const struct range_sink *sink, struct err *err)
{
    if (w->n == 0)
        return true;
    if (n->kind == NODE_SUBQUERY)
        return range_subquery(ev, n, w, sink, err);
    return range_selector(ev, n, w, sink, err);
}
