// SPDX-License-Identifier: Apache-2.0
/*
 * The tree as JSON, for tree views: node types and keys are those of upstream's
 * /api/v1/parse_query.
 *
 * An expression may be nested deeper than a json_writer counts. So every node is written by a
 * writer of its own to the same buffer, and the one above it is told that a value was written.
 */
#include "base/num.h"
#include "codec/json_writer.h"
#include "model/exemplar.h"
#include "promql/function_int.h"

static void tree_node(const struct node *n, struct strbuf *out);

static void put_text(struct json_writer *w, const char *key, str value)
{
    json_put_key(w, str_from_z(key));
    json_put_str(w, value);
}

static void put_ms(struct json_writer *w, const char *key, int64_t ms)
{
    json_put_key(w, str_from_z(key));
    json_put_i64(w, ms);
}

static void put_flag(struct json_writer *w, const char *key, bool on)
{
    json_put_key(w, str_from_z(key));
    json_put_bool(w, on);
}

static void put_node(struct json_writer *w, const struct node *n)
{
    json_put_raw(w, STR(""));
    tree_node(n, w->out);
}

static void put_child(struct json_writer *w, const char *key, const struct node *n)
{
    json_put_key(w, str_from_z(key));
    if (n)
        put_node(w, n);
    else
        json_put_null(w);
}

static void put_names(struct json_writer *w, const char *key, const struct names *names)
{
    json_put_key(w, str_from_z(key));
    json_open_array(w);
    for (size_t i = 0; i < names->n; i++)
        json_put_str(w, names->at[i]);
    json_close_array(w);
}

static void put_arithmetic(struct json_writer *w, const char *key, const struct node *expr)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    if (!expr)
        return;
    format_node(expr, &text);
    put_text(w, key, strbuf_str(&text));
}

static void put_at(struct json_writer *w, const struct when *when)
{
    json_put_key(w, STR("timestamp"));
    if (when->at == AT_TIME)
        json_put_i64(w, when->at_ms);
    else
        json_put_null(w);
    json_put_key(w, STR("startOrEnd"));
    if (when->at == AT_START || when->at == AT_END)
        json_put_str(w, when->at == AT_START ? STR("start") : STR("end"));
    else
        json_put_null(w);
    put_arithmetic(w, "offsetExpr", when->offset_expr);
}

static void put_matchers(struct json_writer *w, struct matcher_set set)
{
    static const str ops[] = {[MATCH_EQ] = STR_INIT("="),
                              [MATCH_NE] = STR_INIT("!="),
                              [MATCH_RE] = STR_INIT("=~"),
                              [MATCH_NRE] = STR_INIT("!~")};
    json_open_array(w);
    for (size_t i = 0; i < set.n; i++) {
        const struct matcher *m = &set.m[i];
        json_open_object(w);
        put_text(w, "name", m->name);
        put_text(w, "value", m->value);
        put_text(w, "type", ops[m->op]);
        json_close_object(w);
    }
    json_close_array(w);
}

/* The sets behind `or` are upstream's neither, so they stand beside. */
static void put_selector(struct json_writer *w, const struct node *n)
{
    put_ms(w, "offset", n->selector.when.offset_ms);
    json_put_key(w, STR("matchers"));
    put_matchers(w, (struct matcher_set){n->selector.matchers, n->selector.matchers_n});
    if (n->selector.ors_n) {
        json_put_key(w, STR("orMatchers"));
        json_open_array(w);
        for (size_t i = 0; i < n->selector.ors_n; i++)
            put_matchers(w, n->selector.ors[i]);
        json_close_array(w);
    }
    put_at(w, &n->selector.when);
    put_flag(w, "anchored", n->selector.extended == EXTENDED_ANCHORED);
    put_flag(w, "smoothed", n->selector.extended == EXTENDED_SMOOTHED);
}

static void put_implied(struct json_writer *w, enum implied implied)
{
    if (implied)
        put_flag(w, "implicitRange", true);
}

static void put_range(struct json_writer *w, const struct node *n)
{
    put_text(w, "type", STR("matrixSelector"));
    put_text(w, "name", n->range.selector->selector.name);
    put_ms(w, "range", n->range.range_ms);
    put_selector(w, n->range.selector);
    put_arithmetic(w, "rangeExpr", n->range.range_expr);
    put_implied(w, n->range.implied);
}

static void put_subquery(struct json_writer *w, const struct node *n)
{
    put_text(w, "type", STR("subquery"));
    put_child(w, "expr", n->subquery.expr);
    put_ms(w, "range", n->subquery.range_ms);
    put_ms(w, "offset", n->subquery.when.offset_ms);
    put_ms(w, "step", n->subquery.step_ms);
    put_at(w, &n->subquery.when);
    put_arithmetic(w, "rangeExpr", n->subquery.range_expr);
    put_arithmetic(w, "stepExpr", n->subquery.step_expr);
    put_implied(w, n->subquery.implied);
}

static void put_keep(struct json_writer *w, const struct node *n)
{
    if (n->keep_names)
        put_flag(w, "keepMetricNames", true);
}

static void put_call(struct json_writer *w, const struct node *n)
{
    const struct function *fn = n->call.fn;
    put_text(w, "type", STR("call"));
    json_put_key(w, STR("func"));
    json_open_object(w);
    put_text(w, "name", fn->name);
    json_put_key(w, STR("argTypes"));
    json_open_array(w);
    for (size_t i = 0; i < fn->args_n; i++)
        json_put_str(w, promql_type_name(fn->args[i]));
    json_close_array(w);
    put_ms(w, "variadic", fn->variadic);
    put_text(w, "returnType", promql_type_name(fn->returns));
    json_close_object(w);
    json_put_key(w, STR("args"));
    json_open_array(w);
    for (size_t i = 0; i < n->call.args_n; i++)
        put_node(w, n->call.args[i]);
    json_close_array(w);
    put_keep(w, n);
}

static void put_aggregate(struct json_writer *w, const struct node *n)
{
    put_text(w, "type", STR("aggregation"));
    put_text(w, "op", token_text(n->aggregate.op));
    put_child(w, "expr", n->aggregate.expr);
    put_child(w, "param", n->aggregate.param);
    put_names(w, "grouping", &n->aggregate.by);
    put_flag(w, "without", n->aggregate.without);
}

static void put_fill(struct json_writer *w, const char *key, bool set, double v)
{
    json_put_key(w, str_from_z(key));
    if (set)
        json_put_f64(w, v);
    else
        json_put_null(w);
}

static void put_matching(struct json_writer *w, const struct matching *m, bool set_operator)
{
    static const str cards[] = {[CARD_ONE_TO_ONE] = STR_INIT("one-to-one"),
                                [CARD_MANY_TO_ONE] = STR_INIT("many-to-one"),
                                [CARD_ONE_TO_MANY] = STR_INIT("one-to-many"),
                                [CARD_MANY_TO_MANY] = STR_INIT("many-to-many")};
    json_open_object(w);
    put_text(w, "card", cards[set_operator ? CARD_MANY_TO_MANY : m->card]);
    put_names(w, "labels", &m->labels);
    put_flag(w, "on", m->on);
    put_names(w, "include", &m->include);
    json_put_key(w, STR("fillValues"));
    json_open_object(w);
    put_fill(w, "lhs", m->fill_left_set, m->fill_left);
    put_fill(w, "rhs", m->fill_right_set, m->fill_right);
    json_close_object(w);
    json_close_object(w);
}

static void put_binary(struct json_writer *w, const struct node *n)
{
    bool vectors = n->binary.lhs->type == PROMQL_VECTOR && n->binary.rhs->type == PROMQL_VECTOR;
    put_text(w, "type", STR("binaryExpr"));
    put_text(w, "op", token_text(n->binary.op));
    put_child(w, "lhs", n->binary.lhs);
    put_child(w, "rhs", n->binary.rhs);
    json_put_key(w, STR("matching"));
    if (vectors)
        put_matching(w, &n->binary.match, token_is_set_operator(n->binary.op));
    else
        json_put_null(w);
    put_flag(w, "bool", n->binary.return_bool);
    put_keep(w, n);
}

static void put_number(struct json_writer *w, const struct node *n)
{
    char text[F64_TEXT_MAX];
    put_text(w, "type", STR("numberLiteral"));
    put_text(w, "val", str_of(text, f64_format(n->number.value, text)));
}

static void tree_node(const struct node *n, struct strbuf *out)
{
    struct json_writer writer = json_writer(out), *w = &writer;
    json_open_object(w);
    switch (n->kind) {
    case NODE_NUMBER:
        put_number(w, n);
        break;
    case NODE_STRING:
        put_text(w, "type", STR("stringLiteral"));
        put_text(w, "val", n->string);
        break;
    case NODE_SELECTOR:
        put_text(w, "type", STR("vectorSelector"));
        put_text(w, "name", n->selector.name);
        put_selector(w, n);
        break;
    case NODE_RANGE:
        put_range(w, n);
        break;
    case NODE_SUBQUERY:
        put_subquery(w, n);
        break;
    case NODE_CALL:
        put_call(w, n);
        break;
    case NODE_AGGREGATE:
        put_aggregate(w, n);
        break;
    case NODE_BINARY:
        put_binary(w, n);
        break;
    case NODE_UNARY:
        put_text(w, "type", STR("unaryExpr"));
        put_text(w, "op", token_text(n->unary.op));
        put_child(w, "expr", n->unary.expr);
        break;
    case NODE_PAREN:
        put_text(w, "type", STR("parenExpr"));
        put_child(w, "expr", n->paren);
        break;
    case NODE_DURATION: /* never an operand: put_arithmetic writes it */
        break;
    }
    json_close_object(w);
}

void promql_tree(const struct promql_expr *e, struct json_writer *w)
{
    put_node(w, e->root);
}
