// SPDX-License-Identifier: Apache-2.0
/* The walk over the tree: which node is evaluated by whom, and what is the same at every step. */
#include <math.h>

#include "promql/eval_int.h"
#include "sys/pool.h"

/* Points of one row; more is refused whatever the memory limit is. */
enum { STEPS_MAX = 20 * 1000 * 1000 };

bool eval_over_memory(struct eval *ev, struct err *err)
{
    return budget_memory_error(ev->q->budget, err);
}

bool eval_memory(struct eval *ev, struct err *err)
{
    return !quota_over(eval_quota(ev)) || eval_over_memory(ev, err);
}

void eval_looked_at(struct eval *ev, size_t step, uint64_t points)
{
    if (ev->counting == COUNT_NOWHERE)
        return;
    bool all = ev->counting == COUNT_AT_ALL;
    ev->stats.samples_total += all ? points * ev->grid.n : points;
    for (size_t i = 0; all && ev->per_step && i < ev->grid.n; i++)
        ev->per_step[i] += points;
    if (!all && ev->per_step && step < ev->grid.n)
        ev->per_step[step] += points;
}

void eval_looked_at_together(struct eval *ev, uint64_t points)
{
    if (ev->counting == COUNT_AT_STEP)
        ev->stats.samples_total += points;
    else
        eval_looked_at(ev, 0, points);
}

/* As upstream: bytes of its record of a histogram, of which a sample has 16. */
uint64_t sample_weight(const struct histogram *h)
{
    enum { RECORD = 168 };
    if (!h)
        return 1;
    uint64_t words = (uint64_t)h->positive.spans_n + h->positive.counts_n + h->negative.spans_n +
                     h->negative.counts_n + h->custom_n;
    return (RECORD + 8 * words + 8) / PROMQL_SAMPLE_BYTES;
}

void eval_count_outside(struct eval *ev, size_t more)
{
    quota_hold(eval_quota(ev), &ev->outside_bytes, ev->outside_bytes + more);
}

double *eval_row_new(struct eval *ev, size_t n, struct err *err)
{
    if (n > STEPS_MAX) {
        err_set(err, ERR_LIMIT, "query needs more than %d points in one series", STEPS_MAX);
        return NULL;
    }
    if (!budget_room(ev->q->budget, n * sizeof(double), err))
        return NULL;
    return arena_alloc(&ev->arena, n * sizeof(double));
}

static bool duration_seconds(struct eval *ev, const struct node *n, double *out, struct err *err)
{
    double a = 0, b = 0;
    if (n->kind == NODE_NUMBER)
        return *out = n->number.value, true;
    const struct node *lhs = n->duration.lhs, *rhs = n->duration.rhs;
    if ((lhs && !duration_seconds(ev, lhs, &a, err)) ||
        (rhs && !duration_seconds(ev, rhs, &b, err)))
        return false;
    struct pos pos = pos_of(ev->expr->text, n->start);
    switch (n->duration.op) {
    case TOK_STEP:
        *out = ev->q->step_ms / 1000.0;
        return true;
    case TOK_RANGE:
        *out = (double)(ev->end - ev->grid.start) / 1000;
        return true;
    case TOK_MIN_OF:
        *out = go_min(a, b);
        return true;
    case TOK_MAX_OF:
        *out = go_max(a, b);
        return true;
    case TOK_DIV:
    case TOK_MOD:
        if (b == 0)
            return err_at(err, ERR_EXEC, pos,
                          n->duration.op == TOK_DIV ? "division by zero" : "modulo by zero");
        break;
    default:
        break;
    }
    *out = binary_value(n->duration.op, a, b);
    return true;
}

bool eval_duration(struct eval *ev, int64_t literal_ms, const struct node *expr, bool negative_ok,
                   int64_t *out, struct err *err)
{
    double s;
    if (!expr)
        return *out = literal_ms, true;
    if (!duration_seconds(ev, expr, &s, err))
        return false;
    struct pos pos = pos_of(ev->expr->text, expr->start);
    if (!isfinite(s))
        return err_at(err, ERR_EXEC, pos, "duration is NaN or infinite");
    if (s <= 0 && !negative_ok)
        return err_at(err, ERR_EXEC, pos, "duration must be greater than 0");
    if (fabs(s) > 9223372036.854775)
        return err_at(err, ERR_EXEC, pos, "duration is out of range");
    *out = (int64_t)(s * 1000);
    return true;
}

bool eval_when(struct eval *ev, const struct when *w, const struct grid *g, ts_ms *out,
               struct err *err)
{
    int64_t offset;
    if (!eval_duration(ev, w->offset_ms, w->offset_expr, true, &offset, err))
        return false;
    ts_ms fixed = w->at == AT_TIME ? w->at_ms : w->at == AT_START ? ev->grid.start : ev->end;
    for (size_t i = 0; i < g->n; i++) {
        ts_ms t = (w->at == AT_NONE ? grid_at(g, i) : fixed) - offset;
        out[i] = t > TIME_MAX ? TIME_MAX : t < -TIME_MAX ? -TIME_MAX : t;
    }
    return true;
}

bool eval_scalar(struct eval *ev, const struct node *n, const struct grid *g, double *out,
                 struct err *err)
{
    double *rhs;
    const struct function *f;
    switch (n->kind) {
    case NODE_NUMBER:
        for (size_t i = 0; i < g->n; i++)
            out[i] = n->number.value;
        return true;
    case NODE_PAREN:
        return eval_scalar(ev, n->paren, g, out, err);
    case NODE_UNARY:
        if (!eval_scalar(ev, n->unary.expr, g, out, err))
            return false;
        for (size_t i = 0; i < g->n && n->unary.op == TOK_SUB; i++)
            out[i] = -out[i];
        return true;
    case NODE_BINARY:
        if (!(rhs = eval_row_new(ev, g->n, err)) || !eval_scalar(ev, n->binary.lhs, g, out, err) ||
            !eval_scalar(ev, n->binary.rhs, g, rhs, err))
            return false;
        for (size_t i = 0; i < g->n; i++)
            out[i] = binary_value(n->binary.op, out[i], rhs[i]);
        return true;
    case NODE_CALL:
        f = n->call.fn;
        if (f->scalars)
            return f->scalars(ev, n, g, out, err);
        for (size_t i = 0; i < g->n; i++)
            out[i] = f->scalar(g, i);
        return true;
    default:
        return err_set(err, ERR_INTERNAL, "scalar expected");
    }
}

const struct histogram **eval_histograms_new(struct eval *ev, size_t n, struct err *err)
{
    const struct histogram **h = (const struct histogram **)eval_row_new(ev, n, err);
    if (h)
        memset(h, 0, n * sizeof *h);
    return h;
}

bool eval_row_keep(struct eval *ev, const struct row *r, size_t n, struct row *out, struct err *err)
{
    double *v = eval_row_new(ev, n, err);
    const struct histogram **h = NULL;
    if (!v || (r->h && !(h = eval_histograms_new(ev, n, err))))
        return false;
    memcpy(v, r->v, n * sizeof *v);
    for (size_t i = 0; h && i < n; i++) {
        h[i] = r->h[i] ? histogram_dup(&ev->arena, r->h[i]) : NULL;
        if (h[i] && !eval_memory(ev, err))
            return false;
    }
    *out = (struct row){r->labels, r->drop_name, v, h};
    return true;
}

struct broadcast {
    struct eval *ev;
    enum counting outer; /* of who takes the rows */
    const struct row_sink *sink;
    size_t n;
    double *v;
};

static bool broadcast_put(void *ctx, struct row *r, struct err *err)
{
    struct broadcast *b = ctx;
    double first = r->v[0];
    for (size_t i = 0; i < b->n; i++)
        b->v[i] = first;
    struct row wide = {r->labels, r->drop_name, b->v, NULL};
    if (r->h && r->h[0]) {
        wide.h = eval_histograms_new(b->ev, b->n, err);
        for (size_t i = 0; wide.h && i < b->n; i++)
            wide.h[i] = r->h[0];
        if (!wide.h)
            return false;
    }
    enum counting inner = b->ev->counting;
    b->ev->counting = b->outer;
    bool ok = b->sink->put(b->sink->ctx, &wide, err);
    b->ev->counting = inner;
    return ok;
}

static bool eval_each_step(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err);

struct negation {
    struct eval *ev;
    const struct node *node;
    size_t n;
    const struct row_sink *sink;
    struct histogram_work work;
    struct arena arena; /* histograms of the row at hand */
};

static bool negate_histograms(struct negation *neg, struct row *r, struct err *err)
{
    arena_reset(&neg->arena);
    for (size_t i = 0; i < neg->n; i++) {
        if (!r->h[i])
            continue;
        histogram_work_set(&neg->work, r->h[i]);
        histogram_work_scale(&neg->work, -1);
        r->h[i] = histogram_work_freeze(&neg->work, &neg->arena);
        if (arena_over(&neg->arena))
            return eval_over_memory(neg->ev, err);
    }
    return true;
}

static bool negate_put(void *ctx, struct row *r, struct err *err)
{
    struct negation *neg = ctx;
    for (size_t i = 0; i < neg->n; i++)
        if (!is_absent(r->v[i]))
            r->v[i] = -r->v[i];
    if (r->h && !negate_histograms(neg, r, err))
        return false;
    row_drop_name(neg->ev, neg->node, r);
    return neg->sink->put(neg->sink->ctx, r, err);
}

static bool eval_unary(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err)
{
    if (n->unary.op != TOK_SUB)
        return eval_rows(ev, n->unary.expr, g, sink, err);
    bool merge = !ev->delayed_names && node_names_vary(ev, n->unary.expr);
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    struct negation neg = {.ev = ev, .node = n, .n = g->n, .sink = merge ? &merged : sink};
    arena_init_quota(&neg.arena, eval_quota(ev));
    bool ok = eval_rows(ev, n->unary.expr, g, &(struct row_sink){negate_put, &neg}, err) &&
              (!merge || merger_flush(&m, sink, err));
    histogram_work_fini(&neg.work);
    arena_fini(&neg.arena);
    merger_fini(&m);
    return ok;
}

static bool eval_each_step(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    str outer = ev->func;
    bool ok;
    switch (n->kind) {
    case NODE_SELECTOR:
        return eval_selector(ev, n, g, LOOKUP_VALUE, sink, err);
    case NODE_CALL:
        ev->func = n->call.fn->name;
        ok = eval_call(ev, n, g, sink, err);
        break;
    case NODE_AGGREGATE:
        ev->func = token_text(n->aggregate.op);
        ok = eval_aggregate(ev, n, g, sink, err);
        break;
    case NODE_BINARY:
        return eval_binary(ev, n, g, sink, err);
    case NODE_UNARY:
        return eval_unary(ev, n, g, sink, err);
    case NODE_PAREN:
        return eval_rows(ev, n->paren, g, sink, err);
    default:
        return err_set(err, ERR_INTERNAL, "instant vector expected");
    }
    ev->func = outer;
    return ok;
}

bool eval_rows(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err)
{
    return ev->costs ? measure_rows(ev, n, g, sink, err) : eval_rows_plain(ev, n, g, sink, err);
}

bool eval_rows_plain(struct eval *ev, const struct node *n, const struct grid *g,
                     const struct row_sink *sink, struct err *err)
{
    if (g->n == 0)
        return true;
    if (!budget_use(ev->q->budget, 0, err) || !eval_memory(ev, err))
        return false;
    if (!n->invariant || g->n == 1)
        return eval_each_step(ev, n, g, sink, err);
    struct broadcast b = {ev, ev->counting, sink, g->n, eval_row_new(ev, g->n, err)};
    struct grid once = {g->start, 1, 1};
    if (ev->counting == COUNT_AT_STEP)
        ev->counting = COUNT_AT_ALL;
    bool ok = b.v && eval_each_step(ev, n, &once, &(struct row_sink){broadcast_put, &b}, err);
    ev->counting = b.outer;
    return ok;
}

struct collector {
    struct eval *ev;
    size_t n;
    struct rows *rows;
};

static bool collect_put(void *ctx, struct row *r, struct err *err)
{
    struct collector *c = ctx;
    struct row kept;
    if (!eval_row_keep(c->ev, r, c->n, &kept, err))
        return false;
    if (c->rows->n == c->rows->cap) {
        size_t cap = c->rows->cap ? c->rows->cap * 2 : 16;
        struct row *at = arena_try(&c->ev->arena, cap, sizeof *at);
        if (!at)
            return eval_over_memory(c->ev, err);
        if (c->rows->n)
            memcpy(at, c->rows->at, c->rows->n * sizeof *at);
        c->rows->at = at;
        c->rows->cap = cap;
    }
    c->rows->at[c->rows->n++] = kept;
    return true;
}

bool eval_collect(struct eval *ev, const struct node *n, const struct grid *g, struct rows *out,
                  struct err *err)
{
    *out = (struct rows){0};
    struct collector c = {ev, g->n, out};
    return eval_rows(ev, n, g, &(struct row_sink){collect_put, &c}, err);
}
