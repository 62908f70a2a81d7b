// SPDX-License-Identifier: Apache-2.0
/* Queries over a source that has rows of tiers for its older samples, against the same queries over
 * all samples. */
#include <math.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "promql/mem_source.h"
#include "promql/promql.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static uint64_t state = 2685821657736338717ULL;

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

/* Ten hours of a native histogram with resets; the whole copy is the source's. */
static void add_histogram(struct mem_source *m)
{
    static const struct histogram_span span = {1, 3};
    struct label name = {LABEL_NAME, STR("h")};
    double counts[3] = {0};
    for (ts_ms t = 5000; t < 10 * HOUR; t += 15000) {
        if (rnd(400) == 0)
            counts[0] = counts[1] = counts[2] = 0;
        for (int i = 0; i < 3; i++)
            counts[i] += (double)rnd(5);
        struct histogram h = {.count = counts[0] + counts[1] + counts[2],
                              .sum = counts[0] + 3 * counts[1],
                              .zero_threshold = 0x1p-128,
                              .positive = {&span, counts, 1, 3}};
        mem_source_add(m, (struct labels){&name, 1}, &(struct mem_sample){.t = t, .h = &h});
    }
}

/* Ten hours of three counters with resets, gaps and an end, scraped at their own phase. */
static struct mem_source *source_new(bool tiers)
{
    struct mem_source *m = mem_source_new();
    state = 2685821657736338717ULL;
    for (int k = 0; k < 3; k++) {
        char job[2] = {(char)('x' + k), 0};
        struct label ls[] = {{LABEL_NAME, STR("c_total")}, {STR("job"), str_from_z(job)}};
        double v = 0;
        for (ts_ms t = 1000 + (ts_ms)rnd(15000); t < 10 * HOUR; t += 15000) {
            bool gap = k == 1 && t > 2 * HOUR && t < 3 * HOUR;
            if (gap || (k == 2 && t > 4 * HOUR + 7 * MINUTE))
                continue;
            v = rnd(300) ? v + (double)rnd(50) : 1;
            bool ends = k == 2 && t > 4 * HOUR + 7 * MINUTE - 15000;
            mem_source_add(m, (struct labels){ls, 2},
                           &(struct mem_sample){.t = t, .v = ends ? stale_nan() : v});
        }
    }
    add_histogram(m);
    if (tiers) {
        mem_source_tier(m, HOUR, 3 * HOUR);
        mem_source_tier(m, 5 * MINUTE, 7 * HOUR);
    }
    return m;
}

struct answer {
    struct arena arena;
    struct budget budget;
    struct promql_result r;
};

static void ask(struct mem_source *m, const char *text, struct promql_query q, struct answer *x)
{
    struct promql_parse_options o = {q.features};
    struct err err;
    *x = (struct answer){0};
    arena_init(&x->arena, 0);
    struct promql_expr *expr = promql_parse(str_from_z(text), &o, &err);
    if (!expr)
        fail_msg("%s: %s", text, err.msg);
    q.expr = expr;
    q.source = mem_source_source(m);
    q.budget = &x->budget;
    if (!promql_exec(&q, &x->arena, &x->r, &err))
        fail_msg("%s: %s", text, err.msg);
    promql_expr_free(expr);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-10 * (1 + fabs(b)) || (isnan(a) && isnan(b));
}

static void assert_same(const char *text, const struct promql_result *got,
                        const struct promql_result *want)
{
    if (got->series_n != want->series_n)
        fail_msg("%s: %zu series, not %zu", text, got->series_n, want->series_n);
    for (size_t i = 0; i < got->series_n; i++) {
        const struct promql_series *a = &got->series[i], *b = &want->series[i];
        assert_true(labels_eq(a->labels, b->labels));
        if (a->n != b->n)
            fail_msg("%s: %zu points, not %zu", text, a->n, b->n);
        for (size_t k = 0; k < a->n; k++)
            if (a->t[k] != b->t[k] || !near(a->v[k], b->v[k]))
                fail_msg("%s: series %zu at %lld: %.17g, not %.17g", text, i, (long long)b->t[k],
                         a->v[k], b->v[k]);
    }
}

/* All steps and windows have borders of their tier. */
static void test_exact_at_borders(void **s)
{
    static const char *const texts[] = {
        "c_total",
        "sum(c_total)",
        "timestamp(c_total)",
        "rate(c_total[1h])",
        "rate(c_total[3h])",
        "sum(increase(c_total[1h])) by (job)",
        "delta(c_total[2h])",
        "min_over_time(c_total[1h])",
        "max_over_time(c_total[4h])",
        "avg_over_time(c_total[1h])",
        "sum_over_time(c_total[5h])",
        "count_over_time(c_total[1h])",
        "first_over_time(c_total[1h])",
        "last_over_time(c_total[2h])",
        "present_over_time(c_total[1h])",
        "absent_over_time(c_total{job=\"z\"}[1h])",
        "absent(c_total{job=\"z\"})",
        "max_over_time(rate(c_total[1h])[3h:1h])",
        "rate(c_total[1h] offset 2h)",
        "rate(c_total[1h] @ 7200)",
        "histogram_count(rate(h[1h]))",
        "histogram_sum(increase(h[5h]))",
        "histogram_quantile(0.7, rate(h[2h]))",
        "count_over_time(h[3h])",
        "histogram_count(last_over_time(h[2h]))",
        "histogram_count(h)",
    };
    struct mem_source *all = source_new(false), *tiers = source_new(true);
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        struct promql_query q = {.start = 0, .end = 10 * HOUR, .step_ms = HOUR};
        struct answer got, want;
        ask(all, texts[i], q, &want);
        ask(tiers, texts[i], q, &got);
        assert_same(texts[i], &got.r, &want.r);
        assert_true(want.r.series_n > 0);
        assert_int_equal(got.r.warnings_n, 0);
        assert_int_equal(want.r.infos_n, 0);
        assert_true(got.r.infos_n >= 1);
        arena_fini(&got.arena);
        arena_fini(&want.arena);
    }
    mem_source_free(all);
    mem_source_free(tiers);
}

/* Where samples still are, nothing is different and nothing is said. */
static void test_samples_alone(void **s)
{
    static const char *const texts[] = {"rate(c_total[7m])", "c_total", "deriv(c_total[9m])"};
    struct mem_source *all = source_new(false), *tiers = source_new(true);
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        struct promql_query q = {
            .start = 7 * HOUR + 10 * MINUTE, .end = 10 * HOUR, .step_ms = 37000};
        struct answer got, want;
        ask(all, texts[i], q, &want);
        ask(tiers, texts[i], q, &got);
        assert_same(texts[i], &got.r, &want.r);
        assert_int_equal(got.r.warnings_n + got.r.infos_n, 0);
        arena_fini(&got.arena);
        arena_fini(&want.arena);
    }
    mem_source_free(all);
    mem_source_free(tiers);
}

static void test_what_is_said(void **s)
{
    static const struct {
        const char *text, *info, *warning;
    } rows[] = {
        {"rate(c_total[1h])",
         "PromQL info: samples from 1970-01-01T00:30:00Z to 1970-01-01T01:30:00Z are gone, the "
         "rows "
         "of 1h that were kept of them answer (1:6)",
         NULL},
        {"deriv(c_total[1h])",
         "PromQL info: samples from 1970-01-01T00:30:00Z to 1970-01-01T01:30:00Z are gone, the "
         "rows "
         "of 1h that were kept of them answer (1:7)",
         "PromQL warning: deriv needs every sample; of those up to 1970-01-01T01:30:00Z it has the "
         "first and last of each row that was kept (1:1)"},
    };
    struct mem_source *m = source_new(true);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct answer x;
        ask(m, rows[i].text, (struct promql_query){.start = 90 * MINUTE}, &x);
        assert_int_equal(x.r.infos_n, 1);
        assert_str(x.r.infos[0], str_from_z(rows[i].info));
        assert_int_equal(x.r.warnings_n, rows[i].warning != NULL);
        if (rows[i].warning)
            assert_str(x.r.warnings[0], str_from_z(rows[i].warning));
        arena_fini(&x.arena);
    }
    mem_source_free(m);
}

/* Inside of a row: every step has a value, close to what the samples would give. */
static void test_between_borders(void **s)
{
    struct mem_source *all = source_new(false), *tiers = source_new(true);
    struct promql_query q = {.start = 10 * MINUTE, .end = 6 * HOUR, .step_ms = 13 * MINUTE};
    struct answer got, want;
    ask(all, "sum(rate(c_total{job=\"x\"}[5m]))", q, &want);
    ask(tiers, "sum(rate(c_total{job=\"x\"}[5m]))", q, &got);
    assert_int_equal(got.r.series[0].n, want.r.series[0].n);
    for (size_t k = 0; k < got.r.series[0].n; k++)
        assert_true(fabs(got.r.series[0].v[k] / want.r.series[0].v[k] - 1) < 0.8);
    arena_fini(&got.arena);
    arena_fini(&want.arena);
    ask(all, "c_total{job=\"x\"}", q, &want);
    ask(tiers, "c_total{job=\"x\"}", q, &got);
    assert_int_equal(got.r.series[0].n, want.r.series[0].n);
    arena_fini(&got.arena);
    arena_fini(&want.arena);
    ask(tiers, "c_total{job=\"x\"}[2h]", (struct promql_query){.start = 4 * HOUR}, &got);
    assert_int_equal(got.r.series[0].n, 2 + 2 * 12);
    arena_fini(&got.arena);
    ask(all, "histogram_count(rate(h[50m]))", q, &want);
    ask(tiers, "histogram_count(rate(h[50m]))", q, &got);
    assert_int_equal(got.r.series[0].n, want.r.series[0].n);
    for (size_t k = 4; k < got.r.series[0].n; k++)
        assert_true(fabs(got.r.series[0].v[k] / want.r.series[0].v[k] - 1) < 0.2);
    arena_fini(&got.arena);
    arena_fini(&want.arena);
    mem_source_free(all);
    mem_source_free(tiers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_at_borders),
        cmocka_unit_test(test_samples_alone),
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_between_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
