// SPDX-License-Identifier: Apache-2.0
/*
 * What MetricsQL adds to the grammar of operands and operators: default, if, ifnot,
 * keep_metric_names, unions (a, b), strings put together. Everything here is an error in PromQL, so
 * an expression that is PromQL is not touched. Templates are in parse_with.c, `or` between matchers
 * in parse_matchers.c, windows that are not written in check.c.
 */
#include "promql/function_int.h"
#include "promql/parse_int.h"

bool parse_at_word(const struct parser *p, const char *word)
{
    return p->tok.kind == TOK_IDENT && str_eq_nocase(parse_token_text(p, p->tok), str_from_z(word));
}

void metricsql_operator(struct parser *p)
{
    if (!parser_is_metricsql(p) || p->tok.kind != TOK_IDENT)
        return;
    for (enum token_kind k = TOK_DEFAULT; k <= TOK_IFNOT; k++)
        if (str_eq_nocase(token_text(k), parse_token_text(p, p->tok))) {
            p->tok.kind = k;
            return;
        }
}

/* Of a call, or of an operation in parentheses. */
struct node *metricsql_keep(struct parser *p, struct node *n)
{
    struct node *of = n->kind == NODE_PAREN ? n->paren : n;
    if (!parser_is_metricsql(p) || !parse_at_word(p, "keep_metric_names") || of->keep_names)
        return NULL;
    if (n->kind == NODE_PAREN ? of->kind != NODE_BINARY : of->kind != NODE_CALL || of->call.unnamed)
        return NULL;
    of->keep_names = true;
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

struct node *metricsql_union(struct parser *p, uint32_t start, struct node *first)
{
    VEC(struct node *) args = {0};
    struct node *n = parse_new(p, NODE_CALL, start);
    bool ok = n != NULL;
    if (first)
        vec_push(&args, first);
    while (ok && p->tok.kind == TOK_COMMA) {
        parse_advance(p);
        if (p->tok.kind == TOK_RPAREN)
            break;
        struct node *arg = parse_operators(p, 0);
        ok = arg && parse_over(p, n, arg);
        if (ok)
            vec_push(&args, arg);
    }
    if (ok && (!first || parse_over(p, n, first))) {
        n->type = PROMQL_VECTOR;
        n->call.fn = function_choose(STR("union"), args.n, true);
        n->call.unnamed = true;
        n->call.args_n = args.n;
        n->call.args = arena_array(&p->expr->arena, struct node *, args.n);
        if (args.n)
            memcpy(n->call.args, args.at, args.n * sizeof *args.at);
        n->end = p->tok.end;
    }
    vec_fini(&args);
    if (!ok)
        return NULL;
    return parse_accept(p, TOK_RPAREN) ? n : parse_unexpected(p, NULL, NULL);
}

/* The keyword behind an operation is that of the operation: as if it stood in parentheses. */
static struct node *keep_operation(struct parser *p, struct node *n)
{
    struct node *paren = parse_new(p, NODE_PAREN, n->start);
    if (!paren || !parse_over(p, paren, n))
        return NULL;
    n->keep_names = true;
    paren->paren = n;
    paren->type = n->type;
    paren->end = p->tok.end;
    parse_advance(p);
    return paren;
}

struct node *metricsql_concatenate(struct parser *p, struct node *n)
{
    if (!parser_is_metricsql(p))
        return n;
    if (parse_at_word(p, "keep_metric_names"))
        return keep_operation(p, n);
    const struct node *l = node_bare(n->binary.lhs), *r = node_bare(n->binary.rhs);
    if (n->binary.op != TOK_ADD || l->kind != NODE_STRING || r->kind != NODE_STRING)
        return n;
    str text = arena_printf(&p->expr->arena, "%.*s%.*s", STR_ARG(l->string), STR_ARG(r->string));
    n->kind = NODE_STRING;
    n->type = PROMQL_STRING;
    n->depth = 1;
    n->string = text;
    return n;
}

/* ---- hints ---- */

void metricsql_hint_needed(struct parser *p, str what)
{
    if (!parser_is_metricsql(p))
        err_hint(p->err, "%.*s is MetricsQL: --enable-feature=metricsql", STR_ARG(what));
}

/* A number that would be one with its suffix. */
static bool at_suffixed_number(const struct parser *p, str *out)
{
    str rest = str_sub(p->expr->text, p->tok.start, p->expr->text.n), digits;
    size_t n = 0;
    while (n < rest.n && (rest.p[n] == '.' || rest.p[n] == '_' || (unsigned)(rest.p[n] - '0') < 10))
        n++;
    size_t start = n;
    while (n < rest.n && (unsigned)((rest.p[n] | 32) - 'a') < 26)
        n++;
    *out = str_sub(rest, 0, n);
    return start > 0 && number_suffix(*out, &digits) != 1 && digits.n == start;
}

void metricsql_hint(struct parser *p)
{
    static const char *const words[] = {"default", "if", "ifnot", "keep_metric_names", "or"};
    str number;
    if (parser_is_metricsql(p))
        return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (parse_at_word(p, words[i]))
            metricsql_hint_needed(p, parse_token_text(p, p->tok));
    if (p->tok.kind == TOK_ERROR && at_suffixed_number(p, &number))
        metricsql_hint_needed(p, number);
}
