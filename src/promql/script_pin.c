// SPDX-License-Identifier: Apache-2.0
/*
 * What upstream's runner does with each instant evaluation: the same expression with all selectors
 * at the time of the evaluation by @ has the same result whenever it is evaluated.
 */
#include "promql/ast_int.h"
#include "promql/function_int.h"
#include "promql/script_int.h"

/* Functions whose result depends on when they are evaluated, whatever their arguments do. */
static bool is_unsafe(str name)
{
    static const char *const names[] = {
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "end",
        "hour",          "minute",       "month",       "year",        "predict_linear",
        "range",         "start",        "step",        "time",        "timestamp",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(name, names[i]))
            return true;
    return false;
}

static void pin_when(struct when *w, ts_ms t)
{
    if (w->at == AT_TIME)
        return;
    w->at = AT_TIME;
    w->at_ms = t;
}

/* What is inside a subquery goes by the subquery's time. False: something is unsafe. */
static bool pin(struct node *n, ts_ms t)
{
    if (!n)
        return true;
    switch (n->kind) {
    case NODE_SELECTOR:
        pin_when(&n->selector.when, t);
        return true;
    case NODE_RANGE:
        return pin(n->range.selector, t);
    case NODE_SUBQUERY:
        pin_when(&n->subquery.when, t);
        return true;
    case NODE_CALL:
        if (is_unsafe(n->call.fn->name))
            return false;
        for (size_t i = 0; i < n->call.args_n; i++)
            if (!pin(n->call.args[i], t))
                return false;
        return true;
    case NODE_AGGREGATE:
        return pin(n->aggregate.expr, t) && pin(n->aggregate.param, t);
    case NODE_BINARY:
        return pin(n->binary.lhs, t) && pin(n->binary.rhs, t);
    case NODE_UNARY:
        return pin(n->unary.expr, t);
    case NODE_PAREN:
        return pin(n->paren, t);
    default:
        return true;
    }
}

bool script_pin(str expr, unsigned features, ts_ms t, struct promql_expr **out, struct err *err)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    struct promql_parse_options o = {features};
    struct promql_expr *e = promql_parse(expr, &o, err);
    *out = NULL;
    if (!e)
        return false;
    bool safe = pin(e->root, t);
    if (safe)
        promql_format(e, &text);
    promql_expr_free(e);
    if (!safe)
        return true;
    *out = promql_parse(strbuf_str(&text), &o, err);
    return *out || err_wrap(err, "with @: %s", text.p);
}
