// SPDX-License-Identifier: Apache-2.0
#include "tsdb/tier_block.h"

#include <math.h>

#include "base/test.h"
#include "model/source.h"

enum { STEP = 300000, SAMPLES = 6000 };

static uint64_t state = 4101842887655102017ULL;

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static const struct histogram *make_histogram(struct arena *a, double x)
{
    static const struct histogram_span span = {2, 3};
    double *counts = arena_array(a, double, 3);
    struct histogram *h = arena_new(a, struct histogram);
    for (int i = 0; i < 3; i++)
        counts[i] = floor(x / (i + 1));
    h->count = counts[0] + counts[1] + counts[2];
    h->sum = x * 1.25;
    h->zero_threshold = 0x1p-128;
    h->schema = 3;
    h->positive = (struct histogram_buckets){&span, counts, 1, 3};
    return h;
}

enum shape { COUNTER, CONSTANT, DECIMALS, NOISE, STRANGE, HISTOGRAM, MIXED, SHAPES };

static double value(enum shape s, double *counter)
{
    static const double strange[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1e308};
    switch (s) {
    case CONSTANT:
        return 42.5;
    case DECIMALS:
        return (double)rnd(10000) / 100;
    case NOISE:
        return (double)rnd(1ULL << 53) / 9007199254740992.0;
    case STRANGE:
        return strange[rnd(TESTS_N(strange))];
    default:
        return *counter = rnd(3000) ? *counter + (double)rnd(200) : 0;
    }
}

/* Rows of a random series; `calm`: scraped without a gap or a marker. */
static void make_rows(struct tier_rows *out, enum shape shape, size_t n, bool calm)
{
    static ts_ms t[SAMPLES];
    static double v[SAMPLES];
    static const struct histogram *h[SAMPLES];
    double counter = 0;
    ts_ms at = 1700000000000;
    for (size_t i = 0; i < n; i++) {
        at += calm || rnd(100) ? 15000 : 1 + (ts_ms)rnd(3 * STEP);
        t[i] = at;
        v[i] = value(shape, &counter);
        bool is_hist = shape == HISTOGRAM || (shape == MIXED && i / 100 % 2);
        h[i] = is_hist ? make_histogram(out->arena, v[i]) : NULL;
        if (!calm && rnd(100) == 0) {
            v[i] = stale_nan();
            h[i] = NULL;
        }
    }
    tier_of_samples(out, STEP, &(struct columns){.n = n, .t = t, .v = v, .h = h});
}

static void assert_same_hist(const struct histogram *x, const struct histogram *y)
{
    assert_true(!x == !y);
    assert_true(!x || histogram_equal(x, y));
}

static void assert_same(const struct tier_row *x, const struct tier_row *y)
{
    assert_true(x->start == y->start && x->end == y->end && x->stale == y->stale);
    assert_true(x->first_t == y->first_t && x->last_t == y->last_t && x->count == y->count);
    assert_memory_equal(&x->first, &y->first, 6 * sizeof(double));
    assert_true(!x->hist == !y->hist);
    if (!x->hist)
        return;
    assert_same_hist(x->hist->first, y->hist->first);
    assert_same_hist(x->hist->last, y->hist->last);
    assert_same_hist(x->hist->lost, y->hist->lost);
}

/* Writes, reads, compares every bit; gives the size. */
static size_t round_trip(const struct tier_rows *rows)
{
    size_t size = 0;
    for (size_t done = 0, taken; done < rows->n; done += taken) {
        struct enc e = {0};
        struct err err;
        int64_t step;
        struct tier_rows back = {rows->arena};
        taken = tier_block_encode(&e, STEP, rows->at + done, rows->n - done);
        assert_true(taken >= 1 && taken <= rows->n - done);
        assert_int_equal(tier_block_count((bytes){e.p, e.n}), taken);
        uint8_t *copy = mem_dup(e.p, e.n); /* reading past its end is seen by the sanitizers */
        assert_true(tier_block_decode((bytes){copy, e.n}, &back, &step, &err));
        assert_int_equal(step, STEP);
        assert_int_equal(back.n, taken);
        for (size_t i = 0; i < taken; i++)
            assert_same(&rows->at[done + i], &back.at[i]);
        free(copy);
        for (size_t cut = 0; cut < e.n; cut += 1 + e.n / 50) {
            copy = mem_dup(e.p, cut);
            back.n = 0;
            tier_block_decode((bytes){copy, cut}, &back, &step, &err);
            free(copy);
        }
        size += e.n;
        enc_fini(&e);
    }
    return size;
}

static void test_every_bit_comes_back(void **s)
{
    for (int round = 0; round < 140; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        make_rows(&rows, (enum shape)(round % SHAPES), 1 + rnd(SAMPLES), round % 3 == 0);
        round_trip(&rows);
    }
}

/* The most that a row may take where 20 samples made one. */
static void test_sizes(void **s)
{
    static const struct {
        enum shape shape;
        double bytes;
    } cases[] = {{CONSTANT, 0.5}, {COUNTER, 7}, {DECIMALS, 13}, {NOISE, 48}, {HISTOGRAM, 15}};
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct tier_rows rows = {&a};
        make_rows(&rows, cases[i].shape, SAMPLES, true);
        double took = (double)round_trip(&rows) / (double)rows.n;
        print_message("# shape %d: %.2f bytes a row\n", (int)cases[i].shape, took);
        assert_true(took <= cases[i].bytes);
    }
}

static void test_extreme_times(void **s)
{
    static const ts_ms t[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX};
    static const double v[] = {0, -0.0, 1e308, 5e-324, -1, 2};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct tier_rows rows = {&a};
    tier_of_samples(&rows, STEP, &(struct columns){.n = 6, .t = t, .v = v});
    round_trip(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit_comes_back),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_extreme_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
