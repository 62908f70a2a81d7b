// SPDX-License-Identifier: Apache-2.0
/*
 * Types of arguments and operands, and what an operator allows; after that, which parts of the tree
 * give the same at every step. Messages are upstream's.
 */
#include "promql/function_int.h"

struct checker {
    struct promql_expr *expr;
    struct err *err;
};

const char *type_described(enum promql_type t)
{
    static const char *const names[] = {"none", "scalar", "string", "instant vector",
                                        "range vector"};
    return names[t];
}

static bool check(struct checker *c, struct node *n);

static struct pos at(struct checker *c, uint32_t offset)
{
    return pos_of(c->expr->text, offset);
}

/* vector() around a scalar where MetricsQL takes one. */
static struct node *imply_vector(struct checker *c, struct node *scalar)
{
    struct node *n = node_new(c->expr, NODE_CALL, scalar);
    n->type = PROMQL_VECTOR;
    n->call.fn = function_find(STR("vector"));
    n->call.args = arena_array(&c->expr->arena, struct node *, 1);
    n->call.args[0] = scalar;
    n->call.args_n = 1;
    n->call.implied = true;
    return n;
}

/* A window that is not written: around a selector [ ], around anything else [ : ]. */
static struct node *imply_window(struct checker *c, const struct function *fn, struct node *n)
{
    struct node *bare = n;
    enum implied implied = fn->flags & FN_TWO_SAMPLES ? IMPLIED_RATE : IMPLIED_STEP;
    while (bare->kind == NODE_PAREN)
        bare = bare->paren;
    bool selector = bare->kind == NODE_SELECTOR;
    struct node *window = node_new(c->expr, selector ? NODE_RANGE : NODE_SUBQUERY, n);
    window->type = PROMQL_MATRIX;
    if (selector) {
        window->range.selector = bare;
        window->range.implied = implied;
    } else {
        window->subquery.expr = n->type == PROMQL_SCALAR ? imply_vector(c, n) : n;
        window->subquery.implied = implied;
    }
    return window;
}

static bool expect(struct checker *c, struct node **slot, enum promql_type want, const char *where)
{
    struct node *n = *slot;
    if (!check(c, n))
        return false;
    if (n->type == PROMQL_SCALAR && want == PROMQL_VECTOR && expr_is_metricsql(c->expr)) {
        *slot = imply_vector(c, n);
        return true;
    }
    if (n->type == want)
        return true;
    err_at(c->err, ERR_INVALID, at(c, n->start), "expected type %s in %s, got %s",
           type_described(want), where, type_described(n->type));
    return false;
}

static bool check_aggregate(struct checker *c, struct node *n)
{
    if (!expect(c, &n->aggregate.expr, PROMQL_VECTOR, "aggregation expression"))
        return false;
    if (!n->aggregate.param)
        return true;
    bool count_values = n->aggregate.op == TOK_COUNT_VALUES;
    return expect(c, &n->aggregate.param, count_values ? PROMQL_STRING : PROMQL_SCALAR,
                  "aggregation parameter");
}

/* Where the operator and its modifiers stand, for messages about them. */
static uint32_t operator_at(struct checker *c, const struct node *n)
{
    uint32_t i = n->binary.lhs->end;
    str s = c->expr->text;
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r'))
        i++;
    return i;
}

static bool label_twice(const struct matching *m, str *which)
{
    for (size_t i = 0; m->on && i < m->labels.n; i++)
        for (size_t k = 0; k < m->include.n; k++)
            if (str_eq(m->labels.at[i], m->include.at[k])) {
                *which = m->labels.at[i];
                return true;
            }
    return false;
}

static bool check_set_operator(struct checker *c, struct node *n)
{
    struct matching *m = &n->binary.match;
    str op = token_text(n->binary.op);
    struct pos pos = at(c, n->start);
    bool vectors = n->binary.lhs->type == PROMQL_VECTOR && n->binary.rhs->type == PROMQL_VECTOR;
    if (vectors && m->card != CARD_ONE_TO_ONE)
        return err_at(c->err, ERR_INVALID, pos, "no grouping allowed for \"%.*s\" operation",
                      STR_ARG(op));
    if (vectors && (m->fill_left_set || m->fill_right_set))
        return err_at(c->err, ERR_INVALID, pos,
                      "filling in missing series not allowed for set operators");
    m->card = CARD_MANY_TO_MANY;
    if (vectors)
        return true;
    return err_at(c->err, ERR_INVALID, pos,
                  "set operator \"%.*s\" not allowed in binary scalar expression", STR_ARG(op));
}

static bool check_sides(struct checker *c, struct node *n)
{
    const struct node *sides[] = {n->binary.lhs, n->binary.rhs};
    for (int i = 0; i < 2; i++)
        if (sides[i]->type != PROMQL_SCALAR && sides[i]->type != PROMQL_VECTOR)
            return err_at(c->err, ERR_INVALID, at(c, sides[i]->start),
                          "binary expression must contain only scalar and instant vector types");
    struct matching *m = &n->binary.match;
    if (sides[0]->type == PROMQL_VECTOR && sides[1]->type == PROMQL_VECTOR)
        return true;
    if (m->labels.n)
        return err_at(c->err, ERR_INVALID, at(c, n->start),
                      "vector matching only allowed between instant vectors");
    if (m->fill_left_set || m->fill_right_set)
        return err_at(c->err, ERR_INVALID, at(c, n->start),
                      "filling in missing series only allowed between instant vectors");
    return true;
}

/* MetricsQL filters scalars and joins them with and, or, default, ... as if they were vectors. Of
 * 3 < time(), time() is what is left. */
static void imply_vectors(struct checker *c, struct node *n)
{
    enum token_kind op = n->binary.op;
    struct node **lhs = &n->binary.lhs, **rhs = &n->binary.rhs;
    bool filter = token_is_comparison(op) && !n->binary.return_bool;
    bool set = token_is_set_operator(op);
    if (expr_is_metricsql(c->expr)) {
        bool scalars = (*lhs)->type == PROMQL_SCALAR && (*rhs)->type == PROMQL_SCALAR;
        bool swap = node_bare(*lhs)->kind == NODE_NUMBER && node_bare(*rhs)->kind != NODE_NUMBER;
        if ((*lhs)->type == PROMQL_SCALAR && (set || (filter && scalars && !swap)))
            *lhs = imply_vector(c, *lhs);
        if ((*rhs)->type == PROMQL_SCALAR && (set || (filter && scalars && swap)))
            *rhs = imply_vector(c, *rhs);
    }
    n->type = (*lhs)->type == PROMQL_SCALAR && (*rhs)->type == PROMQL_SCALAR ? PROMQL_SCALAR
                                                                             : PROMQL_VECTOR;
}

static bool check_binary(struct checker *c, struct node *n)
{
    enum token_kind op = n->binary.op;
    str twice;
    if (!check(c, n->binary.lhs) || !check(c, n->binary.rhs))
        return false;
    imply_vectors(c, n);
    if (n->binary.return_bool && !token_is_comparison(op))
        return err_at(c->err, ERR_INVALID, at(c, operator_at(c, n)),
                      "bool modifier can only be used on comparison operators");
    if (token_is_comparison(op) && !n->binary.return_bool && n->binary.lhs->type == PROMQL_SCALAR &&
        n->binary.rhs->type == PROMQL_SCALAR)
        return err_at(c->err, ERR_INVALID, at(c, operator_at(c, n)),
                      "comparisons between scalars must use BOOL modifier");
    if (label_twice(&n->binary.match, &twice))
        return err_at(c->err, ERR_INVALID, at(c, operator_at(c, n)),
                      "label \"%.*s\" must not occur in ON and GROUP clause at once",
                      STR_ARG(twice));
    return check_sides(c, n) && (!token_is_set_operator(op) || check_set_operator(c, n));
}

static bool check_arg_count(struct checker *c, const struct node *n)
{
    const struct function *f = n->call.fn;
    size_t have = n->call.args_n, least = f->args_n - (f->variadic ? 1u : 0u);
    struct pos pos = at(c, n->start);
    if (!f->variadic && have != f->args_n)
        return err_at(c->err, ERR_INVALID, pos,
                      "expected %d argument(s) in call to \"%.*s\", got %zu", f->args_n,
                      STR_ARG(f->name), have);
    if (have < least)
        return err_at(c->err, ERR_INVALID, pos,
                      "expected at least %zu argument(s) in call to \"%.*s\", got %zu", least,
                      STR_ARG(f->name), have);
    if (f->variadic > 0 && have > least + (size_t)f->variadic) {
        err_at(c->err, ERR_INVALID, pos,
               "expected at most %zu argument(s) in call to \"%.*s\", got %zu",
               least + (size_t)f->variadic, STR_ARG(f->name), have);
        if (!expr_is_metricsql(c->expr) && function_choose(f->name, have, true) != f)
            err_hint(c->err, "%.*s() with %zu arguments is MetricsQL: --enable-feature=metricsql",
                     STR_ARG(f->name), have);
        return false;
    }
    return true;
}

static bool check_arg(struct checker *c, const struct node *call, size_t i)
{
    const struct function *f = call->call.fn;
    struct node *arg = call->call.args[i];
    enum promql_type want = f->args[i < f->args_n ? i : f->args_n - 1u];
    if (!check(c, arg))
        return false;
    bool number = arg->type == PROMQL_SCALAR || arg->type == PROMQL_VECTOR;
    if (expr_is_metricsql(c->expr) && number && arg->type != want) {
        if (want == PROMQL_VECTOR)
            arg = call->call.args[i] = imply_vector(c, arg);
        else if (want == PROMQL_MATRIX)
            arg = call->call.args[i] = imply_window(c, f, arg);
    }
    if (arg->type == want)
        return true;
    err_at(c->err, ERR_INVALID, at(c, arg->start),
           "expected type %s in call to function \"%.*s\", got %s", type_described(want),
           STR_ARG(f->name), type_described(arg->type));
    if (want == PROMQL_MATRIX && arg->kind == NODE_SELECTOR)
        err_hint(c->err,
                 "a range selector is missing: %.*s(%.*s[5m]); --enable-feature=metricsql does "
                 "without",
                 STR_ARG(f->name), STR_ARG(str_sub(c->expr->text, arg->start, arg->end)));
    if (want == PROMQL_VECTOR && arg->type == PROMQL_MATRIX)
        err_hint(c->err, "did you mean rate()? a range vector needs a function over time first");
    return false;
}

/* The second argument of info() holds matchers only, and any. */
static bool check_info(struct checker *c, struct node *n)
{
    struct node *labels = n->call.args[1];
    if (labels->type != PROMQL_VECTOR)
        return err_at(c->err, ERR_INVALID, at(c, n->start),
                      "expected type instant vector in call to function \"info\", got %s",
                      type_described(labels->type));
    if (labels->kind != NODE_SELECTOR)
        return err_at(c->err, ERR_INVALID, at(c, labels->start), "expected label selectors only");
    if (labels->selector.name.n || labels->selector.ors_n)
        return err_at(c->err, ERR_INVALID, at(c, labels->start),
                      "expected label selectors only, got vector selector instead");
    return check_arg(c, n, 0);
}

static bool check_call(struct checker *c, struct node *n)
{
    if (!check_arg_count(c, n))
        return false;
    if (str_eqz(n->call.fn->name, "info") && n->call.args_n > 1)
        return check_info(c, n);
    for (size_t i = 0; i < n->call.args_n; i++)
        if (!check_arg(c, n, i))
            return false;
    const struct function *f = n->call.fn;
    if (!f->each && !f->window && !f->row && !f->call && !f->scalar && !f->scalars)
        return err_at(c->err, ERR_INVALID, at(c, n->start), "not supported yet: function \"%.*s\"",
                      STR_ARG(f->name));
    return true;
}

static bool check_matchers(struct checker *c, const struct node *n, const struct matcher *m,
                           size_t count)
{
    if (n->selector.name.n) {
        for (size_t i = 0; i + 1 < count; i++)
            if (str_eq(m[i].name, LABEL_NAME))
                return err_at(c->err, ERR_INVALID, at(c, n->start),
                              "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                              STR_ARG(n->selector.name), STR_ARG(m[i].value));
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (!matcher_test_absent(&m[i]))
            return true;
    return err_at(c->err, ERR_INVALID, at(c, n->start),
                  "vector selector must contain at least one non-empty matcher");
}

static bool check_selector(struct checker *c, const struct node *n)
{
    if (!check_matchers(c, n, n->selector.matchers, n->selector.matchers_n))
        return false;
    for (size_t i = 0; i < n->selector.ors_n; i++)
        if (!check_matchers(c, n, n->selector.ors[i].m, n->selector.ors[i].n))
            return false;
    return true;
}

static bool check_unary(struct checker *c, struct node *n)
{
    if (!check(c, n->unary.expr))
        return false;
    enum promql_type t = n->type = n->unary.expr->type;
    if (t == PROMQL_SCALAR || t == PROMQL_VECTOR)
        return true;
    return err_at(c->err, ERR_INVALID, at(c, n->start),
                  "unary expression only allowed on expressions of type scalar or instant vector, "
                  "got \"%s\"",
                  type_described(t));
}

static bool check_subquery(struct checker *c, struct node *n)
{
    if (!check(c, n->subquery.expr))
        return false;
    if (n->subquery.expr->type == PROMQL_SCALAR && expr_is_metricsql(c->expr))
        n->subquery.expr = imply_vector(c, n->subquery.expr);
    if (n->subquery.expr->type == PROMQL_VECTOR)
        return true;
    return err_at(c->err, ERR_INVALID, at(c, n->start),
                  "subquery is only allowed on instant vector, got %.*s instead",
                  STR_ARG(promql_type_name(n->subquery.expr->type)));
}

static bool check(struct checker *c, struct node *n)
{
    switch (n->kind) {
    case NODE_SELECTOR:
        return check_selector(c, n);
    case NODE_RANGE:
        return check_selector(c, n->range.selector);
    case NODE_SUBQUERY:
        return check_subquery(c, n);
    case NODE_CALL:
        return check_call(c, n);
    case NODE_AGGREGATE:
        return check_aggregate(c, n);
    case NODE_BINARY:
        return check_binary(c, n);
    case NODE_UNARY:
        return check_unary(c, n);
    case NODE_PAREN:
        if (!check(c, n->paren))
            return false;
        n->type = n->paren->type;
        return true;
    default:
        return true;
    }
}

static bool mark(struct node *n);

static bool mark_call(struct node *n)
{
    bool same = !(n->call.fn->flags & FN_STEP_DEPENDENT);
    if (str_eqz(n->call.fn->name, "info")) /* its matchers are no selector */
        return mark(n->call.args[0]);
    for (size_t i = 0; i < n->call.args_n; i++)
        same = mark(n->call.args[i]) && same;
    return same;
}

/* Sets `invariant` bottom up: selectors with @ and literals do not change, nor what is made of
 * them. */
static bool mark(struct node *n)
{
    bool same = true, both;
    switch (n->kind) {
    case NODE_SELECTOR:
        same = n->selector.when.at != AT_NONE;
        break;
    case NODE_RANGE:
        same = mark(n->range.selector);
        break;
    case NODE_SUBQUERY:
        mark(n->subquery.expr);
        same = n->subquery.when.at != AT_NONE;
        break;
    case NODE_CALL:
        same = mark_call(n);
        break;
    case NODE_AGGREGATE:
        same = mark(n->aggregate.expr);
        same = (!n->aggregate.param || mark(n->aggregate.param)) && same;
        break;
    case NODE_BINARY:
        both = mark(n->binary.lhs);
        same = mark(n->binary.rhs) && both;
        break;
    case NODE_UNARY:
        same = mark(n->unary.expr);
        break;
    case NODE_PAREN:
        same = mark(n->paren);
        break;
    default:
        break;
    }
    return n->invariant = same;
}

/* What stands above a node, as far as buckets of histograms are concerned. */
struct above {
    bool counts;  /* histogram_count, _sum or _avg */
    bool buckets; /* something that needs buckets, or resets of samples that it does not see */
};

static struct above above_args(const struct node *n, struct above a)
{
    static const char *const counts[] = {"histogram_count", "histogram_sum", "histogram_avg"};
    static const char *const buckets[] = {"histogram_quantile", "histogram_quantiles",
                                          "histogram_fraction"};
    for (int i = 0; i < 3; i++) {
        a.counts |= str_eqz(n->call.fn->name, counts[i]);
        a.buckets |= str_eqz(n->call.fn->name, buckets[i]);
    }
    return a;
}

/* Sets `counts_only` of selectors whose histograms are read as two numbers. */
static void mark_counts(struct node *n, struct above a)
{
    switch (n->kind) {
    case NODE_SELECTOR:
        n->selector.counts_only = a.counts && !a.buckets;
        break;
    case NODE_RANGE:
        mark_counts(n->range.selector, a);
        break;
    case NODE_SUBQUERY:
        a.buckets = true;
        mark_counts(n->subquery.expr, a);
        break;
    case NODE_CALL:
        a = above_args(n, a);
        for (size_t i = 0; i < n->call.args_n; i++)
            mark_counts(n->call.args[i], a);
        break;
    case NODE_AGGREGATE:
        mark_counts(n->aggregate.expr, a);
        if (n->aggregate.param)
            mark_counts(n->aggregate.param, a);
        break;
    case NODE_BINARY:
        a.buckets |= token_is_trim(n->binary.op);
        mark_counts(n->binary.lhs, a);
        mark_counts(n->binary.rhs, a);
        break;
    case NODE_UNARY:
        mark_counts(n->unary.expr, a);
        break;
    case NODE_PAREN:
        mark_counts(n->paren, a);
        break;
    default:
        break;
    }
}

bool check_expr(struct promql_expr *e, struct err *err)
{
    struct checker c = {e, err};
    if (!check(&c, e->root))
        return false;
    mark(e->root);
    mark_counts(e->root, (struct above){0});
    return true;
}
