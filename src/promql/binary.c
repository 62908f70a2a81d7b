// SPDX-License-Identifier: Apache-2.0
/* Binary operations where one side is a scalar; joins of two vectors are in join.c. */
#include <math.h>

#include "promql/histogram_int.h"

double binary_value(enum token_kind op, double a, double b)
{
    switch (op) {
    case TOK_ADD:
        return a + b;
    case TOK_SUB:
        return a - b;
    case TOK_MUL:
        return a * b;
    case TOK_DIV:
        return a / b;
    case TOK_MOD:
        return fmod(a, b);
    case TOK_POW:
        return pow(a, b);
    case TOK_ATAN2:
        return atan2(a, b);
    case TOK_EQLC:
        return a == b;
    case TOK_NEQ:
        return a != b;
    case TOK_LSS:
        return a < b;
    case TOK_LTE:
        return a <= b;
    case TOK_GTR:
        return a > b;
    case TOK_GTE:
        return a >= b;
    default:
        return NAN;
    }
}

#define EACH(op)                                                                                   \
    for (size_t i = 0; i < n; i++)                                                                 \
        out[i] = a[i] op b[i];                                                                     \
    break

void binary_row(enum token_kind op, const double *a, const double *b, size_t n, double *out)
{
    switch (op) {
    case TOK_ADD:
        EACH(+);
    case TOK_SUB:
        EACH(-);
    case TOK_MUL:
        EACH(*);
    case TOK_DIV:
        EACH(/);
    default:
        for (size_t i = 0; i < n; i++)
            out[i] = binary_value(op, a[i], b[i]);
    }
}

struct with_scalar {
    struct eval *ev;
    const struct node *n;
    size_t steps;
    const double *scalar;
    double *out; /* room for a row */
    bool scalar_left;
    const struct row_sink *sink;
    struct pair_work pair;
    struct arena arena; /* histograms of the row at hand */
};

/* The steps that have a histogram, and floats under an operator that is for histograms only. */
static bool histograms_with_scalar(struct with_scalar *w, struct row *r, struct err *err)
{
    bool left = w->scalar_left;
    arena_reset(&w->arena);
    for (size_t i = 0; i < w->steps; i++) {
        struct operand vector = {r->v[i], r->h ? r->h[i] : NULL}, scalar = {.v = w->scalar[i]}, out;
        if (!vector.h && (!token_is_trim(w->n->binary.op) || is_absent(vector.v)))
            continue;
        enum pair_result res =
            pair_apply(&w->pair, left ? scalar : vector, left ? vector : scalar, &out);
        r->v[i] = absent();
        if (r->h)
            r->h[i] = res == PAIR_TRUE ? out.h : NULL;
        if (arena_over(&w->arena))
            return eval_over_memory(w->ev, err);
    }
    return true;
}

static bool with_scalar_put(void *ctx, struct row *r, struct err *err)
{
    struct with_scalar *w = ctx;
    enum token_kind op = w->n->binary.op;
    bool filter = token_is_comparison(op) && !w->n->binary.return_bool;
    if ((r->h || token_is_trim(op)) && !histograms_with_scalar(w, r, err))
        return false;
    bool left = w->scalar_left;
    binary_row(op, left ? w->scalar : r->v, left ? r->v : w->scalar, w->steps, w->out);
    for (size_t i = 0; i < w->steps; i++)
        if (!is_absent(r->v[i]))
            r->v[i] = !filter ? w->out[i] : w->out[i] != 0 ? r->v[i] : absent();
    if (!filter && !token_is_trim(op))
        row_drop_name(w->ev, w->n, r);
    return w->sink->put(w->sink->ctx, r, err);
}

static bool eval_with_scalar(struct eval *ev, const struct node *n, const struct grid *g,
                             const struct row_sink *sink, struct err *err)
{
    bool left = n->binary.lhs->type == PROMQL_SCALAR;
    const struct node *vector = left ? n->binary.rhs : n->binary.lhs;
    double *s = eval_row_new(ev, g->n, err);
    double *out = eval_row_new(ev, g->n, err);
    if (!s || !out || !eval_scalar(ev, left ? n->binary.lhs : n->binary.rhs, g, s, err))
        return false;
    bool names_go = (!token_is_comparison(n->binary.op) && !token_is_trim(n->binary.op)) ||
                    n->binary.return_bool;
    bool merge = names_go && !ev->delayed_names && node_names_vary(ev, vector);
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    struct with_scalar w = {ev, n, g->n, s, out, left, merge ? &merged : sink, {ev, n, NULL, {0}},
                            {0}};
    arena_init_quota(&w.arena, eval_quota(ev));
    w.pair.arena = &w.arena;
    bool ok = eval_rows(ev, vector, g, &(struct row_sink){with_scalar_put, &w}, err) &&
              (!merge || merger_flush(&m, sink, err));
    histogram_work_fini(&w.pair.w);
    arena_fini(&w.arena);
    merger_fini(&m);
    return ok;
}

bool eval_binary(struct eval *ev, const struct node *n, const struct grid *g,
                 const struct row_sink *sink, struct err *err)
{
    if (n->binary.lhs->type == PROMQL_SCALAR || n->binary.rhs->type == PROMQL_SCALAR)
        return eval_with_scalar(ev, n, g, sink, err);
    if (token_is_set_operator(n->binary.op))
        return eval_set(ev, n, g, sink, err);
    return eval_join(ev, n, g, sink, err);
}
