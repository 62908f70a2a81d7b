// SPDX-License-Identifier: Apache-2.0
#include "promql/fuzz_grow.h"

#include "base/strbuf.h"

enum { TEXT_MAX = 2000 };

struct grower {
    uint64_t *state;
    int depth; /* that may still be used */
    struct strbuf *text;
};

#define N_OF(a) (sizeof(a) / sizeof *(a))

size_t fuzz_pick(uint64_t *state, size_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % n);
}

static size_t pick(struct grower *g, size_t n)
{
    return fuzz_pick(g->state, n);
}

static void put(struct grower *g, const char *z)
{
    strbuf_addz(g->text, z);
}

static void put_one(struct grower *g, const char *const *from, size_t n)
{
    put(g, from[pick(g, n)]);
}

static void grow_vector(struct grower *g);
static void grow_scalar(struct grower *g);

static bool deep(const struct grower *g)
{
    return g->depth <= 0 || g->text->n > TEXT_MAX;
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
        "a",  "b",    "c_total",     "h_bucket",  "nh",      "nh",
        "nh", "none", "{job=\"x\"}", "odd_total", "flicker", "{__name__=~\"a|b\"}"};
    static const char *const matchers[] = {
        "", "", "", "{job=\"x\"}", "{job!=\"x\"}", "{job=~\"x|y\"}", "{job=~\"z|g\"}"};
    size_t i = pick(g, N_OF(names));
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
    size_t kind = pick(g, 3);
    if (kind == 2) {
        size_t i = pick(g, 2);
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
    size_t i = pick(g, N_OF(functions));
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
    size_t i = pick(g, N_OF(ops)), by = pick(g, N_OF(groups));
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
    size_t kind = pick(g, 4);
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
    g->depth--;
    put(g, "scalar(");
    grow_vector(g);
    put(g, ")");
    g->depth++;
}

/* ---- what MetricsQL adds ---- */

static void grow_metricsql_operation(struct grower *g)
{
    static const char *const ops[] = {" default ", " if ", " ifnot ", ", "};
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
    size_t i = pick(g, N_OF(functions));
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
    size_t i = deep(g) ? 4 : pick(g, 6);
    g->depth--;
    if (!deep(g) && pick(g, 12) == 1) {
        grow_metricsql(g);
    } else if (i < N_OF(ways)) {
        ways[i](g);
    } else {
        grow_selector(g);
        grow_when(g);
    }
    g->depth++;
}

void fuzz_grow(uint64_t *state, enum promql_type type, int depth, struct strbuf *out)
{
    struct grower g = {.state = state, .depth = depth, .text = out};
    if (type == PROMQL_SCALAR)
        grow_scalar(&g);
    else if (type == PROMQL_MATRIX)
        grow_range(&g, false);
    else
        grow_vector(&g);
}
