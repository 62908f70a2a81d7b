// SPDX-License-Identifier: Apache-2.0
/*
 * Calls: how the function table meets the evaluator. Functions over a range get, for every series,
 * the bounds of its window at every step; the bounds only move forward, so each sample enters and
 * leaves a window once however many steps there are.
 */
#include "promql/frames_int.h"
#include "promql/histogram_int.h"
#include "promql/scan_int.h"
#include "sys/pool.h"

/* Scalar arguments, one row each, in order; what is not a scalar is skipped. */
static bool scalar_args(struct eval *ev, const struct node *n, const struct grid *g, double **out,
                        size_t *count, struct err *err)
{
    *count = 0;
    for (size_t i = 0; i < n->call.args_n; i++) {
        if (n->call.args[i]->type != PROMQL_SCALAR)
            continue;
        double *v = eval_row_new(ev, g->n, err);
        if (!v || !eval_scalar(ev, n->call.args[i], g, v, err))
            return false;
        out[(*count)++] = v;
    }
    return true;
}

/* ---- functions of one value ---- */

struct each {
    struct eval *ev;
    const struct node *n;
    const struct function *fn;
    size_t steps, args_n;
    double *args[FUNCTION_ARGS_MAX];
    const struct row_sink *sink;
};

static bool each_put(void *ctx, struct row *r, struct err *err)
{
    struct each *e = ctx;
    double args[FUNCTION_ARGS_MAX] = {0};
    for (size_t i = 0; i < e->steps; i++) {
        if (is_absent(r->v[i]))
            continue;
        for (size_t k = 0; k < e->args_n; k++)
            args[k] = e->args[k][i];
        r->v[i] = e->fn->each(r->v[i], args);
    }
    r->h = NULL;
    row_drop_name(e->ev, e->n, r);
    return e->sink->put(e->sink->ctx, r, err);
}

static const struct node *first_of(const struct node *n, enum promql_type t)
{
    for (size_t i = 0; i < n->call.args_n; i++)
        if (n->call.args[i]->type == t)
            return n->call.args[i];
    return NULL;
}

/* The time of every step as the only value, for date functions without argument. */
static bool eval_each_time(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    double *v = eval_row_new(ev, g->n, err);
    for (size_t i = 0; v && i < g->n; i++)
        v[i] = n->call.fn->each((double)(grid_at(g, i) / 1000), NULL);
    return v && sink->put(sink->ctx, &(struct row){.v = v}, err);
}

static bool eval_each(struct eval *ev, const struct node *n, const struct grid *g,
                      const struct row_sink *sink, struct err *err)
{
    const struct node *vector = first_of(n, PROMQL_VECTOR);
    if (!vector)
        return eval_each_time(ev, n, g, sink, err);
    bool merge = !ev->delayed_names && node_names_vary(ev, vector);
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    struct each e = {
        .ev = ev, .n = n, .fn = n->call.fn, .steps = g->n, .sink = merge ? &merged : sink};
    bool ok = scalar_args(ev, n, g, e.args, &e.args_n, err) &&
              eval_rows(ev, vector, g, &(struct row_sink){each_put, &e}, err) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    return ok;
}

/* ---- functions over a range ---- */

struct over_range {
    struct eval *ev;
    const struct node *n, *range;
    const struct function *fn;
    const struct grid *grid;
    struct windows windows;
    struct bounds at;
    double *out, *scratch;
    const struct histogram **out_h; /* NULL until a series needs it */
    struct arena arena;             /* of one series: what mixed windows give */
    bool *fell;                     /* of one series, as in mixed_window */
    size_t scratch_n, args_n;
    double *args[FUNCTION_ARGS_MAX];
    bool check_names; /* the results may lose the name that told them apart */
    struct label_table seen;
    const struct row_sink *sink;
};

static bool scratch_for(struct over_range *o, size_t n, struct err *err)
{
    if (n <= o->scratch_n)
        return true;
    o->scratch_n = n * 2;
    o->scratch = eval_row_new(o->ev, o->scratch_n, err);
    return o->scratch != NULL;
}

/* The steps [from, to) of a series of floats. */
struct float_steps {
    const ts_ms *t;
    const double *v;
    size_t n, from, to;
    struct bounds at;
    const double *shape; /* as in struct range_row; NULL unless these are all steps */
    double *scratch;     /* room for n */
    double *out;
};

static void each_window(const struct over_range *o, const struct float_steps *f)
{
    for (size_t i = f->from; i < f->to; i++) {
        size_t lo = f->at.lo[i], hi = f->at.hi[i];
        ts_ms end = o->windows.end[i];
        f->out[i] = absent();
        if (lo == hi)
            continue;
        struct window w = {.t = f->t + lo,
                           .v = f->v + lo,
                           .n = hi - lo,
                           .end = end,
                           .start = end - o->windows.range_ms,
                           .step = grid_at(o->grid, i),
                           .scratch = f->scratch};
        for (size_t k = 0; k < o->args_n; k++)
            w.args[k] = o->args[k][i];
        double v;
        if (o->fn->window(&w, &v))
            f->out[i] = v;
    }
}

static void float_windows(const struct over_range *o, const struct float_steps *f)
{
    if (!o->fn->row) {
        each_window(o, f);
        return;
    }
    struct range_row in = {.t = f->t,
                           .v = f->v,
                           .n = f->n,
                           .steps = f->to - f->from,
                           .lo = f->at.lo + f->from,
                           .hi = f->at.hi + f->from,
                           .end = o->windows.end + f->from,
                           .range_ms = o->windows.range_ms,
                           .scratch = f->scratch,
                           .shape = f->shape};
    o->fn->row(&in, f->out + f->from);
}

static void mixed_init(struct over_range *o, const struct range_series *s, struct mixed_window *m)
{
    bool starts = (o->fn->flags & FN_START_TIMES) && (o->ev->q->features & PROMQL_START_TIMESTAMPS);
    *m = (struct mixed_window){.ev = o->ev,
                               .call = o->n,
                               .arg = o->n->call.args[0],
                               .labels = s->labels,
                               .arena = &o->arena,
                               .h = s->h,
                               .start_times = starts ? s->start : NULL,
                               .extended = o->windows.extended};
}

/* The floats of a mixed window, copied behind the room that functions use. */
static void floats_alone(struct mixed_window *m, double *v, ts_ms *t)
{
    size_t n = 0;
    for (size_t i = 0; i < m->w.n; i++) {
        if (m->h[i])
            continue;
        v[n] = m->w.v[i];
        t[n++] = m->w.t[i];
    }
    m->w.v = v;
    m->w.t = t;
    m->w.n = n;
}

/* A function that knows floats only. */
static void window_of_floats(struct over_range *o, struct mixed_window *m, struct mixed_value *out)
{
    if (m->floats_n == 0)
        return;
    if (m->histograms_n) {
        note_ignored_in_range(o->ev, m->arg, labels_metric_name(m->labels));
        floats_alone(m, arena_alloc(&o->arena, m->w.n * sizeof(double)),
                     arena_alloc(&o->arena, m->w.n * sizeof(ts_ms)));
    }
    double v;
    if (o->fn->window(&m->w, &v))
        out->v = v;
}

/* Windows overlap, so each pair of neighbours is compared once for all of them. */
static bool *find_falls(struct over_range *o, const struct range_series *s)
{
    bool *fell = arena_array(&o->arena, bool, s->n);
    for (size_t i = 1; i < s->n; i++)
        fell[i] = s->h[i] && s->h[i - 1] && histogram_was_reset(s->h[i], s->h[i - 1]);
    return fell;
}

static void each_mixed(struct over_range *o, const struct range_series *s, size_t from, size_t to)
{
    struct mixed_window m;
    mixed_init(o, s, &m);
    bool starts = m.start_times != NULL;
    if (s->h && !o->fell && (o->fn->flags & FN_START_TIMES))
        o->fell = find_falls(o, s);
    for (size_t i = from; i < to; i++) {
        size_t lo = o->at.lo[i], hi = o->at.hi[i];
        ts_ms end = o->windows.end[i];
        struct mixed_value out = {absent(), NULL};
        m.w = (struct window){.t = s->t + lo,
                              .v = s->v + lo,
                              .n = hi - lo,
                              .end = end,
                              .start = end - o->windows.range_ms,
                              .step = grid_at(o->grid, i),
                              .scratch = o->scratch};
        for (size_t k = 0; k < o->args_n; k++)
            m.w.args[k] = o->args[k][i];
        m.h = s->h ? s->h + lo : NULL;
        m.fell = o->fell ? o->fell + lo : NULL;
        m.start_times = starts ? s->start + lo : NULL;
        m.histograms_n = 0;
        for (size_t k = 0; m.h && k < m.w.n; k++)
            m.histograms_n += m.h[k] != NULL;
        m.floats_n = m.w.n - m.histograms_n;
        if (lo < hi && !o->fn->mixed)
            window_of_floats(o, &m, &out);
        else if (lo < hi && !o->fn->mixed(&m, &out))
            out = (struct mixed_value){absent(), NULL};
        o->out[i] = out.h ? absent() : out.v;
        o->out_h[i] = out.h;
        if (arena_over(&o->arena))
            return;
    }
}

/* Samples in windows that are a few milliseconds of work. */
enum { MORSEL_SAMPLES = 1 << 18 };

/* The steps whose windows together are so many. */
static size_t morsel_end(const struct over_range *o, size_t from)
{
    size_t work = 0, to = from;
    do
        work += o->at.hi[to] - o->at.lo[to] + 1;
    while (++to < o->grid->n && work < MORSEL_SAMPLES);
    return to;
}

/* Long windows over many steps are worked on in pieces, so that a query can be cancelled and gives
 * way to others inside one series too. */
static bool evaluate_windows(struct over_range *o, const struct range_series *s, bool mixed,
                             struct err *err)
{
    for (size_t from = 0, to; from < o->grid->n; from = to) {
        to = morsel_end(o, from);
        if (from && !budget_use(o->ev->q->budget, 0, err))
            return false;
        if (from)
            pool_yield();
        if (mixed) {
            each_mixed(o, s, from, to);
            if (arena_over(&o->arena))
                return eval_over_memory(o->ev, err);
            continue;
        }
        struct float_steps f = {s->t, s->v, s->n, from, to, o->at, NULL, o->scratch, o->out};
        float_windows(o, &f);
    }
    return true;
}

/* What a window over rows of tiers has: floats, histograms. */
enum { HAS_FLOATS = 1, HAS_HISTOGRAMS = 2 };

static unsigned kinds_of(const struct over_range *o, const struct range_series *s, size_t step)
{
    unsigned kinds = 0;
    ts_ms end = o->windows.end[step], start = end - o->windows.range_ms;
    for (size_t i = tier_rows_behind(s->rows, s->rows_n, start); i < s->rows_n; i++) {
        if (s->rows[i].first_t > end)
            break;
        if (s->rows[i].count > 0)
            kinds |= s->rows[i].hist ? HAS_HISTOGRAMS : HAS_FLOATS;
    }
    for (size_t i = o->at.lo[step]; kinds && i < o->at.hi[step]; i++)
        if (i >= s->raw_from)
            kinds |= s->h && s->h[i] ? HAS_HISTOGRAMS : HAS_FLOATS;
    return kinds;
}

/* Whether the function on rows is right for what the window has. */
static bool rows_will_do(const struct over_range *o, unsigned kinds)
{
    switch (o->windows.extended ? TIER_NEEDS_SAMPLES : o->fn->tier) {
    case TIER_NEEDS_SAMPLES:
        return false;
    case TIER_COUNT:
    case TIER_PRESENT:
    case TIER_TIME_OF_FIRST:
    case TIER_TIME_OF_LAST:
        return true;
    case TIER_RATE:
    case TIER_INCREASE:
    case TIER_DELTA:
        return kinds == HAS_FLOATS || kinds == HAS_HISTOGRAMS;
    default:
        return kinds == HAS_FLOATS;
    }
}

/* Rates of histograms; of what they hold, others ask less and have it from rows as floats do. */
static bool is_rate(enum tier_function f)
{
    return f == TIER_RATE || f == TIER_INCREASE || f == TIER_DELTA;
}

static void rate_of_histograms(struct over_range *o, const struct range_series *s, size_t step)
{
    struct mixed_window m;
    struct mixed_value out = {absent(), NULL};
    mixed_init(o, s, &m);
    m.w.end = o->windows.end[step];
    m.w.start = m.w.end - o->windows.range_ms;
    m.w.step = grid_at(o->grid, step);
    if (!tiered_histograms(&m, s, o->fn, &out))
        out = (struct mixed_value){absent(), NULL};
    o->out[step] = out.h ? absent() : out.v;
    o->out_h[step] = out.h;
}

/* The known samples of rows are what it asks for. */
static bool samples_will_do(const struct over_range *o)
{
    return !o->windows.extended && (o->fn->tier == TIER_FIRST || o->fn->tier == TIER_LAST);
}

static void note_rows(struct over_range *o, const struct range_series *s)
{
    note_thinned(o->ev, o->n, o->fn->name, s->rows_end);
}

/* Windows that touch rows of tiers get their value from these, in place of the one that the first
 * and last sample of each row gave. */
static bool evaluate_rows(struct over_range *o, const struct range_series *s, bool mixed,
                          struct err *err)
{
    enum { ROWS = 1 << 18 };
    struct tier_series in = {.rows = s->rows,
                             .rows_n = s->rows_n,
                             .t = s->t + s->raw_from,
                             .v = s->v + s->raw_from,
                             .n = s->n - s->raw_from};
    size_t work = 0;
    for (size_t i = 0; i < o->grid->n; i++) {
        ts_ms end = o->windows.end[i];
        unsigned kinds = kinds_of(o, s, i);
        if (!kinds)
            continue;
        if (!rows_will_do(o, kinds)) {
            if (!samples_will_do(o))
                note_rows(o, s);
            continue;
        }
        if (kinds == HAS_HISTOGRAMS && is_rate(o->fn->tier)) {
            rate_of_histograms(o, s, i);
            if (arena_over(&o->arena))
                return eval_over_memory(o->ev, err);
            continue;
        }
        if (!tier_window(o->fn->tier, &in, end - o->windows.range_ms, end, &o->out[i]))
            o->out[i] = absent();
        if (mixed)
            o->out_h[i] = NULL;
        work += s->rows_n;
        if (work < ROWS)
            continue;
        work = 0;
        pool_yield();
        if (!budget_use(o->ev->q->budget, 0, err))
            return false;
    }
    return true;
}

static bool any_value(const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(v[i]))
            return true;
    return false;
}

static bool ends_with_counter_suffix(str name)
{
    return str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) ||
           str_ends(name, STR("_count")) || str_ends(name, STR("_bucket"));
}

static void note_counter(struct over_range *o, struct labels ls)
{
    str name = labels_metric_name(ls);
    if (name.n && !ends_with_counter_suffix(name))
        note_info(o->ev, o->range,
                  "metric might not be a counter, name does not end in "
                  "_total/_sum/_count/_bucket: \"%.*s\"",
                  STR_ARG(name));
}

static bool put_result(struct over_range *o, const struct range_series *s, double *out, bool mixed,
                       struct err *err)
{
    struct row r = {s->labels, s->drop_name, out, mixed ? o->out_h : NULL};
    if (!(o->fn->flags & FN_KEEP_NAME))
        row_drop_name(o->ev, o->n, &r);
    if (o->check_names) {
        size_t known = o->seen.n;
        if (label_table_add(&o->seen, r.labels) < known)
            return err_set(err, ERR_EXEC, "vector cannot contain metrics with the same labelset");
    }
    return o->sink->put(o->sink->ctx, &r, err);
}

static bool any_histogram(const struct over_range *o)
{
    for (size_t i = 0; i < o->grid->n; i++)
        if (o->out_h[i])
            return true;
    return false;
}

/* Whether the windows of a series are more than floats to this function. */
static bool is_mixed(const struct over_range *o, const struct range_series *s)
{
    return s->h || o->windows.extended ||
           (s->start && (o->fn->flags & FN_START_TIMES) &&
            (o->ev->q->features & PROMQL_START_TIMESTAMPS));
}

/* Of floats the points of all windows are known together; histograms count by size. */
static bool count_windows(struct over_range *o, const struct range_series *s, uint64_t looked_at,
                          struct err *err)
{
    struct eval *ev = o->ev;
    uint64_t *before = NULL;
    if (!s->h && (!ev->per_step || ev->counting != COUNT_AT_STEP)) {
        eval_looked_at_together(ev, looked_at);
        return true;
    }
    if (s->h && !(before = arena_try(&o->arena, s->n + 1, sizeof *before)))
        return eval_over_memory(ev, err);
    if (before)
        before[0] = 0;
    for (size_t i = 0; before && i < s->n; i++)
        before[i + 1] = before[i] + sample_weight(s->h[i]);
    for (size_t i = 0; i < o->grid->n; i++) {
        uint32_t lo = o->at.lo[i], hi = o->at.hi[i];
        eval_looked_at(ev, i, before ? before[hi] - before[lo] : hi - lo);
    }
    return true;
}

/* What range_prepare made. */
static bool put_ready(struct over_range *o, const struct range_series *s, struct err *err)
{
    if (o->ev->per_step && o->ev->counting == COUNT_AT_STEP)
        find_windows(&o->windows, s->t, s->n, o->at);
    if (!count_windows(o, s, s->ready->looked_at, err))
        return false;
    if (!s->ready->any)
        return true;
    if (o->fn->flags & FN_COUNTER)
        note_counter(o, s->labels);
    return put_result(o, s, s->ready->v, false, err);
}

static bool range_put(void *ctx, const struct range_series *s, struct err *err)
{
    struct over_range *o = ctx;
    if (s->ready)
        return put_ready(o, s, err);
    if (s->n > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "series has more than %u samples", UINT32_MAX);
    bool mixed = is_mixed(o, s), any;
    if (!scratch_for(o, s->n, err))
        return false;
    if (mixed && !o->out_h && !(o->out_h = eval_histograms_new(o->ev, o->grid->n, err)))
        return false;
    arena_reset(&o->arena);
    o->fell = NULL;
    uint64_t looked_at = find_windows(&o->windows, s->t, s->n, o->at);
    if (!count_windows(o, s, looked_at, err))
        return false;
    if (!evaluate_windows(o, s, mixed, err))
        return false;
    if (s->rows_n && !evaluate_rows(o, s, mixed, err))
        return false;
    any = any_value(o->out, o->grid->n);
    if (any && o->fn->flags & FN_COUNTER)
        note_counter(o, s->labels);
    if (!any && !(mixed && any_histogram(o)))
        return true;
    return put_result(o, s, o->out, mixed, err);
}

/* A series of floats whose windows are not much work, on whatever thread read it. */
static void range_prepare(void *ctx, struct scanned *s, struct scan_room *room)
{
    const struct over_range *o = ctx;
    size_t steps = o->grid->n;
    struct range_series in = {.h = s->c.h, .start = s->c.start};
    if (is_mixed(o, &in) || s->c.n > MORSEL_SAMPLES)
        return;
    struct frames *frames = room->memo->at;
    const struct frame *frame =
        frames_get(&frames, &room->memo->arena, &o->windows, o->fn, s->c.t, s->c.n);
    room->memo->at = frames;
    if (frame->looked_at > MORSEL_SAMPLES)
        return;
    double *scratch = arena_alloc(room->arena, s->c.n * sizeof *scratch);
    s->v = arena_alloc(room->arena, steps * sizeof *s->v);
    struct float_steps f = {s->c.t,    s->c.v,       s->c.n,  0,   steps,
                            frame->at, frame->shape, scratch, s->v};
    float_windows(o, &f);
    s->any = any_value(s->v, steps);
    s->looked_at = frame->looked_at;
    s->ready = true;
}

static void note_arguments(struct over_range *o)
{
    if (!str_eqz(o->fn->name, "quantile_over_time"))
        return;
    for (size_t i = 0; i < o->grid->n; i++)
        note_quantile(o->ev, o->n->call.args[0], o->args[0][i]);
}

static bool check_extended(const struct over_range *o, struct err *err)
{
    enum extended x = o->windows.extended;
    if (x == EXTENDED_ANCHORED && !(o->fn->flags & FN_ANCHORED))
        return err_set(err, ERR_EXEC,
                       "anchored modifier can only be used with: changes, delta, increase, rate, "
                       "resets - not with %.*s",
                       STR_ARG(o->fn->name));
    if (x == EXTENDED_SMOOTHED && !(o->fn->flags & FN_SMOOTHED))
        return err_set(err, ERR_EXEC,
                       "smoothed modifier can only be used with: delta, increase, rate - not "
                       "with %.*s",
                       STR_ARG(o->fn->name));
    return true;
}

static bool eval_over_range(struct eval *ev, const struct node *n, const struct grid *g,
                            const struct row_sink *sink, struct err *err)
{
    struct over_range o = {.ev = ev,
                           .seen = {.quota = eval_quota(ev)},
                           .n = n,
                           .fn = n->call.fn,
                           .grid = g,
                           .sink = sink,
                           .range = first_of(n, PROMQL_MATRIX)};
    const struct node *bare = node_bare(first_of(n, PROMQL_MATRIX));
    o.at.lo = arena_try(&ev->arena, g->n, sizeof *o.at.lo);
    o.at.hi = arena_try(&ev->arena, g->n, sizeof *o.at.hi);
    o.out = eval_row_new(ev, g->n, err);
    if (!o.out)
        return false;
    if (!o.at.lo || !o.at.hi)
        return eval_over_memory(ev, err);
    arena_init_quota(&o.arena, eval_quota(ev));
    o.check_names = !ev->delayed_names && node_names_vary(ev, bare);
    bool ok = scalar_args(ev, n, g, o.args, &o.args_n, err);
    if (ok && o.fn->check)
        ok = o.fn->check((const double *const *)o.args, g->n, err);
    ok = ok && eval_windows(ev, bare, g, &o.windows, err) && check_extended(&o, err) &&
         eval_range(ev, bare, &o.windows, &(struct range_sink){range_put, &o, range_prepare}, err);
    if (ok)
        note_arguments(&o);
    label_table_fini(&o.seen);
    arena_fini(&o.arena);
    return ok;
}

bool eval_call(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err)
{
    const struct function *f = n->call.fn;
    if (f->call)
        return f->call(ev, n, g, sink, err);
    if (f->each)
        return eval_each(ev, n, g, sink, err);
    return eval_over_range(ev, n, g, sink, err);
}
