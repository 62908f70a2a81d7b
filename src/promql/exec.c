// SPDX-License-Identifier: Apache-2.0
/* The facade: checks a query, evaluates it, and puts the result into the caller's arena. */
#include <stdlib.h>

#include "promql/histogram_int.h"
#include "sys/self.h"

str promql_type_name(enum promql_type t)
{
    static const str names[] = {STR_INIT("none"), STR_INIT("scalar"), STR_INIT("string"),
                                STR_INIT("vector"), STR_INIT("matrix")};
    return names[t];
}

static int64_t now_ns(const struct promql_query *q)
{
    return q->budget->mono_ns ? q->budget->mono_ns(q->budget->clock) : 0;
}

/* ---- results ---- */

struct output {
    struct eval *ev;
    struct arena *arena; /* the caller's */
    struct promql_result *r;
    struct windows window; /* of a range vector */
    size_t cap;
    bool count_points; /* of a range selector; a subquery counts what it evaluates */
};

static struct promql_series *series_new(struct output *o, struct labels ls, size_t n,
                                        struct err *err)
{
    size_t points = n * (sizeof(ts_ms) + sizeof(double));
    if (!budget_room(o->ev->q->budget, o->arena->quota ? points : 0, err))
        return NULL;
    if (o->r->series_n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        struct promql_series *at = arena_array(o->arena, struct promql_series, o->cap);
        if (o->r->series_n)
            memcpy(at, o->r->series, o->r->series_n * sizeof *at);
        o->r->series = at;
    }
    struct promql_series *s = &o->r->series[o->r->series_n++];
    *s = (struct promql_series){.labels = labels_dup(o->arena, ls), .n = n};
    return s;
}

/* The points of a row that has histograms. */
static bool output_mixed(struct output *o, const struct row *row, struct labels ls, size_t n,
                         struct err *err)
{
    const struct grid *g = &o->ev->grid;
    struct promql_series *s = series_new(o, ls, n, err);
    if (!s)
        return false;
    ts_ms *t = arena_alloc(o->arena, n * sizeof *t);
    double *v = arena_alloc(o->arena, n * sizeof *v);
    const struct histogram **h = arena_array(o->arena, const struct histogram *, n);
    for (size_t i = 0, k = 0; i < g->n && !arena_over(o->arena); i++) {
        if (!row_has(row, i))
            continue;
        t[k] = grid_at(g, i);
        v[k] = row->v[i];
        h[k++] = row->h[i] ? histogram_dup(o->arena, row->h[i]) : NULL;
    }
    s->t = t;
    s->v = v;
    s->h = h;
    return eval_memory(o->ev, err);
}

/* The present values of a row; nothing for a row without any. */
static bool output_put(void *ctx, struct row *row, struct err *err)
{
    struct output *o = ctx;
    const struct grid *g = &o->ev->grid;
    size_t n = 0, k = 0;
    for (size_t i = 0; i < g->n; i++)
        n += row_has(row, i);
    if (n == 0)
        return true;
    struct labels ls = row->drop_name ? labels_nameless(&o->ev->arena, row->labels) : row->labels;
    if (row->h)
        return output_mixed(o, row, ls, n, err);
    struct promql_series *s = series_new(o, ls, n, err);
    if (!s)
        return false;
    ts_ms *t = arena_alloc(o->arena, n * sizeof *t);
    double *v = arena_alloc(o->arena, n * sizeof *v);
    for (size_t i = 0; i < g->n; i++)
        if (!is_absent(row->v[i])) {
            t[k] = grid_at(g, i);
            v[k++] = row->v[i];
        }
    s->t = t;
    s->v = v;
    return true;
}

static bool drop_put(void *ctx, struct row *row, struct err *err)
{
    struct merger *m = ctx;
    if (row->drop_name)
        row->labels = labels_nameless(&m->ev->arena, row->labels);
    row->drop_name = false;
    return merger_put(m, row, err);
}

/* With delayed name removal names go here, where the last operation is done. */
static bool output_rows(struct output *o, const struct node *n, struct err *err)
{
    struct eval *ev = o->ev;
    struct row_sink out = {output_put, o};
    if (!ev->delayed_names)
        return eval_rows(ev, n, &ev->grid, &out, err);
    struct merger m;
    merger_init(&m, ev, ev->grid.n);
    bool ok = eval_rows(ev, n, &ev->grid, &(struct row_sink){drop_put, &m}, err) &&
              merger_flush(&m, &out, err);
    merger_fini(&m);
    return ok;
}

static int by_labels(const void *a, const void *b)
{
    const struct promql_series *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

static void sort_series(struct promql_result *r)
{
    if (r->series_n > 1)
        qsort(r->series, r->series_n, sizeof *r->series, by_labels);
}

/* Samples of an anchored or smoothed range, with those at its borders. */
static bool output_extended(struct output *o, const struct range_series *in, struct err *err)
{
    const struct windows *w = &o->window;
    if (in->h)
        return err_set(err, ERR_EXEC, "%s modifier is not supported with histograms",
                       w->extended == EXTENDED_ANCHORED ? "anchored" : "smoothed");
    struct promql_series *s = series_new(o, in->labels, in->n + 2, err);
    if (!s)
        return false;
    ts_ms *t = arena_alloc(o->arena, s->n * sizeof *t);
    double *v = arena_alloc(o->arena, s->n * sizeof *v);
    s->n = extended_points(in, w->extended, w->end[0] - w->range_ms, w->end[0], t, v);
    s->t = t;
    s->v = v;
    o->r->series_n -= s->n == 0;
    return true;
}

/* Samples of a range vector as they are. */
static bool output_range(void *ctx, const struct range_series *in, struct err *err)
{
    struct output *o = ctx;
    if (o->window.extended)
        return output_extended(o, in, err);
    ts_ms end = o->window.end[0], start = end - o->window.range_ms;
    size_t lo = 0, hi = in->n;
    while (lo < hi && in->t[lo] <= start)
        lo++;
    while (hi > lo && in->t[hi - 1] > end)
        hi--;
    if (lo == hi)
        return true;
    for (size_t i = lo; i < hi && o->count_points; i++)
        eval_looked_at(o->ev, 0, sample_weight(in->h ? in->h[i] : NULL));
    struct labels ls = in->drop_name ? labels_nameless(&o->ev->arena, in->labels) : in->labels;
    struct promql_series *s = series_new(o, ls, hi - lo, err);
    if (!s)
        return false;
    ts_ms *t = arena_alloc(o->arena, s->n * sizeof *t);
    double *v = arena_alloc(o->arena, s->n * sizeof *v);
    memcpy(t, in->t + lo, s->n * sizeof *t);
    memcpy(v, in->v + lo, s->n * sizeof *v);
    s->t = t;
    s->v = v;
    if (!in->h)
        return true;
    const struct histogram **h = arena_array(o->arena, const struct histogram *, s->n);
    for (size_t i = 0; i < s->n && !arena_over(o->arena); i++)
        h[i] = in->h[lo + i] ? histogram_dup(o->arena, in->h[lo + i]) : NULL;
    s->h = h;
    return eval_memory(o->ev, err);
}

static bool evaluate(struct output *o, struct err *err)
{
    struct eval *ev = o->ev;
    struct promql_result *r = o->r;
    const struct node *root = ev->expr->root, *bare = node_bare(ev->expr->root);
    double *v;
    r->t = ev->grid.start;
    r->type = root->type;
    switch (root->type) {
    case PROMQL_STRING:
        r->string = arena_dup(o->arena, bare->string);
        return true;
    case PROMQL_SCALAR:
        v = eval_row_new(ev, ev->grid.n, err);
        if (!v || !eval_scalar(ev, root, &ev->grid, v, err))
            return false;
        r->scalar = v[0];
        if (!ev->range_query)
            return true;
        r->type = PROMQL_MATRIX;
        return output_put(o, &(struct row){.v = v}, err);
    case PROMQL_MATRIX:
        o->count_points = bare->kind != NODE_SUBQUERY;
        ev->only_subquery = !o->count_points;
        if (!eval_windows(ev, bare, &ev->grid, &o->window, err) ||
            !eval_range(ev, bare, &o->window, &(struct range_sink){.put = output_range, .ctx = o},
                        err))
            return false;
        sort_series(r);
        return true;
    default:
        if (!output_rows(o, root, err))
            return false;
        if (ev->range_query) {
            r->type = PROMQL_MATRIX;
            sort_series(r);
        }
        return true;
    }
}

/* ---- the query ---- */

enum { RESULT_STEPS_MAX = 1 << 20 }; /* of statistics */

static bool check_query(const struct promql_query *q, struct err *err)
{
    enum promql_type t = q->expr->root->type;
    if (q->start < -TIME_MAX || q->start > TIME_MAX || (q->step_ms && q->end > TIME_MAX))
        return err_set(err, ERR_INVALID, "time of the query is out of range");
    if (q->step_ms < 0)
        return err_set(err, ERR_INVALID,
                       "zero or negative query resolution step widths are not "
                       "accepted. Try a positive integer");
    if (q->step_ms == 0)
        return true;
    if (q->end < q->start)
        return err_set(err, ERR_INVALID, "end timestamp must not be before start time");
    if (t != PROMQL_SCALAR && t != PROMQL_VECTOR)
        return err_set(err, ERR_INVALID,
                       "invalid expression type \"%s\" for range query, must be Scalar or instant "
                       "Vector",
                       type_described(t));
    return true;
}

static void eval_init(struct eval *ev, const struct promql_query *q, struct arena *result)
{
    *ev = (struct eval){.q = q, .expr = q->expr};
    arena_init_quota(&ev->arena, &q->budget->memory);
    ev->range_query = q->step_ms > 0;
    ev->end = ev->range_query ? q->end : q->start;
    ev->grid = (struct grid){q->start, ev->range_query ? q->step_ms : 1, 1};
    if (ev->range_query)
        ev->grid.n = (size_t)((q->end - q->start) / q->step_ms) + 1;
    ev->lookback_ms = q->lookback_ms ? q->lookback_ms : 5 * 60 * 1000;
    ev->delayed_names = q->features & PROMQL_DELAYED_NAME_REMOVAL;
    ev->notes = notes_new(q->expr);
    if (q->explain && q->budget->mono_ns)
        ev->costs = arena_array(result, struct promql_cost, q->expr->nodes_n);
}

static void eval_fini(struct eval *ev)
{
    VEC_EACH (ref, &ev->selections)
        ref->ops->release(ref->sel);
    vec_fini(&ev->selections);
    notes_free(ev->notes);
    arena_fini(&ev->arena);
    quota_hold(eval_quota(ev), &ev->outside_bytes, 0);
}

bool promql_exec(const struct promql_query *q, struct arena *result, struct promql_result *out,
                 struct err *err)
{
    if (!check_query(q, err))
        return false;
    int64_t begin = now_ns(q);
    struct eval ev;
    struct promql_result r = {0};
    eval_init(&ev, q, result);
    if (q->step_stats && ev.grid.n <= RESULT_STEPS_MAX)
        ev.per_step = arena_array(result, uint64_t, ev.grid.n);
    struct output o = {.ev = &ev, .arena = result, .r = &r};
    bool ok = evaluate(&o, err) && eval_memory(&ev, err);
    if (ok) {
        notes_take(ev.notes, result, &r);
        r.stats = ev.stats;
        r.stats.samples_per_step = ev.per_step;
        r.stats.steps_n = ev.per_step ? ev.grid.n : 0;
        r.costs = ev.costs;
        r.stats.peak_bytes = atomic_load(&q->budget->memory.peak);
        r.stats.eval_ns = now_ns(q) - begin;
        *out = r;
    }
    self_add(ok ? SELF_QUERIES_OK : SELF_QUERIES_FAILED, 1);
    self_add(SELF_QUERY_SAMPLES, (int64_t)ev.stats.samples_read);
    eval_fini(&ev);
    return ok;
}
