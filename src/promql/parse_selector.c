// SPDX-License-Identifier: Apache-2.0
/* Selectors and what follows them: windows, offset, @; and the matching of operators. */
#include <math.h>

#include "promql/parse_int.h"

struct node *parse_selector(struct parser *p, const struct token *name)
{
    matcher_sets sets = {0};
    struct node *n = parse_new(p, NODE_SELECTOR, name ? name->start : p->tok.start);
    if (!n)
        return NULL;
    bool ok = true;
    n->type = PROMQL_VECTOR;
    if (name) {
        n->end = name->end;
        n->selector.name = parse_token_text(p, *name);
    }
    if (p->tok.kind == TOK_LBRACE) {
        ok = parse_matchers(p, &sets);
        n->end = p->tok.end;
        if (ok)
            parse_advance(p);
    } else {
        vec_push(&sets, (matcher_vec){0});
    }
    for (size_t i = 0; ok && name && i < sets.n; i++)
        ok = matcher_add(p, &sets.at[i], MATCH_EQ, LABEL_NAME, n->selector.name, name->start);
    matchers_keep(p, n, &sets);
    matchers_fini(&sets);
    return ok ? n : NULL;
}

/* ---- durations ---- */

static bool out_of_range(double seconds)
{
    return seconds > 9223372036.854775 || seconds < -9223372036.854775;
}

static struct node *experimental(struct parser *p, struct node *n)
{
    if (n && !(p->features & PROMQL_DURATION_EXPRESSIONS))
        return parse_fail(p, ERR_INVALID, n->start,
                          "experimental duration expression is not enabled");
    return n;
}

static struct node *duration_new(struct parser *p, enum token_kind op, uint32_t start,
                                 struct node *lhs, struct node *rhs)
{
    struct node *n = parse_new(p, NODE_DURATION, start);
    if (!n)
        return NULL;
    n->type = PROMQL_SCALAR;
    n->duration.op = op;
    n->duration.lhs = lhs;
    n->duration.rhs = rhs;
    n->end = p->closing;
    return n;
}

static struct node *duration_level(struct parser *p, int min);

static struct node *duration_literal(struct parser *p, uint32_t start, bool negative)
{
    struct node *n = parse_new(p, NODE_NUMBER, start);
    if (!n || !parse_number_token(p, &n->number.value))
        return NULL;
    n->number.duration = p->tok.kind == TOK_DURATION;
    n->end = p->tok.end;
    n->type = PROMQL_SCALAR;
    if (negative)
        n->number.value = -n->number.value;
    if (out_of_range(n->number.value))
        return parse_fail(p, ERR_INVALID, start, "duration out of range");
    parse_advance(p);
    return n;
}

/* step(), range(), min_of(a, b), max_of(a, b) */
static struct node *duration_word(struct parser *p)
{
    struct token t = p->tok;
    struct node *lhs = NULL, *rhs = NULL;
    parse_advance(p);
    if (!parse_accept(p, TOK_LPAREN))
        return parse_unexpected(p, "subquery or range selector",
                                "number, duration, step(), or range()");
    if (t.kind == TOK_MIN_OF || t.kind == TOK_MAX_OF) {
        if (!(lhs = duration_level(p, 0)))
            return NULL;
        if (!parse_accept(p, TOK_COMMA))
            return parse_unexpected(p, NULL, NULL);
        if (!(rhs = duration_level(p, 0)))
            return NULL;
    }
    if (!parse_accept(p, TOK_RPAREN))
        return parse_unexpected(p, NULL, NULL);
    return experimental(p, duration_new(p, t.kind, t.start, lhs, rhs));
}

static struct node *duration_paren(struct parser *p)
{
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct node *n = duration_level(p, 0);
    if (!n)
        return NULL;
    if (!parse_accept(p, TOK_RPAREN))
        return parse_unexpected(p, NULL, NULL);
    if (!experimental(p, n))
        return NULL;
    if (n->kind == NODE_NUMBER)
        n = duration_new(p, TOK_ADD, start, NULL, n);
    if (n)
        n->duration.wrapped = true;
    return n;
}

static struct node *duration_sign(struct parser *p, bool tight)
{
    struct token op = p->tok;
    bool negative = op.kind == TOK_SUB;
    parse_advance(p);
    if (tight && (p->tok.kind == TOK_NUMBER || p->tok.kind == TOK_DURATION))
        return duration_literal(p, op.start, negative);
    struct node *n = duration_level(p, tight ? PREC_POW + 1 : PREC_UNARY);
    if (!n)
        return NULL;
    if (n->kind == NODE_NUMBER) {
        if (negative)
            n->number.value = -n->number.value;
        n->start = op.start;
        return n;
    }
    return negative ? duration_new(p, TOK_SUB, op.start, NULL, n) : n;
}

static struct node *duration_operand(struct parser *p, bool tight)
{
    struct node *n;
    switch (p->tok.kind) {
    case TOK_NUMBER:
    case TOK_DURATION:
        return duration_literal(p, p->tok.start, false);
    case TOK_ADD:
    case TOK_SUB:
        return duration_sign(p, tight);
    case TOK_LPAREN:
        return duration_paren(p);
    case TOK_STEP:
    case TOK_RANGE:
    case TOK_MIN_OF:
    case TOK_MAX_OF:
        return duration_word(p);
    default:
        if (template_duration(p, &n))
            return n;
        return parse_unexpected(p, tight ? "offset" : "subquery or range selector",
                                "number, duration, step(), or range()");
    }
}

static int duration_precedence(enum token_kind k)
{
    switch (k) {
    case TOK_ADD:
    case TOK_SUB:
        return PREC_ADD;
    case TOK_MUL:
    case TOK_DIV:
    case TOK_MOD:
        return PREC_MUL;
    case TOK_POW:
        return PREC_POW;
    default:
        return 0;
    }
}

static struct node *duration_level(struct parser *p, int min)
{
    if (++p->depth > PROMQL_DEPTH_MAX)
        return parse_fail(p, ERR_LIMIT, p->tok.start,
                          "expression is nested more than %d levels deep", PROMQL_DEPTH_MAX);
    struct node *n = duration_operand(p, false);
    for (int prec; n && (prec = duration_precedence(p->tok.kind)) && prec >= min;) {
        struct token op = p->tok;
        parse_advance(p);
        struct node *rhs = duration_level(p, op.kind == TOK_POW ? prec : prec + 1);
        if (!rhs || !experimental(p, n))
            return NULL;
        if ((op.kind == TOK_DIV || op.kind == TOK_MOD) && rhs->kind == NODE_NUMBER &&
            rhs->number.value == 0)
            return parse_fail(p, ERR_INVALID, op.start,
                              op.kind == TOK_DIV ? "division by zero" : "modulo by zero");
        n = duration_new(p, op.kind, n->start, n, rhs);
    }
    p->depth--;
    return n;
}

struct node *parse_duration(struct parser *p, bool bracket)
{
    if (!bracket)
        return duration_operand(p, true);
    struct node *n = duration_level(p, 0);
    if (n && n->kind == NODE_NUMBER && !(n->number.value > 0))
        return parse_fail(p, ERR_INVALID, n->start, "duration must be greater than 0");
    return n;
}

static int64_t duration_ms(const struct node *n)
{
    return (int64_t)llround(n->number.value * 1000);
}

/* A literal goes into `ms`, anything else into `expr`. */
static void set_duration(struct node *d, int64_t *ms, struct node **expr)
{
    if (d->kind == NODE_NUMBER)
        *ms = duration_ms(d);
    else
        *expr = d;
}

/* ---- what stands behind an operand ---- */

static struct node *range_of(struct parser *p, struct node *e, struct node *d, uint32_t open)
{
    const char *problem = NULL;
    if (e->kind != NODE_SELECTOR)
        problem = "ranges only allowed for vector selectors";
    else if (e->selector.when.offset_set)
        problem = "no offset modifiers allowed before range";
    else if (e->selector.when.at)
        problem = "no @ modifiers allowed before range";
    if (problem)
        return parse_fail(p, ERR_INVALID, open, "%s", problem);
    struct node *n = parse_new(p, NODE_RANGE, e->start);
    if (!n)
        return NULL;
    n->type = PROMQL_MATRIX;
    n->depth = (uint16_t)(e->depth + 1);
    n->range.selector = e;
    set_duration(d, &n->range.range_ms, &n->range.range_expr);
    n->end = p->closing;
    return n;
}

static struct node *subquery_of(struct parser *p, struct node *e, struct node *d)
{
    struct node *n = parse_new(p, NODE_SUBQUERY, e->start), *step = NULL;
    if (!n)
        return NULL;
    n->type = PROMQL_MATRIX;
    n->depth = (uint16_t)(e->depth + 1);
    n->subquery.expr = e;
    set_duration(d, &n->subquery.range_ms, &n->subquery.range_expr);
    if (p->tok.kind != TOK_RBRACKET) {
        if (p->tok.kind == TOK_EOF || p->tok.kind == TOK_ERROR)
            return parse_unexpected(p, "subquery selector",
                                    "number, duration, step(), range(), or \"]\"");
        if (!(step = parse_duration(p, true)))
            return NULL;
        set_duration(step, &n->subquery.step_ms, &n->subquery.step_expr);
    }
    if (p->tok.kind != TOK_RBRACKET)
        return parse_unexpected(p, "subquery selector", "\"]\"");
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

static struct node *parse_window(struct parser *p, struct node *e)
{
    uint32_t open = p->tok.start;
    parse_advance(p);
    struct node *d = parse_duration(p, true);
    if (!d)
        return NULL;
    if (parse_accept(p, TOK_COLON))
        return subquery_of(p, e, d);
    if (p->tok.kind != TOK_RBRACKET)
        return parse_unexpected(p, "subquery or range", "\":\" or \"]\"");
    parse_advance(p);
    return range_of(p, e, d, open);
}

static struct when *when_of(struct node *n)
{
    switch (n->kind) {
    case NODE_SELECTOR:
        return &n->selector.when;
    case NODE_RANGE:
        return &n->range.selector->selector.when;
    case NODE_SUBQUERY:
        return &n->subquery.when;
    default:
        return NULL;
    }
}

static struct node *parse_offset(struct parser *p, struct node *n)
{
    struct when *w = when_of(n);
    parse_advance(p);
    struct node *d = parse_duration(p, false);
    if (!d)
        return NULL;
    if (!w)
        return parse_fail(p, ERR_INVALID, n->start,
                          "offset modifier must be preceded by an instant vector selector or range "
                          "vector selector or a subquery");
    if (w->offset_set)
        return parse_fail(p, ERR_INVALID, n->start, "offset may not be set multiple times");
    set_duration(d, &w->offset_ms, &w->offset_expr);
    w->offset_set = w->offset_expr || w->offset_ms;
    n->end = p->closing;
    return n;
}

static bool at_value(struct parser *p, struct node *n, double *out)
{
    bool negative = p->tok.kind == TOK_SUB;
    if (negative || p->tok.kind == TOK_ADD)
        parse_advance(p);
    if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION)
        return parse_unexpected(p, "@", "timestamp"), false;
    if (!parse_number_token(p, out))
        return false;
    parse_advance(p);
    if (negative)
        *out = -*out;
    if (isnan(*out) || fabs(*out) >= 9223372036854775807.0) {
        const char *text = isnan(*out) ? "NaN" : *out < 0 ? "-Inf" : "+Inf";
        if (isnan(*out) || isinf(*out))
            parse_fail(p, ERR_INVALID, n->start, "timestamp out of bounds for @ modifier: %s",
                       text);
        else
            parse_fail(p, ERR_INVALID, n->start, "timestamp out of bounds for @ modifier: %f",
                       *out);
        return false;
    }
    return true;
}

static struct node *parse_at(struct parser *p, struct node *n)
{
    struct when *w = when_of(n);
    double seconds = 0;
    enum at_kind kind = AT_TIME;
    parse_advance(p);
    if (p->tok.kind == TOK_START || p->tok.kind == TOK_END) {
        kind = p->tok.kind == TOK_START ? AT_START : AT_END;
        parse_advance(p);
        if (!parse_accept(p, TOK_LPAREN) || !parse_accept(p, TOK_RPAREN))
            return parse_unexpected(p, NULL, NULL);
    } else if (!at_value(p, n, &seconds)) {
        return NULL;
    }
    if (!w)
        return parse_fail(p, ERR_INVALID, n->start,
                          "@ modifier must be preceded by an instant vector selector or range "
                          "vector selector or a subquery");
    if (w->at)
        return parse_fail(p, ERR_INVALID, n->start, "@ <timestamp> may not be set multiple times");
    w->at = kind;
    double ms = round(seconds * 1000);
    w->at_ms = ms >= 9e18 ? INT64_MAX / 2 : ms <= -9e18 ? INT64_MIN / 2 : (ts_ms)ms;
    n->end = p->closing;
    return n;
}

static struct node *parse_extended(struct parser *p, struct node *n)
{
    str word = token_text(p->tok.kind);
    if (!(p->features & PROMQL_EXTENDED_RANGE_SELECTORS))
        return parse_fail(p, ERR_INVALID, n->start, "%.*s modifier is experimental and not enabled",
                          STR_ARG(word));
    enum extended x = p->tok.kind == TOK_ANCHORED ? EXTENDED_ANCHORED : EXTENDED_SMOOTHED;
    if (n->kind == NODE_SUBQUERY)
        return parse_fail(p, ERR_INVALID, n->start, "%.*s modifier is not supported for subqueries",
                          STR_ARG(word));
    if (n->kind != NODE_SELECTOR && n->kind != NODE_RANGE)
        return parse_fail(p, ERR_INVALID, n->start, "%.*s modifier not implemented", STR_ARG(word));
    struct node *selector = n->kind == NODE_RANGE ? n->range.selector : n;
    if (selector->selector.extended && selector->selector.extended != x)
        return parse_fail(p, ERR_INVALID, n->start,
                          "anchored and smoothed modifiers cannot be used together");
    selector->selector.extended = x;
    n->end = p->tok.end;
    parse_advance(p);
    return n;
}

struct node *parse_suffixes(struct parser *p, struct node *n)
{
    for (int suffixes = 0; n; suffixes++) {
        if (suffixes > PROMQL_DEPTH_MAX || n->depth > PROMQL_DEPTH_MAX)
            return parse_fail(p, ERR_LIMIT, n->start,
                              "expression is nested more than %d levels deep", PROMQL_DEPTH_MAX);
        switch (p->tok.kind) {
        case TOK_LBRACKET:
            n = parse_window(p, n);
            break;
        case TOK_OFFSET:
            n = parse_offset(p, n);
            break;
        case TOK_AT:
            n = parse_at(p, n);
            break;
        case TOK_ANCHORED:
        case TOK_SMOOTHED:
            n = parse_extended(p, n);
            break;
        default:
            if (!metricsql_keep(p, n))
                return n;
        }
    }
    return NULL;
}

/* ---- vector matching ---- */

static bool parse_group_side(struct parser *p, struct matching *m)
{
    m->card = p->tok.kind == TOK_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    parse_advance(p);
    return p->tok.kind != TOK_LPAREN || parse_grouping(p, &m->include);
}

static bool fill_value(struct parser *p, double *out)
{
    parse_advance(p);
    if (!parse_accept(p, TOK_LPAREN))
        return parse_unexpected(p, NULL, NULL), false;
    bool negative = p->tok.kind == TOK_SUB;
    if (negative || p->tok.kind == TOK_ADD)
        parse_advance(p);
    if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION)
        return parse_unexpected(p, NULL, NULL), false;
    if (!parse_number_token(p, out))
        return false;
    if (negative)
        *out = -*out;
    parse_advance(p);
    if (!parse_accept(p, TOK_RPAREN))
        return parse_unexpected(p, NULL, NULL), false;
    return true;
}

static bool parse_fill(struct parser *p, struct node *n)
{
    struct matching *m = &n->binary.match;
    while (p->tok.kind >= TOK_FILL && p->tok.kind <= TOK_FILL_RIGHT) {
        enum token_kind k = p->tok.kind;
        bool left = k != TOK_FILL_RIGHT, right = k != TOK_FILL_LEFT;
        double v;
        if ((left && m->fill_left_set) || (right && m->fill_right_set))
            return parse_unexpected(p, NULL, NULL), false;
        if (!fill_value(p, &v))
            return false;
        if (left)
            m->fill_left = v, m->fill_left_set = true;
        if (right)
            m->fill_right = v, m->fill_right_set = true;
    }
    if ((m->fill_left_set || m->fill_right_set) && !(p->features & PROMQL_BINOP_FILL_MODIFIERS))
        return parse_fail(p, ERR_INVALID, n->start,
                          "binop fill modifiers are experimental and not enabled"),
               false;
    return true;
}

bool parse_matching(struct parser *p, struct node *n)
{
    struct matching *m = &n->binary.match;
    n->binary.return_bool = parse_accept(p, TOK_BOOL);
    if (p->tok.kind == TOK_ON || p->tok.kind == TOK_IGNORING) {
        m->written = true;
        m->on = p->tok.kind == TOK_ON;
        parse_advance(p);
        if (!parse_grouping(p, &m->labels))
            return false;
        if ((p->tok.kind == TOK_GROUP_LEFT || p->tok.kind == TOK_GROUP_RIGHT) &&
            !parse_group_side(p, m))
            return false;
    }
    return parse_fill(p, n);
}
