// SPDX-License-Identifier: Apache-2.0
/* What the files of the parser share. Every parse_* that returns a node gives NULL after it failed.
 */
#ifndef PROMQL_PARSE_INT_H
#define PROMQL_PARSE_INT_H

#include "promql/ast_int.h"

enum precedence {
    PREC_OR = 1,
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
/* `name` is behind the parser, or NULL when { is at hand. */
struct node *parse_selector(struct parser *p, const struct token *name);
/* [range], [range:step], offset, @ behind an operand. */
struct node *parse_suffixes(struct parser *p, struct node *n);
/* bool, on, ignoring, group_left, group_right, fill behind an operator. */
bool parse_matching(struct parser *p, struct node *n);
/* A duration: literal, or arithmetic in NODE_DURATION. Inside brackets it takes everything that
 * belongs to it, behind offset only one operand. */
struct node *parse_duration(struct parser *p, bool bracket);

#endif
