// SPDX-License-Identifier: Apache-2.0
#include "format/columns.h"

#include <math.h>

#include "base/test.h"

static struct strbuf made(void)
{
    static const struct label one[] = {{STR_INIT("__name__"), STR_INIT("m")},
                                       {STR_INIT("i"), STR_INIT("m")}},
                              two[] = {{STR_INIT("__name__"), STR_INIT("m")},
                                       {STR_INIT("i"), STR_INIT("\xc3\xa9")}};
    static const ts_ms all[] = {1000, 1500, 2000}, some[] = {1000, 2000};
    const double v[] = {1, -0.5, INFINITY}, c[] = {2, 2};
    const struct columns_grid g = {1000, 500, 3};
    const struct columns_series s[] = {{{one, 2}, 3, all, v}, {{two, 2}, 2, some, c}};
    struct columns_dictionary d = {0};
    struct strbuf out = {0};
    for (size_t i = 0; i < TESTS_N(s); i++)
        columns_dictionary_add(&d, s[i].labels);
    columns_put_head(&d, &g, STR("{\"a\":1}"), TESTS_N(s), &out);
    assert_int_equal(out.n % 8, 0);
    for (size_t i = 0; i < TESTS_N(s); i++) {
        columns_put_series(&d, &g, &s[i], &out);
        assert_int_equal(out.n % 8, 0);
    }
    columns_dictionary_fini(&d);
    return out;
}

/* The same bytes are read in web/src/api/columns.test.ts. */
static void test_bytes(void **state)
{
    static const char want[] = "4e4e434f4c533031e803000000000000f4010000000000000300000002000000"
                               "04000000070000007b2261223a317d080000005f5f6e616d655f5f010000006d"
                               "010000006902000000c3a9000000000002000000000000000300000000000000"
                               "00000000010000000200000001000000000000000000f03f000000000000e0bf"
                               "000000000000f07f020000000100000002000000000000000000000001000000"
                               "020000000300000005000000000000000000000000000040";
    struct strbuf out = made(), hex STRBUF_CLEANUP = {0};
    for (size_t i = 0; i < out.n; i++)
        strbuf_addf(&hex, "%02x", (uint8_t)out.p[i]);
    assert_str(strbuf_str(&hex), str_from_z(want));
    strbuf_fini(&out);
}

static void test_nothing(void **state)
{
    struct columns_dictionary d = {0};
    const struct columns_grid g = {0, 1, 1};
    struct strbuf out STRBUF_CLEANUP = {0};
    columns_put_head(&d, &g, STR("{}"), 0, &out);
    assert_int_equal(out.n, 48);
    columns_dictionary_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
