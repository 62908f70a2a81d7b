// SPDX-License-Identifier: Apache-2.0
/* What the files of the parser share. Every parse_* that returns a node gives NULL after it failed.
 */
#ifndef PROMQL_PARSE_INT_H
#define PROMQL_PARSE_INT_H

#include "promql/ast_int.h"

enum precedence {
    PREC_DEFAULT = 1,
    PREC_IF,
    PREC_OR,
    PREC_AND,
    PREC_COMPARE,
    PREC_ADD,
    PREC_MUL,
    PREC_UNARY, /* an operand of a sign takes only what binds tighter */
    PREC_POW,
};

struct parser {
    struct promql_expr *expr;
    struct lexer lex;
    struct token tok; /* the token at hand */
    uint32_t closing; /* end of the last token that can close an expression */
    unsigned features;
    int depth;
    int min; /* what operators behind the operand at hand bind at least, if any stands before it */
    const struct scope *scope; /* names of WITH templates that are known here; parse_with.c */
    unsigned trial;  /* only the syntax of templates is looked at: their names stand for anything */
    size_t expanded; /* bytes of the templates put in so far */
    size_t matchers_n; /* of the whole expression */
    bool failed;
    struct err *err;
};

struct node *parse_new(struct parser *p, enum node_kind kind, uint32_t start);
/* Keeps the first error; returns NULL. */
struct node *parse_fail(struct parser *p, enum err_kind kind, uint32_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
struct node *parse_unexpected(struct parser *p, const char *context, const char *expected);
void parse_advance(struct parser *p);
bool parse_accept(struct parser *p, enum token_kind k);
str parse_token_text(const struct parser *p, struct token t);
bool parse_unquote(struct parser *p, struct token t, str *out);
bool parse_number_token(struct parser *p, double *out);
bool parse_grouping(struct parser *p, struct names *out);

/* Operands joined by operators that bind at least as tight as `min`. */
struct node *parse_operators(struct parser *p, int min);
/* ( label, label ) at the token at hand. */
bool parse_args(struct parser *p, struct node *n, struct node ***out, size_t *out_n);
/* The depth of a node over `child`; false past the limit. */
bool parse_over(struct parser *p, struct node *n, const struct node *child);
/* `name` is behind the parser, or NULL when { is at hand. */
struct node *parse_selector(struct parser *p, const struct token *name);
/* [range], [range:step], offset, @ behind an operand. */
struct node *parse_suffixes(struct parser *p, struct node *n);
/* bool, on, ignoring, group_left, group_right, fill behind an operator. */
bool parse_matching(struct parser *p, struct node *n);
/* A duration: literal, or arithmetic in NODE_DURATION. Inside brackets it takes everything that
 * belongs to it, behind offset only one operand. */
struct node *parse_duration(struct parser *p, bool bracket);

/* ---- parse_matchers.c ---- */

typedef VEC(struct matcher) matcher_vec;
/* Matchers of { }: one set, or several joined by `or`. */
typedef VEC(matcher_vec) matcher_sets;
/* { ... } with the brace at hand, into `sets`; the closing brace is at hand afterwards. */
bool parse_matchers(struct parser *p, matcher_sets *sets);
bool matcher_add(struct parser *p, matcher_vec *v, enum match_op op, str name, str value,
                 uint32_t at);
/* Moves the sets into a selector; the expression remembers those that own something. */
void matchers_keep(struct parser *p, struct node *n, matcher_sets *sets);
void matchers_fini(matcher_sets *sets);

/* ---- parse_metricsql.c ---- */

static inline bool parser_is_metricsql(const struct parser *p)
{
    return p->features & PROMQL_METRICSQL;
}
/* The token at hand is this word. */
bool parse_at_word(const struct parser *p, const char *word);
/* Makes operators of default, if and ifnot, where an operator may stand. */
void metricsql_operator(struct parser *p);
/* keep_metric_names behind an operand; NULL: it is not there. */
struct node *metricsql_keep(struct parser *p, struct node *n);
/* The rest of (a, b): a union, of which `first` (NULL: nothing) was read. */
struct node *metricsql_union(struct parser *p, uint32_t start, struct node *first);
/* "a" + "b": one string; any other operation as it is. */
struct node *metricsql_concatenate(struct parser *p, struct node *n);
/* After an error at the token at hand: names the feature when that would make it valid. */
void metricsql_hint(struct parser *p);
/* The same, in any case. */
void metricsql_hint_needed(struct parser *p, str what);

/* ---- parse_with.c ---- */

/* WITH (...) expr, the word is behind the parser. */
struct node *parse_with(struct parser *p, struct token with);
/* What a name or call means if it is that of a template, t is behind the parser: true, and the
 * operand in `out` (NULL after an error). */
bool parse_template(struct parser *p, struct token t, struct node **out);
/* The same for names inside windows, matchers, values of matchers, and lists of labels. The token
 * at hand is looked at and consumed. */
/* What stands for a template while only syntax is looked at. */
struct node *template_stand_in(struct parser *p, struct token name);
bool template_duration(struct parser *p, struct node **out);
bool template_matchers(struct parser *p, matcher_vec *into, bool *ok);
bool template_string(struct parser *p, str *out, bool *ok);
typedef VEC(str) str_vec;
bool template_labels(struct parser *p, str_vec *into, bool *ok);

#endif
