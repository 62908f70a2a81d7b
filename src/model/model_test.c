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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
