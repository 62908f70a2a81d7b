// SPDX-License-Identifier: Apache-2.0
/* The tree as canonical text on one line: upstream's spacing, matchers sorted. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "model/exemplar.h"
#include "promql/function_int.h"

static void add_duration(int64_t ms, struct strbuf *out)
{
    char text[64];
    if (ms < 0)
        strbuf_addc(out, '-');
    strbuf_add(out, str_of(text, duration_format(ms < 0 ? -ms : ms, text)));
}

static void add_number(const struct node *n, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    if (n->number.suffixed.n)
        strbuf_addf(out, "%s%.*s", signbit(n->number.value) ? "-" : "",
                    STR_ARG(n->number.suffixed));
    else if (n->number.duration)
        add_duration(llround(n->number.value * 1000), out);
    else
        strbuf_add(out, str_of(text, f64_format(n->number.value, text)));
}

static void add_label(str name, struct strbuf *out)
{
    if (label_name_is_legacy(name))
        strbuf_add(out, name);
    else
        string_quote(name, out);
}

static void add_labels(const struct names *names, struct strbuf *out)
{
    strbuf_addz(out, " (");
    for (size_t i = 0; i < names->n; i++) {
        if (i)
            strbuf_addz(out, ", ");
        add_label(names->at[i], out);
    }
    strbuf_addc(out, ')');
}

static void add_extended(enum extended x, struct strbuf *out)
{
    if (x)
        strbuf_addz(out, x == EXTENDED_ANCHORED ? " anchored" : " smoothed");
}

/* Upstream writes `x` of an instant selector behind the @. */
static void add_when(const struct when *w, enum extended x, struct strbuf *out)
{
    if (w->at == AT_START || w->at == AT_END)
        strbuf_addz(out, w->at == AT_START ? " @ start()" : " @ end()");
    else if (w->at == AT_TIME)
        strbuf_addf(out, " @ %.3f", (double)w->at_ms / 1000);
    add_extended(x, out);
    if (!w->offset_set)
        return;
    strbuf_addz(out, " offset ");
    if (w->offset_expr)
        format_node(w->offset_expr, out);
    else
        add_duration(w->offset_ms, out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One set, sorted, behind `before`; returns how many. */
static size_t add_set(const struct node *n, struct matcher_set set, const char *before,
                      struct strbuf *out)
{
    VEC(char *) texts = {0};
    for (size_t i = 0; i < set.n; i++) {
        const struct matcher *m = &set.m[i];
        if (m->op == MATCH_EQ && str_eq(m->name, LABEL_NAME) && m->value.n &&
            str_eq(m->value, n->selector.name))
            continue;
        struct strbuf b = {0};
        matcher_format(m, &b);
        vec_push(&texts, strbuf_take(&b));
    }
    if (texts.n)
        qsort(texts.at, texts.n, sizeof *texts.at, by_text);
    for (size_t i = 0; i < texts.n; i++) {
        strbuf_addz(out, i ? "," : before);
        strbuf_addz(out, texts.at[i]);
        free(texts.at[i]);
    }
    size_t count = texts.n;
    vec_fini(&texts);
    return count;
}

static void add_matchers(const struct node *n, struct strbuf *out)
{
    struct matcher_set first = {n->selector.matchers, n->selector.matchers_n};
    size_t count = add_set(n, first, "{", out);
    for (size_t i = 0; i < n->selector.ors_n; i++)
        count += add_set(n, n->selector.ors[i], count ? " or " : "{", out);
    if (count)
        strbuf_addc(out, '}');
}

static void add_selector(const struct node *n, struct strbuf *out)
{
    strbuf_add(out, n->selector.name);
    add_matchers(n, out);
}

static void add_window(int64_t ms, const struct node *expr, struct strbuf *out)
{
    if (expr)
        format_node(expr, out);
    else
        add_duration(ms, out);
}

void format_subquery_window(const struct node *n, struct strbuf *out)
{
    if (n->subquery.implied)
        return;
    strbuf_addc(out, '[');
    add_window(n->subquery.range_ms, n->subquery.range_expr, out);
    strbuf_addc(out, ':');
    if (n->subquery.step_ms || n->subquery.step_expr)
        add_window(n->subquery.step_ms, n->subquery.step_expr, out);
    strbuf_addc(out, ']');
    add_when(&n->subquery.when, EXTENDED_NONE, out);
}

static void add_args(struct node *const *args, size_t n, struct strbuf *out)
{
    strbuf_addc(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_addz(out, ", ");
        format_node(args[i], out);
    }
    strbuf_addc(out, ')');
}

void format_aggregate_head(const struct node *n, struct strbuf *out)
{
    strbuf_add(out, token_text(n->aggregate.op));
    if (n->aggregate.without || n->aggregate.by.n) {
        strbuf_addz(out, n->aggregate.without ? " without" : " by");
        add_labels(&n->aggregate.by, out);
        strbuf_addc(out, ' ');
    }
}

static void add_aggregate(const struct node *n, struct strbuf *out)
{
    format_aggregate_head(n, out);
    struct node *args[] = {n->aggregate.param, n->aggregate.expr};
    add_args(n->aggregate.param ? args : args + 1, n->aggregate.param ? 2 : 1, out);
}

static void add_fill(const char *name, double v, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    f64_format_g(v, text);
    strbuf_addf(out, " %s (%s)", name, text);
}

static void add_matching(const struct matching *m, struct strbuf *out)
{
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    if (m->labels.n || m->on || grouped) {
        strbuf_addz(out, m->on ? " on" : " ignoring");
        add_labels(&m->labels, out);
    }
    if (grouped) {
        strbuf_addz(out, m->card == CARD_MANY_TO_ONE ? " group_left" : " group_right");
        add_labels(&m->include, out);
    }
    if (m->fill_left_set && m->fill_right_set && m->fill_left == m->fill_right) {
        add_fill("fill", m->fill_left, out);
        return;
    }
    if (m->fill_left_set)
        add_fill("fill_left", m->fill_left, out);
    if (m->fill_right_set)
        add_fill("fill_right", m->fill_right, out);
}

void format_operator(const struct node *n, struct strbuf *out)
{
    strbuf_add(out, token_text(n->binary.op));
    if (n->binary.return_bool)
        strbuf_addz(out, " bool");
    if (n->binary.lhs->type == PROMQL_VECTOR && n->binary.rhs->type == PROMQL_VECTOR)
        add_matching(&n->binary.match, out);
}

static void add_binary(const struct node *n, struct strbuf *out)
{
    format_node(n->binary.lhs, out);
    strbuf_addc(out, ' ');
    format_operator(n, out);
    strbuf_addc(out, ' ');
    format_node(n->binary.rhs, out);
}

static void add_arithmetic(const struct node *n, struct strbuf *out)
{
    enum token_kind op = n->duration.op;
    str text = token_text(op);
    if (n->duration.wrapped)
        strbuf_addc(out, '(');
    if (op == TOK_STEP || op == TOK_RANGE) {
        strbuf_addf(out, "%.*s()", STR_ARG(text));
    } else if (op == TOK_MIN_OF || op == TOK_MAX_OF) {
        struct node *args[] = {n->duration.lhs, n->duration.rhs};
        strbuf_add(out, text);
        add_args(args, 2, out);
    } else if (!n->duration.lhs) {
        if (op == TOK_SUB)
            strbuf_addc(out, '-');
        format_node(n->duration.rhs, out);
    } else {
        format_node(n->duration.lhs, out);
        strbuf_addf(out, " %.*s ", STR_ARG(text));
        format_node(n->duration.rhs, out);
    }
    if (n->duration.wrapped)
        strbuf_addc(out, ')');
}

void format_keep(const struct node *n, struct strbuf *out)
{
    if (n->keep_names)
        strbuf_addz(out, " keep_metric_names");
}

static void add_call(const struct node *n, struct strbuf *out)
{
    if (n->call.implied) {
        format_node(n->call.args[0], out);
        return;
    }
    if (!n->call.unnamed)
        strbuf_add(out, n->call.fn->name);
    add_args(n->call.args, n->call.args_n, out);
    format_keep(n, out);
}

void format_node(const struct node *n, struct strbuf *out)
{
    switch (n->kind) {
    case NODE_NUMBER:
        add_number(n, out);
        break;
    case NODE_STRING:
        string_quote(n->string, out);
        break;
    case NODE_SELECTOR:
        add_selector(n, out);
        add_when(&n->selector.when, n->selector.extended, out);
        break;
    case NODE_RANGE:
        add_selector(n->range.selector, out);
        if (!n->range.implied) {
            strbuf_addc(out, '[');
            add_window(n->range.range_ms, n->range.range_expr, out);
            strbuf_addc(out, ']');
        }
        add_extended(n->range.selector->selector.extended, out);
        add_when(&n->range.selector->selector.when, EXTENDED_NONE, out);
        break;
    case NODE_SUBQUERY:
        format_node(n->subquery.expr, out);
        format_subquery_window(n, out);
        break;
    case NODE_CALL:
        add_call(n, out);
        break;
    case NODE_AGGREGATE:
        add_aggregate(n, out);
        break;
    case NODE_BINARY:
        add_binary(n, out);
        break;
    case NODE_UNARY:
        strbuf_add(out, token_text(n->unary.op));
        format_node(n->unary.expr, out);
        break;
    case NODE_PAREN:
        strbuf_addc(out, '(');
        format_node(n->paren, out);
        strbuf_addc(out, ')');
        if (n->paren->kind == NODE_BINARY)
            format_keep(n->paren, out);
        break;
    case NODE_DURATION:
        add_arithmetic(n, out);
        break;
    }
}

void promql_format(const struct promql_expr *e, struct strbuf *out)
{
    format_node(e->root, out);
}
