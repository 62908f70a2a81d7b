// SPDX-License-Identifier: Apache-2.0
/*
 * MetricsQL: what is refused without the feature and how, limits, what is printed; and the tables
 * of the corpus, made of MetricsQL's own tests. Those that do not pass are of what is not there, or
 * of what means what it means in PromQL: the reasons are listed here.
 */
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/test.h"
#include "codec/json.h"
#include "model/exemplar.h"
#include "promql/function_int.h"
#include "promql/mem_source.h"
#include "promql/script_int.h"
#include "sys/file.h"

static const struct promql_parse_options metricsql = {PROMQL_UPSTREAM_FEATURES | PROMQL_METRICSQL};

static void test_format(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"foo Default 0 IF bar ifnot baz", "foo default 0 if bar ifnot baz"},
        {"default default default", "default default default"},
        {"if{if='or'} if if", "if{if=\"or\"} if if"},
        {"a default on(x) b", "a default on (x) b"},
        {"1Ki+ -2.5mB", "1Ki + -2.5mB"},
        {"1_000k", "1_000k"},
        {"5m", "5m"},
        {"a{b='c' OR d='e',f='g'}", "a{b=\"c\" or d=\"e\",f=\"g\"}"},
        {"{or='a' or or='b'}", "{or=\"a\" or or=\"b\"}"},
        {"{'a' or 'b'}", "{__name__=\"a\" or __name__=\"b\"}"},
        {"rate(x)", "rate(x)"},
        {"rate(x offset 5m)", "rate(x offset 5m)"},
        {"rate(sum(x))", "rate(sum(x))"},
        {"abs(x) Keep_Metric_Names + 1", "abs(x) keep_metric_names + 1"},
        {"a + b * 2 keep_metric_names", "a + (b * 2) keep_metric_names"},
        {"(a + b * 2) keep_metric_names", "(a + b * 2) keep_metric_names"},
        {"(a,b,(c,),())", "(a, b, (c), ())"},
        {"label_set(up, 'a', 'b'+'c',)", "label_set(up, \"a\", \"bc\")"},
        {"time() > 3", "time() > 3"},
        {"with (x = 1 + 2) x * x", "(1 + 2) * (1 + 2)"},
        {"2 * with (x = y) x + 1", "2 * (y + 1)"},
        {"f(with (x = y) x + 1)", NULL},
        {"abs(with (x = y) x + 1)", "abs(y + 1)"},
        {"hour(x, 'UTC')", "hour(x, \"UTC\")"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err;
        STRBUF_CLEANUP struct strbuf once = {0}, twice = {0};
        struct promql_expr *e = promql_parse(str_from_z(rows[i].in), &metricsql, &err);
        if (!e && rows[i].out)
            print_error("%s: %s\n", rows[i].in, err.msg);
        assert_int_equal(e != NULL, rows[i].out != NULL);
        if (!e)
            continue;
        promql_format(e, &once);
        assert_str(strbuf_str(&once), str_from_z(rows[i].out));
        promql_expr_free(e);
        e = promql_parse(strbuf_str(&once), &metricsql, &err);
        assert_non_null(e);
        promql_format(e, &twice);
        assert_str(strbuf_str(&twice), strbuf_str(&once));
        promql_expr_free(e);
    }
}

/* Without the feature. */
static void test_refused(void **state)
{
    static const struct {
        const char *in, *msg, *hint;
    } rows[] = {
        {"foo default 0", "unexpected identifier \"default\"",
         "default is MetricsQL: --enable-feature=metricsql"},
        {"foo if bar", "unexpected identifier \"if\"",
         "if is MetricsQL: --enable-feature=metricsql"},
        {"foo ifnot bar", "unexpected identifier \"ifnot\"",
         "ifnot is MetricsQL: --enable-feature=metricsql"},
        {"with (a = b) a", "unknown function with name \"with\"",
         "with is MetricsQL: --enable-feature=metricsql"},
        {"rate(x)", "expected type range vector in call to function \"rate\", got instant vector",
         "a range selector is missing: rate(x[5m]); --enable-feature=metricsql does without"},
        {"x{a=\"b\" or c=\"d\"}",
         "unexpected identifier \"or\" in label matching, expected \",\" or \"}\"",
         "or is MetricsQL: --enable-feature=metricsql"},
        {"rate(x[5m]) keep_metric_names", "unexpected identifier \"keep_metric_names\"",
         "keep_metric_names is MetricsQL: --enable-feature=metricsql"},
        {"label_set(x, \"a\", \"b\")", "unknown function with name \"label_set\"",
         "label_set is MetricsQL: --enable-feature=metricsql"},
        {"range_avg(x)", "unknown function with name \"range_avg\"",
         "range_avg is MetricsQL: --enable-feature=metricsql"},
        {"hour(x, \"UTC\")", "expected at most 1 argument(s) in call to \"hour\", got 2",
         "hour() with 2 arguments is MetricsQL: --enable-feature=metricsql"},
        {"1 + 2Ki", "bad number or duration syntax: \"2\"",
         "2Ki is MetricsQL: --enable-feature=metricsql"},
        {"label_sett(x)", "unknown function with name \"label_sett\"", ""},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err = {0};
        assert_null(promql_parse(str_from_z(rows[i].in), NULL, &err));
        assert_string_equal(err.msg, rows[i].msg);
        assert_string_equal(err.hint, rows[i].hint);
    }
}

/* f0 = x + x, f1 = f0 + f0, ... */
static void bomb(unsigned n, const char *last, struct strbuf *out)
{
    strbuf_addz(out, "with (f0 = x + x");
    for (unsigned i = 1; i < n; i++)
        strbuf_addf(out, ", f%u = f%u + f%u", i, i - 1, i - 1);
    strbuf_addf(out, ") %s", last);
}

static void refused(str text, enum err_kind kind, const char *msg)
{
    struct err err = {0};
    struct promql_expr *e = promql_parse(text, &metricsql, &err);
    assert_null(e);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.msg, msg));
}

static void test_limits(void **state)
{
    STRBUF_CLEANUP struct strbuf nodes = {0}, unused = {0}, labels = {0}, deep = {0};
    struct err err;
    bomb(40, "f39", &nodes);
    refused(strbuf_str(&nodes), ERR_LIMIT, "more than 10000 nodes");
    bomb(40, "1", &unused); /* what is not used is not expanded */
    struct promql_expr *e = promql_parse(strbuf_str(&unused), &metricsql, &err);
    assert_non_null(e);
    promql_expr_free(e);
    strbuf_addz(&labels, "with (l0 = (a, b)");
    for (int i = 1; i < 40; i++)
        strbuf_addf(&labels, ", l%d = (l%d, l%d)", i, i - 1, i - 1);
    strbuf_addz(&labels, ") sum by (l39) (x)");
    refused(strbuf_str(&labels), ERR_LIMIT, "more than");
    strbuf_clear(&labels);
    strbuf_addz(&labels, "with (m = {a=\"b\"");
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&labels, ",a!=\"%d\"", i);
    strbuf_addz(&labels, "}) m");
    for (int i = 0; i < 40; i++)
        strbuf_addz(&labels, " + x{m}");
    refused(strbuf_str(&labels), ERR_LIMIT, "more than 16384 matchers");
    strbuf_clear(&labels);
    strbuf_addz(&labels, "{a=\"b\"");
    for (int i = 0; i < 64; i++)
        strbuf_addz(&labels, " or a=\"b\"");
    strbuf_addz(&labels, "}");
    refused(strbuf_str(&labels), ERR_LIMIT, "more than 64 sets of matchers");
    strbuf_addz(&deep, "with (f0(x) = abs(x)");
    for (int i = 1; i < 90; i++)
        strbuf_addf(&deep, ", f%d(x) = abs(f%d(x))", i, i - 1);
    strbuf_addz(&deep, ") f89(y)");
    refused(strbuf_str(&deep), ERR_LIMIT, "nested more than");
    strbuf_clear(&deep);
    for (int i = 0; i < 200; i++)
        strbuf_addz(&deep, "with (a=b) (");
    refused(strbuf_str(&deep), ERR_LIMIT, "nested more than");
    refused(STR("with (a = b, a = c) a"), ERR_INVALID, "template \"a\" is there twice");
    refused(STR("with (f(a, a) = c) a"), ERR_INVALID, "parameter \"a\" is there twice");
    refused(STR("with (f(a) = a) f(1, 2)"), ERR_INVALID, "takes 1 argument(s), got 2");
    refused(STR("with (a = 5m) x{a}"), ERR_INVALID, "is no list of matchers");
    refused(STR("with (a = x) y[a]"), ERR_INVALID, "is no duration");
    refused(STR("with (a = x) y{b=a}"), ERR_INVALID, "is no string");
    refused(STR("with (a = {b=\"c\"}) sum by (a) (x)"), ERR_INVALID, "is no list of labels");
    refused(STR("with (a = a) a[5x]"), ERR_INVALID, "");
}

/* ---- selectors with several sets ---- */

enum { STEP_MS = 60000, SERIES = 400, POINTS = 120 };

/* Series m{i="0"} ... of which the older half is rows of a tier. */
static struct mem_source *many_series(void)
{
    struct mem_source *m = mem_source_new();
    for (int i = 0; i < SERIES; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        struct label at[] = {{LABEL_NAME, STR("m")}, {STR("i"), str_from_z(name)}};
        for (int k = 0; k < POINTS; k++)
            mem_source_add(m, (struct labels){at, 2},
                           &(struct mem_sample){.t = (k + 1) * STEP_MS, .v = i + k});
    }
    mem_source_tier(m, 5 * STEP_MS, POINTS / 2 * STEP_MS);
    return m;
}

/* All of a range query as text. */
static void answer(struct mem_source *m, const char *text, struct strbuf *out)
{
    ARENA_CLEANUP struct arena a;
    struct budget budget = {.samples_max = 10000000};
    struct promql_result r;
    struct err err;
    struct promql_expr *e = promql_parse(str_from_z(text), &metricsql, &err);
    assert_non_null(e);
    struct promql_query q = {.source = mem_source_source(m),
                             .expr = e,
                             .start = 10 * STEP_MS,
                             .end = POINTS * STEP_MS,
                             .step_ms = 7 * STEP_MS,
                             .budget = &budget};
    arena_init(&a, 0);
    assert_true(promql_exec(&q, &a, &r, &err));
    assert_true(r.series_n > 1);
    for (size_t i = 0; i < r.series_n; i++) {
        labels_format(r.series[i].labels, out);
        for (size_t k = 0; k < r.series[i].n; k++)
            strbuf_addf(out, " %.17g@%lld", r.series[i].v[k], (long long)r.series[i].t[k]);
        strbuf_addc(out, '\n');
    }
    promql_expr_free(e);
}

/* As the same series chosen by one set, in samples and in rows. */
static void test_sets(void **state)
{
    static const struct {
        const char *one, *several;
    } rows[] = {
        {"m{i=~\"1.|2..|7\"}", "m{i=~\"1.\" or i=~\"2..\" or i=\"7\"}"},
        {"m{i=~\"1.*|.*1\"}", "m{i=~\"1.*\" or i=~\".*1\"}"},
        {"sum_over_time(m{i=~\"3.|33.\"}[20m])", "sum_over_time(m{i=~\"33.\" or i=~\"3.\"}[20m])"},
        {"rate(m[9m])", "rate({__name__=\"m\",i=~\"1.*\" or __name__=\"m\"}[9m])"},
        {"m", "m{i=~\".*[02468]\" or i=~\".*[13579]\"}"},
    };
    struct mem_source *m = many_series();
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf one = {0}, several = {0};
        answer(m, rows[i].one, &one);
        answer(m, rows[i].several, &several);
        assert_str(strbuf_str(&several), strbuf_str(&one));
    }
    mem_source_free(m);
}

/* ---- the shape of an expression, as MetricsQL's tests write it ---- */

static void shape(const struct node *n, struct strbuf *out);

static void shape_number(double v, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    if (isnan(v))
        strbuf_addz(out, "NaN");
    else
        strbuf_add(out, str_of(text, f64_format(v, text)));
}

static const struct node *plain(const struct node *n)
{
    for (;;) {
        n = node_bare(n);
        if (n->kind == NODE_CALL && n->call.implied)
            n = n->call.args[0];
        else if (n->kind == NODE_CALL && n->call.unnamed && n->call.args_n == 1)
            n = n->call.args[0];
        else
            return n;
    }
}

/* Operations on numbers alone are worked out, as there. */
static bool folded(const struct node *n, double *out)
{
    double l, r;
    n = plain(n);
    if (n->kind == NODE_NUMBER)
        return *out = n->number.value, true;
    if (n->kind == NODE_UNARY && folded(n->unary.expr, &r))
        return *out = n->unary.op == TOK_SUB ? -r : r, true;
    if (n->kind != NODE_BINARY || !folded(n->binary.lhs, &l) || !folded(n->binary.rhs, &r))
        return false;
    enum token_kind op = n->binary.op;
    bool none = isnan(r);
    if (token_is_comparison(op))
        *out = op == TOK_NEQ    ? l != r
               : op == TOK_EQLC ? l == r
               : op == TOK_LSS  ? l < r
               : op == TOK_GTR  ? l > r
               : op == TOK_LTE  ? l <= r
                                : l >= r;
    if (token_is_comparison(op) && !n->binary.return_bool)
        *out = *out != 0 ? l : NAN;
    else if (op == TOK_DEFAULT || op == TOK_OR)
        *out = isnan(l) ? r : l;
    else if (op == TOK_AND || op == TOK_IF)
        *out = none ? NAN : l;
    else if (op == TOK_UNLESS || op == TOK_IFNOT)
        *out = none ? l : NAN;
    else if (!token_is_comparison(op))
        *out = op == TOK_ADD   ? l + r
               : op == TOK_SUB ? l - r
               : op == TOK_MUL ? l * r
               : op == TOK_DIV ? l / r
               : op == TOK_MOD ? fmod(l, r)
               : op == TOK_POW ? pow(l, r)
                               : atan2(l, r);
    return true;
}

static void shape_names(const struct names *names, struct strbuf *out)
{
    for (size_t i = 0; i < names->n; i++)
        strbuf_addf(out, "%.*s,", STR_ARG(names->at[i]));
}

static void shape_set(struct matcher_set set, struct strbuf *to)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    struct strbuf *out = &text;
    bool done[64] = {false};
    for (size_t k = 0; k < set.n; k++) {
        size_t best = set.n;
        for (size_t i = 0; i < set.n; i++)
            if (!done[i] && (best == set.n || str_cmp(set.m[i].name, set.m[best].name) < 0))
                best = i;
        done[best] = true;
        STRBUF_CLEANUP struct strbuf one = {0};
        matcher_format(&set.m[best], &one);
        strbuf_addc(&one, ',');
        if (str_find(strbuf_str(out), strbuf_str(&one)) < 0) /* the same twice is once */
            strbuf_add(out, strbuf_str(&one));
    }
    strbuf_addf(to, "{%s}", text.p ? text.p : "");
}

static void shape_selector(const struct node *n, struct strbuf *out)
{
    shape_set((struct matcher_set){n->selector.matchers, n->selector.matchers_n}, out);
    for (size_t i = 0; i < n->selector.ors_n; i++) {
        strbuf_addz(out, " or ");
        shape_set(n->selector.ors[i], out);
    }
    const struct when *w = &n->selector.when;
    strbuf_addf(out, " offset %lld @ %d %lld", (long long)w->offset_ms, (int)w->at,
                (long long)w->at_ms);
}

static void shape_binary(const struct node *n, struct strbuf *out)
{
    const struct matching *m = &n->binary.match;
    strbuf_addc(out, '(');
    shape(n->binary.lhs, out);
    strbuf_addf(out, " %.*s %d %d %d ", STR_ARG(token_text(n->binary.op)), n->binary.return_bool,
                m->on, (int)m->card);
    shape_names(&m->labels, out);
    shape_names(&m->include, out);
    shape(n->binary.rhs, out);
    strbuf_addz(out, n->keep_names ? ") keep" : ")");
}

static void shape_call(const struct node *n, struct strbuf *out)
{
    strbuf_addf(out, "%.*s(", STR_ARG(n->call.fn->name));
    for (size_t i = 0; i < n->call.args_n; i++) {
        shape(n->call.args[i], out);
        strbuf_addc(out, ',');
    }
    strbuf_addz(out, n->keep_names ? ") keep" : ")");
}

static void shape_aggregate(const struct node *n, struct strbuf *out)
{
    strbuf_addf(out, "%.*s %d ", STR_ARG(token_text(n->aggregate.op)), n->aggregate.without);
    shape_names(&n->aggregate.by, out);
    strbuf_addc(out, '(');
    if (n->aggregate.param)
        shape(n->aggregate.param, out);
    shape(n->aggregate.expr, out);
    strbuf_addc(out, ')');
}

static void shape(const struct node *n, struct strbuf *out)
{
    double v;
    n = plain(n);
    if (folded(n, &v)) {
        shape_number(v, out);
        return;
    }
    switch (n->kind) {
    case NODE_STRING:
        string_quote(n->string, out);
        break;
    case NODE_SELECTOR:
        shape_selector(n, out);
        break;
    case NODE_RANGE:
        shape_selector(n->range.selector, out);
        strbuf_addf(out, "[%lld %d]", (long long)n->range.range_ms, (int)n->range.implied);
        break;
    case NODE_SUBQUERY:
        shape(n->subquery.expr, out);
        strbuf_addf(out, "[%lld:%lld %d] offset %lld", (long long)n->subquery.range_ms,
                    (long long)n->subquery.step_ms, (int)n->subquery.implied,
                    (long long)n->subquery.when.offset_ms);
        break;
    case NODE_CALL:
        shape_call(n, out);
        break;
    case NODE_AGGREGATE:
        shape_aggregate(n, out);
        break;
    case NODE_BINARY:
        shape_binary(n, out);
        break;
    case NODE_UNARY: /* there, 0 - x */
        strbuf_addz(out, n->unary.op == TOK_SUB ? "(0 - 0 0 0 " : "(");
        shape(n->unary.expr, out);
        strbuf_addc(out, ')');
        break;
    default:
        break;
    }
}

/* ---- the corpus ---- */

struct count {
    size_t passed, failed, skipped[64];
};

static bool loud(void)
{
    return getenv("NUNCHI_SCRIPT_FAILURES") != NULL;
}

static str text_of(const struct json_value *line, const char *key)
{
    const struct json_value *v = json_get(line, str_from_z(key));
    str s = {0};
    if (v)
        json_as_str(v, &s);
    return s;
}

/* Why a case of the tables does not pass: a function (name with parenthesis), a part of the text,
 * or behind = all of it. Letters in any case. */
static const struct {
    const char *reason, *what[48];
} skips[] = {
    {"sets of which one is part of another", {"or __name__=\"a\"", "__name__=\"a\" or"}},
    {"PromQL's meaning: two series never have the same labels", {"qe.bar.qqq"}},
    {"functions that are not there",
     {"bitmap_and(",
      "bitmap_or(",
      "bitmap_xor(",
      "tlast_change_over_time(",
      "timestamp_with_name(",
      "drop_empty_series(",
      "drop_common_labels(",
      "limit_offset(",
      "histogram_share(",
      "buckets_limit(",
      "prometheus_buckets(",
      "histogram(",
      "geomean_over_time(",
      "sum2_over_time(",
      "range_over_time(",
      "quantiles_over_time(",
      "duration_over_time(",

      "distinct_over_time(",
      "ttf(",
      "ttf =",
      "ru(",
      "mode_over_time(",
      "rate_over_sum(",
      "zscore_over_time(",
      "integrate(",
      "increase_pure(",
      "increase_prometheus(",

      "smooth_exponential(",
      "remove_resets(",
      "delta_prometheus(",
      "median_over_time(",
      "aggr_over_time(",
      "rollup",
      "lag(",
      "sort_by_label_numeric",
      "now()"}},
    {"aggregations that are not there, and their parameters",
     {"mode(",        "share(",   "zscore((",        "geomean(",   "sum2(",    "any(",
      "topk_",        "bottomk_", "distinct(",       "quantiles(", "median(",  "mad(",
      "outliers",     ") limit ", "limitk(inf",      "sum(1, 2",   "sum(x,y",  "sum by () (",
      "avg(bar,baz)", "sum()",    "avg_over_time()", "count()",    "(xx,2+2)", ", 35) by",
      "topk(nan",     "avg  (  )"}},
    {"offset and @ of anything but a selector or subquery, @ of an operation",
     {") offset", ") @", "@ (", "offset 5h\n", "\"foo\" offset", "m offset 10m)", ")) offset",
      "m[10m] offset", "rate(my_metric_total) offset", "sum(rate(my_metric_total) offset"}},
    {"windows of anything without colon, [:]",
     {"()[1h]", "[:", "[: ", ")[100s]", ")[300s]", ")[1h]", "1[1h]", ")[500s]", ")[600s]",
      "rate(foo)[5m]", "(xx)[5s]", "\"foo\"[3s]", "f(foo[3m]+bar)"}},
    {"durations with fractions, of steps, in large letters, $__interval",
     {"1h23m5S", "5.3m", "13.4ms", "3.4m13", "[5i", "[1.5i", "[2.5i", "[3i", "[4i", "5i)", "3i",
      "0.5i", "offset 5i", "0.34h", "10S", "$__", "offset 1.5m"}},
    {"other escapes and letters in names, functions in any case",
     {"\\", "\xe6", "3foo\"", "'3foo'", "metric name\"", "CLAmp", "UNIon(", "Timestamp("}},
    {"other numbers", {"0b1011", "0o12"}},
    {"group_left(*), prefix", {"(*)", "prefix "}},
    {"names that are words of PromQL",
     {"=bool", "=BOOL", "=Ignoring", "group_left", "(on)", "(on +", "(bool)", "(ignoring{"}},
    {"operations of strings and numbers",
     {"\"foo\"=", "\"foo\"!", "\"a\"", "\"foo\" +", "\"foobar\"", "scalar(\"", "baz=x} + x"}},
    {"types of PromQL: no arithmetic with windows, no series where a number is wanted",
     {") n[5m]", ") N[5m]", "w + m[w]", "f(x) / x)", "f(x, 23.34) / x)", "clamp(x,f,a)",
      "clamp_min(a, with", "[300s:100s]", "[300:100]", "[200s:], \"one\""}},
    {"{} selects nothing in PromQL, and a name is set once",
     {"={}", "{}[", "{} offset", "rate({})", "({})", "metric{\"metric\"}", "metric{__name__=",
      "__name__!=\"bar\"", "{__name__=\"bar\"}", "{\"foo\", \"a\"", "{\"foo\", __name__"}},
    {"templates as values of __name__", {"__name__=\"foo\""}},
    {"NaN equals NaN", {"=nan !=bool nan", "nan == nan", "nan ==bool nan"}},
    {"PromQL's meaning: NaN is a value",
     {"absent(NaN)", "absent_over_time(nan", "label_set(nan,", "label_set(scalar(1 or"}},
    {"PromQL's meaning: comparisons with nothing give nothing", {"!= (1 > 2)"}},
    {"PromQL's meaning: functions drop names", {"clamp_max(alias", "\"orig\""}},
    {"PromQL's meaning: labels may not be empty", {"\"BAR\", \"\")"}},
    {"PromQL's meaning: buckets without +Inf are no histogram, quantiles below 0",
     {"histogram_quantile(", "histogram_quantiles(", "histogram_fraction(", "quantile(-2"}},
    {"PromQL's meaning: rates are extrapolated, windows left-open",
     {"rate(", "increase(", "delta("}},
    {"PromQL's meaning: topk takes NaN when there is nothing else", {"topk(1, label_set(NaN"}},
    {"or, of which the table lacks labels",
     {"\"a\", \"a\", \"b\"", "label_set(123, \"foo\", \"bar\")"}},
    {"sets of numbers", {"(100, 1000, 1400, 600)", "sum((1, 2, 3))"}},
};
enum { SKIPS_N = sizeof skips / sizeof *skips };

static bool contains(str text, const char *what)
{
    str w = str_from_z(what);
    if (w.n > 1 && w.p[0] == '=')
        return str_eq_nocase(text, str_sub(w, 1, w.n));
    for (size_t i = 0; i + w.n <= text.n; i++)
        if (str_eq_nocase(str_sub(text, i, i + w.n), w))
            return true;
    return false;
}

/* The row of a case; SKIPS_N: there is none. */
static size_t skip_of(str text)
{
    for (size_t i = 0; i < SKIPS_N; i++)
        for (size_t k = 0; k < TESTS_N(skips[i].what) && skips[i].what[k]; k++)
            if (contains(text, skips[i].what[k]))
                return i;
    return SKIPS_N;
}

/* True when it failed, and not for a known reason. */
static bool count_case(struct count *c, str text, bool same)
{
    size_t why = same ? SKIPS_N : skip_of(text);
    c->passed += same;
    if (why < SKIPS_N && getenv("NUNCHI_SCRIPT_SKIPS"))
        fprintf(stderr, "%s: %.*s\n", skips[why].reason, STR_ARG(text));
    if (why < SKIPS_N)
        c->skipped[why]++;
    else
        c->failed += !same;
    return !same && why == SKIPS_N && loud();
}

static void parse_case(const struct json_value *line, struct count *c)
{
    STRBUF_CLEANUP struct strbuf a = {0}, b = {0};
    struct err err = {0}, ignored;
    str in = text_of(line, "in"), out = text_of(line, "out");
    bool valid = json_get(line, STR("out")) != NULL;
    struct promql_expr *x = promql_parse(in, &metricsql, &err);
    struct promql_expr *y = valid ? promql_parse(out, &metricsql, &ignored) : NULL;
    if (x)
        shape(x->root, &a);
    if (y)
        shape(y->root, &b);
    bool same = valid ? x && y && str_eq(strbuf_str(&a), strbuf_str(&b)) : !x;
    if (count_case(c, in, same))
        fprintf(stderr, "%.*s: %s\n    want %.*s\n    %s\n    %s\n", STR_ARG(in), err.msg,
                STR_ARG(out), a.p ? a.p : "", b.p ? b.p : "");
    promql_expr_free(x);
    promql_expr_free(y);
}

static bool evaluate(str text, struct arena *a, struct promql_result *r, struct err *err)
{
    struct mem_source *m = mem_source_new();
    struct budget budget = {.samples_max = 1000000};
    struct promql_expr *e = promql_parse(text, &metricsql, err);
    struct promql_query q = {.source = mem_source_source(m),
                             .expr = e,
                             .start = 1000000,
                             .end = 2000000,
                             .step_ms = 200000,
                             .budget = &budget,
                             .features = metricsql.features};
    bool ok = e && promql_exec(&q, a, r, err);
    promql_expr_free(e);
    mem_source_free(m);
    return ok;
}

static double expected_value(const struct json_value *v)
{
    double d = NAN;
    str s;
    if (json_as_str(v, &s))
        return str_eqz(s, "+Inf") ? INFINITY : NAN;
    json_as_f64(v, &d);
    return d;
}

static bool same_labels(const struct json_value *want, struct labels have)
{
    str value;
    if (want->n != have.n)
        return false;
    for (size_t i = 0; i < have.n; i++) {
        const struct json_value *v = json_get(want, have.at[i].name);
        if (!v || !json_as_str(v, &value) || !str_eq(value, have.at[i].value))
            return false;
    }
    return true;
}

static bool same_values(const struct json_value *want, const struct promql_series *s)
{
    double have[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
    for (size_t i = 0; i < s->n; i++)
        have[(s->t[i] - 1000000) / 200000] = s->v[i];
    for (size_t i = 0; i < 6; i++) {
        double w = expected_value(&want->items[i]);
        if (!script_almost_equal(w, have[i]) && !(fabs(w - have[i]) < 1e-9))
            return false;
    }
    return true;
}

static bool has_number(const struct promql_series *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!isnan(s->v[i]))
            return true;
    return false;
}

/* NaN is a gap there, and a series of gaps alone is none. */
static bool same_result(const struct json_value *want, const struct promql_result *r)
{
    size_t seen = 0;
    for (size_t i = 0; i < r->series_n; i++) {
        bool found = !has_number(&r->series[i]);
        if (found)
            continue;
        seen++;
        for (size_t k = 0; k < want->n && !found; k++) {
            const struct json_value *w = &want->items[k];
            found = same_labels(json_get(w, STR("labels")), r->series[i].labels) &&
                    same_values(json_get(w, STR("values")), &r->series[i]);
        }
        if (!found)
            return false;
    }
    return seen == want->n;
}

static void show_result(const struct promql_result *r)
{
    for (size_t i = 0; i < r->series_n; i++) {
        STRBUF_CLEANUP struct strbuf b = {0};
        labels_format(r->series[i].labels, &b);
        for (size_t k = 0; k < r->series[i].n; k++)
            strbuf_addf(&b, " %g@%lld", r->series[i].v[k], (long long)r->series[i].t[k] / 1000);
        fprintf(stderr, "      %s\n", b.p);
    }
}

static void exec_case(const struct json_value *line, struct count *c)
{
    ARENA_CLEANUP struct arena a;
    struct promql_result r = {0};
    struct err err = {0};
    str q = text_of(line, "q");
    arena_init(&a, 0);
    bool ok = evaluate(q, &a, &r, &err);
    const struct json_value *want = json_get(line, STR("result"));
    bool same = want ? ok && same_result(want, &r) : !ok;
    if (count_case(c, q, same)) {
        fprintf(stderr, "%.*s: %s\n", STR_ARG(q), ok ? "another result" : err.msg);
        show_result(&r);
    }
}

static void run_table(const char *name, void (*one)(const struct json_value *, struct count *),
                      size_t all)
{
    const char *root = getenv("NUNCHI_CORPUS");
    ARENA_CLEANUP struct arena a;
    struct count c = {0};
    char path[512];
    struct err err;
    str text, row;
    arena_init(&a, 0);
    snprintf(path, sizeof path, "%s/metrics/promql/%s", root ? root : "", name);
    if (!root || !file_exists(path))
        skip();
    assert_true(file_read(path, 16 << 20, &a, &text, &err));
    while (str_cut(&text, '\n', &row)) {
        struct json_value *v;
        if (row.n == 0)
            continue;
        assert_true(json_parse(row, &a, &v, &err));
        one(v, &c);
    }
    print_message("# %s: %zu passed, %zu failed\n", name, c.passed, c.failed);
    for (size_t i = 0; i < SKIPS_N; i++)
        if (c.skipped[i])
            print_message("#   %3zu skipped: %s\n", c.skipped[i], skips[i].reason);
    assert_int_equal(c.failed, 0);
    assert_true(c.passed >= all);
}

static void test_parse_corpus(void **state)
{
    run_table("metricsql_parse_cases.jsonl", parse_case, 652);
}

static void test_exec_corpus(void **state)
{
    run_table("metricsql_exec_cases.jsonl", exec_case, 338);
}

static void test_error_corpus(void **state)
{
    run_table("metricsql_exec_errors.jsonl", exec_case, 224);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_sets),
        cmocka_unit_test(test_parse_corpus), cmocka_unit_test(test_exec_corpus),
        cmocka_unit_test(test_error_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
