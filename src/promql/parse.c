// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens -> tree: a Pratt parser. Operators bind, from loose to tight: or; and unless; comparisons;
 * + -; * / % atan2; unary sign; ^ (to the right); and then what stands behind an operand: [range],
 * offset, @.
 *
 * The first error wins. Its message is upstream's where upstream has one.
 */
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "promql/function_int.h"
#include "promql/parse_int.h"

struct node *parse_new(struct parser *p, enum node_kind kind, uint32_t start)
{
    if (++p->expr->nodes_n > PROMQL_NODES_MAX) {
        parse_fail(p, ERR_LIMIT, start, "expression has more than %d nodes", PROMQL_NODES_MAX);
        return NULL;
    }
    struct node *n = arena_new(&p->expr->arena, struct node);
    n->kind = kind;
    n->id = (uint32_t)p->expr->nodes_n - 1;
    n->start = start;
    n->depth = 1;
    return n;
}

/* The checker adds at most a few nodes for each that was read, so there is room for them. */
struct node *node_new(struct promql_expr *e, enum node_kind kind, const struct node *at)
{
    struct node *n = arena_new(&e->arena, struct node);
    n->kind = kind;
    n->id = (uint32_t)e->nodes_n++;
    n->start = at->start;
    n->end = at->end;
    n->depth = at->depth;
    return n;
}

struct node *parse_fail(struct parser *p, enum err_kind kind, uint32_t at, const char *fmt, ...)
{
    if (p->failed)
        return NULL;
    p->failed = true;
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    err_at(p->err, kind, pos_of(p->expr->text, at), "%s", msg);
    return NULL;
}

struct node *parse_unexpected(struct parser *p, const char *context, const char *expected)
{
    STRBUF_CLEANUP struct strbuf what = {0};
    if (p->tok.kind == TOK_ERROR) {
        parse_fail(p, ERR_INVALID, p->tok.start, "%s", p->lex.error);
        metricsql_hint(p);
        return NULL;
    }
    token_describe(p->tok, p->expr->text, &what);
    parse_fail(p, ERR_INVALID, p->tok.start, "unexpected %s%s%s%s%s", what.p, context ? " in " : "",
               context ? context : "", expected ? ", expected " : "", expected ? expected : "");
    metricsql_hint(p);
    return NULL;
}

void parse_advance(struct parser *p)
{
    switch (p->tok.kind) {
    case TOK_RBRACE:
    case TOK_RPAREN:
    case TOK_RBRACKET:
    case TOK_DURATION:
    case TOK_NUMBER:
        p->closing = p->tok.end;
        break;
    default:
        break;
    }
    p->tok = lexer_next(&p->lex);
}

bool parse_accept(struct parser *p, enum token_kind k)
{
    if (p->tok.kind != k)
        return false;
    parse_advance(p);
    return true;
}

str parse_token_text(const struct parser *p, struct token t)
{
    return str_sub(p->expr->text, t.start, t.end);
}

bool parse_over(struct parser *p, struct node *n, const struct node *child)
{
    if (child && child->depth + 1 > n->depth)
        n->depth = (uint16_t)(child->depth + 1);
    if (n->depth <= PROMQL_DEPTH_MAX)
        return true;
    parse_fail(p, ERR_LIMIT, n->start, "expression is nested more than %d levels deep",
               PROMQL_DEPTH_MAX);
    return false;
}

bool parse_unquote(struct parser *p, struct token t, str *out)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    if (!string_unquote(parse_token_text(p, t), &b)) {
        parse_fail(p, ERR_INVALID, t.start, "error unquoting string %.*s: invalid syntax",
                   STR_ARG(parse_token_text(p, t)));
        return false;
    }
    *out = arena_dup(&p->expr->arena, strbuf_str(&b));
    return true;
}

static void strip_underscores(str s, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_')
            out[(*n)++] = s.p[i];
}

/* Hexadecimal and octal integers; false: neither. */
static bool integer_literal(str s, double *out)
{
    unsigned base = 0;
    size_t i = 0;
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x')
        base = 16, i = 2;
    else if (s.n > 1 && s.p[0] == '0')
        base = 8, i = 1;
    double v = 0;
    for (; base && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        unsigned d = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
        if (d >= base)
            return false;
        v = v * base + d;
    }
    *out = v;
    return base != 0 && v <= 9223372036854775807.0;
}

/* The value of a number or duration token; seconds for a duration. */
bool parse_number_token(struct parser *p, double *out)
{
    str s = parse_token_text(p, p->tok);
    if (p->tok.kind == TOK_DURATION) {
        int64_t ms;
        struct err e;
        if (!duration_parse(s, &ms, &e)) {
            parse_fail(p, ERR_INVALID, p->tok.start, "%s", e.msg);
            return false;
        }
        *out = (double)ms / 1000;
        return true;
    }
    char *text = arena_alloc(&p->expr->arena, s.n + 1);
    size_t n;
    double times = parser_is_metricsql(p) ? number_suffix(s, &s) : 1;
    strip_underscores(s, text, &n);
    if (integer_literal(str_of(text, n), out))
        return *out *= times, true;
    bool word = s.n == 3 && (s.p[0] | 32) >= 'a';
    if (!f64_parse(str_of(text, n), out) || (isinf(*out) && !word)) {
        parse_fail(p, ERR_INVALID, p->tok.start,
                   "error parsing number: strconv.ParseFloat: parsing \"%.*s\": value out of range",
                   s.n > 350 ? 350 : (int)s.n, s.p);
        return false;
    }
    *out *= times;
    return true;
}

static struct node *parse_number(struct parser *p)
{
    struct node *n = parse_new(p, NODE_NUMBER, p->tok.start);
    if (!n || !parse_number_token(p, &n->number.value))
        return NULL;
    n->number.duration = p->tok.kind == TOK_DURATION;
    str text = parse_token_text(p, p->tok), digits;
    if (p->tok.kind == TOK_NUMBER && parser_is_metricsql(p) && number_suffix(text, &digits) != 1)
        n->number.suffixed = text;
    n->type = PROMQL_SCALAR;
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

static struct node *parse_string(struct parser *p)
{
    struct node *n = parse_new(p, NODE_STRING, p->tok.start);
    if (!n || !parse_unquote(p, p->tok, &n->string))
        return NULL;
    n->type = PROMQL_STRING;
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

static struct node *parse_paren(struct parser *p)
{
    uint32_t start = p->tok.start;
    struct node *n = parse_new(p, NODE_PAREN, start);
    parse_advance(p);
    if (parser_is_metricsql(p) && p->tok.kind == TOK_RPAREN)
        return metricsql_union(p, start, NULL);
    if (!n || !(n->paren = parse_operators(p, 0)) || !parse_over(p, n, n->paren))
        return NULL;
    if (parser_is_metricsql(p) && p->tok.kind == TOK_COMMA)
        return metricsql_union(p, start, n->paren);
    if (p->tok.kind != TOK_RPAREN)
        return parse_unexpected(p, NULL, NULL);
    n->type = n->paren->type;
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

/* ( expr, expr, ... ) */
bool parse_args(struct parser *p, struct node *n, struct node ***out, size_t *out_n)
{
    VEC(struct node *) v = {0};
    bool ok = false;
    parse_advance(p);
    while (p->tok.kind != TOK_RPAREN || v.n) {
        struct node *arg = parse_operators(p, 0);
        if (!arg || !parse_over(p, n, arg))
            goto out;
        vec_push(&v, arg);
        if (p->tok.kind == TOK_RPAREN)
            break;
        if (p->tok.kind != TOK_COMMA) {
            parse_unexpected(p, NULL, NULL);
            goto out;
        }
        uint32_t comma = p->tok.start;
        parse_advance(p);
        if (p->tok.kind == TOK_RPAREN && parser_is_metricsql(p))
            break;
        if (p->tok.kind == TOK_RPAREN) {
            parse_fail(p, ERR_INVALID, comma, "trailing commas not allowed in function call args");
            goto out;
        }
    }
    parse_advance(p);
    *out_n = v.n;
    *out = arena_array(&p->expr->arena, struct node *, v.n);
    if (v.n)
        memcpy(*out, v.at, v.n * sizeof *v.at);
    ok = true;
out:
    vec_fini(&v);
    return ok;
}

static struct node *unknown_function(struct parser *p, struct token name, bool metricsql)
{
    str s = parse_token_text(p, name);
    parse_fail(p, ERR_INVALID, name.start, "unknown function with name \"%.*s\"", STR_ARG(s));
    str near = function_nearest(s, parser_is_metricsql(p));
    if (metricsql)
        metricsql_hint_needed(p, s);
    else if (near.n)
        err_hint(p->err, "did you mean %.*s()?", STR_ARG(near));
    return NULL;
}

static struct node *parse_call(struct parser *p, struct token name)
{
    str s = parse_token_text(p, name);
    bool with = str_eq_nocase(s, STR("with"));
    if (with)
        return parser_is_metricsql(p) ? parse_with(p, name) : unknown_function(p, name, true);
    struct node *n = parse_new(p, NODE_CALL, name.start);
    if (!n || !parse_args(p, n, &n->call.args, &n->call.args_n))
        return NULL;
    n->end = p->closing;
    n->call.fn = function_choose(s, n->call.args_n, parser_is_metricsql(p));
    if (!n->call.fn && p->trial)
        return template_stand_in(p, name);
    if (!n->call.fn)
        return unknown_function(p, name, function_choose(s, n->call.args_n, true));
    if (n->call.fn->flags & FN_EXPERIMENTAL && !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
        return parse_fail(p, ERR_INVALID, name.start, "function \"%.*s\" is not enabled",
                          STR_ARG(s));
    n->type = n->call.fn->returns;
    return n;
}

static bool is_label_token(enum token_kind k)
{
    return k == TOK_IDENT || k == TOK_METRIC_IDENT || token_is_aggregator(k) ||
           token_is_keyword(k) || token_is_set_operator(k) || k == TOK_ATAN2 ||
           (k >= TOK_START && k <= TOK_MIN_OF);
}

static bool grouping_label(struct parser *p, str_vec *v)
{
    str name = parse_token_text(p, p->tok);
    bool ok;
    if (template_labels(p, v, &ok))
        return ok;
    if (p->tok.kind == TOK_STRING) {
        if (!parse_unquote(p, p->tok, &name))
            return false;
    } else if (!is_label_token(p->tok.kind)) {
        return parse_unexpected(p, "grouping opts", "label"), false;
    }
    if (name.n == 0 || !str_utf8_valid(name)) {
        parse_fail(p, ERR_INVALID, p->tok.start, "invalid label name for grouping: \"%.*s\"",
                   STR_ARG(name));
        return false;
    }
    vec_push(v, name);
    parse_advance(p);
    return true;
}

/* ( label, label ): false with an error. */
bool parse_grouping(struct parser *p, struct names *out)
{
    str_vec v = {0};
    bool ok = false;
    if (p->tok.kind != TOK_LPAREN) {
        parse_unexpected(p, "grouping opts", "\"(\"");
        return false;
    }
    parse_advance(p);
    while (p->tok.kind != TOK_RPAREN) {
        if (!grouping_label(p, &v))
            goto out;
        if (p->tok.kind == TOK_RPAREN)
            break;
        if (!parse_accept(p, TOK_COMMA)) {
            parse_unexpected(p, "grouping opts", "\",\" or \")\"");
            goto out;
        }
    }
    parse_advance(p);
    out->n = v.n;
    out->at = arena_array(&p->expr->arena, str, v.n);
    if (v.n)
        memcpy(out->at, v.at, v.n * sizeof *v.at);
    ok = true;
out:
    vec_fini(&v);
    return ok;
}

static bool parse_by(struct parser *p, struct node *n)
{
    n->aggregate.grouped = true;
    n->aggregate.without = p->tok.kind == TOK_WITHOUT;
    parse_advance(p);
    return parse_grouping(p, &n->aggregate.by);
}

static bool has_param(enum token_kind op)
{
    return op == TOK_TOPK || op == TOK_BOTTOMK || op == TOK_COUNT_VALUES || op == TOK_QUANTILE ||
           op == TOK_LIMITK || op == TOK_LIMIT_RATIO;
}

static struct node *aggregate_args(struct parser *p, struct node *n, struct node **args,
                                   size_t have)
{
    enum token_kind op = n->aggregate.op;
    size_t want = has_param(op) ? 2 : 1;
    if (p->trial && have != want)
        return template_stand_in(p, (struct token){TOK_IDENT, n->start, n->end});
    if (have == 0)
        return parse_fail(p, ERR_INVALID, n->start,
                          "no arguments for aggregate expression provided");
    if ((op == TOK_LIMITK || op == TOK_LIMIT_RATIO) &&
        !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
        return parse_fail(p, ERR_INVALID, n->start,
                          "%.*s() is experimental and must be enabled with "
                          "--enable-feature=promql-experimental-functions",
                          STR_ARG(token_text(op)));
    if (have != want)
        return parse_fail(p, ERR_INVALID, n->start,
                          "wrong number of arguments for aggregate expression provided, expected "
                          "%zu, got %zu",
                          want, have);
    n->aggregate.expr = args[want - 1];
    n->aggregate.param = want == 2 ? args[0] : NULL;
    n->type = PROMQL_VECTOR;
    return n;
}

static struct node *parse_aggregate(struct parser *p, struct token op)
{
    struct node *n = parse_new(p, NODE_AGGREGATE, op.start), **args;
    size_t have;
    if (!n)
        return NULL;
    n->aggregate.op = op.kind;
    if (p->tok.kind == TOK_BY || p->tok.kind == TOK_WITHOUT) {
        if (!parse_by(p, n))
            return NULL;
    }
    if (p->tok.kind != TOK_LPAREN)
        return parse_unexpected(p, "aggregation", NULL);
    if (!parse_args(p, n, &args, &have))
        return NULL;
    if (!n->aggregate.grouped && (p->tok.kind == TOK_BY || p->tok.kind == TOK_WITHOUT)) {
        if (!parse_by(p, n))
            return NULL;
    }
    n->end = p->closing;
    return aggregate_args(p, n, args, have);
}

/* A word: function, aggregation or metric, as what follows it decides. */
static struct node *parse_word(struct parser *p)
{
    struct token t = p->tok;
    struct node *n;
    parse_advance(p);
    if (parse_template(p, t, &n))
        return n;
    enum token_kind next = p->tok.kind;
    if (token_is_aggregator(t.kind) &&
        (next == TOK_LPAREN || next == TOK_BY || next == TOK_WITHOUT))
        return parse_aggregate(p, t);
    if (next == TOK_LPAREN && (t.kind == TOK_IDENT || t.kind >= TOK_START))
        return parse_call(p, t);
    return parse_selector(p, &t);
}

static bool is_metric_token(enum token_kind k)
{
    return k == TOK_IDENT || k == TOK_METRIC_IDENT || token_is_aggregator(k) ||
           token_is_set_operator(k) || k == TOK_BY || k == TOK_WITHOUT || k == TOK_OFFSET ||
           k == TOK_ANCHORED || k == TOK_SMOOTHED || (k >= TOK_START && k <= TOK_MIN_OF);
}

static struct node *parse_sign(struct parser *p)
{
    struct token op = p->tok;
    parse_advance(p);
    if (++p->depth > PROMQL_DEPTH_MAX)
        return parse_fail(p, ERR_LIMIT, op.start, "expression is nested more than %d levels deep",
                          PROMQL_DEPTH_MAX);
    struct node *e = parse_operators(p, PREC_UNARY);
    p->depth--;
    if (!e)
        return NULL;
    if (e->kind == NODE_NUMBER) {
        if (op.kind == TOK_SUB)
            e->number.value = -e->number.value;
        e->start = op.start;
        return e;
    }
    struct node *n = parse_new(p, NODE_UNARY, op.start);
    if (!n || !parse_over(p, n, e))
        return NULL;
    n->unary.op = op.kind;
    n->unary.expr = e;
    n->type = e->type;
    n->end = e->end;
    return n;
}

static struct node *parse_operand(struct parser *p)
{
    switch (p->tok.kind) {
    case TOK_NUMBER:
    case TOK_DURATION:
        return parse_number(p);
    case TOK_STRING:
        return parse_string(p);
    case TOK_LPAREN:
        return parse_paren(p);
    case TOK_LBRACE:
        return parse_selector(p, NULL);
    case TOK_ADD:
    case TOK_SUB:
        return parse_sign(p);
    default:
        return is_metric_token(p->tok.kind) ? parse_word(p) : parse_unexpected(p, NULL, NULL);
    }
}

static int precedence(enum token_kind k)
{
    switch (k) {
    case TOK_DEFAULT:
        return PREC_DEFAULT;
    case TOK_IF:
    case TOK_IFNOT:
        return PREC_IF;
    case TOK_OR:
        return PREC_OR;
    case TOK_AND:
    case TOK_UNLESS:
        return PREC_AND;
    case TOK_EQLC:
    case TOK_NEQ:
    case TOK_LSS:
    case TOK_LTE:
    case TOK_GTR:
    case TOK_GTE:
    case TOK_TRIM_LOWER:
    case TOK_TRIM_UPPER:
        return PREC_COMPARE;
    case TOK_ADD:
    case TOK_SUB:
        return PREC_ADD;
    case TOK_MUL:
    case TOK_DIV:
    case TOK_MOD:
    case TOK_ATAN2:
        return PREC_MUL;
    case TOK_POW:
        return PREC_POW;
    default:
        return 0;
    }
}

static struct node *parse_binary(struct parser *p, struct node *lhs)
{
    struct node *n = parse_new(p, NODE_BINARY, lhs->start);
    struct token op = p->tok;
    parse_advance(p);
    if (!n)
        return NULL;
    n->binary.op = op.kind;
    n->binary.lhs = lhs;
    if (!parse_matching(p, n))
        return NULL;
    int prec = precedence(op.kind);
    n->binary.rhs = parse_operators(p, op.kind == TOK_POW ? prec : prec + 1);
    if (!n->binary.rhs || !parse_over(p, n, lhs) || !parse_over(p, n, n->binary.rhs))
        return NULL;
    n->end = n->binary.rhs->end;
    n->type = lhs->type == PROMQL_SCALAR && n->binary.rhs->type == PROMQL_SCALAR ? PROMQL_SCALAR
                                                                                 : PROMQL_VECTOR;
    return metricsql_concatenate(p, n);
}

struct node *parse_operators(struct parser *p, int min)
{
    if (++p->depth > PROMQL_DEPTH_MAX)
        return parse_fail(p, ERR_LIMIT, p->tok.start,
                          "expression is nested more than %d levels deep", PROMQL_DEPTH_MAX);
    p->min = min;
    struct node *n = parse_operand(p);
    if (n)
        n = parse_suffixes(p, n);
    for (; n; n = parse_binary(p, n)) {
        metricsql_operator(p);
        if (!precedence(p->tok.kind) || precedence(p->tok.kind) < min)
            break;
    }
    p->depth--;
    return n;
}

static bool parse_whole(struct parser *p)
{
    parse_advance(p);
    if (p->tok.kind == TOK_EOF) {
        err_at(p->err, ERR_INVALID, (struct pos){1, 1}, "no expression found in input");
        return false;
    }
    p->expr->root = parse_operators(p, 0);
    if (!p->expr->root)
        return false;
    if (p->tok.kind != TOK_EOF) {
        parse_unexpected(p, NULL, NULL);
        return false;
    }
    return check_expr(p->expr, p->err);
}

struct promql_expr *promql_parse(str text, const struct promql_parse_options *o, struct err *err)
{
    if (text.n > PROMQL_TEXT_BYTES_MAX) {
        err_set(err, ERR_LIMIT, "expression is longer than %d bytes", PROMQL_TEXT_BYTES_MAX);
        return NULL;
    }
    struct promql_expr *e = mem_new(struct promql_expr);
    arena_init(&e->arena, 0);
    e->text = arena_dup(&e->arena, text);
    e->features = o ? o->features : 0;
    struct parser p = {.expr = e, .err = err, .features = e->features};
    lexer_init(&p.lex, e->text);
    p.lex.metricsql = parser_is_metricsql(&p);
    if (!parse_whole(&p)) {
        promql_expr_free(e);
        return NULL;
    }
    return e;
}

struct promql_expr *promql_parse_selector(str text, struct err *err)
{
    struct promql_expr *e = promql_parse(text, NULL, err);
    if (!e)
        return NULL;
    const struct node *n = e->root;
    if (n->kind != NODE_SELECTOR || n->selector.when.offset_set || n->selector.when.at) {
        err_at(err, ERR_INVALID, (struct pos){1, 1}, "expected a series selector, got %s",
               n->kind == NODE_SELECTOR ? "a selector with a modifier" : type_described(n->type));
        promql_expr_free(e);
        return NULL;
    }
    return e;
}

void promql_expr_free(struct promql_expr *e)
{
    if (!e)
        return;
    VEC_EACH (m, &e->compiled)
        matcher_fini(*m);
    vec_fini(&e->compiled);
    arena_fini(&e->arena);
    free(e);
}

enum promql_type promql_expr_type(const struct promql_expr *e)
{
    return e->root->type;
}

str promql_expr_text(const struct promql_expr *e)
{
    return e->text;
}

const struct matcher *promql_expr_matchers(const struct promql_expr *e, size_t *n)
{
    const struct node *root = node_bare(e->root);
    *n = 0;
    if (root->kind != NODE_SELECTOR)
        return NULL;
    *n = root->selector.matchers_n;
    return root->selector.matchers;
}
