// SPDX-License-Identifier: Apache-2.0
/*
 * The calendar in a time zone: hour(v, "Europe/Berlin"), and timezone_offset("Europe/Berlin").
 * Zones are those of the system's tz database; each is read once and kept, there are some hundreds.
 */
#include <math.h>
#include <pthread.h>

#include "codec/tz.h"
#include "promql/eval_int.h"
#include "sys/file.h"

enum { ZONES_MAX = 1024, ZONE_NAME_MAX = 64 };

struct zone {
    char name[ZONE_NAME_MAX + 1];
    struct tz *tz; /* immutable */
};

/* Zones are added and never go; both under the lock. */
static struct {
    pthread_mutex_t lock;
    struct zone *at[ZONES_MAX];
    size_t n;
} zones = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Plain words between slashes, so that a name is a path inside the database. */
static bool valid_name(str s)
{
    bool word = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (unsigned)((c | 32) - 'a') < 26 || (unsigned)(c - '0') < 10;
        if (!letter && c != '_' && c != '+' && c != '-' && (c != '/' || !word))
            return false;
        word = c != '/';
    }
    return word && s.n <= ZONE_NAME_MAX;
}

static const struct tz *known_zone(str name)
{
    for (size_t i = 0; i < zones.n; i++)
        if (str_eqz(name, zones.at[i]->name))
            return zones.at[i]->tz;
    return NULL;
}

static const struct tz *load_zone(str name, struct err *err)
{
    ARENA_CLEANUP struct arena a;
    str file;
    arena_init(&a, 0);
    str path = arena_printf(&a, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    if (zones.n == ZONES_MAX) {
        err_set(err, ERR_LIMIT, "more than %d time zones", ZONES_MAX);
        return NULL;
    }
    struct tz *tz =
        file_read(path.p, TZ_FILE_BYTES_MAX, &a, &file, err) ? tz_decode(file, err) : NULL;
    if (!tz)
        return NULL;
    struct zone *z = mem_new(struct zone);
    memcpy(z->name, name.p, name.n);
    z->tz = tz;
    zones.at[zones.n++] = z;
    return tz;
}

static const struct tz *zone_of(str name, struct err *err)
{
    struct err why;
    const struct tz *tz = NULL;
    if (valid_name(name)) {
        pthread_mutex_lock(&zones.lock);
        tz = known_zone(name);
        if (!tz)
            tz = load_zone(name, &why);
        pthread_mutex_unlock(&zones.lock);
    }
    if (!tz)
        err_set(err, ERR_EXEC, "unknown time zone \"%.*s\"", STR_ARG(name));
    return tz;
}

/* Whole seconds for the calendar; what is no moment has the offset of 1970. */
static double local(const struct tz *tz, double v)
{
    int64_t s = fabs(v) < 9e15 ? (int64_t)v : 0;
    return v + tz_offset(tz, s);
}

struct calendar {
    struct eval *ev;
    const struct node *n;
    const struct tz *tz;
    const struct function *fn; /* that of PromQL, of UTC */
    size_t steps;
    struct merger merger;
};

static bool put_row(void *ctx, struct row *r, struct err *err)
{
    struct calendar *c = ctx;
    for (size_t k = 0; k < c->steps; k++)
        if (!is_absent(r->v[k]))
            r->v[k] = c->fn->each(local(c->tz, r->v[k]), NULL);
    r->h = NULL;
    row_drop_name(c->ev, c->n, r);
    return merger_put(&c->merger, r, err);
}

static bool call_in_zone(struct eval *ev, const struct node *n, const struct grid *g,
                         const struct row_sink *sink, struct err *err)
{
    struct calendar c = {.ev = ev,
                         .n = n,
                         .tz = zone_of(node_bare(n->call.args[1])->string, err),
                         .fn = function_find(n->call.fn->name),
                         .steps = g->n};
    if (!c.tz)
        return false;
    merger_init(&c.merger, ev, g->n);
    bool ok = eval_rows(ev, n->call.args[0], g, &(struct row_sink){put_row, &c}, err) &&
              merger_flush(&c.merger, sink, err);
    merger_fini(&c.merger);
    return ok;
}

static bool scalars_timezone_offset(struct eval *ev, const struct node *n, const struct grid *g,
                                    double *out, struct err *err)
{
    const struct tz *tz = zone_of(node_bare(n->call.args[0])->string, err);
    (void)ev;
    for (size_t k = 0; tz && k < g->n; k++)
        out[k] = tz_offset(tz, grid_at(g, k) / 1000);
    return tz != NULL;
}

#define DATE(fn, text)                                                                             \
    {                                                                                              \
        .name = STR_INIT(#fn), .args = {PROMQL_VECTOR, PROMQL_STRING}, .args_n = 2,                \
        .returns = PROMQL_VECTOR, .flags = FN_METRICSQL | FN_STEP_DEPENDENT, .call = call_in_zone, \
        .help = STR_INIT(text)                                                                     \
    }

static const struct function rows[] = {
    DATE(year, "Year of each time, in a time zone."),
    DATE(month, "Month of each time, 1 to 12, in a time zone."),
    DATE(day_of_month, "Day of the month, 1 to 31, in a time zone."),
    DATE(day_of_week, "Day of the week, 0 is Sunday, in a time zone."),
    DATE(day_of_year, "Day of the year, 1 to 366, in a time zone."),
    DATE(days_in_month, "Number of days of the month, 28 to 31, in a time zone."),
    DATE(hour, "Hour of the day, 0 to 23, in a time zone."),
    DATE(minute, "Minute of the hour, 0 to 59, in a time zone."),
    {.name = STR_INIT("timezone_offset"),
     .args = {PROMQL_STRING},
     .args_n = 1,
     .returns = PROMQL_SCALAR,
     .flags = FN_METRICSQL | FN_STEP_DEPENDENT,
     .scalars = scalars_timezone_offset,
     .help = STR_INIT("Seconds that a time zone is ahead of UTC at each step.")},
};

const struct function_family family_metricsql_time = {rows, sizeof rows / sizeof *rows};
