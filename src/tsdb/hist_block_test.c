// SPDX-License-Identifier: Apache-2.0
#include "tsdb/hist_block.h"

#include <math.h>

#include "base/mem.h"
#include "base/test.h"
#include "model/sample.h"

enum { N_MAX = 3000, BUCKETS = 400 };

static uint64_t state = 88172645463325252ULL;

static uint64_t rnd(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545f4914f6cdd1dULL >> 20) % below;
}

/* A life of one series: buckets are plain arrays over indexes, made a histogram at each sample. */
struct life {
    double positive[BUCKETS], negative[BUCKETS];
    double zero, sum, threshold;
    int schema;
    bool floats, gauge, custom;
    int center;
};

static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

static void to_buckets(struct arena *a, const double *all, int from, struct histogram_buckets *b)
{
    struct histogram_span *spans = arena_array(a, struct histogram_span, BUCKETS);
    double *counts = arena_array(a, double, BUCKETS);
    uint32_t spans_n = 0, n = 0;
    int end = 0;
    for (int i = 0; i < BUCKETS; i++) {
        bool extra =
            all[i] == 0 && from && rnd(40) == 0 && i + from >= end; /* written, though empty */
        if (all[i] == 0 && !extra)
            continue;
        if (!spans_n || i + from != end)
            spans[spans_n++] = (struct histogram_span){i + from - end, 0};
        spans[spans_n - 1].n++;
        end = i + from + 1;
        counts[n++] = all[i];
    }
    *b = (struct histogram_buckets){spans, counts, spans_n, n};
}

static const struct histogram *snapshot(struct arena *a, const struct life *l)
{
    struct histogram *h = arena_new(a, struct histogram);
    h->schema = (int8_t)(l->custom ? HISTOGRAM_CUSTOM : l->schema);
    h->sum = l->sum;
    h->reset = l->gauge ? HISTOGRAM_GAUGE : rnd(30) == 0 ? HISTOGRAM_RESET_YES : 0;
    to_buckets(a, l->positive, l->custom ? 0 : -200, &h->positive);
    if (l->custom) {
        h->custom = bounds;
        h->custom_n = TESTS_N(bounds);
    } else {
        h->zero_threshold = l->threshold;
        h->zero_count = l->zero;
        to_buckets(a, l->negative, 100, &h->negative);
    }
    h->count = h->zero_count;
    for (uint32_t i = 0; i < h->positive.counts_n; i++)
        h->count += h->positive.counts[i];
    for (uint32_t i = 0; i < h->negative.counts_n; i++)
        h->count += h->negative.counts[i];
    if (rnd(200) == 0)
        h->count += 1; /* where a NaN was observed */
    return h;
}

static void observe(struct life *l, int times)
{
    for (int i = 0; i < times; i++) {
        int at = l->center + (int)(rnd(8) + rnd(8) + rnd(8)) - 12;
        if (l->custom)
            at = (int)rnd(TESTS_N(bounds) + 1);
        at = at < 0 ? 0 : at >= BUCKETS ? BUCKETS - 1 : at;
        double by = l->floats ? (double)rnd(1000000) / 3e5 : 1;
        double *row = l->custom || rnd(6) ? l->positive : l->negative;
        row[at] += by;
        l->zero += rnd(9) ? 0 : by;
        l->sum += (double)rnd(100000) / 1000;
    }
}

static void step(struct life *l)
{
    switch (rnd(60)) {
    case 0: /* restart */
        memset(l->positive, 0, sizeof l->positive);
        memset(l->negative, 0, sizeof l->negative);
        l->zero = l->sum = 0;
        break;
    case 1:
        l->schema = (int)rnd(13) - 4;
        break;
    case 2:
        l->threshold = rnd(2) ? 0x1p-128 : (double)rnd(100) / 7;
        break;
    case 3:
        l->center += (int)rnd(60) - 30;
        break;
    case 4:
        l->sum = rnd(2) ? NAN : -INFINITY;
        break;
    default:
        break;
    }
    observe(l, (int)rnd(40));
}

static size_t round_trip(const ts_ms *t, const struct histogram *const *h, size_t n, size_t *taken)
{
    struct enc e = {0};
    struct err err = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    *taken = hist_block_encode(&e, t, h, n);
    assert_in_range(*taken, 1, n);
    uint8_t *copy = mem_dup(e.p, e.n);
    bytes b = {copy, e.n};
    assert_int_equal(hist_block_count(b), *taken);
    ts_ms *t2 = mem_array(*taken, sizeof *t2);
    const struct histogram **h2 = mem_array(*taken, sizeof(void *));
    if (!hist_block_decode(b, &a, t2, h2, &err))
        fail_msg("%s", err.msg);
    assert_memory_equal(t, t2, *taken * sizeof *t);
    for (size_t i = 0; i < *taken; i++)
        assert_true(histogram_equal(h[i], h2[i]));
    for (size_t cut = 0; cut < e.n && *taken < 10; cut++) {
        uint8_t *part = mem_dup(e.p, cut);
        if (hist_block_count((bytes){part, cut}) == *taken)
            assert_false(hist_block_decode((bytes){part, cut}, &a, t2, h2, &err));
        free(part);
    }
    size_t size = e.n;
    free(t2);
    free(h2);
    free(copy);
    enc_fini(&e);
    return size;
}

static void test_lives_come_back(void **s)
{
    static const struct histogram *h[N_MAX];
    static ts_ms t[N_MAX];
    for (int round = 0; round < 120; round++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct life l = {.threshold = 0x1p-128, .schema = 3, .center = 200};
        size_t n = round == 0 ? N_MAX : round < 20 ? (size_t)round : 1 + rnd(200), taken;
        l.floats = round % 3 == 1;
        l.gauge = round % 7 == 2;
        l.custom = round % 4 == 3;
        for (size_t i = 0; i < n; i++) {
            step(&l);
            h[i] = snapshot(&a, &l);
            t[i] = (ts_ms)i * 15000 + (ts_ms)rnd(3);
            struct err err;
            assert_true(histogram_check(h[i], &err));
        }
        for (size_t at = 0; at < n; at += taken)
            round_trip(t + at, h + at, n - at, &taken);
    }
}

/* Blocks end where they would take too much memory to read. */
static void test_cells_are_bounded(void **s)
{
    enum { WIDE = 10000, N = 40 };
    static double counts[WIDE];
    static const struct histogram *h[N];
    static ts_ms t[N];
    const struct histogram_span span = {-5000, WIDE};
    for (int i = 0; i < WIDE; i++)
        counts[i] = i + 1;
    struct histogram wide = {.positive = {&span, counts, 1, WIDE}, .sum = 1};
    size_t taken;
    for (int i = 0; i < N; i++) {
        h[i] = &wide;
        t[i] = i;
    }
    round_trip(t, h, N, &taken);
    assert_int_equal(taken, HIST_BLOCK_CELLS_MAX / WIDE);
}

static void test_one_alone(void **s)
{
    struct arena a ARENA_CLEANUP;
    struct enc e = {0};
    arena_init(&a, 0);
    struct life l = {.schema = 2, .center = 200};
    for (int i = 0; i < 50; i++) {
        l.floats = i % 2;
        step(&l);
        const struct histogram *h = snapshot(&a, &l);
        e.n = 0;
        hist_encode(&e, h);
        enc_u8(&e, 7);
        struct dec d = dec_of((bytes){e.p, e.n});
        const struct histogram *back = hist_decode(&d, &a);
        assert_non_null(back);
        assert_true(histogram_equal(h, back));
        assert_int_equal(dec_left(&d), 1);
    }
    enc_fini(&e);
}

/* Steady traffic over 40 buckets at 15 s: what a bucket and a sample cost. */
static void test_sizes(void **s)
{
    enum { N = 480 };
    static const struct histogram *h[N];
    static ts_ms t[N];
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct life l = {.threshold = 0x1p-128, .schema = 3, .center = 200};
    size_t taken, buckets = 0;
    for (size_t i = 0; i < N; i++) {
        observe(&l, 100);
        h[i] = snapshot(&a, &l);
        t[i] = (ts_ms)i * 15000;
        buckets += h[i]->positive.counts_n + h[i]->negative.counts_n;
    }
    size_t size = round_trip(t, h, N, &taken);
    assert_int_equal(taken, N);
    print_message("# %zu bytes, %.1f a histogram of %.1f buckets, %.2f bits a bucket\n", size,
                  (double)size / N, (double)buckets / N, 8.0 * (double)size / (double)buckets);
    assert_true(size < buckets * 6 / 8);
}

static void test_refused(void **s)
{
    static const uint8_t rows[][16] = {
        {1, 0, 0, 0, 0, 0, 1},                                /* no run */
        {1, 0, 0, 0, 0, 0, 1, 2},                             /* run longer than the block */
        {1, 0, 0, 0, 0, 0, 1, 1, 0x0a, 6, 0, 0, 0, 0},        /* derived without being integral */
        {1, 0, 0, 0, 0, 0, 1, 1, 5, 40, 0, 0, 0, 0},          /* schema 20 */
        {1, 0, 0, 0, 0, 0, 1, 1, 5, 6, 2, 0, 0, 0},           /* threshold code */
        {1, 0, 0, 0, 0, 0, 1, 1, 5, 6, 0, 0, 0, 9, 0, 0},     /* hint 9 */
        {1, 0, 0, 0, 0, 0, 1, 1, 5, 6, 0, 1, 0, 255, 255, 1}, /* 32,767 buckets */
    };
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        ts_ms t[1];
        const struct histogram *h[1];
        struct err err = {0};
        assert_false(hist_block_decode((bytes){rows[i], sizeof rows[i]}, &a, t, h, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_come_back), cmocka_unit_test(test_cells_are_bounded),
        cmocka_unit_test(test_one_alone),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
