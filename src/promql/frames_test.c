// SPDX-License-Identifier: Apache-2.0
/*
 * Frames of many rows of times, and rates by them beside the plain formula: the same bits, also
 * where the zero of a counter is near, where it falls, and for numbers at the ends of the range.
 */
#include "promql/frames_int.h"

#include <math.h>

#include "base/mem.h"
#include "base/test.h"
#include "promql/functions/mixed_int.h"

static uint64_t seed = 1;

static uint64_t next(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

enum { SAMPLES = 60, STEPS = 40, RANGE_MS = 300000, SCRAPE_MS = 15000 };

static struct windows windows_of(ts_ms ends[STEPS])
{
    for (size_t i = 0; i < STEPS; i++)
        ends[i] = (ts_ms)i * 20000 + 60001;
    return (struct windows){.end = ends, .n = STEPS, .range_ms = RANGE_MS};
}

/* Times of a scrape with jitter and gaps. */
static size_t times_of(ts_ms t[SAMPLES])
{
    size_t n = 1 + next(SAMPLES);
    ts_ms at = (ts_ms)next(SCRAPE_MS);
    for (size_t i = 0; i < n; i++) {
        t[i] = at;
        at += SCRAPE_MS + (ts_ms)next(1000) + (next(20) == 0 ? RANGE_MS : 0);
    }
    return n;
}

static void test_frames(void **state)
{
    (void)state;
    enum { ROWS = 6000, ASKED = 20000 };
    ts_ms ends[STEPS];
    struct windows w = windows_of(ends);
    const struct function *rate = function_find(STR("rate"));
    ts_ms(*t)[SAMPLES] = mem_array(ROWS, sizeof *t);
    size_t n[ROWS];
    struct frames *frames = NULL;
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < ROWS; i++)
        n[i] = times_of(t[i]);
    for (size_t k = 0; k < ASKED; k++) {
        size_t i = next(4) ? next(ROWS) : next(8);
        uint32_t lo[STEPS], hi[STEPS];
        const struct frame *f = frames_get(&frames, &a, &w, rate, t[i], n[i]);
        assert_int_equal(f->looked_at, find_windows(&w, t[i], n[i], (struct bounds){lo, hi}));
        assert_memory_equal(f->at.lo, lo, sizeof lo);
        assert_memory_equal(f->at.hi, hi, sizeof hi);
    }
    free(t);
}

static double value(void)
{
    static const double odd[] = {0, -0.0, 5e-324, 1e-300, 1e300, -3, INFINITY, NAN, 0.1, 1e16};
    switch (next(8)) {
    case 0:
        return odd[next(sizeof odd / sizeof *odd)];
    case 1:
        return (double)next(1000000) / 128;
    default:
        return (double)next(5);
    }
}

/* A counter that mostly grows, or stays. */
static void values_of(double *v, size_t n)
{
    uint64_t kind = next(4);
    double sum = next(2) ? 0 : (double)next(1000000);
    for (size_t i = 0; i < n; i++) {
        sum += kind == 1 ? 0 : kind == 2 ? 1e-310 : (double)next(20);
        if (next(30) == 0)
            sum = 0;
        v[i] = kind == 3 ? value() : sum;
    }
}

/* What rate(), increase() and delta() are. */
static double plain(const struct range_row *r, size_t i, bool counter, bool per_second)
{
    size_t lo = r->lo[i], hi = r->hi[i];
    if (hi - lo < 2)
        return absent();
    double gain = r->v[hi - 1] - r->v[lo];
    for (size_t k = lo + 1; counter && k < hi; k++)
        if (r->v[k] < r->v[k - 1])
            gain += r->v[k - 1];
    double share = counter && gain > 0 && r->v[lo] >= 0 ? r->v[lo] / gain : -1;
    double factor =
        extrapolation(r->t[lo], r->t[hi - 1], hi - lo, r->end[i] - r->range_ms, r->end[i], share);
    return gain * (per_second ? factor / ((double)r->range_ms / 1000) : factor);
}

static void test_rates(void **state)
{
    static const struct {
        str name;
        bool counter, per_second;
    } functions[] = {{STR_INIT("rate"), true, true},
                     {STR_INIT("increase"), true, false},
                     {STR_INIT("delta"), false, false}};
    (void)state;
    ts_ms ends[STEPS], t[SAMPLES];
    double v[SAMPLES], with[STEPS], without[STEPS];
    struct windows w = windows_of(ends);
    for (size_t k = 0; k < 30000; k++) {
        const struct function *fn = function_find(functions[k % 3].name);
        struct frames *frames = NULL;
        ARENA_CLEANUP struct arena a;
        arena_init(&a, 0);
        size_t n = times_of(t);
        values_of(v, n);
        frames_get(&frames, &a, &w, fn, t, n);
        const struct frame *f = frames_get(&frames, &a, &w, fn, t, n);
        struct range_row r = {.t = t,
                              .v = v,
                              .n = n,
                              .steps = STEPS,
                              .lo = f->at.lo,
                              .hi = f->at.hi,
                              .end = ends,
                              .range_ms = RANGE_MS};
        fn->row(&r, without);
        r.shape = f->shape;
        fn->row(&r, with);
        for (size_t i = 0; i < STEPS; i++) {
            double want = plain(&r, i, functions[k % 3].counter, functions[k % 3].per_second);
            assert_memory_equal(&with[i], &without[i], sizeof want);
            assert_true(memcmp(&with[i], &want, sizeof want) == 0 ||
                        (isnan(want) && isnan(with[i]) && !is_absent(want)));
        }
    }
}

/* Extremes of all windows at once beside those of one. */
static void test_extremes(void **state)
{
    (void)state;
    ts_ms ends[STEPS], t[SAMPLES];
    double v[SAMPLES], scratch[SAMPLES], out[STEPS];
    uint32_t lo[STEPS], hi[STEPS];
    struct windows w = windows_of(ends);
    for (size_t k = 0; k < 30000; k++) {
        const struct function *fn =
            function_find(k % 2 ? STR("max_over_time") : STR("min_over_time"));
        size_t n = times_of(t);
        values_of(v, n);
        find_windows(&w, t, n, (struct bounds){lo, hi});
        struct range_row r = {
            .t = t, .v = v, .n = n, .steps = STEPS, .lo = lo, .hi = hi, .scratch = scratch};
        fn->row(&r, out);
        for (size_t i = 0; i < STEPS; i++) {
            double want = absent();
            struct window x = {.t = t + lo[i], .v = v + lo[i], .n = hi[i] - lo[i]};
            if (x.n)
                assert_true(fn->window(&x, &want));
            assert_memory_equal(&out[i], &want, sizeof want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames), cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
