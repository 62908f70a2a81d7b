// SPDX-License-Identifier: Apache-2.0
/*
 * The inside of { }: matchers, and with MetricsQL several sets of them joined by `or`, names of
 * templates among them, and values put together from strings and templates.
 */
#include "model/exemplar.h"
#include "promql/parse_int.h"

/* So many matchers do not fit into PROMQL_TEXT_BYTES_MAX, but templates repeat them. Each set is a
 * selection of its own. */
enum { MATCHERS_MAX = 16384, SETS_MAX = 64 };

static enum match_op match_op_of(enum token_kind k)
{
    switch (k) {
    case TOK_EQL:
        return MATCH_EQ;
    case TOK_NEQ:
        return MATCH_NE;
    case TOK_EQL_REGEX:
        return MATCH_RE;
    default:
        return MATCH_NRE;
    }
}

bool matcher_add(struct parser *p, matcher_vec *v, enum match_op op, str name, str value,
                 uint32_t at)
{
    struct matcher m;
    struct err e;
    if (++p->matchers_n > MATCHERS_MAX) {
        parse_fail(p, ERR_LIMIT, at, "expression has more than %d matchers", MATCHERS_MAX);
        return false;
    }
    if (!matcher_init(&m, op, name, value, &e)) {
        parse_fail(p, e.kind, at, "%s", e.msg);
        return false;
    }
    vec_push(v, m);
    return true;
}

/* "value", or with MetricsQL "a" + template + "b". */
static bool parse_value(struct parser *p, str *out)
{
    STRBUF_CLEANUP struct strbuf all = {0};
    bool ok = true;
    for (;;) {
        str part;
        if (p->tok.kind == TOK_IDENT && template_string(p, &part, &ok)) {
            if (!ok)
                return false;
        } else if (p->tok.kind != TOK_STRING) {
            return parse_unexpected(p, "label matching", "string"), false;
        } else if (!parse_unquote(p, p->tok, &part)) {
            return false;
        } else {
            parse_advance(p);
        }
        strbuf_add(&all, part);
        if (p->tok.kind != TOK_ADD)
            break;
        parse_advance(p);
    }
    *out = arena_dup(&p->expr->arena, strbuf_str(&all));
    return true;
}

static bool is_match_operator(enum token_kind k)
{
    return k == TOK_EQL || k == TOK_NEQ || k == TOK_EQL_REGEX || k == TOK_NEQ_REGEX;
}

/* The name of a template instead of a matcher: it is followed by what follows a matcher. */
static bool at_template(struct parser *p)
{
    struct lexer after = p->lex;
    if (!p->scope || p->tok.kind != TOK_IDENT)
        return false;
    return !is_match_operator(lexer_next(&after).kind);
}

/* name op "value", "name" op "value" or "metric". */
static bool parse_matcher(struct parser *p, matcher_vec *v)
{
    struct token left = p->tok;
    str name = parse_token_text(p, left), value;
    bool ok;
    if (at_template(p) && template_matchers(p, v, &ok))
        return ok;
    if (left.kind == TOK_STRING) {
        if (!parse_unquote(p, left, &name))
            return false;
    } else if (left.kind != TOK_IDENT) {
        return parse_unexpected(p, "label matching", "identifier or \"}\""), false;
    }
    parse_advance(p);
    enum token_kind op = p->tok.kind;
    if (!is_match_operator(op)) {
        bool end = op == TOK_COMMA || op == TOK_RBRACE ||
                   (parser_is_metricsql(p) && parse_at_word(p, "or"));
        if (left.kind == TOK_STRING && end)
            return matcher_add(p, v, MATCH_EQ, LABEL_NAME, name, left.start);
        parse_unexpected(p, "label matching",
                         left.kind == TOK_STRING ? "\",\" or \"}\"" : "label matching operator");
        return false;
    }
    parse_advance(p);
    return parse_value(p, &value) && matcher_add(p, v, match_op_of(op), name, value, left.start);
}

/* Behind a matcher; false: the sets end here, or an error was found. */
static bool next_matcher(struct parser *p, matcher_sets *sets, bool *ok)
{
    if (p->tok.kind == TOK_RBRACE)
        return false;
    if (parser_is_metricsql(p) && parse_at_word(p, "or")) {
        parse_advance(p);
        if (p->tok.kind == TOK_RBRACE)
            *ok = parse_unexpected(p, "label matching", "identifier");
        vec_push(sets, (matcher_vec){0});
        if (sets->n > SETS_MAX)
            *ok = parse_fail(p, ERR_LIMIT, p->tok.start,
                             "selector has more than %d sets of matchers", SETS_MAX);
        return *ok;
    }
    if (!parse_accept(p, TOK_COMMA)) {
        parse_unexpected(p, "label matching", "\",\" or \"}\"");
        return *ok = false;
    }
    return p->tok.kind != TOK_RBRACE;
}

/* {"name", a="b" or c="d"}: the name in quotes at the start is for the sets that have none. */
static bool share_name(struct parser *p, matcher_sets *sets, uint32_t at)
{
    const struct matcher *name = sets->at[0].at;
    for (size_t i = 1; i < sets->n; i++) {
        bool named = false;
        VEC_EACH (m, &sets->at[i])
            named |= str_eq(m->name, LABEL_NAME);
        if (!named && !matcher_add(p, &sets->at[i], MATCH_EQ, LABEL_NAME, name->value, at))
            return false;
    }
    return true;
}

bool parse_matchers(struct parser *p, matcher_sets *sets)
{
    bool ok = true;
    vec_push(sets, (matcher_vec){0});
    parse_advance(p);
    struct token first = p->tok;
    if (first.kind == TOK_RBRACE)
        return true;
    do
        ok = parse_matcher(p, &sets->at[sets->n - 1]);
    while (ok && next_matcher(p, sets, &ok));
    bool name = ok && first.kind == TOK_STRING && str_eq(sets->at[0].at[0].name, LABEL_NAME);
    return ok && (!name || share_name(p, sets, first.start));
}

static struct matcher *keep_set(struct parser *p, matcher_vec *v)
{
    struct matcher *m = arena_array(&p->expr->arena, struct matcher, v->n);
    for (size_t i = 0; i < v->n; i++) {
        m[i] = v->at[i];
        vec_push(&p->expr->compiled, &m[i]);
    }
    v->n = 0;
    return m;
}

void matchers_keep(struct parser *p, struct node *n, matcher_sets *sets)
{
    if (!sets->n)
        return;
    n->selector.matchers_n = sets->at[0].n;
    n->selector.matchers = keep_set(p, &sets->at[0]);
    n->selector.ors_n = sets->n - 1;
    n->selector.ors = arena_array(&p->expr->arena, struct matcher_set, n->selector.ors_n);
    for (size_t i = 1; i < sets->n; i++) {
        n->selector.ors[i - 1].n = sets->at[i].n;
        n->selector.ors[i - 1].m = keep_set(p, &sets->at[i]);
    }
}

void matchers_fini(matcher_sets *sets)
{
    VEC_EACH (v, sets) {
        VEC_EACH (m, v)
            matcher_fini(m);
        vec_fini(v);
    }
    vec_fini(sets);
}
