// SPDX-License-Identifier: Apache-2.0
/* Queries on a pool give the same bits as on one thread, end when they are canceled, and report
 * what the source reports. */
#include <pthread.h>
#include <stdio.h>

#include "base/test.h"
#include "promql/mem_source.h"
#include "promql/promql.h"
#include "sys/pool.h"

enum { SERIES = 700, SAMPLES = 240 };
#define STEP_MS INT64_C(15000)
#define START_MS INT64_C(1700000000000)

static struct mem_source *source_new(void)
{
    struct mem_source *m = mem_source_new();
    for (int i = 0; i < SERIES; i++) {
        char name[32], job[32];
        snprintf(name, sizeof name, "i%03d", i);
        snprintf(job, sizeof job, "j%d", i % 7);
        struct label at[] = {{STR("__name__"), STR("a_total")},
                             {STR("instance"), str_from_z(name)},
                             {STR("job"), str_from_z(job)}};
        double v = i;
        for (int k = 0; k < SAMPLES; k++) {
            v += (double)((i * 31 + k * 17) % 23) / 7;
            /* Series that start late, have gaps, end, and are not of one phase. */
            if (i % 11 == 3 ? k < 50 : i % 13 == 5 && k % 9 < 3)
                continue;
            double x = i % 17 == 4 && k % 40 == 20 ? stale_nan() : v;
            mem_source_add(m, (struct labels){at, 3},
                           &(struct mem_sample){.t = START_MS + k * STEP_MS + i % 5 * 100, .v = x});
        }
    }
    return m;
}

struct asked {
    struct mem_source *m;
    const char *text;
    struct budget budget;
    struct arena arena;
    struct promql_result r;
    struct err err;
    bool ok;
};

static void ask(void *arg)
{
    struct asked *x = arg;
    struct promql_expr *e = promql_parse(str_from_z(x->text), NULL, &x->err);
    struct promql_query q = {.source = mem_source_source(x->m),
                             .expr = e,
                             .start = START_MS,
                             .end = START_MS + SAMPLES * STEP_MS,
                             .step_ms = 4 * STEP_MS,
                             .budget = &x->budget};
    arena_init(&x->arena, 0);
    x->ok = e && promql_exec(&q, &x->arena, &x->r, &x->err);
    promql_expr_free(e);
}

static void ask_on_pool(struct asked *x, size_t n, unsigned slots)
{
    struct pool *p = pool_new(&(struct pool_options){.slots = slots});
    for (size_t i = 0; i < n; i++)
        assert_true(pool_submit(p, POOL_QUERY, ask, &x[i]));
    pool_free(p);
}

static void assert_same_bits(const struct promql_result *a, const struct promql_result *b)
{
    assert_int_equal(a->series_n, b->series_n);
    assert_int_equal(a->stats.samples_total, b->stats.samples_total);
    assert_int_equal(a->stats.samples_read, b->stats.samples_read);
    for (size_t i = 0; i < a->series_n; i++) {
        const struct promql_series *x = &a->series[i], *y = &b->series[i];
        assert_true(labels_eq(x->labels, y->labels));
        assert_int_equal(x->n, y->n);
        assert_memory_equal(x->t, y->t, x->n * sizeof *x->t);
        assert_memory_equal(x->v, y->v, x->n * sizeof *x->v);
    }
}

static const char *const texts[] = {
    "a_total",
    "sum by (job) (rate(a_total[5m]))",
    "avg(increase(a_total[2m]))",
    "stddev by (job) (max_over_time(a_total[3m]))",
    "quantile_over_time(0.3, a_total[4m])",
    "topk(5, sum_over_time(a_total[1m]))",
    "rate(a_total[5m]) / on (instance) a_total",
    "sum(min_over_time(a_total[3m]) - a_total offset 1m)",
    "absent_over_time(a_total{instance=\"i003\"}[5m])",
};

static void test_same_bits(void **state)
{
    struct mem_source *m = source_new();
    for (size_t i = 0; i < TESTS_N(texts); i++) {
        struct asked alone = {.m = m, .text = texts[i]}, several[6] = {0};
        ask(&alone);
        assert_true(alone.ok);
        for (size_t k = 0; k < 6; k++)
            several[k] = (struct asked){.m = m, .text = texts[i]};
        ask_on_pool(several, 3, 4);
        ask_on_pool(several + 3, 3, 2);
        for (size_t k = 0; k < 6; k++) {
            assert_true(several[k].ok);
            assert_same_bits(&several[k].r, &alone.r);
            arena_fini(&several[k].arena);
        }
        arena_fini(&alone.arena);
    }
    mem_source_free(m);
}

/* However many threads read ahead, what they count is counted against one budget. */
static void test_budget(void **state)
{
    struct mem_source *m = source_new();
    struct asked x[4] = {0};
    for (size_t i = 0; i < 4; i++)
        x[i] = (struct asked){.m = m, .text = texts[1], .budget.samples_max = 1 + i * 30000};
    ask_on_pool(x, 4, 3);
    for (size_t i = 0; i < 4; i++) {
        assert_false(x[i].ok);
        assert_int_equal(x[i].err.kind, ERR_LIMIT);
        arena_fini(&x[i].arena);
    }
    mem_source_free(m);
}

/* Says that time is over after so many looks at the clock. */
static int64_t counting_clock(void *left)
{
    return atomic_fetch_sub((_Atomic int *)left, 1) > 0 ? 0 : 2;
}

static void test_deadline_anywhere(void **state)
{
    struct mem_source *m = source_new();
    for (int n = 1; n < 60; n += 3) {
        _Atomic int left = n;
        struct asked x = {
            .m = m,
            .text = texts[3],
            .budget = {.deadline_mono_ns = 1, .mono_ns = counting_clock, .clock = &left}};
        ask_on_pool(&x, 1, 3);
        assert_false(x.ok);
        assert_int_equal(x.err.kind, ERR_TIMEOUT);
        arena_fini(&x.arena);
    }
    mem_source_free(m);
}

/* A series of a million steps is a morsel of its own: whoever ends the query waits for one, not for
 * as many series as are read together. */
static void test_borders_of_many_steps(void **state)
{
    enum { LOOKS = 1 << 20, FOUND = 10 };
    struct mem_source *m = source_new();
    _Atomic int left = LOOKS;
    struct asked x = {.m = m,
                      .text = "count(count_over_time(a_total{instance=~\"i01.\"}[5m:1ms]))",
                      .budget = {.deadline_mono_ns = 1, .mono_ns = counting_clock, .clock = &left}};
    struct promql_expr *e = promql_parse(str_from_z(x.text), NULL, &x.err);
    struct promql_query q = {.source = mem_source_source(m),
                             .expr = e,
                             .start = START_MS + 600 * 1000,
                             .end = START_MS + 600 * 1000,
                             .budget = &x.budget};
    arena_init(&x.arena, 0);
    assert_true(promql_exec(&q, &x.arena, &x.r, &x.err));
    assert_in_range(LOOKS - left, 4 * FOUND, LOOKS); /* read, made, put, and one to spare */
    promql_expr_free(e);
    arena_fini(&x.arena);
    mem_source_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_deadline_anywhere),
        cmocka_unit_test(test_borders_of_many_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
