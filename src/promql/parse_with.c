// SPDX-License-Identifier: Apache-2.0
/*
 * WITH templates of MetricsQL: WITH (name = expr, f(a, b) = expr) expr.
 *
 * A template is kept as the place where it is written and the names that are known there. Where its
 * name is used, that text is parsed again in place of the name, and so are the arguments of a
 * template with parameters, each among the names known where it stands: so what is used is what it
 * says, wherever that is, and no name of the user is ever mixed up with one inside. A template sees
 * those before it, not itself, so that nothing recurs; what several templates make of each other
 * may still be large, and is bounded by PROMQL_NODES_MAX, PROMQL_DEPTH_MAX and EXPANDED_BYTES_MAX.
 *
 * To find its end, a template is parsed once where it is written. Names of templates then stand for
 * anything (`trial`): what they are is looked at when they are used.
 */
#include <math.h>

#include "model/exemplar.h"
#include "promql/parse_int.h"

enum { EXPANDED_BYTES_MAX = 4 * PROMQL_TEXT_BYTES_MAX, PARAMS_MAX = 32 };

struct scope {
    str name;
    str *params;
    size_t params_n;
    uint32_t start, end;
    const struct scope *env;  /* names known to its text */
    const struct scope *next; /* names known beside it */
};

static const struct scope *find(const struct parser *p, str name)
{
    const struct scope *s = p->scope;
    while (s && !str_eq(s->name, name))
        s = s->next;
    return s;
}

static bool is_known(const struct parser *p)
{
    return p->tok.kind != TOK_STRING && find(p, parse_token_text(p, p->tok));
}

struct node *template_stand_in(struct parser *p, struct token name)
{
    struct node *n = parse_new(p, NODE_SELECTOR, name.start);
    if (!n)
        return NULL;
    n->end = p->closing > name.end ? p->closing : name.end;
    n->type = PROMQL_VECTOR;
    n->selector.name = parse_token_text(p, name);
    return n;
}

/* Parses the text of a template. */
static struct node *expand(struct parser *p, const struct scope *s, const struct scope *env)
{
    struct parser outer = *p;
    p->expanded += s->end - s->start + 1;
    if (p->expanded > EXPANDED_BYTES_MAX)
        return parse_fail(p, ERR_LIMIT, p->tok.start, "WITH templates make more than %d bytes",
                          EXPANDED_BYTES_MAX);
    lexer_init(&p->lex, str_sub(p->expr->text, 0, s->end));
    p->lex.metricsql = true;
    p->lex.pos = s->start;
    p->scope = env;
    p->tok = lexer_next(&p->lex);
    struct node *n = parse_operators(p, 0);
    if (n && p->tok.kind != TOK_EOF)
        n = parse_unexpected(p, NULL, NULL);
    p->lex = outer.lex;
    p->tok = outer.tok;
    p->closing = outer.closing;
    p->scope = outer.scope;
    return n;
}

/* What the name at hand stands for, without parentheses; consumes it. */
static struct node *expand_name(struct parser *p)
{
    const struct scope *s = find(p, parse_token_text(p, p->tok));
    if (s->params_n)
        return parse_fail(p, ERR_INVALID, p->tok.start, "template \"%.*s\" needs arguments",
                          STR_ARG(s->name));
    struct node *n = expand(p, s, s->env);
    parse_advance(p);
    while (n && n->kind == NODE_PAREN)
        n = n->paren;
    return n;
}

/* ---- arguments ---- */

/* Where the arguments are, as names known to the template; false after an error. */
static bool bind_args(struct parser *p, struct token t, const struct scope *s,
                      const struct scope **env)
{
    const struct scope *known = s->env;
    size_t n = 0;
    p->trial++;
    parse_advance(p);
    while (p->tok.kind != TOK_RPAREN) {
        struct scope *arg = arena_new(&p->expr->arena, struct scope);
        arg->start = p->tok.start;
        if (!parse_operators(p, 0))
            break;
        arg->end = p->tok.start;
        arg->env = p->scope;
        arg->next = known;
        if (n < s->params_n)
            arg->name = s->params[n];
        known = arg;
        n++;
        if (p->tok.kind != TOK_RPAREN && !parse_accept(p, TOK_COMMA))
            parse_unexpected(p, NULL, NULL);
        if (p->failed)
            break;
    }
    p->trial--;
    if (!p->failed && n != s->params_n)
        parse_fail(p, ERR_INVALID, t.start, "template \"%.*s\" takes %zu argument(s), got %zu",
                   STR_ARG(s->name), s->params_n, n);
    if (p->failed)
        return false;
    parse_advance(p);
    *env = known;
    return true;
}

/* ---- matchers of templates ---- */

static bool add_new_matcher(struct parser *p, matcher_vec *v, const struct matcher *m, uint32_t at)
{
    VEC_EACH (have, v)
        if (have->op == m->op && str_eq(have->name, m->name) && str_eq(have->value, m->value))
            return true;
    return matcher_add(p, v, m->op, m->name, m->value, at);
}

static bool add_set(struct parser *p, matcher_vec *v, const struct matcher_set *set, uint32_t at)
{
    for (size_t i = 0; i < set->n; i++)
        if (!add_new_matcher(p, v, &set->m[i], at))
            return false;
    return true;
}

static struct matcher_set set_of(const struct node *selector, size_t i)
{
    if (i)
        return selector->selector.ors[i - 1];
    return (struct matcher_set){selector->selector.matchers, selector->selector.matchers_n};
}

bool template_matchers(struct parser *p, matcher_vec *into, bool *ok)
{
    uint32_t at = p->tok.start;
    if (!is_known(p))
        return false;
    if (p->trial) {
        parse_advance(p);
        return *ok = true;
    }
    str name = parse_token_text(p, p->tok);
    struct node *n = expand_name(p);
    *ok = n != NULL;
    if (n && (n->kind != NODE_SELECTOR || n->selector.name.n || n->selector.ors_n ||
              n->selector.when.offset_set || n->selector.when.at))
        *ok = parse_fail(p, ERR_INVALID, at, "template \"%.*s\" is no list of matchers",
                         STR_ARG(name));
    struct matcher_set set = *ok ? set_of(n, 0) : (struct matcher_set){0};
    *ok = *ok && add_set(p, into, &set, at);
    return true;
}

/* Matchers behind a template: to each set of the template come those of each set that is written.
 */
static bool cross(struct parser *p, const struct node *selector, const matcher_sets *written,
                  matcher_sets *out, uint32_t at)
{
    if (selector->selector.ors_n && written->n > 1)
        return parse_fail(p, ERR_INVALID, at,
                          "\"or\" on both sides: in the template and behind it"),
               false;
    for (size_t i = 0; i <= selector->selector.ors_n; i++)
        for (size_t k = 0; k < written->n; k++) {
            struct matcher_set a = set_of(selector, i), b = {written->at[k].at, written->at[k].n};
            str name = selector->selector.name;
            a.n -= name.n != 0; /* its matcher is the last of the set, here too */
            vec_push(out, (matcher_vec){0});
            matcher_vec *v = &out->at[out->n - 1];
            if (!add_set(p, v, &a, at) || !add_set(p, v, &b, at) ||
                (name.n && !matcher_add(p, v, MATCH_EQ, LABEL_NAME, name, at)))
                return false;
        }
    return true;
}

/* { } behind a template, which must be a selector. */
static bool narrow(struct parser *p, struct token t, struct node *n)
{
    matcher_sets written = {0}, all = {0};
    struct node *selector = n && n->kind == NODE_RANGE ? n->range.selector : n;
    bool ok = parse_matchers(p, &written);
    if (ok && n && selector->kind != NODE_SELECTOR)
        ok = parse_fail(p, ERR_INVALID, t.start, "matchers behind what is no selector");
    ok = ok && (!n || cross(p, selector, &written, &all, t.start));
    if (ok && n)
        matchers_keep(p, selector, &all);
    if (ok)
        parse_advance(p);
    matchers_fini(&all);
    matchers_fini(&written);
    return ok;
}

/* ---- operands ---- */

/* Parentheses that the text of the template does without. */
static struct node *wrap(struct parser *p, struct token t, struct node *n)
{
    bool sign = n->kind == NODE_UNARY || (n->kind == NODE_NUMBER && signbit(n->number.value));
    if (n->kind == NODE_BINARY || sign) {
        struct node *paren = parse_new(p, NODE_PAREN, t.start);
        if (!paren || !parse_over(p, paren, n))
            return NULL;
        paren->paren = n;
        paren->type = n->type;
        n = paren;
    }
    n->start = t.start;
    n->end = p->closing > t.end ? p->closing : t.end;
    return n;
}

static struct node *tried(struct parser *p, struct token t)
{
    struct node **args;
    size_t args_n;
    struct node *n = template_stand_in(p, t);
    if (n && p->tok.kind == TOK_LPAREN && !parse_args(p, n, &args, &args_n))
        return NULL;
    if (n && p->tok.kind == TOK_LBRACE && !narrow(p, t, NULL))
        return NULL;
    return n;
}

bool parse_template(struct parser *p, struct token t, struct node **out)
{
    const struct scope *s = p->scope ? find(p, parse_token_text(p, t)) : NULL, *env;
    if (!s || (s->params_n && p->tok.kind != TOK_LPAREN))
        return false;
    if (p->trial) {
        *out = tried(p, t);
        return true;
    }
    *out = NULL;
    env = s->env;
    uint32_t closing = p->closing;
    p->closing = t.end;
    if (p->tok.kind == TOK_LPAREN && !bind_args(p, t, s, &env))
        return true;
    struct node *n = expand(p, s, env);
    while (n && n->kind == NODE_PAREN && p->tok.kind == TOK_LBRACE)
        n = n->paren;
    if (n && p->tok.kind == TOK_LBRACE && !narrow(p, t, n))
        return true;
    *out = n ? wrap(p, t, n) : NULL;
    p->closing = p->closing > closing ? p->closing : closing;
    return true;
}

/* ---- names in other places ---- */

bool template_duration(struct parser *p, struct node **out)
{
    uint32_t at = p->tok.start;
    if (p->tok.kind != TOK_IDENT || !is_known(p))
        return false;
    str name = parse_token_text(p, p->tok);
    struct node *n;
    if (p->trial) {
        n = parse_new(p, NODE_NUMBER, at);
        if (n)
            n->number.value = 1;
        parse_advance(p);
    } else {
        n = expand_name(p);
    }
    if (n && n->kind != NODE_NUMBER)
        n = parse_fail(p, ERR_INVALID, at, "template \"%.*s\" is no duration", STR_ARG(name));
    if (n && !(fabs(n->number.value) < 9223372036.854775))
        n = parse_fail(p, ERR_INVALID, at, "duration out of range");
    *out = n;
    return true;
}

bool template_string(struct parser *p, str *out, bool *ok)
{
    uint32_t at = p->tok.start;
    if (!is_known(p))
        return false;
    *out = STR("");
    *ok = true;
    if (p->trial) {
        parse_advance(p);
        return true;
    }
    str name = parse_token_text(p, p->tok);
    struct node *n = expand_name(p);
    if (n && n->kind == NODE_STRING)
        *out = n->string;
    else
        *ok = n && parse_fail(p, ERR_INVALID, at, "template \"%.*s\" is no string", STR_ARG(name));
    return true;
}

static void add_label(str_vec *into, str name)
{
    VEC_EACH (have, into)
        if (str_eq(*have, name))
            return;
    vec_push(into, name);
}

/* A name, or a list (a, b) of them. */
static bool add_labels(struct parser *p, const struct node *n, str_vec *into, uint32_t at)
{
    n = node_bare(n);
    if (n->kind == NODE_SELECTOR && n->selector.name.n && n->selector.matchers_n == 1 &&
        !n->selector.ors_n) {
        add_label(into, n->selector.name);
        return true;
    }
    if (n->kind != NODE_CALL || !n->call.unnamed)
        return parse_fail(p, ERR_INVALID, at, "template is no list of labels"), false;
    for (size_t i = 0; i < n->call.args_n; i++)
        if (!add_labels(p, n->call.args[i], into, at))
            return false;
    return true;
}

bool template_labels(struct parser *p, str_vec *into, bool *ok)
{
    uint32_t at = p->tok.start;
    const struct scope *s = p->tok.kind == TOK_STRING ? NULL : find(p, parse_token_text(p, p->tok));
    if (!s || s->params_n)
        return false;
    *ok = true;
    if (p->trial) {
        parse_advance(p);
        return true;
    }
    struct node *n = expand_name(p);
    *ok = n && add_labels(p, n, into, at);
    return true;
}

/* ---- WITH ( ) ---- */

static bool is_name(const struct parser *p)
{
    enum token_kind k = p->tok.kind;
    return k == TOK_IDENT || k == TOK_METRIC_IDENT || token_is_aggregator(k) ||
           token_is_keyword(k) || token_is_set_operator(k) || (k >= TOK_START && k <= TOK_MIN_OF);
}

static bool parse_params(struct parser *p, struct scope *s)
{
    s->params = arena_array(&p->expr->arena, str, PARAMS_MAX);
    parse_advance(p);
    while (p->tok.kind != TOK_RPAREN) {
        str name = parse_token_text(p, p->tok);
        if (!is_name(p))
            return parse_unexpected(p, "WITH", "name of a parameter"), false;
        for (size_t i = 0; i < s->params_n; i++)
            if (str_eq(s->params[i], name))
                return parse_fail(p, ERR_INVALID, p->tok.start, "parameter \"%.*s\" is there twice",
                                  STR_ARG(name)),
                       false;
        if (s->params_n == PARAMS_MAX)
            return parse_fail(p, ERR_LIMIT, p->tok.start, "template has more than %d parameters",
                              PARAMS_MAX),
                   false;
        s->params[s->params_n++] = name;
        parse_advance(p);
        if (p->tok.kind != TOK_RPAREN && !parse_accept(p, TOK_COMMA))
            return parse_unexpected(p, "WITH", "\",\" or \")\""), false;
    }
    parse_advance(p);
    return true;
}

/* Finds the end of a template's text: its parameters, and templates before it, are anything. */
static bool try_text(struct parser *p, struct scope *s)
{
    const struct scope *known = p->scope;
    for (size_t i = 0; i < s->params_n; i++) {
        struct scope *param = arena_new(&p->expr->arena, struct scope);
        *param = (struct scope){.name = s->params[i], .next = p->scope};
        p->scope = param;
    }
    s->start = p->tok.start;
    p->trial++;
    bool ok = parse_operators(p, 0);
    p->trial--;
    s->end = p->tok.start;
    p->scope = known;
    return ok;
}

static bool parse_definition(struct parser *p, const struct scope *outer)
{
    struct scope *s = arena_new(&p->expr->arena, struct scope);
    if (!is_name(p))
        return parse_unexpected(p, "WITH", "name of a template"), false;
    s->name = parse_token_text(p, p->tok);
    for (const struct scope *o = p->scope; o != outer; o = o->next)
        if (str_eq(o->name, s->name))
            return parse_fail(p, ERR_INVALID, p->tok.start, "template \"%.*s\" is there twice",
                              STR_ARG(s->name)),
                   false;
    parse_advance(p);
    if (p->tok.kind == TOK_LPAREN && !parse_params(p, s))
        return false;
    if (!parse_accept(p, TOK_EQL))
        return parse_unexpected(p, "WITH", "\"=\""), false;
    if (!try_text(p, s))
        return false;
    s->env = s->next = p->scope;
    p->scope = s;
    return true;
}

struct node *parse_with(struct parser *p, struct token with)
{
    const struct scope *outer = p->scope;
    bool first = p->min == 0; /* all that follows belongs to it, and nothing stands before */
    parse_advance(p);
    while (p->tok.kind != TOK_RPAREN) {
        if (!parse_definition(p, outer))
            return NULL;
        if (p->tok.kind != TOK_RPAREN && !parse_accept(p, TOK_COMMA))
            return parse_unexpected(p, "WITH", "\",\" or \")\"");
    }
    parse_advance(p);
    struct node *n = parse_operators(p, 0);
    p->scope = outer;
    return n && !first ? wrap(p, with, n) : n;
}
