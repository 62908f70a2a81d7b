// SPDX-License-Identifier: Apache-2.0
/* The tree as canonical text on several lines, broken where upstream's prettier breaks it. */
#include "promql/function_int.h"

struct pretty {
    size_t width;
    struct strbuf *out;
    struct strbuf line; /* scratch: a node on one line */
};

static void pretty_node(struct pretty *p, const struct node *n, unsigned level);

static void indent(const struct pretty *p, unsigned level)
{
    strbuf_addf(p->out, "%*s", (int)(2 * level), "");
}

/* Leaves the node's one line in p->line. */
static bool fits(struct pretty *p, const struct node *n)
{
    strbuf_clear(&p->line);
    format_node(n, &p->line);
    return p->line.n <= p->width;
}

static void break_aggregate(struct pretty *p, const struct node *n, unsigned level)
{
    indent(p, level);
    format_aggregate_head(n, p->out);
    strbuf_addz(p->out, "(\n");
    if (n->aggregate.param) {
        pretty_node(p, n->aggregate.param, level + 1);
        strbuf_addz(p->out, ",\n");
    }
    pretty_node(p, n->aggregate.expr, level + 1);
    strbuf_addc(p->out, '\n');
    indent(p, level);
    strbuf_addc(p->out, ')');
}

static void break_call(struct pretty *p, const struct node *n, unsigned level)
{
    if (n->call.implied) {
        pretty_node(p, n->call.args[0], level);
        return;
    }
    indent(p, level);
    str name = n->call.unnamed ? STR("") : n->call.fn->name;
    strbuf_addf(p->out, "%.*s(\n", STR_ARG(name));
    for (size_t i = 0; i < n->call.args_n; i++) {
        if (i)
            strbuf_addz(p->out, ",\n");
        pretty_node(p, n->call.args[i], level + 1);
    }
    strbuf_addc(p->out, '\n');
    indent(p, level);
    strbuf_addc(p->out, ')');
    format_keep(n, p->out);
}

static void break_binary(struct pretty *p, const struct node *n, unsigned level)
{
    pretty_node(p, n->binary.lhs, level + 1);
    strbuf_addc(p->out, '\n');
    indent(p, level);
    format_operator(n, p->out);
    strbuf_addc(p->out, '\n');
    pretty_node(p, n->binary.rhs, level + 1);
}

static void break_paren(struct pretty *p, const struct node *n, unsigned level)
{
    indent(p, level);
    strbuf_addz(p->out, "(\n");
    pretty_node(p, n->paren, level + 1);
    strbuf_addc(p->out, '\n');
    indent(p, level);
    strbuf_addc(p->out, ')');
    if (n->paren->kind == NODE_BINARY)
        format_keep(n->paren, p->out);
}

/* The sign stands before the operand, whose own indentation goes. */
static void break_unary(struct pretty *p, const struct node *n, unsigned level)
{
    indent(p, level);
    strbuf_add(p->out, token_text(n->unary.op));
    size_t start = p->out->n, skip = 0;
    pretty_node(p, n->unary.expr, level);
    while (start + skip < p->out->n && p->out->p[start + skip] == ' ')
        skip++;
    memmove(p->out->p + start, p->out->p + start + skip, p->out->n - start - skip + 1);
    p->out->n -= skip;
}

static void pretty_node(struct pretty *p, const struct node *n, unsigned level)
{
    bool short_enough = fits(p, n);
    if (n->kind == NODE_AGGREGATE && !short_enough) {
        break_aggregate(p, n, level);
    } else if (n->kind == NODE_CALL && !short_enough) {
        break_call(p, n, level);
    } else if (n->kind == NODE_BINARY && !short_enough) {
        break_binary(p, n, level);
    } else if (n->kind == NODE_PAREN && !short_enough) {
        break_paren(p, n, level);
    } else if (n->kind == NODE_UNARY) {
        break_unary(p, n, level);
    } else if (n->kind == NODE_SUBQUERY && !short_enough) {
        pretty_node(p, n->subquery.expr, level);
        format_subquery_window(n, p->out);
    } else {
        indent(p, level);
        strbuf_add(p->out, strbuf_str(&p->line));
    }
}

void promql_pretty(const struct promql_expr *e, size_t width, struct strbuf *out)
{
    struct pretty p = {.width = width, .out = out};
    pretty_node(&p, e->root, 0);
    strbuf_fini(&p.line);
}
