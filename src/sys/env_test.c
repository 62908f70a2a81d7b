// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "sys/env.h"

static void test_clock(void **state)
{
    struct env env = {.clock = clock_system()};
    time_t before = time(NULL);
    ts_ms now = env_now_ms(&env);
    assert_in_range(now / 1000, before - 1, before + 60);
    int64_t a = env_mono_ns(&env);
    int64_t b = env_mono_ns(&env);
    assert_true(b >= a);
}

static void test_entropy(void **state)
{
    uint8_t a[1000] = {0}, b[1000] = {0};
    entropy_system()->fill(entropy_system(), a, sizeof a);
    entropy_system()->fill(entropy_system(), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    /* The last bytes are filled too: 32 zeros in a row do not happen. */
    static const uint8_t zeros[32];
    assert_memory_not_equal(a + sizeof a - 32, zeros, 32);
    entropy_system()->fill(entropy_system(), a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
