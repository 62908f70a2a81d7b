// SPDX-License-Identifier: Apache-2.0
/*
 * Text -> tokens. The lexer knows three surroundings, because the same letters mean different
 * things in them: statements, the inside of { }, and the inside of [ ]. Token names and the wording
 * of errors are upstream's, so that users find their message in a search engine.
 */
#ifndef PROMQL_LEX_INT_H
#define PROMQL_LEX_INT_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

enum token_kind {
    TOK_EOF,
    TOK_ERROR,
    TOK_IDENT,
    TOK_METRIC_IDENT, /* an identifier with a colon */
    TOK_NUMBER,
    TOK_DURATION,
    TOK_STRING,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_COMMA,
    TOK_COLON,
    TOK_EQL,
    TOK_OPERATOR_FIRST,
    TOK_ADD = TOK_OPERATOR_FIRST,
    TOK_SUB,
    TOK_MUL,
    TOK_DIV,
    TOK_MOD,
    TOK_POW,
    TOK_ATAN2,
    TOK_EQLC,
    TOK_NEQ,
    TOK_LSS,
    TOK_LTE,
    TOK_GTR,
    TOK_GTE,
    TOK_TRIM_UPPER, /* </ */
    TOK_TRIM_LOWER, /* >/ */
    TOK_AND,
    TOK_OR,
    TOK_UNLESS,
    TOK_DEFAULT, /* the next three are words to the lexer; parse_metricsql.c makes them operators */
    TOK_IF,
    TOK_IFNOT,
    TOK_EQL_REGEX,
    TOK_NEQ_REGEX,
    TOK_AT,
    TOK_OPERATOR_LAST = TOK_AT,
    TOK_AGGR_FIRST,
    TOK_AVG = TOK_AGGR_FIRST,
    TOK_BOTTOMK,
    TOK_COUNT,
    TOK_COUNT_VALUES,
    TOK_GROUP,
    TOK_LIMITK,
    TOK_LIMIT_RATIO,
    TOK_MAX,
    TOK_MIN,
    TOK_QUANTILE,
    TOK_STDDEV,
    TOK_STDVAR,
    TOK_SUM,
    TOK_TOPK,
    TOK_AGGR_LAST = TOK_TOPK,
    TOK_KEYWORD_FIRST,
    TOK_ANCHORED = TOK_KEYWORD_FIRST,
    TOK_BOOL,
    TOK_BY,
    TOK_FILL,
    TOK_FILL_LEFT,
    TOK_FILL_RIGHT,
    TOK_GROUP_LEFT,
    TOK_GROUP_RIGHT,
    TOK_IGNORING,
    TOK_OFFSET,
    TOK_ON,
    TOK_SMOOTHED,
    TOK_WITHOUT,
    TOK_KEYWORD_LAST = TOK_WITHOUT,
    TOK_START,
    TOK_END,
    TOK_STEP,
    TOK_RANGE,
    TOK_MAX_OF,
    TOK_MIN_OF,
    TOK_KINDS,
};

struct token {
    enum token_kind kind;
    uint32_t start, end; /* bytes of the text */
};

struct lexer {
    str text;
    size_t pos;
    bool in_braces, in_brackets, got_colon, got_duration, duration_mode, failed;
    int parens;
    bool metricsql;  /* numbers like 1Ki, names inside [ ], + inside { } */
    char error[160]; /* of TOK_ERROR */
};

void lexer_init(struct lexer *lx, str text);
/* The next token; after TOK_ERROR or TOK_EOF always the same again. Comments are skipped. */
struct token lexer_next(struct lexer *lx);

static inline bool token_is_operator(enum token_kind k)
{
    return k >= TOK_OPERATOR_FIRST && k <= TOK_OPERATOR_LAST;
}
static inline bool token_is_aggregator(enum token_kind k)
{
    return k >= TOK_AGGR_FIRST && k <= TOK_AGGR_LAST;
}
static inline bool token_is_keyword(enum token_kind k)
{
    return k >= TOK_KEYWORD_FIRST && k <= TOK_KEYWORD_LAST;
}
static inline bool token_is_comparison(enum token_kind k)
{
    return k >= TOK_EQLC && k <= TOK_GTE;
}
/* </ and >/ */
static inline bool token_is_trim(enum token_kind k)
{
    return k == TOK_TRIM_UPPER || k == TOK_TRIM_LOWER;
}
static inline bool token_is_set_operator(enum token_kind k)
{
    return k >= TOK_AND && k <= TOK_IFNOT;
}

/* "+", "sum", "<=": how the token is written in canonical text. */
str token_text(enum token_kind k);
/* What a number like 1.5Ki is multiplied by, and the text without its suffix; 1: it has none. */
double number_suffix(str number, str *digits);
/* How messages name a token: identifier "x", <op:+>, <by>, end of input. */
void token_describe(struct token t, str text, struct strbuf *out);

/* The value of a quoted string token, unescaped. False: not a valid string. */
bool string_unquote(str quoted, struct strbuf *out);
/* `s` in double quotes with escapes as Go's strconv.Quote writes them. */
void string_quote(str s, struct strbuf *out);

/* A Unicode code point as UTF-8; returns the bytes written. */
size_t utf8_put(uint32_t rune, char out[4]);
/* The code point at the start of `s` and its width; width 1 and 0xFFFD when it is not valid. */
uint32_t utf8_get(str s, size_t *width);

#endif
