// SPDX-License-Identifier: Apache-2.0
#include "model/histogram.h"

#include <math.h>

#include "base/test.h"

#define BUCKETS(s, c)                                                                              \
    {                                                                                              \
        s, c, TESTS_N(s), TESTS_N(c)                                                               \
    }

static const struct histogram_span spans[] = {{-2, 2}, {3, 1}};
static const double counts[] = {1, 2, 3};
static const struct histogram_span wide_spans[] = {{-3, 4}, {0, 0}, {2, 1}};
static const double wide_counts[] = {0, 1, 2, 0, 3};
static const struct histogram_span back[] = {{5, 2}, {-3, 1}};
static const struct histogram_span far[] = {{INT32_MAX, 2}, {3, 1}};
static const double below[] = {1, -2, 3};
static const double not_a_number[] = {1, NAN, 3};
static const double bounds[] = {1, 2.5, 10};
static const double falling[] = {1, 0.5, 10};
static const double endless[] = {1, 2, INFINITY};
static const struct histogram_span low[] = {{0, 3}};

static struct histogram usual(void)
{
    return (struct histogram){.schema = 3,
                              .count = 7,
                              .sum = 12.5,
                              .zero_threshold = 0x1p-128,
                              .zero_count = 1,
                              .positive = BUCKETS(spans, counts)};
}

static void test_check(void **state)
{
    static const struct {
        struct histogram h;
        const char *why; /* NULL: fine */
    } rows[] = {
        {{.schema = 0}, NULL},
        {{.schema = 8, .positive = BUCKETS(spans, counts)}, NULL},
        {{.schema = -4, .negative = BUCKETS(spans, counts)}, NULL},
        {{.schema = 9}, "unknown schema 9"},
        {{.schema = -5}, "unknown schema -5"},
        {{.reset = 4}, "reset hint"},
        {{.positive = BUCKETS(back, counts)}, "goes back"},
        {{.positive = BUCKETS(far, counts)}, "out of all bounds"},
        {{.positive = BUCKETS(low, bounds), .negative = {.counts_n = 1}}, "spans name 0"},
        {{.positive = {spans, counts, 2, 2}}, "spans name 3"},
        {{.negative = BUCKETS(spans, below)}, "negative bucket 1"},
        {{.negative = BUCKETS(spans, not_a_number)}, "negative bucket 1"},
        {{.positive = {spans, counts, 2, HISTOGRAM_BUCKETS_MAX + 1}}, "more than"},
        {{.count = -1}, "below zero"},
        {{.zero_count = NAN}, "below zero"},
        {{.zero_threshold = -1}, "threshold"},
        {{.custom = bounds, .custom_n = 3}, "has custom bounds"},
        {{.schema = HISTOGRAM_CUSTOM, .custom = bounds, .custom_n = 3}, NULL},
        {{.schema = HISTOGRAM_CUSTOM,
          .custom = bounds,
          .custom_n = 3,
          .positive = BUCKETS(low, counts)},
         NULL},
        {{.schema = HISTOGRAM_CUSTOM, .custom = falling, .custom_n = 3}, "do not rise at 1"},
        {{.schema = HISTOGRAM_CUSTOM, .custom = endless, .custom_n = 3}, "+Inf"},
        {{.schema = HISTOGRAM_CUSTOM,
          .custom = bounds,
          .custom_n = 1,
          .positive = BUCKETS(low, counts)},
         "only 1 bounds"},
        {{.schema = HISTOGRAM_CUSTOM, .positive = BUCKETS(spans, counts)}, "begin below 0"},
        {{.schema = HISTOGRAM_CUSTOM, .zero_count = 1}, "no zero bucket"},
        {{.schema = HISTOGRAM_CUSTOM, .negative = BUCKETS(low, counts)}, "no negative"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct err err = {0};
        bool ok = histogram_check(&rows[i].h, &err);
        if (ok != !rows[i].why || (rows[i].why && !strstr(err.msg, rows[i].why)))
            fail_msg("row %zu: %s", i, ok ? "taken" : err.msg);
    }
}

static void test_equal(void **state)
{
    struct histogram a = usual(), b = usual();
    b.positive = (struct histogram_buckets)BUCKETS(wide_spans, wide_counts);
    assert_true(histogram_equal(&a, &b));
    assert_true(histogram_equal(&b, &a));
    b.reset = HISTOGRAM_RESET_NO;
    assert_false(histogram_equal(&a, &b));
    assert_true(histogram_same_sample(&a, &b));
    b.reset = HISTOGRAM_GAUGE;
    assert_false(histogram_same_sample(&a, &b));
    b = usual();
    b.sum = -b.sum;
    assert_false(histogram_equal(&a, &b));
    b = usual();
    b.positive.counts_n = 2, b.positive.spans_n = 1;
    assert_false(histogram_equal(&a, &b));
    assert_false(histogram_equal(&b, &a));
    b = usual();
    b.negative = a.positive;
    assert_false(histogram_equal(&a, &b));
    a = b = (struct histogram){.schema = HISTOGRAM_CUSTOM, .custom = bounds, .custom_n = 3};
    b.custom_n = 2;
    assert_false(histogram_equal(&a, &b));
    b.custom = endless, b.custom_n = 3;
    assert_false(histogram_equal(&a, &b));
}

static void test_dup_and_walk(void **state)
{
    struct arena arena ARENA_CLEANUP;
    arena_init(&arena, 0);
    struct histogram h = usual();
    h.negative = (struct histogram_buckets)BUCKETS(wide_spans, wide_counts);
    struct histogram *copy = histogram_dup(&arena, &h);
    assert_true(histogram_equal(&h, copy));
    assert_ptr_not_equal(copy->positive.counts, h.positive.counts);
    static const int64_t at[] = {-3, -2, -1, 0, 3};
    struct histogram_walk w = histogram_walk_of(&copy->negative);
    for (size_t i = 0; i < TESTS_N(at); i++) {
        assert_true(histogram_walk_next(&w));
        assert_int_equal(w.index, at[i]);
        assert_true(w.count == wide_counts[i]);
    }
    assert_false(histogram_walk_next(&w));
}

static void test_integral(void **state)
{
    static const double halves[] = {1, 2, 0.5};
    struct histogram h = usual();
    assert_true(histogram_is_integral(&h));
    h.negative = (struct histogram_buckets)BUCKETS(spans, halves);
    assert_false(histogram_is_integral(&h));
    h = usual();
    h.count = 0x1p54;
    assert_false(histogram_is_integral(&h));
    h.count = -0.0;
    assert_false(histogram_is_integral(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_dup_and_walk),
        cmocka_unit_test(test_integral),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
