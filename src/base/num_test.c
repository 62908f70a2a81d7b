// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"

#include <math.h>

#include "base/test.h"

static void formats_floats_as_go(void **state)
{
    static const struct {
        double v;
        const char *f, *g, *e;
    } rows[] = {
        {0, "0", "0", "0e+00"},
        {-0.0, "-0", "-0", "-0e+00"},
        {1, "1", "1", "1e+00"},
        {-1.5, "-1.5", "-1.5", "-1.5e+00"},
        {0.1, "0.1", "0.1", "1e-01"},
        {1e6, "1000000", "1e+06", "1e+06"},
        {999999, "999999", "999999", "9.99999e+05"},
        {123456789, "123456789", "1.23456789e+08", "1.23456789e+08"},
        {1e23, "100000000000000000000000", "1e+23", "1e+23"},
        {1.5e-7, "0.00000015", "1.5e-07", "1.5e-07"},
        {0.0001, "0.0001", "0.0001", "1e-04"},
        {0.00001, "0.00001", "1e-05", "1e-05"},
        {123456.789, "123456.789", "123456.789", "1.23456789e+05"},
        {1700000000.123, "1700000000.123", "1.700000000123e+09", "1.700000000123e+09"},
        {5e-324, NULL, "5e-324", "5e-324"},
        {1.7976931348623157e308, NULL, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {INFINITY, "+Inf", "+Inf", "+Inf"},
        {-INFINITY, "-Inf", "-Inf", "-Inf"},
        {NAN, "NaN", "NaN", "NaN"},
    };
    char text[F64_TEXT_MAX];
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        if (rows[i].f)
            assert_str(str_of(text, f64_format(rows[i].v, text)), str_from_z(rows[i].f));
        else
            assert_true(f64_format(rows[i].v, text) < F64_TEXT_MAX);
        assert_str(str_of(text, f64_format_g(rows[i].v, text)), str_from_z(rows[i].g));
        assert_str(str_of(text, f64_format_e(rows[i].v, text)), str_from_z(rows[i].e));
    }
}

static void reads_back_what_it_wrote(void **state)
{
    uint64_t bits = 88172645463325252ULL;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double v, again;
        char text[F64_TEXT_MAX];
        memcpy(&v, &bits, sizeof v);
        if (isnan(v))
            continue;
        assert_true(f64_parse(str_of(text, f64_format(v, text)), &again));
        assert_memory_equal(&v, &again, sizeof v);
        assert_true(f64_parse(str_of(text, f64_format_g(v, text)), &again));
        assert_memory_equal(&v, &again, sizeof v);
    }
}

/* The first of %.0e, %.1e, ... that reads back has the shortest digits, by another road. */
static void assert_shortest(double v)
{
    char text[F64_TEXT_MAX], slow[F64_TEXT_MAX], fixed[F64_TEXT_MAX];
    int digits = 0;
    do
        snprintf(slow, sizeof slow, "%.*e", digits, v);
    while (strtod(slow, NULL) != v && ++digits < 17);
    int exponent = (int)strtol(strchr(slow, 'e') + 1, NULL, 10);
    snprintf(fixed, sizeof fixed, "%.*f", digits > exponent ? digits - exponent : 0,
             strtod(slow, NULL));
    assert_str(str_of(text, f64_format(v, text)), str_from_z(fixed));
}

static void writes_shortest_decimals(void **state)
{
    uint64_t bits = 88172645463325252ULL;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double powers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e9}, sign = bits & 64 ? -1 : 1;
        double decimal = (double)(bits >> (14 + bits % 50)) / powers[(bits >> 8) % 7];
        if (decimal >= 1e-4 && decimal < 1e15)
            assert_shortest(sign * decimal);
    }
}

static void parses_floats_as_go(void **state)
{
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"1", 1},          {"+1.5e3", 1500},         {"-.5", -.5},          {"1.", 1},
        {"0x1.8p1", 3},    {"1e400", INFINITY},      {"-1e400", -INFINITY}, {"1e-400", 0},
        {"inf", INFINITY}, {"-Infinity", -INFINITY}, {"0x10p0", 16},        {"007", 7},
    };
    static const char *bad[] = {"",     "+",     "-",  "1 ",    " 1",    "1e",
                                "0x",   "0x1",   "e5", "1_000", "--1",   "+-1",
                                "nano", "infin", ".",  "-nan",  "1.2.3", "0x-1p0"};
    double v;
    for (size_t i = 0; i < TESTS_N(good); i++) {
        assert_true(f64_parse(str_from_z(good[i].text), &v));
        assert_true(v == good[i].v);
    }
    assert_true(f64_parse(STR("NaN"), &v) && isnan(v));
    for (size_t i = 0; i < TESTS_N(bad); i++)
        assert_false(f64_parse(str_from_z(bad[i]), &v));
}

static void parses_integers(void **state)
{
    int64_t i;
    uint64_t u;
    assert_true(i64_parse(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(i64_parse(STR("9223372036854775808"), &i));
    assert_false(i64_parse(STR("-"), &i));
    assert_true(u64_parse(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(u64_parse(STR("18446744073709551616"), &u));
    assert_false(u64_parse(STR(""), &u));
}

static void reads_hex_digits(void **state)
{
    static const char digits[] = "0123456789abcdef";
    for (int c = 0; c < 256; c++) {
        const char *lower = c >= 'A' && c <= 'F' ? strchr(digits, c + 0x20) : strchr(digits, c);
        assert_int_equal(hex_digit((char)c), c && lower ? lower - digits : -1);
    }
}

static void parses_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *again;
    } good[] = {
        {"0", 0, "0s"},
        {"5m", 300000, "5m"},
        {"1h30m", 5400000, "1h30m"},
        {"90d", 7776000000, "90d"},
        {"2w", 1209600000, "2w"},
        {"1y", 31536000000, "1y"},
        {"1500ms", 1500, "1s500ms"},
        {"0s", 0, "0s"},
    };
    static const char *bad[] = {
        "",    "1", "5", "1x", "m", "5m1h", "1h1h", "-5m", "1.5h", " 5m", "999999999999999999y",
        "300y"};
    struct err err;
    char text[64];
    int64_t ms;
    for (size_t i = 0; i < TESTS_N(good); i++) {
        assert_true(duration_parse(str_from_z(good[i].text), &ms, &err));
        assert_int_equal(ms, good[i].ms);
        assert_str(str_of(text, duration_format(ms, text)), str_from_z(good[i].again));
    }
    for (size_t i = 0; i < TESTS_N(bad); i++)
        assert_false(duration_parse(str_from_z(bad[i]), &ms, &err));
}

static void parses_sizes(void **state)
{
    struct err err;
    uint64_t n;
    assert_true(size_parse(STR("100"), &n, &err) && n == 100);
    assert_true(size_parse(STR("1KB"), &n, &err) && n == 1024);
    assert_true(size_parse(STR("2GiB"), &n, &err) && n == 2ULL << 30);
    assert_false(size_parse(STR("1XB"), &n, &err));
    assert_false(size_parse(STR("KB"), &n, &err));
    assert_false(size_parse(STR("99999999999EB"), &n, &err));
    assert_false(size_parse(STR(""), &n, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_floats_as_go),     cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(writes_shortest_decimals), cmocka_unit_test(parses_floats_as_go),
        cmocka_unit_test(parses_integers),          cmocka_unit_test(reads_hex_digits),
        cmocka_unit_test(parses_durations),         cmocka_unit_test(parses_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
