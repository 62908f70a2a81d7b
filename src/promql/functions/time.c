// SPDX-License-Identifier: Apache-2.0
/* Times of samples and the calendar, in UTC. */
#include <math.h>

#include "promql/eval_int.h"

struct date {
    int64_t year;
    int month, day, yday; /* from 1 */
};

/* Days since 1970-01-01 to the proleptic Gregorian calendar: whole 400-year eras, then years that
 * begin in March, so that the leap day is the last of its year. */
static struct date date_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct date d = {.year = yoe + era * 400,
                     .month = (int)(mp < 10 ? mp + 3 : mp - 9),
                     .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
    d.year += d.month <= 2;
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    d.yday = (int)(d.month > 2 ? doy + 60 + leap : doy - 305);
    return d;
}

enum { DAY_S = 86400 };
/* Days from the first of the years that Prometheus' calendar can hold to 1970-01-01. */
static const int64_t days_before = (9223371966579724800 + 62135596800) / DAY_S;

/*
 * Whole seconds from the first of those years on, modulo 2^64, as Prometheus shows numbers that are
 * no time: what an int64 cannot hold, NaN among it, is the smallest one.
 */
static uint64_t seconds_of(double v)
{
    int64_t s = v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
    return (uint64_t)s + (uint64_t)days_before * DAY_S;
}

/* Since 1970-01-01. */
static int64_t days_of(double v)
{
    return (int64_t)(seconds_of(v) / DAY_S) - days_before;
}

static struct date date_at(double v)
{
    return date_of(days_of(v));
}

static double each_year(double v, const double *args)
{
    (void)args;
    return (double)date_at(v).year;
}
static double each_month(double v, const double *args)
{
    (void)args;
    return date_at(v).month;
}
static double each_day_of_month(double v, const double *args)
{
    (void)args;
    return date_at(v).day;
}
static double each_day_of_year(double v, const double *args)
{
    (void)args;
    return date_at(v).yday;
}
static double each_day_of_week(double v, const double *args)
{
    (void)args;
    int64_t day = (days_of(v) + 4) % 7; /* 1970-01-01 was a Thursday */
    return (double)(day < 0 ? day + 7 : day);
}
static double each_days_in_month(double v, const double *args)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    (void)args;
    struct date d = date_at(v);
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    return days[d.month - 1] + (d.month == 2 && leap);
}
static double each_hour(double v, const double *args)
{
    (void)args;
    return (double)(seconds_of(v) % DAY_S / 3600);
}
static double each_minute(double v, const double *args)
{
    (void)args;
    return (double)(seconds_of(v) % 3600 / 60);
}

struct stamper {
    struct eval *ev;
    const struct node *n;
    const struct grid *grid;
    bool from_samples; /* the values are times already, or start times */
    const struct row_sink *sink;
};

static bool stamp_put(void *ctx, struct row *r, struct err *err)
{
    struct stamper *s = ctx;
    for (size_t i = 0; i < s->grid->n && !s->from_samples; i++)
        if (row_has(r, i))
            r->v[i] = (double)grid_at(s->grid, i) / 1000;
    r->h = NULL;
    row_drop_name(s->ev, s->n, r);
    return s->sink->put(s->sink->ctx, r, err);
}

static bool stamp(struct eval *ev, const struct node *n, const struct grid *g, enum lookup what,
                  const struct row_sink *sink, struct err *err)
{
    const struct node *arg = node_bare(n->call.args[0]);
    bool selector = arg->kind == NODE_SELECTOR;
    bool merge = !ev->delayed_names && node_names_vary(ev, arg);
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    struct stamper s = {ev, n, g, selector, merge ? &merged : sink};
    struct row_sink each = {stamp_put, &s};
    bool ok = (selector ? eval_selector(ev, arg, g, what, &each, err)
                        : eval_rows(ev, arg, g, &each, err)) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    return ok;
}

/* Of a selector the time of the sample itself; of anything else the time of the evaluation. */
static bool call_timestamp(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    return stamp(ev, n, g, LOOKUP_TIME, sink, err);
}

/* Nothing but a selector has start times, and they are there only when asked for. */
static bool call_start_timestamp(struct eval *ev, const struct node *n, const struct grid *g,
                                 const struct row_sink *sink, struct err *err)
{
    if (node_bare(n->call.args[0])->kind != NODE_SELECTOR ||
        !(ev->q->features & PROMQL_START_TIMESTAMPS))
        return true;
    return stamp(ev, n, g, LOOKUP_START, sink, err);
}

#define DATE(fn, text)                                                                             \
    {                                                                                              \
        .name = STR_INIT(#fn), .args = {PROMQL_VECTOR}, .args_n = 1, .variadic = 1,                \
        .returns = PROMQL_VECTOR, .flags = FN_STEP_DEPENDENT, .each = each_##fn,                   \
        .help = STR_INIT(text)                                                                     \
    }

static const struct function rows[] = {
    DATE(year, "Year of each time, in UTC."),
    DATE(month, "Month of each time, 1 to 12."),
    DATE(day_of_month, "Day of the month, 1 to 31."),
    DATE(day_of_week, "Day of the week, 0 is Sunday."),
    DATE(day_of_year, "Day of the year, 1 to 366."),
    DATE(days_in_month, "Number of days of the month, 28 to 31."),
    DATE(hour, "Hour of the day, 0 to 23."),
    DATE(minute, "Minute of the hour, 0 to 59."),
    {.name = STR_INIT("timestamp"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .flags = FN_STEP_DEPENDENT,
     .call = call_timestamp,
     .help = STR_INIT("Time of each sample, in Unix seconds.")},
    {.name = STR_INIT("start_timestamp"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL | FN_STEP_DEPENDENT,
     .call = call_start_timestamp,
     .help = STR_INIT("Time since when each counter counts.")},
};

const struct function_family family_time = {rows, sizeof rows / sizeof *rows};
