// SPDX-License-Identifier: Apache-2.0
/*
 * A file holds moments at which the offset changes, once with 4-byte times and, from version 2 on,
 * again with 8-byte times, and then a rule for what comes after the last of them:
 *
 *     "TZif" version 15*0 isut isstd leap time type char    six counts, 4 bytes each, big endian
 *     times, types of times (1 byte each), types {offset 4, isdst 1, name 1}, names, leap, std, ut
 *     "\n" CET-1CEST,M3.5.0,M10.5.0/3 "\n"
 */
#include "codec/tz.h"

#include <string.h>

#include "base/mem.h"
#include "codec/date.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, OFFSET_MAX = 26 * 3600, DAY_S = 86400 };

/* A day of the year and the time on it at which the rule changes. */
struct change {
    char kind; /* 'M' month, week, weekday; 'J' 1 to 365 without leap days; 'N' 0 to 365 */
    int month, week, day;
    int32_t time_s;
};

struct rule {
    bool any, dst;
    int32_t std_offset, dst_offset;
    struct change start, end; /* of summer time */
};

struct tz {
    size_t n; /* changes */
    int64_t *at;
    int32_t *offset; /* from at[i] on */
    int32_t first;   /* before at[0] */
    struct rule rule;
};

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static bool bad(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "not a time zone file");
}

static bool read_counts(str s, struct counts *out, char *version)
{
    if (s.n < HEADER_BYTES || memcmp(s.p, "TZif", 4) != 0)
        return false;
    uint32_t v[6];
    for (size_t i = 0; i < 6; i++)
        if ((v[i] = (uint32_t)big_endian(s.p + 20 + 4 * i, 4)) > TZ_FILE_BYTES_MAX)
            return false;
    *version = s.p[4];
    *out = (struct counts){v[0], v[1], v[2], v[3], v[4], v[5]};
    return true;
}

static size_t body_bytes(const struct counts *c, size_t time_bytes)
{
    return (size_t)c->time * (time_bytes + 1) + (size_t)c->type * TYPE_BYTES + c->chars +
           (size_t)c->leap * (time_bytes + 4) + c->isstd + c->isut;
}

/* ---- the rule ---- */

static bool take(str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_sub(*s, 1, s->n);
    return true;
}

static bool take_number(str *s, int max, int *out)
{
    int v = 0;
    size_t n = 0;
    for (; n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        v = v * 10 + (s->p[n] - '0');
    *s = str_sub(*s, n, s->n);
    *out = v;
    return n > 0 && v <= max;
}

/* <+03> or CEST: at least a letter, which is all that matters. */
static bool take_name(str *s)
{
    size_t n = 0;
    bool quoted = take(s, '<');
    while (n < s->n && (quoted ? s->p[n] != '>' : (unsigned)((s->p[n] | 32) - 'a') < 26))
        n++;
    *s = str_sub(*s, n, s->n);
    return n > 0 && (!quoted || take(s, '>'));
}

/* [+-]h[:m[:s]] */
static bool take_time(str *s, int32_t *out)
{
    bool negative = take(s, '-');
    int h, m = 0, sec = 0;
    if (!negative)
        take(s, '+');
    if (!take_number(s, 167, &h) ||
        (take(s, ':') && (!take_number(s, 59, &m) || (take(s, ':') && !take_number(s, 59, &sec)))))
        return false;
    *out = h * 3600 + m * 60 + sec;
    if (negative)
        *out = -*out;
    return true;
}

static bool take_change(str *s, struct change *out)
{
    *out = (struct change){.kind = 'N', .time_s = 7200};
    if (take(s, 'M')) {
        out->kind = 'M';
        if (!take_number(s, 12, &out->month) || !out->month || !take(s, '.') ||
            !take_number(s, 5, &out->week) || !out->week || !take(s, '.') ||
            !take_number(s, 6, &out->day))
            return false;
    } else {
        if (take(s, 'J'))
            out->kind = 'J';
        if (!take_number(s, 365, &out->day) || (out->kind == 'J' && !out->day))
            return false;
    }
    return !take(s, '/') || take_time(s, &out->time_s);
}

/* Offsets are written west of UTC. */
static bool read_rule(str s, struct rule *r)
{
    *r = (struct rule){0};
    if (s.n == 0)
        return true;
    if (!take_name(&s) || !take_time(&s, &r->std_offset))
        return false;
    r->any = true;
    r->std_offset = -r->std_offset;
    if (s.n == 0)
        return true;
    r->dst = true;
    if (!take_name(&s))
        return false;
    r->dst_offset = r->std_offset + 3600;
    if (s.n && s.p[0] != ',') {
        if (!take_time(&s, &r->dst_offset))
            return false;
        r->dst_offset = -r->dst_offset;
    }
    return take(&s, ',') && take_change(&s, &r->start) && take(&s, ',') &&
           take_change(&s, &r->end) && s.n == 0;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Local seconds since 1970 of a change in a year. */
static int64_t change_at(const struct change *c, int64_t year)
{
    int64_t first = date_days(year, 1, 1), day;
    if (c->kind == 'J') {
        day = first + c->day - 1 + (is_leap(year) && c->day >= 60);
    } else if (c->kind == 'N') {
        day = first + c->day;
    } else {
        int64_t begin = date_days(year, (unsigned)c->month, 1);
        int64_t end =
            c->month == 12 ? date_days(year + 1, 1, 1) : date_days(year, (unsigned)c->month + 1, 1);
        int64_t weekday = ((begin + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = begin + (c->day - weekday + 7) % 7 + 7 * (c->week - 1);
        while (day >= end)
            day -= 7;
    }
    return day * DAY_S + c->time_s;
}

static int32_t rule_offset(const struct rule *r, int64_t t)
{
    if (!r->dst)
        return r->std_offset;
    int64_t year = date_civil((t + r->std_offset) * 1000).year;
    int64_t start = change_at(&r->start, year) - r->std_offset;
    int64_t end = change_at(&r->end, year) - r->dst_offset;
    bool summer = start < end ? t >= start && t < end : t >= start || t < end;
    return summer ? r->dst_offset : r->std_offset;
}

/* ---- the file ---- */

/* The changes, and types as offsets; false when they are not in order or not there. */
static bool read_changes(struct tz *z, const char *p, const struct counts *c, size_t time_bytes)
{
    const char *types = p + c->time * time_bytes, *infos = types + c->time;
    int64_t before = INT64_MIN;
    z->at = mem_zalloc((c->time + 1) * sizeof *z->at);
    z->offset = mem_zalloc((c->time + 1) * sizeof *z->offset);
    for (size_t i = 0; i < c->type; i++) {
        int32_t offset = (int32_t)big_endian(infos + i * TYPE_BYTES, 4);
        if (offset > OFFSET_MAX || offset < -OFFSET_MAX)
            return false;
        if (i == 0)
            z->first = offset;
    }
    for (size_t i = 0; i < c->time; i++) {
        uint64_t raw = big_endian(p + i * time_bytes, time_bytes);
        int64_t at = time_bytes == 4 ? (int32_t)raw : (int64_t)raw;
        unsigned type = (unsigned char)types[i];
        if (type >= c->type || (i && at <= before))
            return false;
        z->at[i] = before = at;
        z->offset[i] = (int32_t)big_endian(infos + type * TYPE_BYTES, 4);
    }
    z->n = c->time;
    return true;
}

static bool read_footer(struct tz *z, str s)
{
    if (s.n < 2 || s.p[0] != '\n')
        return false;
    s = str_sub(s, 1, s.n);
    ssize_t end = str_index(s, '\n');
    return end >= 0 && read_rule(str_sub(s, 0, (size_t)end), &z->rule);
}

static bool read_file(struct tz *z, str s)
{
    struct counts c;
    char version;
    size_t time_bytes = 4;
    if (!read_counts(s, &c, &version))
        return false;
    if (version >= '2') {
        size_t skip = HEADER_BYTES + body_bytes(&c, 4);
        if (skip > s.n || !read_counts(s = str_sub(s, skip, s.n), &c, &version))
            return false;
        time_bytes = 8;
    }
    size_t body = body_bytes(&c, time_bytes);
    if (!c.type || s.n - HEADER_BYTES < body ||
        !read_changes(z, s.p + HEADER_BYTES, &c, time_bytes))
        return false;
    return time_bytes == 4 || read_footer(z, str_sub(s, HEADER_BYTES + body, s.n));
}

struct tz *tz_decode(str file, struct err *err)
{
    struct tz *z = mem_new(struct tz);
    if (file.n <= TZ_FILE_BYTES_MAX && read_file(z, file))
        return z;
    tz_free(z);
    bad(err);
    return NULL;
}

void tz_free(struct tz *z)
{
    if (!z)
        return;
    free(z->at);
    free(z->offset);
    free(z);
}

int32_t tz_offset(const struct tz *z, int64_t t)
{
    size_t lo = 0, hi = z->n;
    const int64_t limit = INT64_C(9000000000000); /* what the calendar holds, nearly */
    t = t > limit ? limit : t < -limit ? -limit : t;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (z->at[mid] <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == z->n && z->rule.any)
        return rule_offset(&z->rule, t);
    return lo ? z->offset[lo - 1] : z->first;
}
