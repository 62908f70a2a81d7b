// SPDX-License-Identifier: Apache-2.0
/* The facade as its callers see it: types, order, limits, statistics, and names that go at once. */
#include <math.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "codec/json_writer.h"
#include "promql/mem_source.h"
#include "promql/promql.h"

static struct mem_source *fixture(void)
{
    struct mem_source *m = mem_source_new();
    static const char *const names[] = {"b", "a"};
    for (int n = 0; n < 2; n++)
        for (int k = 0; k < 3; k++) {
            char job[2] = {(char)('x' + k), 0};
            struct label ls[] = {{LABEL_NAME, str_from_z(names[n])}, {STR("job"), str_from_z(job)}};
            for (int i = 0; i <= 10; i++)
                mem_source_add(m, (struct labels){ls, 2},
                               &(struct mem_sample){.t = i * 60000, .v = i * (k + 1) + n});
        }
    return m;
}

struct run {
    struct mem_source *m;
    struct arena arena, out;
    struct budget budget;
    struct promql_result r;
    struct err err;
};

static void run_init(struct run *x)
{
    *x = (struct run){.m = fixture()};
    arena_init(&x->arena, 0);
}

static void run_fini(struct run *x)
{
    arena_fini(&x->arena);
    arena_fini(&x->out);
    mem_source_free(x->m);
}

/* Evaluates; q has the times and limits. */
static bool run(struct run *x, const char *text, struct promql_query q)
{
    struct promql_parse_options o = {q.features};
    struct promql_expr *expr = promql_parse(str_from_z(text), &o, &x->err);
    if (!expr)
        return false;
    q.expr = expr;
    q.source = mem_source_source(x->m);
    q.budget = &x->budget;
    x->out.quota = NULL; /* the budget is another one than the last time */
    arena_fini(&x->out);
    arena_init_quota(&x->out, &x->budget.memory);
    bool ok = promql_exec(&q, &x->out, &x->r, &x->err);
    promql_expr_free(expr);
    return ok;
}

static void test_types(void **state)
{
    static const struct {
        const char *text;
        enum promql_type instant, range; /* NONE: refused */
    } rows[] = {
        {"1 + 1", PROMQL_SCALAR, PROMQL_MATRIX},  {"\"text\"", PROMQL_STRING, PROMQL_NONE},
        {"a", PROMQL_VECTOR, PROMQL_MATRIX},      {"a[2m]", PROMQL_MATRIX, PROMQL_NONE},
        {"a[2m:1m]", PROMQL_MATRIX, PROMQL_NONE}, {"sum(a)", PROMQL_VECTOR, PROMQL_MATRIX},
    };
    struct run x;
    run_init(&x);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        assert_true(run(&x, rows[i].text, (struct promql_query){.start = 300000}));
        assert_int_equal(x.r.type, rows[i].instant);
        struct promql_query range = {.start = 0, .end = 300000, .step_ms = 60000};
        bool ok = run(&x, rows[i].text, range);
        assert_int_equal(ok, rows[i].range != PROMQL_NONE);
        if (ok)
            assert_int_equal(x.r.type, rows[i].range);
    }
    run_fini(&x);
}

static void test_points(void **state)
{
    struct run x;
    run_init(&x);
    assert_true(run(&x, "{job=\"x\"}",
                    (struct promql_query){.start = 60000, .end = 200000, .step_ms = 60000}));
    assert_int_equal(x.r.series_n, 2);
    assert_str(labels_metric_name(x.r.series[0].labels), STR("a"));
    assert_str(labels_metric_name(x.r.series[1].labels), STR("b"));
    assert_int_equal(x.r.series[1].n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(x.r.series[1].t[i], 60000 * (i + 1));
        assert_true(x.r.series[1].v[i] == i + 1);
    }
    assert_int_equal(x.r.stats.series_read, 2);
    /* From the lookback of the first step (0 is inside) to the last. */
    assert_int_equal(x.r.stats.samples_read, 8);
    assert_int_equal(x.r.stats.samples_total, 6);
    run_fini(&x);
}

/* Without delayed removal names go where the operation is: a collision is an error there, unless
 * the two never have a value at the same step. */
static void test_names(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        size_t n;
    } rows[] = {
        {"{job=\"x\"} + 1", false, 0},
        {"abs({job=\"x\"})", false, 0},
        {"rate({job=\"x\"}[5m])", false, 0},
        {"-{job=\"x\"}", false, 0},
        {"-a", true, 3},
        {"rate(a[5m])", true, 3},
        {"last_over_time({job=\"x\"}[5m])", true, 2},
        {"{job=\"x\"} > 1", true, 2},
        {"sum by (__name__) ({job=\"x\"})", true, 2},
        {"sum by (__name__) (rate(a[5m]))", true, 1},
        {"label_replace({job=\"x\"}, \"__name__\", \"n\", \"\", \"\")", false, 0},
    };
    struct run x;
    run_init(&x);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        bool ok = run(&x, rows[i].text, (struct promql_query){.start = 300000});
        assert_int_equal(ok, rows[i].ok);
        if (ok)
            assert_int_equal(x.r.series_n, rows[i].n);
        else
            assert_str(str_from_z(x.err.msg),
                       STR("vector cannot contain metrics with the same labelset"));
    }
    run_fini(&x);
}

#define MEMORY(bytes)                                                                              \
    {                                                                                              \
        .memory = {.max_bytes = bytes }                                                            \
    }

static void test_limits(void **state)
{
    static const struct {
        const char *text;
        struct promql_query q;
        struct budget budget;
        enum err_kind want;
    } rows[] = {
        {"a", {.start = 300000}, {.samples_max = 3}, ERR_LIMIT},
        {"a", {.start = 300000}, {.ended = BUDGET_GONE}, ERR_CANCELED},
        {"a", {.start = 0, .end = 1, .step_ms = -1}, {0}, ERR_INVALID},
        {"a", {.start = 1, .end = 0, .step_ms = 1}, {0}, ERR_INVALID},
        {"a", {.start = INT64_MAX}, {0}, ERR_INVALID},
        {"a + 1", {.end = 86400000, .step_ms = 1}, MEMORY(1 << 20), ERR_LIMIT},
        {"vector(1)", {.end = 86400000, .step_ms = 1}, {0}, ERR_LIMIT},
        {"max_over_time(vector(1)[100y:1ms])", {.start = 1}, {0}, ERR_LIMIT},
        {"sort(a)[100y:1ms]", {.start = 1}, MEMORY(1 << 20), ERR_LIMIT},
    };
    struct run x;
    run_init(&x);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        x.budget = rows[i].budget;
        x.err = (struct err){0};
        assert_false(run(&x, rows[i].text, rows[i].q));
        assert_int_equal(x.err.kind, rows[i].want);
    }
    run_fini(&x);
}

/* Histograms with many buckets at many steps: every operation notices when it is too much. */
static void test_histogram_memory(void **state)
{
    static const char *const texts[] = {
        "big",
        "-big",
        "big * 2",
        "big + big",
        "sum(big)",
        "sum by (job) (big)",
        "label_replace(big, \"a\", \"b\", \"job\", \".*\")",
        "avg_over_time(big[2m])",
        "sum_over_time(big[1m:10s])",
        "big smoothed",
        "rate(big[2m])",
        "increase(big[2m] anchored)",
        "limitk(1, big)",
        "big or big",
        "info(big)",
    };
    enum { BUCKETS = 4000 };
    struct run x;
    run_init(&x);
    double *counts = arena_array(&x.arena, double, BUCKETS);
    for (int i = 0; i < BUCKETS; i++)
        counts[i] = i + 1;
    struct histogram_span span = {0, BUCKETS};
    struct histogram h = {.count = 8002000, .positive = {&span, counts, 1, BUCKETS}};
    struct label ls[] = {{LABEL_NAME, STR("big")}, {STR("job"), STR("x")}};
    for (int i = 0; i <= 10; i++)
        mem_source_add(x.m, (struct labels){ls, 2}, &(struct mem_sample){.t = i * 60000, .h = &h});
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        struct promql_query q = {.end = 600000, .step_ms = 500, .features = ~0u};
        x.budget = (struct budget)MEMORY(4 << 20);
        x.err = (struct err){0};
        if (run(&x, texts[i], q))
            fail_msg("%s", texts[i]);
        if (x.err.kind != ERR_LIMIT)
            fail_msg("%s: %s", texts[i], x.err.msg);
    }
    run_fini(&x);
}

/* What an expression looked at, together and by step. */
static void test_step_stats(void **state)
{
    static const struct {
        const char *text;
        ts_ms end;
        uint64_t total, first, last;
    } rows[] = {
        {"a", 0, 3, 3, 3},
        {"a", 120000, 9, 3, 3},
        {"a + b", 120000, 18, 6, 6},
        {"sum(a) + 1", 120000, 9, 3, 3},
        {"a @ 60", 120000, 9, 3, 3},
        {"rate(a[2m])", 120000, 18, 6, 6},
        {"rate(a[2m] @ 300)", 120000, 18, 6, 6},
        {"sum_over_time(sum(a)[2m:1m])", 120000, 6, 2, 2},
        {"max_over_time(rate(a[2m])[2m:1m])", 0, 6, 6, 6},
        {"a[3m]", 0, 9, 9, 9},
        {"a[3m:1m]", 0, 9, 9, 9},
        {"1 + 2", 60000, 0, 0, 0},
        {"h", 0, 13, 13, 13},
        {"count_over_time(h[2m])", 60000, 52, 26, 26},
        {"timestamp(h)", 0, 1, 1, 1},
    };
    struct run x;
    run_init(&x);
    double counts[] = {1, 2, 1, 1};
    struct histogram_span span = {0, 4};
    struct histogram h = {.schema = 1, .count = 5, .sum = 20, .positive = {&span, counts, 1, 4}};
    struct label ls[] = {{LABEL_NAME, STR("h")}};
    for (int i = 0; i <= 10; i++)
        mem_source_add(x.m, (struct labels){ls, 1}, &(struct mem_sample){.t = i * 60000, .h = &h});
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct promql_query q = {
            .start = 300000, .end = 300000 + rows[i].end, .step_ms = rows[i].end ? 60000 : 0};
        for (int steps = 0; steps < 2; steps++) {
            q.step_stats = steps;
            if (!run(&x, rows[i].text, q))
                fail_msg("%s: %s", rows[i].text, x.err.msg);
            const struct promql_stats *s = &x.r.stats;
            if (s->samples_total != rows[i].total)
                fail_msg("%s: %d", rows[i].text, (int)s->samples_total);
            assert_int_equal(s->steps_n, steps ? 1 + rows[i].end / 60000 : 0);
            if (steps && (s->samples_per_step[0] != rows[i].first ||
                          s->samples_per_step[s->steps_n - 1] != rows[i].last))
                fail_msg("%s: %d, %d", rows[i].text, (int)s->samples_per_step[0],
                         (int)s->samples_per_step[s->steps_n - 1]);
        }
    }
    run_fini(&x);
}

static int64_t tick(void *clock)
{
    return *(int64_t *)clock += 1000;
}

/* A clock that goes on by a microsecond at each look. */
static void test_explain(void **state)
{
    struct run x;
    int64_t clock = 0;
    STRBUF_CLEANUP struct strbuf b = {0}, deep = {0};
    struct json_writer w = json_writer(&b);
    run_init(&x);
    struct promql_expr *e = promql_parse(STR("sum(rate(a[5m])) + 1"), NULL, &x.err);
    x.budget = (struct budget){.mono_ns = tick, .clock = &clock};
    struct promql_query q = {.source = mem_source_source(x.m),
                             .expr = e,
                             .start = 300000,
                             .budget = &x.budget,
                             .explain = true};
    assert_non_null(e);
    assert_true(promql_exec(&q, &x.arena, &x.r, &x.err));
    promql_explain(e, x.r.costs, &w);
    assert_true(
        str_find(strbuf_str(&b), STR("{\"expr\":\"sum(rate(a[5m])) + 1\",\"rows\":1,\"samples\":15,"
                                     "\"calls\":1,\"parts\":[{\"expr\":\"sum(")) >= 0);
    assert_true(str_find(strbuf_str(&b),
                         STR("{\"expr\":\"a[5m]\",\"rows\":3,\"samples\":15,\"calls\":1,")) > 0);
    promql_expr_free(e);

    for (int i = 0; i < 90; i++)
        strbuf_addz(&deep, "abs(");
    strbuf_addc(&deep, 'a');
    for (int i = 0; i < 90; i++)
        strbuf_addc(&deep, ')');
    q.expr = e = promql_parse(strbuf_str(&deep), NULL, &x.err);
    assert_non_null(e);
    assert_true(promql_exec(&q, &x.arena, &x.r, &x.err));
    promql_explain(e, x.r.costs, &w);
    q.explain = false;
    assert_true(promql_exec(&q, &x.arena, &x.r, &x.err));
    assert_null(x.r.costs);
    promql_expr_free(e);
    run_fini(&x);
}

static void test_notes(void **state)
{
    struct run x;
    run_init(&x);
    assert_true(run(&x, "rate(a[5m]) +\n rate(b[5m])", (struct promql_query){.start = 300000}));
    assert_int_equal(x.r.warnings_n, 0);
    assert_int_equal(x.r.infos_n, 2);
    assert_str(x.r.infos[1], STR("PromQL info: metric might not be a counter, name does not end in "
                                 "_total/_sum/_count/_bucket: \"b\" (2:7)"));
    run_fini(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),   cmocka_unit_test(test_points),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_notes),   cmocka_unit_test(test_histogram_memory),
        cmocka_unit_test(test_explain), cmocka_unit_test(test_step_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
