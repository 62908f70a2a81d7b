// SPDX-License-Identifier: Apache-2.0
/* Windows over rows against the same windows over the samples that the rows were made of. */
#include "promql/tier_window.h"

#include <math.h>

#include "base/strbuf.h"
#include "base/test.h"
#include "model/source.h"
#include "promql/functions/mixed_int.h"

enum { SAMPLES_MAX = 4000, MINUTE = 60000, STEP = 5 * MINUTE, HOUR = 60 * MINUTE };

static uint64_t state = 1181783497276652981ULL;

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static struct {
    ts_ms t[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    size_t n;
} all;

/* A day and more of a counter or a gauge with gaps, jitter, resets and markers. */
static void generate(bool counter)
{
    ts_ms t = (ts_ms)rnd(HOUR) - HOUR;
    double v = 0;
    all.n = 2000 + rnd(SAMPLES_MAX - 2000);
    for (size_t i = 0; i < all.n; i++) {
        t += rnd(100) ? 15000 + (ts_ms)rnd(200) : 1 + (ts_ms)rnd(2 * HOUR);
        if (counter)
            v = rnd(200) ? v + (double)rnd(100) / 4 : (double)rnd(3);
        else
            v = (double)rnd(4000) / 8;
        all.t[i] = t;
        all.v[i] = rnd(150) ? v : stale_nan();
    }
}

/* The samples of (start, end] without markers, and what upstream makes of them. */
static bool naive(enum tier_function fn, ts_ms start, ts_ms end, double *out)
{
    static ts_ms t[SAMPLES_MAX];
    static double v[SAMPLES_MAX];
    size_t n = 0;
    double sum = 0, min = INFINITY, max = -INFINITY, rise = 0;
    for (size_t i = 0; i < all.n; i++) {
        if (all.t[i] <= start || all.t[i] > end || is_stale_nan(all.v[i]))
            continue;
        t[n] = all.t[i];
        v[n] = all.v[i];
        if (n > 0)
            rise += v[n] < v[n - 1] ? v[n] : v[n] - v[n - 1];
        sum += v[n];
        min = fmin(min, v[n]);
        max = fmax(max, v[n]);
        n++;
    }
    if (n == 0 || (n < 2 && fn >= TIER_RATE))
        return false;
    double share = rise > 0 && v[0] >= 0 ? v[0] / rise : -1;
    double range = (double)(end - start) / 1000;
    double more = n > 1 ? extrapolation(t[0], t[n - 1], n, start, end, share) : 0;
    double level = n > 1 ? extrapolation(t[0], t[n - 1], n, start, end, -1) : 0;
    const double results[] = {
        [TIER_SUM] = sum,
        [TIER_AVG] = sum / (double)n,
        [TIER_MIN] = min,
        [TIER_MAX] = max,
        [TIER_COUNT] = (double)n,
        [TIER_PRESENT] = 1,
        [TIER_FIRST] = v[0],
        [TIER_LAST] = v[n - 1],
        [TIER_TIME_OF_FIRST] = (double)t[0] / 1000,
        [TIER_TIME_OF_LAST] = (double)t[n - 1] / 1000,
        [TIER_RATE] = rise * more / range,
        [TIER_INCREASE] = rise * more,
        [TIER_DELTA] = (v[n - 1] - v[0]) * level,
    };
    *out = results[fn];
    return true;
}

/* Rows of an hour up to `hour`, of 5 minutes up to `raw`, samples from there on. */
static struct tier_series series_of(struct tier_rows *rows, ts_ms hour, ts_ms raw)
{
    static double v[SAMPLES_MAX];
    static ts_ms t[SAMPLES_MAX];
    size_t a = 0, b = 0, n = 0;
    while (a < all.n && all.t[a] <= hour)
        a++;
    for (b = a; b < all.n && all.t[b] <= raw;)
        b++;
    struct tier_rows fine = {rows->arena};
    tier_of_samples(&fine, STEP, &(struct columns){.n = a, .t = all.t, .v = all.v});
    tier_of_rows(rows, HOUR, fine.at, fine.n);
    tier_of_samples(rows, STEP, &(struct columns){.n = b - a, .t = all.t + a, .v = all.v + a});
    for (size_t i = b; i < all.n; i++) {
        if (is_stale_nan(all.v[i]))
            continue;
        t[n] = all.t[i];
        v[n++] = all.v[i];
    }
    return (struct tier_series){rows->at, rows->n, t, v, n};
}

static ts_ms floor_to(ts_ms t, int64_t step)
{
    return tier_window_start(t, step) + (t % step == 0 ? step : 0);
}
static ts_ms ceil_to(ts_ms t, int64_t step)
{
    return tier_window_start(t, step) + step;
}

/* Borders of the rows around a time. */
static int64_t step_at(ts_ms t, ts_ms hour, ts_ms raw)
{
    return t <= hour ? HOUR : t <= raw ? STEP : 1;
}

static void assert_near(const char *what, int fn, ts_ms start, ts_ms end, double got, double want)
{
    if (fabs(got - want) <= 1e-11 * (1 + fabs(want)))
        return;
    print_error("%s: function %d over (%lld, %lld]: got %.17g, want %.17g\n", what, fn,
                (long long)start, (long long)end, got, want);
    fail();
}

static void test_exact_at_borders(void **state_)
{
    for (int round = 0; round < 60; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        generate(round % 2);
        ts_ms hour = 5 * HOUR, raw = 9 * HOUR;
        struct tier_series s = series_of(&rows, hour, raw);
        for (int k = 0; k < 200; k++) {
            ts_ms start = (ts_ms)rnd(14 * HOUR), end = start + 1 + (ts_ms)rnd(8 * HOUR);
            start = floor_to(start, step_at(start, hour, raw));
            end = ceil_to(end, step_at(end, hour, raw));
            struct tier_cut cut;
            tier_window_cut(&s, start, end, &cut);
            assert_true(!cut.left && !cut.right);
            for (int fn = TIER_SUM; fn <= TIER_DELTA; fn++) {
                double got = 0, want = 0;
                bool some = naive((enum tier_function)fn, start, end, &want);
                assert_true(tier_window((enum tier_function)fn, &s, start, end, &got) == some);
                assert_near("border", fn, start, end, got, want);
            }
        }
    }
}

/* What grows with the window lies between the windows shrunk and grown to borders. */
static void test_between(void **state_)
{
    static const enum tier_function growing[] = {TIER_SUM, TIER_COUNT, TIER_MAX};
    for (int round = 0; round < 60; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        generate(round % 2);
        ts_ms hour = 5 * HOUR, raw = 9 * HOUR;
        struct tier_series s = series_of(&rows, hour, raw);
        for (int k = 0; k < 300; k++) {
            ts_ms start = (ts_ms)rnd(12 * HOUR), end = start + 1 + (ts_ms)rnd(6 * HOUR);
            int64_t at_start = step_at(start, hour, raw), at_end = step_at(end, hour, raw);
            ts_ms g_start = floor_to(start, at_start), g_end = ceil_to(end, at_end);
            ts_ms s_start = ceil_to(start, at_start), s_end = floor_to(end, at_end);
            for (size_t i = 0; i < TESTS_N(growing); i++) {
                double got, least = 0, most = 0;
                if (!tier_window(growing[i], &s, start, end, &got))
                    continue;
                assert_true(naive(growing[i], g_start, g_end, &most));
                if (s_end > s_start)
                    naive(growing[i], s_start, s_end, &least);
                assert_true(got >= least - 1e-6 && got <= most + 1e-6);
            }
        }
    }
}

/* Increase and rate between those of the very windows S and G that the rows make: told from a
 * steady counter, of which every answer is known. */
static void test_steady_counter(void **state_)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct tier_rows rows = {&a};
    all.n = 3000;
    for (size_t i = 0; i < all.n; i++) {
        all.t[i] = 7000 + (ts_ms)i * 15000;
        all.v[i] = 1000 + 3 * (double)i;
    }
    struct tier_series s = series_of(&rows, 5 * HOUR, 9 * HOUR);
    for (int k = 0; k < 2000; k++) {
        ts_ms start = HOUR + (ts_ms)rnd(10 * HOUR), end = start + 31000 + (ts_ms)rnd(HOUR);
        double got;
        assert_true(tier_window(TIER_RATE, &s, start, end, &got));
        assert_true(fabs(got - 0.2) < 0.02);
        struct tier_cut cut;
        tier_window_cut(&s, start, end, &cut);
        if (cut.left || cut.right)
            assert_true(fabs(got - 0.2) < 0.002);
        assert_true(tier_window(TIER_INCREASE, &s, start, end, &got));
        assert_true(fabs(got - 0.2 * (double)(end - start) / 1000) <= 3.1);
        assert_true(tier_window(TIER_LAST, &s, start, end, &got));
        assert_true(got <= 1000 + 3 * ((double)(end - 7000) / 15000));
    }
}

static void test_inside_of_one_row(void **state_)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct tier_rows rows = {&a};
    all.n = 240;
    for (size_t i = 0; i < all.n; i++) {
        all.t[i] = HOUR + (ts_ms)(i + 1) * 15000;
        all.v[i] = (double)i;
    }
    struct tier_series s = series_of(&rows, 2 * HOUR, 2 * HOUR);
    ts_ms start = HOUR + 10 * MINUTE, end = start + 6 * MINUTE;
    static const struct {
        enum tier_function fn;
        double want;
    } cases[] = {
        {TIER_COUNT, 24},
        {TIER_MIN, 0},
        {TIER_MAX, 239},
        {TIER_SUM, 2868},
        {TIER_AVG, 119.5},
        {TIER_FIRST, 0},
        {TIER_LAST, 0},
        {TIER_PRESENT, 1},
        {TIER_RATE, 239.0 / 3585},
        {TIER_INCREASE, 24},
        {TIER_TIME_OF_LAST, (3600 + 960)},
    };
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        double got;
        assert_true(tier_window(cases[i].fn, &s, start, end, &got));
        assert_true(fabs(got - cases[i].want) <= 0.01 * fabs(cases[i].want));
    }
    assert_non_null(tier_row_around(s.rows, s.rows_n, start));
    assert_null(tier_row_around(s.rows, s.rows_n, HOUR));
    assert_null(tier_row_around(s.rows, s.rows_n, 2 * HOUR));
    double none;
    assert_false(tier_window(TIER_SUM, &s, 0, HOUR, &none));
    assert_false(tier_window(TIER_MAX, &s, 2 * HOUR, 3 * HOUR, &none));
    assert_false(tier_window(TIER_LAST, &s, 2 * HOUR, 3 * HOUR, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_at_borders),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_steady_counter),
        cmocka_unit_test(test_inside_of_one_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
