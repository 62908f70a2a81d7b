// SPDX-License-Identifier: Apache-2.0
/* Sums as lanes have the bits of sums one by one. */
#include "base/kahan.h"

#include <math.h>

#include "base/test.h"

static uint64_t seed = 1;

static uint64_t next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 11;
}

/* Of all sizes, so that much is rounded away, and with what is no number. */
static double value(void)
{
    static const double odd[] = {0, -0.0, INFINITY, -INFINITY, NAN, 1.7e308, -1.7e308, 5e-324};
    uint64_t r = next();
    if (r % 400 == 0)
        return odd[next() % (sizeof odd / sizeof *odd)];
    return ldexp((double)next() - 4e15, (int)(next() % (r % 3 ? 60 : 2000)) - 1000);
}

static void test_lanes(void **state)
{
    (void)state;
    for (int k = 0; k < 20000; k++) {
        double sum[KAHAN_LANES] = {0}, c[KAHAN_LANES] = {0}, x[KAHAN_LANES];
        double one[KAHAN_LANES] = {0}, one_c[KAHAN_LANES] = {0};
        for (int n = 0; n < 40; n++) {
            for (int i = 0; i < KAHAN_LANES; i++)
                kahan_add(x[i] = value(), &one[i], &one_c[i]);
            if (!kahan_add_lanes(x, sum, c))
                for (int i = 0; i < KAHAN_LANES; i++)
                    kahan_add(x[i], &sum[i], &c[i]);
            for (int i = 0; i < KAHAN_LANES; i++)
                assert_true(sum[i] == one[i] || (isnan(sum[i]) && isnan(one[i])));
            assert_memory_equal(c, one_c, sizeof c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lanes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
