// SPDX-License-Identifier: Apache-2.0
/* Moments as text: RFC 3339 and Unix seconds, in milliseconds, as Prometheus and Go read and write
 * them. */
#ifndef CODEC_DATE_H
#define CODEC_DATE_H

#include "base/err.h"
#include "base/str.h"

enum { DATE_TEXT_MAX = 32 };

/*
 * "2024-05-01T12:00:00Z", with any number of digits of a second (cut, not rounded, to milliseconds)
 * and any offset; t and z may be small. Years 0000 to 9999. As Go, no leap seconds.
 */
bool date_parse(str s, ts_ms *out, struct err *err);
/* As Go's RFC3339Nano: UTC, digits of the second only as far as they are not zero. */
size_t date_format(ts_ms t, char out[DATE_TEXT_MAX]);
/* Always with three digits: "2024-05-01T12:00:00.000Z". Years past 9999 or before 0 are cut to
 * them. */
size_t date_format_ms(ts_ms t, char out[DATE_TEXT_MAX]);

/*
 * A time parameter of Prometheus' HTTP API: Unix seconds as a float or RFC 3339, or one of the two
 * texts that stand for the least and the greatest time.
 */
bool date_parse_param(str s, ts_ms *out, struct err *err);
/* Seconds rounded to the nearest millisecond; false when they are no number or out of range. */
bool date_from_seconds(double seconds, ts_ms *out);
double date_to_seconds(ts_ms t);
/* "1714564800.123", or without the fraction when it is zero: a number in JSON. */
size_t date_format_seconds(ts_ms t, char out[DATE_TEXT_MAX]);

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, months from 1. */
int64_t date_days(int64_t year, unsigned int month, unsigned int day);
struct date_civil {
    int64_t year;
    unsigned int month, day, hour, minute, second, ms;
    unsigned int weekday; /* 0: Sunday */
};
/* The UTC calendar of a moment. */
struct date_civil date_civil(ts_ms t);

#endif
