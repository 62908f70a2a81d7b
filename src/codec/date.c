// SPDX-License-Identifier: Apache-2.0
/*
 * The calendar counts years from March, so that the leap day is the last of its year, in eras of
 * 400 years, which all have the same number of days.
 */
#include "codec/date.h"

#include <math.h>
#include <stdio.h>

#include "base/num.h"

enum {
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
    DAY_SECONDS = 86400,
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t date_days(int64_t year, unsigned int month, unsigned int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), in_era = year - era * 400;
    int64_t from_march = ((int64_t)month + 9) % 12;
    int64_t in_year = (153 * from_march + 2) / 5 + (int64_t)day - 1;
    return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_DAYS;
}

static void civil_date(int64_t days, struct date_civil *c)
{
    days += EPOCH_DAYS;
    int64_t era = floor_div(days, ERA_DAYS), d = days - era * ERA_DAYS;
    int64_t year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t in_year = d - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    c->day = (unsigned int)(in_year - (153 * from_march + 2) / 5 + 1);
    c->month = (unsigned int)(from_march < 10 ? from_march + 3 : from_march - 9);
    c->year = year + era * 400 + (c->month <= 2);
}

struct date_civil date_civil(ts_ms t)
{
    struct date_civil c;
    int64_t seconds = floor_div(t, 1000), days = floor_div(seconds, DAY_SECONDS);
    unsigned int in_day = (unsigned int)(seconds - days * DAY_SECONDS);
    civil_date(days, &c);
    c.hour = in_day / 3600;
    c.minute = in_day / 60 % 60;
    c.second = in_day % 60;
    c.ms = (unsigned int)(t - seconds * 1000);
    c.weekday = (unsigned int)(days + 4 - floor_div(days + 4, 7) * 7);
    return c;
}

/* --- reading --- */

/* `n` digits at the start; -1 when they are not there. */
static int cut_digits(str *s, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= s->n || s->p[i] < '0' || s->p[i] > '9')
            return -1;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_sub(*s, n, s->n);
    return v;
}

static bool cut_char(str *s, const char *any_of)
{
    if (!s->n || !s->p[0] || !strchr(any_of, s->p[0]))
        return false;
    *s = str_sub(*s, 1, s->n);
    return true;
}

/* Milliseconds of ".123456"; 0 when there is no fraction. */
static bool cut_fraction(str *s, int *ms)
{
    *ms = 0;
    if (!cut_char(s, ".,"))
        return true;
    size_t n = 0;
    for (int scale = 100; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, scale /= 10)
        *ms += scale * (s->p[n] - '0');
    *s = str_sub(*s, n, s->n);
    return n > 0;
}

static bool cut_offset(str *s, int *minutes)
{
    *minutes = 0;
    if (cut_char(s, "Zz"))
        return true;
    int sign = s->n && s->p[0] == '-' ? -1 : 1;
    if (!cut_char(s, "+-"))
        return false;
    int hour = cut_digits(s, 2);
    if (hour < 0 || hour > 23 || !cut_char(s, ":"))
        return false;
    int minute = cut_digits(s, 2);
    *minutes = sign * (hour * 60 + minute);
    return minute >= 0 && minute <= 59;
}

static int month_days(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* The calendar date as days since 1970. */
static bool cut_date(str *s, int64_t *days)
{
    int year = cut_digits(s, 4);
    if (year < 0 || !cut_char(s, "-"))
        return false;
    int month = cut_digits(s, 2);
    if (month < 1 || month > 12 || !cut_char(s, "-"))
        return false;
    int day = cut_digits(s, 2);
    *days = date_days(year, (unsigned int)month, (unsigned int)day);
    return day >= 1 && day <= month_days(year, month);
}

static bool cut_clock(str *s, int *seconds)
{
    int hour = cut_digits(s, 2);
    if (hour < 0 || hour > 23 || !cut_char(s, ":"))
        return false;
    int minute = cut_digits(s, 2);
    if (minute < 0 || minute > 59 || !cut_char(s, ":"))
        return false;
    int second = cut_digits(s, 2);
    *seconds = hour * 3600 + minute * 60 + second;
    return second >= 0 && second <= 59;
}

bool date_parse(str s, ts_ms *out, struct err *err)
{
    str rest = s;
    int64_t days;
    int seconds, ms, offset;
    bool ok = cut_date(&rest, &days) && cut_char(&rest, "Tt") && cut_clock(&rest, &seconds) &&
              cut_fraction(&rest, &ms) && cut_offset(&rest, &offset) && rest.n == 0;
    if (!ok) {
        str shown = str_sub(s, 0, 64);
        err_set(err, ERR_INVALID, "\"%.*s\" is not a date and time", STR_ARG(shown));
        return err_hint(err, "write it as 2024-05-01T12:00:00Z or with an offset, +02:00");
    }
    *out = (days * DAY_SECONDS + seconds - offset * 60) * 1000 + ms;
    return true;
}

bool date_from_seconds(double seconds, ts_ms *out)
{
    double ms = round(seconds * 1000);
    if (!(ms >= -0x1p63 && ms < 0x1p63))
        return false;
    *out = (ts_ms)ms;
    return true;
}

double date_to_seconds(ts_ms t)
{
    return (double)t / 1000;
}

/* As upstream: whole seconds and the fraction are rounded apart, so that large times stay exact. */
static bool param_seconds(double v, ts_ms *out)
{
    double whole, fraction = modf(v, &whole);
    if (!(whole >= -9223372036854775.0 && whole <= 9223372036854775.0))
        return false;
    int64_t ms = (int64_t)round(fraction * 1000);
    return !__builtin_add_overflow((int64_t)whole * 1000, ms, out);
}

bool date_parse_param(str s, ts_ms *out, struct err *err)
{
    /* What upstream prints for its limits and its own parser cannot read. */
    static const str least = STR_INIT("-292273086-05-16T16:47:06Z");
    static const str greatest = STR_INIT("292277025-08-18T07:12:54.999999999Z");
    double v;
    struct err ignored = {0};
    if (f64_parse(s, &v) ? param_seconds(v, out) : date_parse(s, out, &ignored))
        return true;
    if (str_eq(s, least) || str_eq(s, greatest)) {
        *out = s.p[0] == '-' ? INT64_MIN / 1000 * 1000 + 62135596801000
                             : INT64_MAX / 1000 * 1000 - 62135596801000 + 999;
        return true;
    }
    str shown = str_sub(s, 0, 64);
    return err_set(err, ERR_INVALID, "cannot parse \"%.*s\" to a valid timestamp", STR_ARG(shown));
}

/* --- writing --- */

static size_t format(ts_ms t, bool all_digits, char out[DATE_TEXT_MAX])
{
    const ts_ms least = -62167219200000, greatest = 253402300799999;
    struct date_civil c = date_civil(t < least ? least : t > greatest ? greatest : t);
    int n = snprintf(out, DATE_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02u", (int)c.year % 10000,
                     c.month % 100, c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
    if (all_digits || c.ms) {
        n += snprintf(out + n, DATE_TEXT_MAX - (size_t)n, ".%03u", c.ms % 1000);
        while (!all_digits && out[n - 1] == '0')
            n--;
    }
    out[n] = 'Z';
    out[n + 1] = 0;
    return (size_t)n + 1;
}

size_t date_format(ts_ms t, char out[DATE_TEXT_MAX])
{
    return format(t, false, out);
}

size_t date_format_ms(ts_ms t, char out[DATE_TEXT_MAX])
{
    return format(t, true, out);
}

size_t date_format_seconds(ts_ms t, char out[DATE_TEXT_MAX])
{
    uint64_t size = t < 0 ? -(uint64_t)t : (uint64_t)t;
    unsigned ms = (unsigned)(size % 1000);
    size_t n = t < 0;
    out[0] = '-';
    n += u64_format(size / 1000, out + n);
    if (ms) {
        out[n++] = '.';
        out[n++] = (char)('0' + ms / 100);
        out[n++] = (char)('0' + ms / 10 % 10);
        out[n++] = (char)('0' + ms % 10);
        out[n] = 0;
    }
    return n;
}
