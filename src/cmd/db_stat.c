// SPDX-License-Identifier: Apache-2.0
/* `nunchi db stat`: what a storage directory spends its bytes and series on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/num.h"
#include "base/vec.h"
#include "cmd/db_int.h"
#include "codec/date.h"
#include "promql/promql.h"
#include "store/catalog.h"

enum { MATCH, LIMIT };

static const struct option_row options[] = {
    [MATCH] = {"match", OPTION_LIST, "SELECTOR", NULL,
               "Only series that this selects, such as {job=\"node\"}."},
    [LIMIT] = {"limit", OPTION_TEXT, "N", "20", "Rows of each table."},
};

enum { LIMIT_MAX = 100000 };

/* A label name, a pair, or a metric name. */
struct tally {
    str text;
    uint64_t series, values, value_bytes, samples;
    double uncovered; /* series' worth of time without samples: what churn leaves */
};

struct tallies {
    struct map map; /* text -> tally */
};

struct stat {
    struct arena arena;
    struct tallies names, pairs, metrics;
    uint64_t series, samples;
    ts_ms min_t, max_t; /* of the samples looked at */
    struct db_progress progress;
};

static struct tally *tally_of(struct stat *s, struct tallies *t, str text, bool *is_new)
{
    struct tally *one = map_get(&t->map, text);
    *is_new = !one;
    if (!one) {
        one = arena_new(&s->arena, struct tally);
        one->text = arena_dup(&s->arena, text);
        map_put(&t->map, one->text, one);
    }
    return one;
}

/* Of a series whose samples lie in [first, last], the share of the whole time without it. */
static double uncovered(const struct stat *s, ts_ms first, ts_ms last)
{
    double whole = (double)s->max_t - (double)s->min_t;
    return whole > 0 ? 1 - ((double)last - (double)first) / whole : 0;
}

/* No byte of a name rules a terminal. */
static str shown_name(struct labels ls, struct strbuf *buf)
{
    str name = labels_metric_name(ls);
    if (metric_name_is_legacy(name))
        return name;
    strbuf_clear(buf);
    label_name_format(name, buf);
    return strbuf_str(buf);
}

static void count_series(struct stat *s, struct labels ls, const struct tsdb_extent *x)
{
    STRBUF_CLEANUP struct strbuf pair = {0};
    double gap = uncovered(s, x->first, x->last);
    bool is_new;
    s->series++;
    s->samples += x->samples;
    for (size_t i = 0; i < ls.n; i++) {
        const struct label *l = &ls.at[i];
        strbuf_clear(&pair);
        label_name_format(l->name, &pair);
        struct tally *name = tally_of(s, &s->names, strbuf_str(&pair), &is_new);
        strbuf_addc(&pair, '=');
        label_value_format(l->value, &pair);
        struct tally *p = tally_of(s, &s->pairs, strbuf_str(&pair), &is_new);
        name->series++;
        name->values += is_new;
        name->value_bytes += is_new ? l->value.n : 0;
        name->uncovered += gap;
        p->series++;
        p->uncovered += gap;
    }
    struct tally *m = tally_of(s, &s->metrics, shown_name(ls, &pair), &is_new);
    m->series++;
    m->samples += x->samples;
}

static bool count_selection(struct stat *s, struct source *src, struct selection *sel,
                            struct err *err)
{
    size_t size = src->ops->size(sel);
    char count[DB_COUNT_MAX];
    for (size_t i = 0; i < size; i++) {
        struct tsdb_extent x;
        if (!tsdb_extent(sel, i, &x, err))
            return false;
        if (x.samples)
            count_series(s, src->ops->labels(sel, i), &x);
        db_progress_say(&s->progress, "%s series", db_count(s->series, count));
    }
    return true;
}

static bool count_all(struct stat *s, struct tsdb *db, const struct db_filter *f, struct err *err)
{
    struct source *src = tsdb_source(db);
    struct budget budget = {0};
    struct select_hints h = {.start = INT64_MIN, .end = INT64_MAX};
    struct tsdb_stats all;
    size_t m_n = 0;
    if (f->match_n > 1)
        return err_set(err, ERR_INVALID, "--match may be given once");
    const struct matcher *m = f->match_n ? promql_expr_matchers(f->match[0], &m_n) : NULL;
    tsdb_stats(db, &all);
    s->min_t = all.all_min_t;
    s->max_t = all.all_max_t;
    struct selection *sel = src->ops->select(src, m, m_n, &h, &budget, err);
    if (!sel)
        return false;
    bool ok = count_selection(s, src, sel, err);
    src->ops->release(sel);
    db_progress_end(&s->progress);
    return ok;
}

/* ---- tables ---- */

static uint64_t by_series(const struct tally *t)
{
    return t->series;
}
static uint64_t by_values(const struct tally *t)
{
    return t->values;
}
static uint64_t by_value_bytes(const struct tally *t)
{
    return t->value_bytes;
}
static uint64_t by_samples(const struct tally *t)
{
    return t->samples;
}
static uint64_t by_uncovered(const struct tally *t)
{
    return (uint64_t)(t->uncovered + 0.5);
}

typedef uint64_t (*measure)(const struct tally *t);

static int tally_cmp(const void *a, const void *b, void *arg)
{
    const struct tally *x = *(struct tally *const *)a, *y = *(struct tally *const *)b;
    measure *of = arg;
    uint64_t m = (*of)(x), n = (*of)(y);
    return m != n ? (m < n ? 1 : -1) : str_cmp(x->text, y->text);
}

static void add_table(struct strbuf *out, const struct tallies *t, const char *title, measure of,
                      size_t limit)
{
    size_t n = t->map.n;
    char count[DB_COUNT_MAX];
    struct tally **at MEM_CLEANUP = mem_array(n + 1, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = t->map.entries[i].value;
    if (n)
        qsort_r(at, n, sizeof *at, tally_cmp, &of);
    strbuf_addf(out, "\n%s\n", title);
    for (size_t i = 0; i < n && i < limit && of(at[i]); i++)
        strbuf_addf(out, "%15s  %.*s\n", db_count(of(at[i]), count), STR_ARG(at[i]->text));
}

static void add_tables(struct strbuf *out, const struct stat *s, size_t limit)
{
    add_table(out, &s->metrics, "Series by metric name", by_series, limit);
    add_table(out, &s->metrics, "Samples by metric name", by_samples, limit);
    add_table(out, &s->names, "Distinct values by label name", by_values, limit);
    add_table(out, &s->names, "Bytes of distinct values by label name", by_value_bytes, limit);
    add_table(out, &s->pairs, "Series by label pair", by_series, limit);
    add_table(out, &s->pairs, "Churn by label pair (series that others would have to fill)",
              by_uncovered, limit);
    add_table(out, &s->names, "Churn by label name", by_uncovered, limit);
}

/* ---- bytes ---- */

struct component {
    str name;
    uint64_t bytes;
};
typedef VEC(struct component) components;

static void add_bytes(components *c, str name, uint64_t n)
{
    VEC_EACH (one, c)
        if (str_eq(one->name, name)) {
            one->bytes += n;
            return;
        }
    vec_push(c, (struct component){name, n});
}

static void add_part(components *c, struct arena *a, struct part *p)
{
    const struct part_section *s;
    size_t n = part_sections(p, &s);
    uint64_t rest = part_blob(p)->size;
    for (size_t i = 0; i < n; i++) {
        add_bytes(c, arena_dup(a, str_from_z(s[i].name)), s[i].n);
        rest -= s[i].n;
    }
    add_bytes(c, STR("headers and footers"), rest);
}

static bool gather_bytes(struct db_place *place, struct arena *a, components *c, uint64_t *samples,
                         struct err *err)
{
    struct catalog_recovery ignored;
    struct part *const *parts;
    struct catalog_options o = {
        .disk = place->env.disk, .dir = place->dir, .kind = PART_KIND_METRICS, .read_only = true};
    struct catalog *cat = catalog_open(&o, &ignored, err);
    if (!cat)
        return false;
    size_t n = catalog_parts(cat, &parts);
    *samples = 0;
    for (size_t i = 0; i < n; i++) {
        add_part(c, a, parts[i]);
        *samples += part_info(parts[i])->samples;
    }
    catalog_close(cat);
    return true;
}

static bool add_components(struct strbuf *out, struct db_place *place, struct arena *a,
                           struct err *err)
{
    components c = {0};
    uint64_t samples, sum = 0;
    char count[DB_COUNT_MAX];
    bool ok = gather_bytes(place, a, &c, &samples, err);
    VEC_EACH (one, &c)
        sum += one->bytes;
    if (ok)
        vec_push(&c, (struct component){STR("all of the parts"), sum});
    if (ok && samples)
        strbuf_addz(out, "\n          Bytes   Share  Bytes/sample\n");
    VEC_EACH (one, &c)
        if (ok && samples)
            strbuf_addf(out, "%15s  %5.1f%%  %12.4f  %.*s\n", db_count(one->bytes, count),
                        100.0 * (double)one->bytes / (double)sum,
                        (double)one->bytes / (double)samples, STR_ARG(one->name));
    vec_fini(&c);
    return ok;
}

static void add_head(struct strbuf *out, const struct stat *s, const struct tsdb_stats *all)
{
    char a[DB_COUNT_MAX], b[DB_COUNT_MAX], from[DATE_TEXT_MAX], to[DATE_TEXT_MAX], span[64];
    strbuf_addf(out, "%15s  series\n", db_count(s->series, a));
    strbuf_addf(out, "%15s  label names\n", db_count(s->names.map.n, a));
    strbuf_addf(out, "%15s  label pairs\n", db_count(s->pairs.map.n, a));
    strbuf_addf(out, "%15s  samples\n", db_count(s->samples, a));
    strbuf_addf(out, "%15s  of them in parts, %s in the WAL only\n", db_count(all->part_samples, a),
                db_count(all->head_samples, b));
    if (!s->samples)
        return;
    date_format_ms(all->all_min_t, from);
    date_format_ms(all->all_max_t, to);
    duration_format(all->all_max_t - all->all_min_t, span);
    strbuf_addf(out, "%15s  from %s to %s\n", span, from, to);
}

static bool report(struct db_place *place, const struct db_filter *f, size_t limit,
                   struct strbuf *out, struct err *err)
{
    struct stat s = {0};
    struct tsdb_stats all;
    struct tsdb *db = db_open(place, true, err);
    if (!db)
        return false;
    arena_init(&s.arena, 0);
    bool ok = count_all(&s, db, f, err);
    tsdb_stats(db, &all);
    if (ok) {
        add_head(out, &s, &all);
        ok = add_components(out, place, &s.arena, err);
        add_tables(out, &s, limit);
    }
    map_fini(&s.names.map);
    map_fini(&s.pairs.map);
    map_fini(&s.metrics.map);
    arena_fini(&s.arena);
    tsdb_close(db);
    return ok;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    DB_FILTER_CLEANUP struct db_filter f = {0};
    STRBUF_CLEANUP struct strbuf out = {0};
    struct option_value none = {0};
    uint64_t limit;
    struct err err;
    arena_init(&a, 0);
    if (!u64_parse(values[LIMIT].text, &limit) || limit > LIMIT_MAX) {
        err_set(&err, ERR_INVALID, "--limit is no number up to %d", LIMIT_MAX);
        return cmd_fail(&err);
    }
    if (!db_args(self, args, args_n, 1, &err) ||
        !db_filter_read(&values[MATCH], &none, &none, &a, &f, &err) ||
        !db_place_open(args[0], false, &a, &place, &err) ||
        !report(&place, &f, (size_t)limit, &out, &err) || !db_write_out(&out, &err))
        return cmd_fail(&err);
    return 0;
}

const struct command cmd_db_stat = {
    .name = "db stat",
    .args = "DIR",
    .summary = "report what a storage directory spends its series and bytes on",
    .text =
        "Counts series by metric name, label name and label pair, says which labels churn, and how "
        "many bytes a\nsample takes in each section of the parts. Answered from the indexes of "
        "parts; samples "
        "are read only\nwhere some are deleted or not in a part yet. Works beside a running server "
        "and changes nothing.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
