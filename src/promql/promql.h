// SPDX-License-Identifier: Apache-2.0
/*
 * PromQL: text -> expression -> result over a `struct source`.
 *
 *     struct promql_expr *expr = promql_parse(text, NULL, &err);
 *     struct promql_query q = {.source = src, .expr = expr, .start = t, .end = t, .budget =
 * &budget}; struct promql_result r; if (!promql_exec(&q, &arena, &r, &err)) ...
 *     promql_expr_free(expr);
 *
 * Semantics are those of Prometheus 3: range selectors and the lookback are left-open, stale
 * markers end a series, an experimental part of the language is refused unless its feature is on.
 *
 * A parsed expression is immutable and may be executed by several threads at once. promql_exec may
 * wait for the source's disk, so it runs on pool threads, never on a loop; it calls pool_yield
 * between series and checks `budget` there.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "model/source.h"

/* Limits of the language itself; errors name them. */
enum {
    PROMQL_TEXT_BYTES_MAX = 64 * 1024,
    PROMQL_NODES_MAX = 10000,
    PROMQL_DEPTH_MAX = 100,
};

enum promql_type {
    PROMQL_NONE,
    PROMQL_SCALAR,
    PROMQL_STRING,
    PROMQL_VECTOR, /* instant vector */
    PROMQL_MATRIX, /* range vector */
};

/* "scalar", "string", "vector", "matrix", as resultType of the HTTP API writes them. */
str promql_type_name(enum promql_type t);

/* Parts of the language that upstream keeps behind --enable-feature, by bit. */
enum promql_feature {
    PROMQL_EXPERIMENTAL_FUNCTIONS = 1 << 0,
    PROMQL_DELAYED_NAME_REMOVAL = 1 << 1,
    PROMQL_DURATION_EXPRESSIONS = 1 << 2,
    PROMQL_EXTENDED_RANGE_SELECTORS = 1 << 3, /* anchored, smoothed */
    PROMQL_BINOP_FILL_MODIFIERS = 1 << 4,
    PROMQL_START_TIMESTAMPS = 1 << 5, /* rates and resets use them */
    /* Not upstream's: what MetricsQL adds where PromQL has an error (docs/metricsql.md). */
    PROMQL_METRICSQL = 1 << 6,
    PROMQL_UPSTREAM_FEATURES = PROMQL_METRICSQL - 1,
};

struct promql_parse_options {
    unsigned features; /* enum promql_feature, or-ed */
};

struct promql_expr;

/*
 * NULL with a located error (ERR_INVALID, or ERR_LIMIT past the limits above). `o` NULL: no
 * features. The text is copied. What is valid PromQL but not built is refused: "not supported yet:
 * ...".
 */
struct promql_expr *promql_parse(str text, const struct promql_parse_options *o, struct err *err);
/* A selector alone, `name{a="b"}` without range, offset or @: what match[] parameters hold. */
struct promql_expr *promql_parse_selector(str text, struct err *err);
void promql_expr_free(struct promql_expr *e);

enum promql_type promql_expr_type(const struct promql_expr *e);
/* The text it was parsed from; lives as long as the expression. */
str promql_expr_text(const struct promql_expr *e);
/* Matchers when the whole expression is one selector (parentheses allowed); NULL otherwise. They
 * live as long as the expression. */
const struct matcher *promql_expr_matchers(const struct promql_expr *e, size_t *n);
/* The matchers of every selector in the expression, in the order in which they are written. The
 * array is in the arena, the matchers in the expression. */
size_t promql_expr_selectors(const struct promql_expr *e, struct arena *a,
                             struct matcher_set **out);

/* Canonical text: one line, upstream's spacing. */
void promql_format(const struct promql_expr *e, struct strbuf *out);

enum { PROMQL_PRETTY_WIDTH = 100 };
/* As promql_format, but what is wider than `width` bytes is broken into indented lines where
 * upstream breaks it; selectors are never broken. */
void promql_pretty(const struct promql_expr *e, size_t width, struct strbuf *out);

struct json_writer;
/* The tree as one JSON value, with the node types and keys of upstream's /api/v1/parse_query. The
 * text of an arithmetic duration, for which upstream shows 0, stands beside it: rangeExpr,
 * stepExpr, offsetExpr. */
void promql_tree(const struct promql_expr *e, struct json_writer *w);

struct promql_cost;
/* The expression with what its parts cost, as one JSON value: expr, rows, calls, totalTime and
 * selfTime in seconds, and parts. `costs` are those of a result of this expression. */
void promql_explain(const struct promql_expr *e, const struct promql_cost *costs,
                    struct json_writer *w);

struct promql_query {
    struct source *source;
    const struct promql_expr *expr;
    ts_ms start, end;         /* inclusive; an instant query is at `start` */
    int64_t step_ms;          /* 0: instant query */
    int64_t lookback_ms;      /* 0: 5m */
    int64_t subquery_step_ms; /* of subqueries that name none; 0: 1m */
    /* Between scrapes, for windows that are not written (PROMQL_METRICSQL); 0: 1m. */
    int64_t scrape_interval_ms;
    struct budget *budget; /* never NULL; bounds of samples, memory and time are in there */
    unsigned features;     /* enum promql_feature; DELAYED_NAME_REMOVAL matters here */
    bool step_stats;       /* samples_per_step is wanted */
    bool explain;          /* measure each part of the expression; needs a clock in the budget */
};

/* What one part of the expression did. */
struct promql_cost {
    int64_t ns;       /* of wall time, with the parts below it, without what took its rows */
    uint64_t rows;    /* series given */
    uint64_t samples; /* decoded for it and the parts below */
    uint64_t calls; /* evaluations: more than one in an aggregation's parameter, a subquery, ... */
};

/* One series of a result. A vector has n = 1 in each, a matrix n >= 1 with rising times. */
struct promql_series {
    struct labels labels;
    size_t n;
    const ts_ms *t;
    const double *v;                  /* f64_format writes them as the API shows them */
    const struct histogram *const *h; /* NULL: all are floats; h[i] NULL: point i is one */
};

/* What one sample counts in bytes, and how many samples a histogram is: upstream's measure. */
enum { PROMQL_SAMPLE_BYTES = 16 };

struct promql_stats {
    uint64_t samples_read; /* decoded from the source */
    uint64_t series_read;
    /* Points that the expression looked at, windows counted at each step; a histogram counts by its
     * size, points inside of a subquery do not (upstream's totalQueryableSamples). */
    uint64_t samples_total;
    /* The same by step, with step_stats: steps_n of them, in the result's arena; else NULL. */
    const uint64_t *samples_per_step;
    size_t steps_n;
    uint64_t peak_bytes; /* of memory, as far as the budget counts it */
    int64_t eval_ns;     /* all of promql_exec, by the budget's clock; 0 without one */
    int64_t select_ns;   /* of it, waiting for the source */
};

struct promql_result {
    enum promql_type type;
    ts_ms t;       /* SCALAR, STRING: time of the evaluation */
    double scalar; /* SCALAR */
    str string;    /* STRING */
    /* VECTOR in upstream's order (sort, topk ordered), MATRIX sorted by labels_cmp. Range queries
     * always give a matrix; a scalar expression gives one series without labels. */
    struct promql_series *series;
    size_t series_n;
    /* "PromQL warning: ... (line:col)", each once, sorted. */
    str *warnings, *infos;
    size_t warnings_n, infos_n;
    struct promql_stats stats;
    const struct promql_cost *costs; /* with `explain`: for promql_explain; else NULL */
};

/*
 * Evaluates. On success all of `out` lives in `result`, an arena the caller owns, and has made
 * with the budget's quota if it is to be counted. Fails with
 * ERR_EXEC (a vector cannot be matched, ...), ERR_INVALID (parameters), ERR_LIMIT, ERR_TIMEOUT,
 * ERR_CANCELED, or the source's error.
 */
bool promql_exec(const struct promql_query *q, struct arena *result, struct promql_result *out,
                 struct err *err);

/* What editors and the reference page show. */
struct promql_function_info {
    str name;
    enum promql_type args[8];
    size_t args_n; /* with optional ones */
    int variadic;  /* 0: exactly args_n; k: args_n - 1 to args_n - 1 + k; -1: any number of the last
                    */
    enum promql_type returns;
    bool experimental;
    str help; /* one sentence */
};
/* Fills at most `max` entries, sorted by name; 128 hold all. Returns how many. */
size_t promql_functions(struct promql_function_info *out, size_t max);

#endif
