// SPDX-License-Identifier: Apache-2.0
/* The small ones: metric types, stale markers, batches, budgets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/sink.h"
#include "model/source.h"

static void test_types(void **state)
{
    for (int t = METRIC_UNKNOWN; t <= METRIC_GAUGEHISTOGRAM; t++)
        assert_int_equal(metric_type_parse(metric_type_name((enum metric_type)t)), t);
    assert_int_equal(metric_type_parse(STR("untyped")), METRIC_UNKNOWN);
    assert_int_equal(metric_type_parse(STR("Counter")), METRIC_UNKNOWN);
}

static void test_stale(void **state)
{
    assert_true(isnan(stale_nan()));
    assert_true(is_stale_nan(stale_nan()));
    assert_false(is_stale_nan(NAN));
    assert_false(is_stale_nan(0));
}

static void test_batch(void **state)
{
    struct batch *b = batch_new();
    assert_int_equal(b->series_n, 0);
    b->series = arena_array(&b->arena, struct batch_series, 3);
    batch_free(b);
    batch_free(NULL);
}

static int64_t fake_now(void *clock)
{
    return *(int64_t *)clock;
}

static void test_budget(void **state)
{
    int64_t now = 10;
    struct budget b = {
        .deadline_mono_ns = 20, .mono_ns = fake_now, .clock = &now, .samples_max = 100};
    struct err err = {0};
    assert_true(budget_use(&b, 100, &err));
    assert_false(budget_use(&b, 1, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.msg, "--query.max-samples"));
    assert_false(budget_use(&b, UINT64_MAX, &err));

    now = 20;
    assert_false(budget_use(&b, 0, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_non_null(strstr(err.msg, "--query.timeout"));

    atomic_store(&b.canceled, true);
    assert_false(budget_use(&b, 0, &err));
    assert_int_equal(err.kind, ERR_CANCELED);

    struct budget none = {0};
    assert_true(budget_use(&none, UINT64_MAX, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
