// SPDX-License-Identifier: Apache-2.0
/*
 * The parser: canonical text of what it accepts, message and place of what it refuses, limits; and
 * the tables of the corpus, whose counts may only rise.
 */
#include <stdio.h>

#include "base/num.h"
#include "base/test.h"
#include "codec/json_writer.h"
#include "promql/lex_int.h"
#include "promql/promql.h"

static void test_format(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"1", "1"},
        {"-1", "-1"},
        {"0x10", "16"},
        {"5m", "5m"},
        {"1_000.5", "1000.5"},
        {"'a\\'b'", "\"a'b\""},
        {"`raw\\n`", "\"raw\\\\n\""},
        {"foo", "foo"},
        {"FOO{b='1',a=\"2\",}", "FOO{a=\"2\",b=\"1\"}"},
        {"{__name__=\"foo\"}", "{__name__=\"foo\"}"},
        {"{\"a.b\"}", "{__name__=\"a.b\"}"},
        {"foo[5m]  offset  -1h", "foo[5m] offset -1h"},
        {"foo @ 1.5 offset 3s", "foo @ 1.500 offset 3s"},
        {"foo @ end()", "foo @ end()"},
        {"rate(foo[5m])[1h:]", "rate(foo[5m])[1h:]"},
        {"sum(foo) by(a,b)", "sum by (a, b) (foo)"},
        {"sum without() (foo)", "sum without () (foo)"},
        {"topk(3,foo)", "topk(3, foo)"},
        {"1+2*3", "1 + 2 * 3"},
        {"-foo^2", "-foo ^ 2"},
        {"a>bool on(x)group_left b", "a > bool on (x) group_left () b"},
        {"a and ignoring(x,y) b or c", "a and ignoring (x, y) b or c"},
        {"sum", "sum"},
        {"on{on='x'}", NULL},
        {"offset", "offset"},
        {"foo # comment\n+ 1", "foo + 1"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err;
        STRBUF_CLEANUP struct strbuf b = {0};
        struct promql_expr *e = promql_parse(str_from_z(rows[i].in), NULL, &err);
        assert_int_equal(e != NULL, rows[i].out != NULL);
        if (!e)
            continue;
        promql_format(e, &b);
        assert_str(strbuf_str(&b), str_from_z(rows[i].out));
        promql_expr_free(e);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *in;
        uint32_t line, col;
        const char *msg, *hint;
    } rows[] = {
        {"", 1, 1, "no expression found in input", ""},
        {"1 +", 1, 4, "unexpected end of input", ""},
        {"sum(foo", 1, 8, "unclosed left parenthesis", ""},
        {"foo\n  + )", 2, 6, "unexpected right parenthesis ')'", ""},
        {"rates(foo[5m])", 1, 1, "unknown function with name \"rates\"", "did you mean rate()?"},
        {"rate(foo)", 1, 6,
         "expected type range vector in call to function \"rate\", got instant vector",
         "a range selector is missing: rate(foo[5m]); --enable-feature=metricsql does without"},
        {"foo{a=b}", 1, 7, "unexpected identifier \"b\" in label matching, expected string", ""},
        {"foo{a=~\"(\"}", 1, 5, NULL, ""},
        {"{}", 1, 1, "vector selector must contain at least one non-empty matcher", ""},
        {"1 == 2", 1, 3, "comparisons between scalars must use BOOL modifier", ""},
        {"foo[5m] + 1", 1, 1, "binary expression must contain only scalar and instant vector types",
         ""},
        {"mad_over_time(x[5m])", 1, 1, "function \"mad_over_time\" is not enabled", ""},
        {"foo[5m*2]", 1, 5, "experimental duration expression is not enabled", ""},
        {"rate(foo[5m] anchored)", 1, 6, "anchored modifier is experimental and not enabled", ""},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err;
        assert_null(promql_parse(str_from_z(rows[i].in), NULL, &err));
        if (rows[i].msg)
            assert_str(str_from_z(err.msg), str_from_z(rows[i].msg));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(err.pos.line, rows[i].line);
        assert_int_equal(err.pos.col, rows[i].col);
        assert_str(str_from_z(err.hint), str_from_z(rows[i].hint));
    }
}

static void repeat(struct strbuf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strbuf_addz(b, s);
}

static void test_limits(void **state)
{
    static const struct {
        const char *open, *middle, *close;
        size_t n;
    } rows[] = {
        {"(", "1", ")", 200},   {"-", "foo", "", 200},     {"abs(", "foo", ")", 200},
        {"1^", "1", "", 200},   {"", "1", "+1", 20000},    {"", "foo", "[1m:1m]", 200},
        {"1+", "1", "", 40000}, {"sum(", "foo", ")", 200},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf b = {0};
        struct err err;
        repeat(&b, rows[i].open, rows[i].n);
        strbuf_addz(&b, rows[i].middle);
        repeat(&b, rows[i].close, rows[i].n);
        struct promql_expr *e = promql_parse(strbuf_str(&b), NULL, &err);
        assert_null(e);
        assert_true(err.kind == ERR_LIMIT || err.kind == ERR_INVALID);
    }
}

static void test_selectors(void **state)
{
    struct err err;
    size_t n;
    struct promql_expr *e = promql_parse_selector(STR("up{job=~\"a.*\"}"), &err);
    assert_non_null(e);
    const struct matcher *m = promql_expr_matchers(e, &n);
    assert_int_equal(n, 2);
    assert_str(m[0].name, STR("job"));
    assert_str(m[1].value, STR("up"));
    promql_expr_free(e);
    assert_null(promql_parse_selector(STR("up offset 5m"), &err));
    assert_null(promql_parse_selector(STR("sum(up)"), &err));
    assert_null(promql_parse_selector(STR("up[5m]"), &err));
}

static void test_functions(void **state)
{
    struct promql_function_info f[128];
    size_t n = promql_functions(f, TESTS_N(f));
    assert_in_range(n, 80, 120);
    for (size_t i = 0; i < n; i++) {
        assert_true(f[i].help.n > 0);
        if (i)
            assert_true(str_cmp(f[i - 1].name, f[i].name) < 0);
    }
}

/* ---- corpus ---- */

static char *read_corpus(const char *name)
{
    const char *root = getenv("NUNCHI_CORPUS");
    char path[512];
    snprintf(path, sizeof path, "%s/metrics/promql/%s", root ? root : "", name);
    FILE *f = root ? fopen(path, "rb") : NULL;
    if (!f)
        return NULL;
    struct strbuf b = {0};
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        strbuf_add(&b, str_of(block, n));
    fclose(f);
    return strbuf_take(&b);
}

/* The string value of `key` in a line of JSON that holds it at the top level; strings of the
 * language and of JSON are escaped alike but for \/ and surrogates, which the corpus does not use.
 */
static bool json_string(str line, const char *key, struct strbuf *out)
{
    char want[64];
    snprintf(want, sizeof want, "\"%s\": \"", key);
    ssize_t at = str_find(line, str_from_z(want));
    if (at < 0)
        return false;
    size_t start = (size_t)at + strlen(want) - 1, end = start + 1;
    while (end < line.n && line.p[end] != '"')
        end += line.p[end] == '\\' ? 2 : 1;
    return end < line.n && string_unquote(str_sub(line, start, end + 1), out);
}

static void test_parse_cases(void **state)
{
    char *text = read_corpus("parse_cases.jsonl");
    if (!text)
        skip();
    str rest = str_from_z(text), line;
    size_t same = 0, all = 0, placed = 0, refused = 0;
    struct promql_parse_options o = {PROMQL_EXPERIMENTAL_FUNCTIONS | PROMQL_DURATION_EXPRESSIONS};
    while (str_cut(&rest, '\n', &line)) {
        STRBUF_CLEANUP struct strbuf in = {0};
        struct err err = {0};
        if (!json_string(line, "input", &in))
            continue;
        bool want = str_find(line, STR("\"ok\": true")) >= 0;
        struct promql_expr *e = promql_parse(strbuf_str(&in), &o, &err);
        all++;
        same += want == (e != NULL);
        if (want != (e != NULL) && getenv("NUNCHI_SCRIPT_FAILURES"))
            fprintf(stderr, "want %d: %.*s: %s\n", want, (int)line.n, line.p, err.msg);
        ssize_t at = str_find(line, STR("\"pos\": [\""));
        if (!want && !e && at >= 0) {
            refused++;
            uint32_t col = (uint32_t)strtoul(line.p + at + 9, NULL, 10) + 1;
            placed += err.pos.line > 1 || err.pos.col == col;
            if (err.pos.line == 1 && err.pos.col != col && getenv("NUNCHI_SCRIPT_FAILURES"))
                fprintf(stderr, "at %u: %.*s: %s\n", err.pos.col, (int)line.n, line.p, err.msg);
        }
        promql_expr_free(e);
    }
    print_message("# %zu of %zu as expected, %zu of %zu refused at the same place\n", same, all,
                  placed, refused);
    free(text);
    assert_true(same >= 352 && placed >= 125);
}

static void test_printer_cases(void **state)
{
    char *text = read_corpus("printer_cases.jsonl");
    if (!text)
        skip();
    struct promql_parse_options o = {~0u};
    str rest = str_from_z(text), line;
    size_t same = 0, all = 0;
    while (str_cut(&rest, '\n', &line)) {
        STRBUF_CLEANUP struct strbuf in = {0}, want = {0}, got = {0};
        struct err err = {0};
        if (!json_string(line, "in", &in))
            continue;
        if (!json_string(line, "out", &want))
            strbuf_add(&want, strbuf_str(&in));
        struct promql_expr *e = promql_parse(strbuf_str(&in), &o, &err);
        if (e)
            promql_format(e, &got);
        all++;
        bool ok = e && str_eq(strbuf_str(&got), strbuf_str(&want));
        same += ok;
        if (!ok && getenv("NUNCHI_SCRIPT_FAILURES"))
            fprintf(stderr, "%s\n  want %s\n  got  %s\n", in.p, want.p, e ? got.p : err.msg);
        promql_expr_free(e);
    }
    print_message("# %zu of %zu printed as expected\n", same, all);
    free(text);
    assert_true(same >= 92);
}

static void test_pretty(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"sum(foo)", "sum(foo)"},
        {"sum by(a)(some_metric{a='b'})", "sum by (a) (\n  some_metric{a=\"b\"}\n)"},
        {"topk(3, some_metric_there)", "topk(\n  3,\n  some_metric_there\n)"},
        {"some_metric + on(a) other_metric", "  some_metric\n+ on (a)\n  other_metric"},
        {"(-rate(some_metric[5m]))", "(\n  -rate(\n    some_metric[5m]\n  )\n)"},
        {"max_over_time(some_metric[1h:5m])", "max_over_time(\n  some_metric[1h:5m]\n)"},
        {"label_replace(up,'a','b','c','d')",
         "label_replace(\n  up,\n  \"a\",\n  \"b\",\n  \"c\",\n  \"d\"\n)"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err;
        STRBUF_CLEANUP struct strbuf b = {0};
        struct promql_expr *e = promql_parse(str_from_z(rows[i].in), NULL, &err);
        assert_non_null(e);
        promql_pretty(e, 15, &b);
        assert_str(strbuf_str(&b), str_from_z(rows[i].out));
        promql_expr_free(e);
    }
}

static void test_pretty_cases(void **state)
{
    char *text = read_corpus("prettier_cases.jsonl");
    if (!text)
        skip();
    struct promql_parse_options o = {~0u};
    str rest = str_from_z(text), line;
    size_t same = 0, all = 0;
    while (str_cut(&rest, '\n', &line)) {
        STRBUF_CLEANUP struct strbuf in = {0}, want = {0}, got = {0};
        struct err err = {0};
        if (!json_string(line, "in", &in) || !json_string(line, "pretty", &want))
            continue;
        struct promql_expr *e = promql_parse(strbuf_str(&in), &o, &err);
        if (e)
            promql_pretty(e, 10, &got); /* what upstream's tests are made for */
        all++;
        bool ok = e && str_eq(strbuf_str(&got), strbuf_str(&want));
        same += ok;
        if (!ok && getenv("NUNCHI_SCRIPT_FAILURES"))
            fprintf(stderr, "%s\n  want %s\n  got  %s\n", in.p, want.p, e ? got.p : err.msg);
        promql_expr_free(e);
    }
    print_message("# %zu of %zu broken into lines as expected\n", same, all);
    free(text);
    assert_true(same >= 62);
}

/* Deeper than a json_writer goes by itself. */
static void test_deep_tree(void **state)
{
    STRBUF_CLEANUP struct strbuf text = {0}, b = {0};
    struct json_writer w = json_writer(&b);
    struct err err;
    for (int i = 0; i < PROMQL_DEPTH_MAX - 2; i++)
        strbuf_addz(&text, "abs(");
    strbuf_addz(&text, "x");
    for (int i = 0; i < PROMQL_DEPTH_MAX - 2; i++)
        strbuf_addc(&text, ')');
    struct promql_expr *e = promql_parse(strbuf_str(&text), NULL, &err);
    assert_non_null(e);
    promql_tree(e, &w);
    assert_true(json_writer_done(&w));
    promql_expr_free(e);
}

static void test_tree(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"-1.5", "{\"type\":\"numberLiteral\",\"val\":\"-1.5\"}"},
        {"'a'", "{\"type\":\"stringLiteral\",\"val\":\"a\"}"},
        {"up{a!='b'} offset 5m",
         "{\"type\":\"vectorSelector\",\"name\":\"up\",\"offset\":300000,\"matchers\":["
         "{\"name\":\"a\",\"value\":\"b\",\"type\":\"!=\"},"
         "{\"name\":\"__name__\",\"value\":\"up\",\"type\":\"=\"}],"
         "\"timestamp\":null,\"startOrEnd\":null,\"anchored\":false,\"smoothed\":false}"},
        {"{a=~'b'}[1m] @ end()",
         "{\"type\":\"matrixSelector\",\"name\":\"\",\"range\":60000,\"offset\":0,\"matchers\":["
         "{\"name\":\"a\",\"value\":\"b\",\"type\":\"=~\"}],"
         "\"timestamp\":null,\"startOrEnd\":\"end\",\"anchored\":false,\"smoothed\":false}"},
        {"up[1h:1m] @ 2",
         "{\"type\":\"subquery\",\"expr\":{\"type\":\"vectorSelector\",\"name\":\"up\",\"offset\":"
         "0,"
         "\"matchers\":[{\"name\":\"__name__\",\"value\":\"up\",\"type\":\"=\"}],"
         "\"timestamp\":null,\"startOrEnd\":null,\"anchored\":false,\"smoothed\":false},"
         "\"range\":3600000,\"offset\":0,\"step\":60000,\"timestamp\":2000,"
         "\"startOrEnd\":null}"},
        {"sum without (b) (vector(3)) * on (a) group_left (c) vector(4)",
         "{\"type\":\"binaryExpr\",\"op\":\"*\",\"lhs\":{\"type\":\"aggregation\",\"op\":\"sum\","
         "\"expr\":{\"type\":\"call\",\"func\":{\"name\":\"vector\",\"argTypes\":[\"scalar\"],"
         "\"variadic\":0,\"returnType\":\"vector\"},\"args\":[{\"type\":\"numberLiteral\",\"val\":"
         "\"3\"}]},\"param\":null,\"grouping\":[\"b\"],\"without\":true},\"rhs\":{\"type\":"
         "\"call\","
         "\"func\":{\"name\":\"vector\",\"argTypes\":[\"scalar\"],\"variadic\":0,\"returnType\":"
         "\"vector\"},\"args\":[{\"type\":\"numberLiteral\",\"val\":\"4\"}]},\"matching\":{"
         "\"card\":"
         "\"many-to-one\",\"labels\":[\"a\"],\"on\":true,\"include\":[\"c\"],\"fillValues\":{"
         "\"lhs\":"
         "null,\"rhs\":null}},\"bool\":false}"},
        {"round(vector(-pi()))",
         "{\"type\":\"call\",\"func\":{\"name\":\"round\",\"argTypes\":[\"vector\",\"scalar\"],"
         "\"variadic\":1,\"returnType\":\"vector\"},\"args\":[{\"type\":\"call\",\"func\":{"
         "\"name\":"
         "\"vector\",\"argTypes\":[\"scalar\"],\"variadic\":0,\"returnType\":\"vector\"},\"args\":["
         "{\"type\":\"unaryExpr\",\"op\":\"-\",\"expr\":{\"type\":\"call\",\"func\":{\"name\":"
         "\"pi\","
         "\"argTypes\":[],\"variadic\":0,\"returnType\":\"scalar\"},\"args\":[]}}]}]}"},
        {"1 <= bool (2)",
         "{\"type\":\"binaryExpr\",\"op\":\"<=\",\"lhs\":{\"type\":\"numberLiteral\","
         "\"val\":\"1\"},\"rhs\":{\"type\":\"parenExpr\",\"expr\":{\"type\":"
         "\"numberLiteral\",\"val\":\"2\"}},\"matching\":null,\"bool\":true}"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err;
        STRBUF_CLEANUP struct strbuf b = {0};
        struct json_writer w = json_writer(&b);
        struct promql_expr *e = promql_parse(str_from_z(rows[i].in), NULL, &err);
        assert_non_null(e);
        promql_tree(e, &w);
        assert_true(json_writer_done(&w));
        assert_str(strbuf_str(&b), str_from_z(rows[i].out));
        promql_expr_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_functions),     cmocka_unit_test(test_parse_cases),
        cmocka_unit_test(test_printer_cases), cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_pretty_cases),  cmocka_unit_test(test_tree),
        cmocka_unit_test(test_deep_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
