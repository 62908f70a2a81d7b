// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "codec/date.h"

static void parse(void **state)
{
    static const struct {
        const char *text;
        ts_ms t;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T12:34:56.789Z", 1709210096789},
        {"2024-02-29T12:34:56.7899999Z", 1709210096789},
        {"2024-02-29t12:34:56z", 1709210096000},
        {"2024-02-29T14:34:56.5+02:00", 1709210096500},
        {"2024-02-29T02:04:56-10:30", 1709210096000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ts_ms t = 1;
        struct err err = {0};
        if (!date_parse(str_from_z(rows[i].text), &t, &err) || t != rows[i].t)
            fail_msg("%s: %lld %s", rows[i].text, (long long)t, err.msg);
    }
}

static void refused(void **state)
{
    static const char *const rows[] = {
        "",
        "2024",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00Zx",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+0200",
        "2024-01-01T00:00Z",
        "-024-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ts_ms t;
        struct err err = {0};
        if (date_parse(str_from_z(rows[i]), &t, &err))
            fail_msg("%s", rows[i]);
    }
}

static void formats(void **state)
{
    static const struct {
        ts_ms t;
        const char *rfc, *ms, *seconds;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "0"},
        {1709210096780, "2024-02-29T12:34:56.78Z", "2024-02-29T12:34:56.780Z", "1709210096.780"},
        {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z", "-0.001"},
        {1001, "1970-01-01T00:00:01.001Z", "1970-01-01T00:00:01.001Z", "1.001"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", "9223372036854775.807"},
        {INT64_MIN, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z", "-9223372036854775.808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[DATE_TEXT_MAX];
        assert_int_equal(date_format(rows[i].t, out), strlen(rows[i].rfc));
        assert_string_equal(out, rows[i].rfc);
        date_format_ms(rows[i].t, out);
        assert_string_equal(out, rows[i].ms);
        assert_int_equal(date_format_seconds(rows[i].t, out), strlen(rows[i].seconds));
        assert_string_equal(out, rows[i].seconds);
    }
}

/* Every day of 800 years and the C library's calendar agree, and text reads back. */
static void calendar(void **state)
{
    for (int64_t day = -146097; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400 + 86399);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        struct date_civil c = date_civil((ts_ms)seconds * 1000 + 7);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.weekday, tm.tm_wday);
        assert_int_equal(date_days(c.year, c.month, c.day), day);
        char out[DATE_TEXT_MAX];
        size_t n = date_format(day * 86400000 + 5, out);
        ts_ms back;
        struct err err;
        assert_true(date_parse(str_of(out, n), &back, &err) && back == day * 86400000 + 5);
    }
}

static void params(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        ts_ms t;
    } rows[] = {
        {"0", true, 0},
        {"1709210096.7894", true, 1709210096789},
        {"-1.5", true, -1500},
        {"1e3", true, 1000000},
        {"2024-02-29T12:34:56Z", true, 1709210096000},
        {"-292273086-05-16T16:47:06Z", true, -9223309901257974000},
        {"292277025-08-18T07:12:54.999999999Z", true, 9223309901257974999},
        {"NaN", false, 0},
        {"+Inf", false, 0},
        {"1e300", false, 0},
        {"now", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ts_ms t = 0;
        struct err err = {0};
        bool ok = date_parse_param(str_from_z(rows[i].text), &t, &err);
        if (ok != rows[i].ok || (ok && t != rows[i].t))
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)t);
    }
    ts_ms t;
    assert_false(date_from_seconds(NAN, &t));
    assert_false(date_from_seconds(1e18, &t));
    assert_true(date_from_seconds(0.0005, &t) && t == 1);
    assert_true(date_to_seconds(1500) == 1.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse),    cmocka_unit_test(refused), cmocka_unit_test(formats),
        cmocka_unit_test(calendar), cmocka_unit_test(params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
