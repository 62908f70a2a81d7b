// SPDX-License-Identifier: Apache-2.0
/* Arithmetic, resets, statistics and text of native histograms, each case in the script form. */
#include <math.h>

#include "base/num.h"
#include "base/test.h"
#include "model/histogram_math.h"

static struct histogram parse(struct arena *a, const char *text)
{
    struct histogram h;
    struct err err;
    bool hint;
    if (!histogram_parse(str_from_z(text), a, &h, &hint, &err))
        fail_msg("%s: %s", text, err.msg);
    return h;
}

static void assert_text(const struct histogram *h, const char *want)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    histogram_format_script(h, &b);
    assert_string_equal(b.p, want);
}

static const char *const texts[] = {
    "{{}}",
    "{{schema:1 count:3 sum:2.5 buckets:[1 2]}}",
    "{{schema:-4 count:1 sum:-2 z_bucket:1 z_bucket_w:0.5}}",
    "{{schema:-53 count:3 sum:2 custom_values:[1 2.5] offset:1 buckets:[1 2]}}",
    ("{{schema:8 count:6 sum:1 counter_reset_hint:gauge offset:-7 buckets:[1 0 2] n_offset:3 "
     "n_buckets:[3]}}"),
};

static void test_text(void **state)
{
    ARENA_CLEANUP struct arena a;
    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct histogram h = parse(&a, texts[i]);
        assert_text(&h, texts[i]);
    }
    static const char *const bad[] = {"{{",
                                      "{{sum}}",
                                      "{{sum:x}}",
                                      "{{foo:1}}",
                                      "{{buckets:[1}}",
                                      "{{schema:1000}}",
                                      "{{counter_reset_hint:maybe}}",
                                      "{sum:1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct histogram h;
        struct err err;
        bool hint;
        assert_false(histogram_parse(str_from_z(bad[i]), &a, &h, &hint, &err));
    }
}

static const struct {
    const char *a, *b;
    double factor;
    const char *want; /* NULL: cannot be added */
    unsigned flags;
} sums[] = {
    {"{{schema:0 count:3 sum:4 buckets:[1 2]}}", "{{schema:0 count:3 sum:1 offset:1 buckets:[3]}}",
     1, "{{count:6 sum:5 buckets:[1 5]}}", 0},
    {"{{schema:0 count:3 sum:4 buckets:[1 2]}}", "{{schema:0 count:1 sum:1 buckets:[1]}}", -1,
     "{{count:2 sum:3 offset:1 buckets:[2]}}", 0},
    /* the coarser schema wins: buckets 1 and 2 of schema 1 are bucket 1 of schema 0 */
    {"{{schema:1 count:3 sum:4 offset:1 buckets:[1 2]}}",
     "{{schema:0 count:5 sum:1 offset:1 buckets:[5]}}", 1, "{{count:8 sum:5 offset:1 buckets:[8]}}",
     0},
    /* the wider zero bucket swallows (0.5, 1] */
    {"{{schema:0 count:3 sum:4 z_bucket:1 z_bucket_w:1}}",
     "{{schema:0 count:3 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[2]}}", 1,
     "{{count:6 sum:5 z_bucket:4 z_bucket_w:1}}", 0},
    /* and grows to the end of one that it cuts */
    {"{{schema:0 count:3 sum:4 z_bucket:1 z_bucket_w:0.75}}",
     "{{schema:0 count:3 sum:1 z_bucket:1 z_bucket_w:0.001 buckets:[1] n_buckets:[1]}}", 1,
     "{{count:6 sum:5 z_bucket:4 z_bucket_w:1}}", 0},
    {"{{schema:-53 count:3 sum:4 custom_values:[1 2 4] buckets:[1 1 1]}}",
     "{{schema:-53 count:3 sum:1 custom_values:[1 3 4] buckets:[1 1 1]}}", 1,
     "{{schema:-53 count:6 sum:5 custom_values:[1 4] buckets:[2 4]}}", HISTOGRAM_RECONCILED},
    {"{{schema:-53 count:3 sum:4 custom_values:[1] buckets:[1]}}", "{{count:3 sum:1 buckets:[1]}}",
     1, NULL, 0},
    {"{{count:1 sum:1 counter_reset_hint:reset buckets:[1]}}",
     "{{count:1 sum:1 counter_reset_hint:not_reset buckets:[1]}}", 1,
     "{{count:2 sum:2 buckets:[2]}}", HISTOGRAM_COLLISION},
    {"{{count:1 sum:1 buckets:[1]}}", "{{count:1 sum:1 counter_reset_hint:gauge buckets:[1]}}", 1,
     "{{count:2 sum:2 counter_reset_hint:gauge buckets:[2]}}", 0},
};

static void test_add(void **state)
{
    ARENA_CLEANUP struct arena a;
    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        struct histogram x = parse(&a, sums[i].a), y = parse(&a, sums[i].b);
        struct histogram_work w = {0};
        unsigned flags = 0;
        histogram_work_set(&w, &x);
        bool ok = histogram_work_add(&w, &y, sums[i].factor, &flags);
        assert_int_equal(ok, sums[i].want != NULL);
        if (ok)
            assert_text(histogram_work_freeze(&w, &a), sums[i].want);
        assert_int_equal(flags, sums[i].flags);
        histogram_work_fini(&w);
    }
}

static void test_scale(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct histogram_work w = {0};
    (void)state;
    arena_init(&a, 0);
    struct histogram h = parse(&a, "{{count:4 sum:8 z_bucket:1 z_bucket_w:0.1 buckets:[1 2]}}");
    histogram_work_set(&w, &h);
    histogram_work_scale(&w, -2);
    assert_text(histogram_work_freeze(&w, &a),
                "{{count:-8 sum:-16 z_bucket:-2 z_bucket_w:0.1 counter_reset_hint:gauge "
                "buckets:[-2 -4]}}");
    histogram_work_set(&w, &h);
    histogram_work_divide(&w, 0);
    assert_text(histogram_work_freeze(&w, &a),
                "{{count:+Inf sum:+Inf z_bucket:+Inf z_bucket_w:0.1}}");
    assert_true(histogram_work_overflowed(&w));
    histogram_work_set(&w, &h);
    histogram_work_scale(&w, INFINITY);
    assert_true(isinf(histogram_work_freeze(&w, &a)->sum));
    histogram_work_fini(&w);
}

static const struct {
    const char *before, *now;
    bool reset;
} resets[] = {
    {"{{count:2 sum:1 buckets:[1 1]}}", "{{count:3 sum:1 buckets:[1 2]}}", false},
    {"{{count:2 sum:1 buckets:[1 1]}}", "{{count:3 sum:1 buckets:[0 3]}}", true},
    {"{{count:2 sum:1 buckets:[1 1]}}", "{{count:1 sum:1 buckets:[1]}}", true},
    {"{{count:2 sum:1 buckets:[1 1]}}", "{{schema:1 count:3 sum:1 buckets:[1 1 1]}}", true},
    {"{{schema:1 count:2 sum:1 offset:1 buckets:[1 1]}}", "{{count:3 sum:1 offset:1 buckets:[3]}}",
     false},
    {"{{count:2 sum:1 buckets:[1 1]}}",
     "{{count:3 sum:1 z_bucket:1 z_bucket_w:1 offset:1 buckets:[2]}}", false},
    {"{{count:2 sum:1 buckets:[1 1]}}",
     "{{count:3 sum:1 z_bucket:2 z_bucket_w:0.75 offset:1 buckets:[1]}}", true},
    {"{{count:2 sum:1 buckets:[1 1]}}", "{{count:3 sum:1 counter_reset_hint:reset buckets:[1 2]}}",
     true},
    {"{{count:2 sum:1 buckets:[1 1]}}",
     "{{count:1 sum:1 counter_reset_hint:not_reset buckets:[1]}}", false},
    {"{{schema:-53 count:3 sum:1 custom_values:[1 2 4] buckets:[1 1 1]}}",
     "{{schema:-53 count:3 sum:1 custom_values:[1 4] buckets:[1 2]}}", false},
    {"{{schema:-53 count:3 sum:1 custom_values:[1 2 4] buckets:[1 1 1]}}",
     "{{schema:-53 count:3 sum:1 custom_values:[1 4] buckets:[2 1]}}", true},
    {"{{schema:-53 count:3 sum:1 custom_values:[1] buckets:[1]}}", "{{count:9 sum:1}}", true},
};

static void test_reset(void **state)
{
    ARENA_CLEANUP struct arena a;
    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof resets / sizeof *resets; i++) {
        struct histogram before = parse(&a, resets[i].before), now = parse(&a, resets[i].now);
        if (histogram_was_reset(&now, &before) != resets[i].reset)
            fail_msg("%s after %s", resets[i].now, resets[i].before);
    }
}

static void test_statistics(void **state)
{
    ARENA_CLEANUP struct arena a;
    enum histogram_nan nan;
    (void)state;
    arena_init(&a, 0);
    /* four observations in (1, 2], four in (2, 4] */
    struct histogram h = parse(&a, "{{count:8 sum:20 offset:1 buckets:[4 4]}}");
    assert_true(fabs(histogram_quantile(&h, 0.5, &nan) - 2) < 1e-12);
    assert_true(fabs(histogram_quantile(&h, 0.25, &nan) - sqrt(2)) < 1e-12);
    assert_true(fabs(histogram_fraction(&h, -INFINITY, sqrt(2), &nan) - 0.25) < 1e-12);
    assert_true(fabs(histogram_fraction(&h, 2, 4, &nan) - 0.5) < 1e-12);
    assert_true(isinf(histogram_quantile(&h, 2, &nan)));
    struct histogram c = parse(&a, "{{schema:-53 count:4 sum:6 custom_values:[2 4] buckets:[4]}}");
    assert_true(fabs(histogram_quantile(&c, 0.5, &nan) - 1) < 1e-12);
    struct histogram d = parse(&a, "{{schema:-53 count:2 sum:4 custom_values:[1 3] offset:1 "
                                   "buckets:[2]}}");
    assert_true(fabs(histogram_variance(&d)) < 1e-12);
    struct histogram n = parse(&a, "{{count:4 sum:NaN offset:1 buckets:[2]}}");
    histogram_quantile(&n, 0.1, &nan);
    assert_int_equal(nan, HISTOGRAM_NAN_SKEWS);
    assert_true(isnan(histogram_quantile(&n, 0.9, &nan)));
    assert_int_equal(nan, HISTOGRAM_NAN_RESULT);
}

static const struct {
    double at;
    bool upper;
    const char *want;
} trims[] = {
    {4, true, "{{count:8 sum:20 offset:1 buckets:[4 4]}}"},
    {2, true, "{{count:4 sum:5.656854249492381 offset:1 buckets:[4]}}"},
    {2, false, "{{count:4 sum:11.313708498984761 offset:2 buckets:[4]}}"},
    {8, false, "{{}}"},
};

static void test_trim(void **state)
{
    ARENA_CLEANUP struct arena a;
    (void)state;
    arena_init(&a, 0);
    struct histogram h = parse(&a, "{{count:8 sum:20 offset:1 buckets:[4 4]}}");
    for (size_t i = 0; i < sizeof trims / sizeof *trims; i++) {
        struct histogram_work w = {0};
        histogram_work_set(&w, &h);
        histogram_work_trim(&w, trims[i].at, trims[i].upper);
        assert_text(histogram_work_freeze(&w, &a), trims[i].want);
        histogram_work_fini(&w);
    }
}

static void test_list(void **state)
{
    ARENA_CLEANUP struct arena a;
    STRBUF_CLEANUP struct strbuf b = {0};
    (void)state;
    arena_init(&a, 0);
    struct histogram h = parse(&a, "{{schema:1 count:6 sum:1.5 z_bucket:1 z_bucket_w:0.001 "
                                   "buckets:[1 0 1] n_buckets:[2 1]}}");
    histogram_format(&h, &b);
    assert_string_equal(b.p, "{count:6, sum:1.5, [-1.414213562373095,-1):1, "
                             "[-1,-0.7071067811865475):2, [-0.001,0.001]:1, "
                             "(0.7071067811865475,1]:1, (1.414213562373095,2]:1}");
    /* the last regular bucket ends at the largest number, the one behind it at +Inf */
    struct histogram top = parse(&a, "{{count:2 sum:1 offset:1024 buckets:[1 1]}}");
    struct histogram_bucket list[3];
    assert_int_equal(histogram_list(&top, list), 2);
    assert_true(!isinf(list[0].upper) && isinf(list[1].upper));
    struct histogram far = parse(&a, "{{schema:-4 count:2 sum:1 offset:-1000000000 buckets:[1]}}");
    assert_int_equal(histogram_list(&far, list), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),       cmocka_unit_test(test_add),
        cmocka_unit_test(test_scale),      cmocka_unit_test(test_reset),
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_trim),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
