// SPDX-License-Identifier: Apache-2.0
/*
 * Samples from the source: series by series, decoded once per query whatever the number of steps. A
 * lookup or window is left-open: a sample exactly `range` before its end is outside.
 */
#include "promql/histogram_int.h"
#include "sys/pool.h"

static int64_t now_ns(const struct eval *ev)
{
    struct budget *b = ev->q->budget;
    return b->mono_ns ? b->mono_ns(b->clock) : 0;
}

/* Earliest and latest of the times. */
static void span(const ts_ms *t, size_t n, ts_ms *min, ts_ms *max)
{
    *min = *max = t[0];
    for (size_t i = 1; i < n; i++) {
        *min = t[i] < *min ? t[i] : *min;
        *max = t[i] > *max ? t[i] : *max;
    }
}

static struct selection *select_series(struct eval *ev, const struct node *n,
                                       const struct select_hints *h, struct err *err)
{
    const struct source_ops *ops = ev->q->source->ops;
    int64_t begin = now_ns(ev);
    struct selection *sel = ops->select(ev->q->source, n->selector.matchers, n->selector.matchers_n,
                                        h, ev->q->budget, err);
    ev->stats.select_ns += now_ns(ev) - begin;
    if (sel)
        vec_push(&ev->selections, (struct selection_ref){ops, sel});
    return sel;
}

/* Count and sum alone, with hints that say what the buckets would have said about resets. */
static void strip_buckets(struct columns *c, struct arena *scratch)
{
    const struct histogram **out = arena_array(scratch, const struct histogram *, c->n),
                           *before = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct histogram *h = c->h[i];
        if (!h)
            continue;
        struct histogram *copy = arena_new(scratch, struct histogram);
        *copy = (struct histogram){
            .count = h->count, .sum = h->sum, .schema = h->schema, .reset = h->reset};
        if (before && h->reset == HISTOGRAM_RESET_UNKNOWN)
            copy->reset = histogram_was_reset(h, before) ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO;
        before = h;
        out[i] = copy;
    }
    c->h = out;
}

/* A selection that is being read, series by series. */
struct reader {
    struct selection *sel;
    struct select_hints h;
    struct arena scratch; /* of the series at hand */
    struct tiered tiered;
    size_t series_n;
    size_t raw_from; /* of the series at hand: samples before it are those known from rows */
};

static bool reader_open(struct eval *ev, const struct node *n, const struct select_hints *h,
                        struct reader *r, struct err *err)
{
    *r = (struct reader){.h = *h, .sel = select_series(ev, n, h, err)};
    if (!r->sel)
        return false;
    r->series_n = ev->q->source->ops->size(r->sel);
    arena_init(&r->scratch, ev->arena.limit_bytes);
    r->tiered = tiered_of((struct selection_ref){ev->q->source->ops, r->sel}, &r->scratch);
    return true;
}

static void reader_close(struct eval *ev, const struct node *n, struct reader *r)
{
    if (r->tiered.n)
        tiered_note(ev, &r->tiered, n, &r->h);
    arena_fini(&r->scratch);
}

/* Reads series i into the scratch arena; the source counts its samples against the budget. */
static bool read_series(struct eval *ev, const struct node *n, struct reader *r, size_t i,
                        struct columns *out, struct err *err)
{
    struct arena *scratch = &r->scratch;
    arena_reset(scratch);
    int64_t begin = now_ns(ev);
    *out = (struct columns){0};
    bool ok = source_read(ev->q->source->ops, r->sel, i, r->h.start, r->h.end, scratch, out, err) &&
              (!r->tiered.n || tiered_read(ev, &r->tiered, i, &r->h, out, &r->raw_from, err));
    ev->stats.select_ns += now_ns(ev) - begin;
    if (!ok)
        return false;
    ev->stats.samples_read += out->n;
    ev->stats.series_read++;
    if (out->h && n->selector.counts_only)
        strip_buckets(out, scratch);
    pool_yield();
    return eval_memory(ev, err);
}

/* The newest sample at or before each time, if younger than the lookback and no stale marker. */
static bool look_up(struct eval *ev, const struct columns *c, const ts_ms *at, size_t n,
                    double *out)
{
    bool any = false;
    for (size_t i = 0, k = 0; i < n; i++) {
        while (k < c->n && c->t[k] <= at[i])
            k++;
        out[i] = absent();
        if (k == 0 || at[i] - c->t[k - 1] >= ev->lookback_ms || is_stale_nan(c->v[k - 1]))
            continue;
        out[i] = c->v[k - 1];
        ev->stats.samples_total++;
        any = true;
    }
    return any;
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
        ev->stats.samples_total++;
        any = true;
    }
    return any;
}

static bool is_stale(const struct columns *c, size_t i)
{
    return is_stale_nan(c->v[i]) && !(c->h && c->h[i]);
}

/* What drop_stale does to the columns that few series have. */
static bool drop_stale_others(struct columns *c, struct columns *out, struct arena *scratch)
{
    const struct histogram **h = c->h ? arena_try(scratch, c->n, sizeof *h) : NULL;
    ts_ms *start = c->start ? arena_try(scratch, c->n, sizeof *start) : NULL;
    if ((c->h && !h) || (c->start && !start))
        return false;
    for (size_t i = 0, n = 0; i < c->n; i++) {
        if (is_stale(c, i))
            continue;
        if (h)
            h[n] = c->h[i];
        if (start)
            start[n] = c->start[i];
        n++;
    }
    out->h = h;
    out->start = start;
    return true;
}

/* The columns without stale markers; untouched when there are none. */
static bool drop_stale(struct columns *c, struct arena *scratch)
{
    size_t i = 0, n;
    struct columns out = {0};
    while (i < c->n && !is_stale(c, i))
        i++;
    if (i == c->n)
        return true;
    ts_ms *t = arena_try(scratch, c->n, sizeof *t);
    double *v = arena_try(scratch, c->n, sizeof *v);
    if (!t || !v)
        return false;
    for (n = 0, i = 0; i < c->n; i++)
        if (!is_stale(c, i)) {
            t[n] = c->t[i];
            v[n++] = c->v[i];
        }
    if ((c->h || c->start) && !drop_stale_others(c, &out, scratch))
        return false;
    out.n = n;
    out.t = t;
    out.v = v;
    *c = out;
    return true;
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
};

static bool look_up_smoothed(struct instant *in, struct columns c, struct row *r, bool *any,
                             struct err *err)
{
    if (!drop_stale(&c, in->scratch))
        return err_set(err, ERR_LIMIT, "series is larger than query.max-memory");
    struct range_series s = {.labels = r->labels, .n = c.n, .t = c.t, .v = c.v, .h = c.h};
    *any = smooth_lookup(&in->smoother, &s, in->at, in->n, r);
    return true;
}

static bool refuse_histograms(struct labels ls, struct err *err)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    label_set_format(ls, &b);
    return err_set(err, ERR_EXEC, "this should be an info metric, with float samples: %s", b.p);
}

/* Fills the row of one series; `*any`: it has a value at some step. */
static bool look_up_series(struct instant *in, const struct columns *c, struct row *r, bool *any,
                           struct err *err)
{
    bool smoothed = in->node->selector.extended == EXTENDED_SMOOTHED;
    r->v = in->v;
    if (in->what == LOOKUP_VALUE && !c->h && !smoothed) {
        *any = look_up(in->ev, c, in->at, in->n, in->v);
        return true;
    }
    if (c->h && in->what == LOOKUP_INFO)
        return refuse_histograms(r->labels, err);
    if (c->h && !in->h && !(in->h = eval_histograms_new(in->ev, in->n, err)))
        return false;
    r->h = c->h && in->what == LOOKUP_VALUE ? in->h : NULL;
    if (smoothed && in->what == LOOKUP_VALUE)
        return look_up_smoothed(in, *c, r, any, err);
    *any = look_up_mixed(in->ev, c, in->at, in->n, in->what, r);
    return true;
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
                             .step_ms = g->n > 1 ? g->step_ms : 0};
    struct reader from;
    if (!reader_open(ev, n, &h, &from, err))
        return false;
    struct instant in = {
        ev, n, at, g->n, what, v, NULL, &from.scratch, {ev, n, &from.scratch, {0}}};
    bool ok = true;
    for (size_t i = 0; ok && i < from.series_n; i++) {
        struct columns c;
        struct row r = {.labels = ev->q->source->ops->labels(from.sel, i)};
        bool any = false;
        ok = read_series(ev, n, &from, i, &c, err) && look_up_series(&in, &c, &r, &any, err);
        if (ok && from.tiered.n)
            any |= tiered_look_up(&from.tiered, at, g->n, what, &r);
        ok = ok && (!any || sink->put(sink->ctx, &r, err));
    }
    histogram_work_fini(&in.smoother.work);
    reader_close(ev, n, &from);
    return ok;
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
    return out->end && eval_when(ev, w, g, out->end, err) &&
           eval_duration(ev, sub ? n->subquery.range_ms : n->range.range_ms,
                         sub ? n->subquery.range_expr : n->range.range_expr, false, &out->range_ms,
                         err);
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
    struct reader from;
    if (!reader_open(ev, n->range.selector, &h, &from, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < from.series_n; i++) {
        struct columns c;
        ok = read_series(ev, n->range.selector, &from, i, &c, err);
        size_t rows_n = from.tiered.rows.n;
        if (!ok || (c.n == 0 && rows_n == 0))
            continue;
        ts_ms raw_from = rows_n && from.raw_from < c.n ? c.t[from.raw_from] : INT64_MAX;
        if (!drop_stale(&c, &from.scratch)) {
            ok = err_set(err, ERR_LIMIT, "series is larger than query.max-memory");
            continue;
        }
        struct range_series s = {.labels = ev->q->source->ops->labels(from.sel, i),
                                 .n = c.n,
                                 .t = c.t,
                                 .v = c.v,
                                 .h = c.h,
                                 .start = c.start,
                                 .rows = from.tiered.rows.at,
                                 .rows_end = tiered_end(&from.tiered, &h),
                                 .rows_n = rows_n};
        while (rows_n && s.raw_from < c.n && c.t[s.raw_from] < raw_from)
            s.raw_from++;
        ok = (c.n == 0 && rows_n == 0) || sink->put(sink->ctx, &s, err);
    }
    reader_close(ev, n->range.selector, &from);
    return ok;
}

/* ---- subqueries ---- */

struct subquery {
    struct eval *ev;
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
    return budget_use(s->ev->q->budget, n, err) && s->sink->put(s->sink->ctx, &series, err);
}

/* The inner grid: multiples of its step inside (first end - range, last end]. */
static bool subquery_grid(struct eval *ev, const struct node *n, const struct windows *w,
                          struct grid *out, struct err *err)
{
    ts_ms min, max;
    int64_t step;
    span(w->end, w->n, &min, &max);
    if (!eval_duration(ev, n->subquery.step_ms, n->subquery.step_expr, false, &step, err))
        return false;
    if (step == 0)
        step = ev->q->subquery_step_ms ? ev->q->subquery_step_ms : 60000;
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
    struct subquery s = {.ev = ev, .grid = &g, .sink = sink};
    arena_init(&s.arena, ev->arena.limit_bytes);
    s.t = (ts_ms *)eval_row_new(ev, g.n, err);
    bool ok = s.t && eval_rows(ev, n->subquery.expr, &g, &(struct row_sink){subquery_put, &s}, err);
    arena_fini(&s.arena);
    return ok;
}

bool eval_range(struct eval *ev, const struct node *n, const struct windows *w,
                const struct range_sink *sink, struct err *err)
{
    if (w->n == 0)
        return true;
    if (n->kind == NODE_SUBQUERY)
        return range_subquery(ev, n, w, sink, err);
    return range_selector(ev, n, w, sink, err);
}
