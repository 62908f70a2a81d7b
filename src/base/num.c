// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num_std.h"

static bool parse_special(str s, double sign, bool has_sign, double *out)
{
    if (str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity"))) {
        *out = sign * INFINITY;
        return true;
    }
    if (!has_sign && str_eq_nocase(s, STR("nan"))) {
        *out = NAN;
        return true;
    }
    return false;
}

/* Only reached for values too large or too small: the C library tells which. */
static double parse_out_of_range(str s, bool hex)
{
    char *z = malloc(s.n + 3);
    if (!z)
        abort();
    snprintf(z, s.n + 3, "%s%.*s", hex ? "0x" : "", STR_ARG(s));
    double v = strtod(z, NULL);
    free(z);
    return v;
}

bool f64_parse(str s, double *out)
{
    bool has_sign = s.n && (s.p[0] == '+' || s.p[0] == '-');
    double sign = has_sign && s.p[0] == '-' ? -1.0 : 1.0;
    s = str_sub(s, has_sign, s.n);
    if (!s.n)
        return false;
    if (s.p[0] != '.' && (s.p[0] < '0' || s.p[0] > '9'))
        return parse_special(s, sign, has_sign, out);
    bool hex = s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x';
    if (hex) {
        s = str_sub(s, 2, s.n);
        bool has_exponent = str_index(s, 'p') >= 0 || str_index(s, 'P') >= 0;
        if (!has_exponent || s.p[0] == '-')
            return false;
    }
    double v = 0;
    enum num_status status = num_std_parse(s.p, s.n, hex, &v);
    if (status == NUM_BAD)
        return false;
    if (status == NUM_RANGE)
        v = parse_out_of_range(s, hex);
    *out = sign * v;
    return true;
}

/* A finite value as 0.d1d2d3... * 10^point, without trailing zeros. */
struct digits {
    bool negative;
    int n;
    int point;
    char at[32];
};

static struct digits digits_of(double v)
{
    struct digits d = {.negative = signbit(v) != 0};
    char text[48];
    size_t n = num_std_shortest(fabs(v), text, sizeof text - 1);
    text[n] = 0;
    char *e = memchr(text, 'e', n);
    for (const char *p = text; p < e; p++) {
        if (*p != '.')
            d.at[d.n++] = *p;
    }
    while (d.n > 1 && d.at[d.n - 1] == '0')
        d.n--;
    d.point = (int)strtol(e + 1, NULL, 10) + 1;
    if (d.n == 1 && d.at[0] == '0')
        d.point = 1;
    return d;
}

static size_t format_special(double v, char *out)
{
    str text = isnan(v) ? STR("NaN") : v > 0 ? STR("+Inf") : STR("-Inf");
    memcpy(out, text.p, text.n + 1);
    return text.n;
}

static size_t layout_fixed(const struct digits *d, char *out)
{
    char *p = out;
    if (d->negative)
        *p++ = '-';
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = d->point; i < 0; i++)
            *p++ = '0';
    }
    for (int i = 0; i < d->n; i++) {
        if (i == d->point && d->point > 0)
            *p++ = '.';
        *p++ = d->at[i];
    }
    for (int i = d->n; i < d->point; i++)
        *p++ = '0';
    *p = 0;
    return (size_t)(p - out);
}

static size_t layout_exponent(const struct digits *d, char *out)
{
    char *p = out;
    if (d->negative)
        *p++ = '-';
    *p++ = d->at[0];
    if (d->n > 1) {
        *p++ = '.';
        memcpy(p, d->at + 1, (size_t)d->n - 1);
        p += d->n - 1;
    }
    int exponent = d->point - 1;
    p += snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    return (size_t)(p - out);
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* The digits of `u`, right-aligned before `end`, at least `min` of them; where they begin. */
static char *digits_before(char *end, uint64_t u, int min)
{
    char *p = end;
    for (; u >= 100; u /= 100)
        p = memcpy(p - 2, pairs + u % 100 * 2, 2);
    if (u >= 10)
        p = memcpy(p - 2, pairs + u * 2, 2);
    else
        *--p = (char)('0' + u);
    while (end - p < min)
        *--p = '0';
    return p;
}

size_t u64_format(uint64_t v, char out[U64_TEXT_MAX])
{
    char tmp[U64_TEXT_MAX], *end = tmp + sizeof tmp, *p = digits_before(end, v, 1);
    memcpy(out, p, (size_t)(end - p));
    out[end - p] = 0;
    return (size_t)(end - p);
}

/* Whole numbers are most of what is printed: no conversion by the library for them. */
static bool format_small_integer(double v, double limit, char *out, size_t *n)
{
    if (!(v > -limit && v < limit) || v != (double)(int64_t)v || (v == 0 && signbit(v)))
        return false;
    int64_t whole = (int64_t)v;
    bool negative = whole < 0;
    *out = '-';
    *n = negative + u64_format(negative ? (uint64_t)-whole : (uint64_t)whole, out + negative);
    return true;
}

/*
 * Nearly all the others are decimals of a few places. A decimal of up to 15 digits is the only one
 * of up to 15 digits near its double, so the first that gives the double back is the shortest text.
 * m / 10^4 is that decimal's double: both are exact, and a division rounds once. The same decimal
 * with fewer places is the same m without zeros at its end.
 */
static bool format_short_decimal(double v, char *out, size_t *n)
{
    enum { PLACES_MAX = 4, DIGITS_MAX = 16, STORED = 24 };
    double size = fabs(v), x = size * 10000 + 0.5;
    if (!(x < 1e15) || size == 0)
        return false;
    uint64_t m = (uint64_t)x;
    if ((double)m / 10000 != size)
        return false;
    size_t places = PLACES_MAX;
    for (; m % 10 == 0; m /= 10)
        places--;
    char tmp[DIGITS_MAX + STORED], *end = tmp + DIGITS_MAX;
    char *p = digits_before(end, m, (int)places + 1);
    size_t whole = (size_t)(end - p) - places;
    bool negative = v < 0;
    /* More than there is, so that no copy is a call. */
    *out = '-';
    memcpy(out + negative, p, DIGITS_MAX);
    out[negative + whole] = '.';
    memcpy(out + negative + whole + 1, p + whole, PLACES_MAX);
    *n = negative + whole + 1 + places;
    out[*n] = 0;
    return true;
}

size_t f64_format(double v, char out[F64_TEXT_MAX])
{
    size_t n;
    double size = fabs(v);
    if (!isfinite(v))
        return format_special(v, out);
    if (format_small_integer(v, 1e15, out, &n) || format_short_decimal(v, out, &n))
        return n;
    /* Where the library lays digits out as we do. */
    if (size >= 1e-4 && size < 1e15) {
        n = num_std_fixed(v, out, F64_TEXT_MAX - 1);
        out[n] = 0;
        return n;
    }
    struct digits d = digits_of(v);
    return layout_fixed(&d, out);
}

size_t f64_format_g(double v, char out[F64_TEXT_MAX])
{
    size_t n;
    if (!isfinite(v))
        return format_special(v, out);
    /* The exponent form begins at 1e+06, whatever the number of digits. */
    if (format_small_integer(v, 1e6, out, &n))
        return n;
    struct digits d = digits_of(v);
    int exponent = d.point - 1;
    return exponent >= -4 && exponent < 6 ? layout_fixed(&d, out) : layout_exponent(&d, out);
}

size_t f64_format_e(double v, char out[F64_TEXT_MAX])
{
    if (!isfinite(v))
        return format_special(v, out);
    struct digits d = digits_of(v);
    return layout_exponent(&d, out);
}

bool u64_parse(str s, uint64_t *out)
{
    uint64_t v = 0;
    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool i64_parse(str s, int64_t *out)
{
    bool has_sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    bool negative = has_sign && s.p[0] == '-';
    uint64_t u;
    if (!u64_parse(str_sub(s, has_sign, s.n), &u))
        return false;
    if (u > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

static const struct unit {
    const char *name;
    int64_t ms;
    bool exact_only; /* written only when nothing is left: 90d reads easier than 12w6d */
} units[] = {
    {"y", 365LL * 86400000, true},
    {"w", 7LL * 86400000, true},
    {"d", 86400000, false},
    {"h", 3600000, false},
    {"m", 60000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};
enum { UNITS_N = sizeof units / sizeof units[0] };

static str take_while(str *s, bool digits)
{
    size_t n = 0;
    while (n < s->n && (s->p[n] >= '0' && s->p[n] <= '9') == digits)
        n++;
    str piece = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->n);
    return piece;
}

bool duration_parse(str s, int64_t *ms, struct err *err)
{
    int64_t total = 0, part;
    size_t next_unit = 0;
    if (!s.n)
        return err_set(err, ERR_INVALID, "empty duration string");
    for (str rest = s; rest.n && !str_eq(s, STR("0"));) {
        uint64_t count;
        str digits = take_while(&rest, true), unit = take_while(&rest, false);
        size_t u = next_unit;
        while (u < UNITS_N && !str_eqz(unit, units[u].name))
            u++;
        if (!digits.n || u == UNITS_N) {
            err_set(err, ERR_INVALID, "not a valid duration string: \"%.*s\"", STR_ARG(s));
            return err_hint(err, "write it like 1h30m, units y w d h m s ms in this order");
        }
        if (!u64_parse(digits, &count) || count > INT64_MAX ||
            __builtin_mul_overflow((int64_t)count, units[u].ms, &part) ||
            __builtin_add_overflow(total, part, &total) || total > INT64_MAX / 1000000)
            return err_set(err, ERR_INVALID, "duration out of range: \"%.*s\"", STR_ARG(s));
        next_unit = u + 1;
    }
    *ms = total;
    return true;
}

size_t duration_format(int64_t ms, char out[64])
{
    size_t n = 0;
    if (ms == 0)
        return (size_t)snprintf(out, 64, "0s");
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        out[n++] = '-';
    for (size_t u = 0; u < UNITS_N; u++) {
        uint64_t unit_ms = (uint64_t)units[u].ms, count = left / unit_ms;
        if (!count || (units[u].exact_only && left % unit_ms))
            continue;
        n += (size_t)snprintf(out + n, 64 - n, "%llu%s", (unsigned long long)count, units[u].name);
        left -= count * unit_ms;
    }
    return n;
}

bool size_parse(str s, uint64_t *bytes_out, struct err *err)
{
    static const char prefixes[] = "KMGTPE";
    str rest = s, digits = take_while(&rest, true);
    uint64_t count;
    unsigned shift = 0;
    if (rest.n >= 2) {
        const char *at = memchr(prefixes, rest.p[0], sizeof prefixes - 1);
        bool unit_ok =
            str_eqz(str_sub(rest, 1, rest.n), "B") || str_eqz(str_sub(rest, 1, rest.n), "iB");
        if (!at || !unit_ok)
            digits.n = 0;
        else
            shift = 10 * (unsigned)(at - prefixes + 1);
    } else if (rest.n && rest.p[0] != 'B') {
        digits.n = 0;
    }
    if (!digits.n || !u64_parse(digits, &count)) {
        err_set(err, ERR_INVALID, "not a valid size: \"%.*s\"", STR_ARG(s));
        return err_hint(err, "write it like 512MB or 1GiB");
    }
    if (shift && count >> (64 - shift))
        return err_set(err, ERR_INVALID, "size out of range: \"%.*s\"", STR_ARG(s));
    *bytes_out = count << shift;
    return true;
}
