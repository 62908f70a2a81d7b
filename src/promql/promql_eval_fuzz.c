// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions grown from the input: each byte chooses what comes next, so every input is an
 * expression with valid types and mutations of the input are mutations of its tree. It is evaluated
 * at one time and as the middle step of a range query, which must give the same; with delayed names
 * it need not, as upstream gives a whole series the name of its first step. The last byte says
 * whether MetricsQL may be in it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "model/histogram_math.h"
#include "promql/fuzz_source.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH_MAX = 5, TEXT_MAX = 2000, NOW_MS = 360000 };

struct grower {
    const uint8_t *data;
    size_t n, at;
    int depth;
    bool metricsql;
    bool whole_range; /* looks at more than one step, so an instant query need not agree */
    struct strbuf text;
};

#define N_OF(a) (sizeof(a) / sizeof *(a))

static unsigned pick(struct grower *g, size_t n)
{
    return g->at < g->n ? g->data[g->at++] % (unsigned)n : 0;
}

static void put(struct grower *g, const char *z)
{
    strbuf_addz(&g->text, z);
}

static void put_one(struct grower *g, const char *const *from, size_t n)
{
    put(g, from[pick(g, n)]);
}

static void grow_vector(struct grower *g);
static void grow_scalar(struct grower *g);

static bool deep(const struct grower *g)
{
    return g->depth > DEPTH_MAX || g->text.n > TEXT_MAX || g->at >= g->n;
}

static void grow_when(struct grower *g)
{
    static const char *const whens[] = {
        "", "", "", "", " offset 1m", " offset -45s", " @ 300", " @ 200 offset 30s"};
    put_one(g, whens, N_OF(whens));
}

static void grow_selector(struct grower *g)
{
    static const char *const names[] = {
        "a",  "b",  "c_total", "h_bucket",    "nh",
        "nh", "nh", "none",    "{job=\"x\"}", "{__name__=~\"a|b\"}"};
    static const char *const matchers[] = {
        "", "", "", "{job=\"x\"}", "{job!=\"x\"}", "{job=~\"x|y\"}", "{job=~\"z|g\"}"};
    unsigned i = pick(g, N_OF(names));
    put(g, names[i]);
    if (names[i][0] != '{')
        put_one(g, matchers, N_OF(matchers));
}

static void grow_range(struct grower *g, bool extended)
{
    static const char *const windows[] = {"[1m]", "[90s]", "[3m]", "[5m]", "[10m]"};
    static const char *const subs[] = {"[3m:30s]", "[2m:45s]", "[5m:]", "[1m:1m]"};
    static const char *const extensions[] = {"", "", " anchored", " smoothed"};
    if (!deep(g) && pick(g, 4) == 1) {
        put(g, "(");
        grow_vector(g);
        put(g, ")");
        put_one(g, subs, N_OF(subs));
    } else {
        grow_selector(g);
        put_one(g, windows, N_OF(windows));
        if (extended)
            put_one(g, extensions, N_OF(extensions));
    }
    grow_when(g);
}

static void grow_over_range(struct grower *g)
{
    static const char *const functions[] = {"sum_over_time",
                                            "avg_over_time",
                                            "min_over_time",
                                            "max_over_time",
                                            "count_over_time",
                                            "last_over_time",
                                            "first_over_time",
                                            "present_over_time",
                                            "stddev_over_time",
                                            "mad_over_time",
                                            "irate",
                                            "idelta",
                                            "deriv",
                                            "absent_over_time",
                                            "ts_of_max_over_time",
                                            "ts_of_last_over_time"};
    static const char *const rates[] = {"rate", "increase", "delta", "resets", "changes"};
    static const char *const others[] = {"quantile_over_time(0.4, ", "predict_linear("};
    unsigned kind = pick(g, 3);
    if (kind == 2) {
        unsigned i = pick(g, 2);
        put(g, others[i]);
        grow_range(g, false);
        put(g, i ? ", 60)" : ")");
        return;
    }
    if (kind)
        put_one(g, rates, N_OF(rates));
    else
        put_one(g, functions, N_OF(functions));
    put(g, "(");
    grow_range(g, kind == 1);
    put(g, ")");
}

static void grow_function(struct grower *g)
{
    static const char *const functions[] = {"abs(",
                                            "ceil(",
                                            "-(",
                                            "sgn(",
                                            "clamp_max(3, ",
                                            "round(",
                                            "timestamp(",
                                            "start_timestamp(",
                                            "sort(",
                                            "absent(",
                                            "vector(scalar(",
                                            "histogram_quantile(0.7, ",
                                            "histogram_fraction(0.5, 2, ",
                                            "histogram_count(",
                                            "histogram_sum(",
                                            "histogram_avg(",
                                            "histogram_stddev(",
                                            "info(",
                                            "label_replace("};
    unsigned i = pick(g, N_OF(functions));
    if (functions[i][0] == 'c' && functions[i][1] == 'l') {
        put(g, "clamp_max(");
        grow_vector(g);
        put(g, ", 3)");
        return;
    }
    put(g, functions[i]);
    grow_vector(g);
    if (functions[i][0] == 'l')
        put(g, ", \"job\", \"q\", \"job\", \"x\"");
    put(g, functions[i][0] == 'v' ? "))" : ")");
}

static void grow_aggregate(struct grower *g)
{
    static const char *const ops[] = {"sum",          "avg",
                                      "min",          "max",
                                      "count",        "group",
                                      "stddev",       "stdvar",
                                      "topk(2",       "bottomk(1",
                                      "limitk(2",     "limit_ratio(0.5",
                                      "quantile(0.5", "count_values(\"v\""};
    static const char *const groups[] = {"", " by (job) ", " without (le) ", " by (__name__, le) "};
    unsigned i = pick(g, N_OF(ops)), by = pick(g, N_OF(groups));
    put(g, ops[i]);
    put(g, i < 8 ? groups[by] : ", ");
    put(g, i < 8 ? "(" : "");
    grow_vector(g);
    put(g, ")");
    put(g, i < 8 ? "" : groups[by]);
}

static void grow_binary(struct grower *g)
{
    static const char *const ops[] = {"+", "-",  "*",  "/",       "%",      "^",  "==",   "!=",
                                      "<", ">=", "</", "== bool", "> bool", ">/", "atan2"};
    static const char *const sets[] = {"and", "or", "unless"};
    static const char *const matches[] = {"",
                                          "",
                                          " on (job)",
                                          " ignoring (le)",
                                          " on (job) group_left ()",
                                          " on (job) fill(2)",
                                          " ignoring (le) fill_left(0)"};
    unsigned kind = pick(g, 4);
    put(g, "(");
    if (kind == 1)
        grow_scalar(g);
    else
        grow_vector(g);
    put(g, " ");
    if (kind == 3) {
        put_one(g, sets, N_OF(sets));
    } else {
        put_one(g, ops, N_OF(ops));
        if (kind == 0)
            put_one(g, matches, N_OF(matches));
    }
    put(g, " ");
    if (kind == 2)
        grow_scalar(g);
    else
        grow_vector(g);
    put(g, ")");
}

static void grow_scalar(struct grower *g)
{
    static const char *const numbers[] = {"0", "1", "-2.5", "0.5", "1e300", "NaN", "Inf", "time()"};
    if (deep(g) || pick(g, 3)) {
        put_one(g, numbers, N_OF(numbers));
        return;
    }
    g->depth++;
    put(g, "scalar(");
    grow_vector(g);
    put(g, ")");
    g->depth--;
}

static void grow_metricsql_operation(struct grower *g)
{
    static const char *const ops[] = {" default ", " if ", " ifnot ", ", "};
    g->whole_range = true;
    put(g, "(");
    grow_vector(g);
    put_one(g, ops, N_OF(ops));
    if (pick(g, 3))
        grow_vector(g);
    else
        grow_scalar(g);
    put(g, ")");
}

static void grow_metricsql_range(struct grower *g)
{
    static const char *const functions[] = {"range_avg(",
                                            "range_first(",
                                            "range_median(",
                                            "range_stddev(",
                                            "range_normalize(",
                                            "range_linear_regression(",
                                            "range_quantile(0.3,",
                                            "range_zscore(",
                                            "range_trim_outliers(1,",
                                            "range_mad(",
                                            "rate(",
                                            "max_over_time("};
    g->whole_range = true;
    put_one(g, functions, N_OF(functions));
    grow_vector(g);
    put(g, ")");
}

static void grow_metricsql_label(struct grower *g)
{
    static const char *const functions[] = {"label_set", "label_copy", "label_map",
                                            "label_del", "label_keep", "label_transform"};
    static const char *const args[] = {
        ", \"job\", \"q\")", ", \"job\", \"le\")", ", \"job\", \"x\", \"y\")",
        ", \"le\")",         ", \"job\")",         ", \"job\", \"(x)\", \"$1$1\")"};
    unsigned i = pick(g, N_OF(functions));
    put(g, functions[i]);
    put(g, "(");
    grow_vector(g);
    put(g, args[i]);
}

static void grow_metricsql_other(struct grower *g)
{
    static const char *const texts[] = {"{job=\"x\" or __name__=~\"a|b\"}",
                                        "a{job=\"x\" or job=\"y\"}",
                                        "hour(a, \"Europe/Berlin\")",
                                        "(rate(c_total[3m]) keep_metric_names)",
                                        "(a * 1Ki keep_metric_names)",
                                        "(a + on (job) group_left b keep_metric_names)",
                                        "(time() > 300)",
                                        "abs(-2)"};
    if (pick(g, 2)) {
        put_one(g, texts, N_OF(texts));
        return;
    }
    put(g, "(with (w = 2m, f(x) = rate(c_total[w]) + x) f(");
    grow_vector(g);
    put(g, "))");
}

static void grow_metricsql(struct grower *g)
{
    static void (*const ways[])(struct grower *) = {grow_metricsql_operation, grow_metricsql_range,
                                                    grow_metricsql_label, grow_metricsql_other};
    ways[pick(g, N_OF(ways))](g);
}

static void grow_vector(struct grower *g)
{
    static void (*const ways[])(struct grower *) = {grow_over_range, grow_function, grow_aggregate,
                                                    grow_binary};
    unsigned i = deep(g) ? 4 : pick(g, 6);
    g->depth++;
    if (!deep(g) && g->metricsql && pick(g, 3) == 1) {
        grow_metricsql(g);
    } else if (i < N_OF(ways)) {
        ways[i](g);
    } else {
        grow_selector(g);
        grow_when(g);
    }
    g->depth--;
}

/* ---- evaluating ---- */

static bool evaluate(const struct promql_expr *e, int64_t step, unsigned features, struct arena *a,
                     struct promql_result *r, struct err *err)
{
    struct budget b = {.samples_max = 200000, .memory = {.max_bytes = 8 << 20}};
    struct promql_query q = {.source = mem_source_source(promql_fuzz_source()),
                             .expr = e,
                             .start = NOW_MS - step,
                             .end = NOW_MS + step,
                             .step_ms = step,
                             .budget = &b,
                             .features = features};
    return promql_exec(&q, a, r, err);
}

static bool same(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    if (!a || !b)
        return a == b;
    return a->schema == b->schema && same(a->count, b->count) && same(a->sum, b->sum) &&
           same(a->zero_count, b->zero_count);
}

/* The value of the middle step is that of the instant query. */
static bool agrees(const struct promql_series *range, const struct promql_series *instant)
{
    for (size_t i = 0; i < range->n; i++) {
        if (range->t[i] != NOW_MS)
            continue;
        if (!instant)
            return false;
        const struct histogram *x = range->h ? range->h[i] : NULL;
        const struct histogram *y = instant->h ? instant->h[0] : NULL;
        return same_histogram(x, y) && (x || same(range->v[i], instant->v[0]));
    }
    return instant == NULL;
}

/* What picks some of a vector, or orders it, decides ties by the order it gets, which an instant
 * and a range query need not share once something below it orders too. */
static bool order_matters(str text)
{
    static const char *const words[] = {"topk(", "bottomk(", "limitk(", "sort("};
    size_t n = 0;
    for (size_t i = 0; i < N_OF(words); i++) {
        str rest = text;
        for (ssize_t at; (at = str_find(rest, str_from_z(words[i]))) >= 0; n++)
            rest = str_sub(rest, (size_t)at + 1, rest.n);
    }
    return n > 1;
}

static void compare(const char *text, const struct promql_result *instant,
                    const struct promql_result *range)
{
    size_t seen = 0;
    for (size_t i = 0; i < range->series_n; i++) {
        const struct promql_series *other = NULL;
        for (size_t k = 0; k < instant->series_n && !other; k++)
            if (labels_eq(instant->series[k].labels, range->series[i].labels))
                other = &instant->series[k];
        seen += other != NULL;
        if (!agrees(&range->series[i], other)) {
            fprintf(stderr, "%s\n", text);
            abort();
        }
    }
    if (seen != instant->series_n) {
        fprintf(stderr, "%s: the range query lacks a series\n", text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grower g = {.data = data, .n = size > 256 ? 256 : size};
    g.metricsql = size && data[size - 1] & 1;
    struct promql_parse_options o = {PROMQL_UPSTREAM_FEATURES |
                                     (g.metricsql ? PROMQL_METRICSQL : 0)};
    struct promql_result instant, range;
    struct err err;
    struct arena a;
    grow_vector(&g);
    struct promql_expr *e = promql_parse(strbuf_str(&g.text), &o, &err);
    if (!e) {
        fprintf(stderr, "%s: %s\n", g.text.p, err.msg);
        abort();
    }
    arena_init(&a, 0);
    for (unsigned mode = 0; mode < 2; mode++) {
        unsigned features = PROMQL_START_TIMESTAMPS | (mode ? PROMQL_DELAYED_NAME_REMOVAL : 0);
        if (evaluate(e, 0, features, &a, &instant, &err) &&
            evaluate(e, 60000, features, &a, &range, &err) && instant.type == PROMQL_VECTOR &&
            !mode && !g.whole_range && !order_matters(strbuf_str(&g.text)))
            compare(g.text.p, &instant, &range);
        arena_reset(&a);
    }
    arena_fini(&a);
    promql_expr_free(e);
    strbuf_fini(&g.text);
    return 0;
}
