// SPDX-License-Identifier: Apache-2.0
/*
 * The tree of one expression. It lives in the expression's arena and is immutable after the check,
 * so that several threads may execute it. Every node knows the bytes it was written in.
 */
#ifndef PROMQL_AST_INT_H
#define PROMQL_AST_INT_H

#include "base/vec.h"
#include "promql/lex_int.h"
#include "promql/promql.h"

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_SELECTOR,
    NODE_RANGE,    /* a selector with a window */
    NODE_SUBQUERY, /* an expression evaluated over a window */
    NODE_CALL,
    NODE_AGGREGATE,
    NODE_BINARY,
    NODE_UNARY,
    NODE_PAREN,
    NODE_DURATION, /* arithmetic with durations inside [ ] and behind offset */
};

/* How a range selector sees its borders. */
enum extended { EXTENDED_NONE, EXTENDED_ANCHORED, EXTENDED_SMOOTHED };

/* A window that was not written (MetricsQL): the step of the query, or for functions that need two
 * samples at least enough intervals of scrapes. */
enum implied { IMPLIED_NOT, IMPLIED_STEP, IMPLIED_RATE };

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

/* offset and @ of a selector or subquery. */
struct when {
    int64_t offset_ms;
    struct node *offset_expr; /* NODE_DURATION tree, else NULL */
    bool offset_set;
    enum at_kind at;
    ts_ms at_ms;
};

enum match_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

struct names {
    str *at;
    size_t n;
};

/* on, ignoring, group_left, group_right of a binary operation. */
struct matching {
    enum match_card card;
    bool on; /* labels are those to match on, else those to ignore */
    struct names labels, include;
    bool written; /* on or ignoring was there */
    bool fill_left_set, fill_right_set;
    double fill_left, fill_right;
};

struct function;

struct node {
    enum node_kind kind;
    enum promql_type type;
    uint32_t start, end; /* bytes of the text */
    uint32_t id;         /* from 0, below nodes_n */
    uint16_t depth;      /* 1 for a leaf */
    /* The same at every step of a range query: evaluated once. */
    bool invariant;
    bool keep_names; /* keep_metric_names was written behind it */
    union {
        struct {
            double value;
            bool duration; /* written as one */
            str suffixed;  /* written 1.5Ki, without sign; empty: was not */
        } number;
        str string;
        struct {
            str name; /* written outside the braces; empty: none */
            struct matcher *matchers;
            size_t matchers_n;
            /* { or }: each is a further set of matchers, with the name. */
            struct matcher_set *ors;
            size_t ors_n;
            struct when when;
            enum extended extended;
            bool counts_only; /* of histograms nothing but count and sum is asked for */
        } selector;
        struct {
            struct node *selector;
            int64_t range_ms;
            struct node *range_expr;
            enum implied implied;
        } range;
        struct {
            struct node *expr;
            int64_t range_ms, step_ms; /* step 0: the default */
            struct node *range_expr, *step_expr;
            struct when when;
            enum implied implied;
        } subquery;
        struct {
            const struct function *fn;
            struct node **args;
            size_t args_n;
            bool unnamed; /* union written as (a, b) */
            bool implied; /* vector() around a scalar, which was not written */
        } call;
        struct {
            enum token_kind op;
            struct node *expr, *param;
            struct names by;
            bool without;
            bool grouped; /* by or without was written */
        } aggregate;
        struct {
            enum token_kind op;
            struct node *lhs, *rhs;
            bool return_bool;
            struct matching match;
        } binary;
        struct {
            enum token_kind op;
            struct node *expr;
        } unary;
        struct node *paren;
        struct {
            /* ADD .. POW with two sides (lhs NULL: sign), MIN_OF, MAX_OF; STEP and RANGE alone */
            enum token_kind op;
            struct node *lhs, *rhs;
            bool wrapped;
        } duration;
    };
};

struct promql_expr {
    struct arena arena;
    str text;
    struct node *root;
    size_t nodes_n;
    unsigned features;
    VEC(struct matcher *) compiled; /* matchers that own a regular expression */
};

static inline bool expr_is_metricsql(const struct promql_expr *e)
{
    return e->features & PROMQL_METRICSQL;
}

/* A node made by the checker; it stands where `at` does. */
struct node *node_new(struct promql_expr *e, enum node_kind kind, const struct node *at);

/* The node without parentheses around it. */
static inline const struct node *node_bare(const struct node *n)
{
    while (n->kind == NODE_PAREN)
        n = n->paren;
    return n;
}

/* "scalar", "instant vector", ...: how messages name a type. */
const char *type_described(enum promql_type t);

/* Checks types and marks what does not change from step to step. */
bool check_expr(struct promql_expr *e, struct err *err);

/* Appends the canonical text of a node. */
void format_node(const struct node *n, struct strbuf *out);
/* Its pieces: "sum by (a) ", "+ bool on (a)", "[5m:1m] offset 1m". */
void format_aggregate_head(const struct node *n, struct strbuf *out);
void format_operator(const struct node *n, struct strbuf *out);
/* " keep_metric_names", if it was written. */
void format_keep(const struct node *n, struct strbuf *out);
void format_subquery_window(const struct node *n, struct strbuf *out);

#endif
