// SPDX-License-Identifier: Apache-2.0
/*
 * `nunchi db dump`: samples as OpenMetrics text with times.
 *
 * One metric name at a time, so that memory holds the labels of one metric and the samples of one
 * series. Names are sorted by family first: OpenMetrics wants all of a family together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"
#include "cmd/db_int.h"
#include "format/expfmt_writer.h"
#include "promql/promql.h"

enum { MATCH, START, END };

static const struct option_row options[] = {
    [MATCH] = {"match", OPTION_LIST, "SELECTOR", NULL,
               "Only series that this selects, such as {job=\"node\"}; more of them add up."},
    [START] = {"start", OPTION_TEXT, "TIME", NULL,
               "Only samples from this time on: RFC 3339 or Unix seconds."},
    [END] = {"end", OPTION_TEXT, "TIME", NULL, "Only samples up to this time, inclusive."},
};

enum { OUT_BYTES = 64 << 10 };

struct metric {
    str name, family;
    const struct metadata *meta; /* NULL: none is known */
};

struct dump {
    struct source *source;
    const struct db_filter *filter;
    struct budget budget;
    struct strbuf out;
    struct expfmt_writer writer;
    struct map metadata; /* family -> struct metadata */
    struct arena arena;  /* lives as long as the dump */
    VEC(struct metric) metrics;
    uint64_t stale, histograms; /* what the format has no words for */
    struct strbuf family;       /* whose head was written */
};

static struct select_hints hints(const struct dump *d)
{
    return (struct select_hints){.start = d->filter->start, .end = d->filter->end};
}

/* ---- which metrics ---- */

static const struct metadata *metadata_of(const struct dump *d, str name)
{
    static const str suffixes[] = {STR_INIT("_total"),  STR_INIT("_bucket"), STR_INIT("_count"),
                                   STR_INIT("_sum"),    STR_INIT("_info"),   STR_INIT("_created"),
                                   STR_INIT("_gcount"), STR_INIT("_gsum")};
    const struct metadata *m = map_get(&d->metadata, name);
    for (size_t i = 0; !m && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (str_ends(name, suffixes[i]))
            m = map_get(&d->metadata, str_sub(name, 0, name.n - suffixes[i].n));
    }
    return m;
}

static void add_metric(struct dump *d, str name)
{
    const struct metadata *m = metadata_of(d, name);
    if (!name.n)
        return;
    vec_push(&d->metrics, (struct metric){name, m ? m->family : name, m});
}

static int metric_cmp(const void *a, const void *b)
{
    const struct metric *x = a, *y = b;
    int c = str_cmp(x->family, y->family);
    return c ? c : str_cmp(x->name, y->name);
}

static bool add_names(struct dump *d, const struct matcher *m, size_t m_n, struct err *err)
{
    struct select_hints h = hints(d);
    str *names;
    size_t n;
    if (!d->source->ops->label_values(d->source, LABEL_NAME, m, m_n, &h, &d->budget, &d->arena,
                                      &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        add_metric(d, names[i]);
    return true;
}

static bool gather_metrics(struct dump *d, struct err *err)
{
    struct metadata *meta;
    size_t n, m_n;
    if (!d->source->ops->metadata(d->source, STR(""), 0, &d->arena, &meta, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        map_put(&d->metadata, meta[i].family, &meta[i]);
    for (size_t i = 0; i < d->filter->match_n; i++) {
        const struct matcher *m = promql_expr_matchers(d->filter->match[i], &m_n);
        if (!add_names(d, m, m_n, err))
            return false;
    }
    if (!d->filter->match_n && !add_names(d, NULL, 0, err))
        return false;
    if (d->metrics.n)
        qsort(d->metrics.at, d->metrics.n, sizeof d->metrics.at[0], metric_cmp);
    return true;
}

/* ---- one metric ---- */

static bool flush(struct dump *d, bool all, struct err *err)
{
    return (!all && d->out.n < OUT_BYTES) || db_write_out(&d->out, err);
}

/* The format knows counters and infos by the ends of their names. */
static bool type_fits(const struct metric *m)
{
    switch (m->meta->type) {
    case METRIC_COUNTER:
        return str_ends(m->name, STR("_total")) || str_ends(m->name, STR("_created"));
    case METRIC_INFO:
        return str_ends(m->name, STR("_info"));
    default:
        return true;
    }
}

static str suffix_of(enum metric_type t)
{
    return t == METRIC_COUNTER ? STR("_total") : t == METRIC_INFO ? STR("_info") : STR("");
}

static void write_head(struct dump *d, const struct metric *m)
{
    if (!m->meta || (d->family.p && str_eq(strbuf_str(&d->family), m->family)))
        return;
    enum metric_type type = type_fits(m) ? m->meta->type : METRIC_UNKNOWN;
    str suffix = suffix_of(type), name = m->family;
    if (!str_ends(name, suffix)) /* the writer knows such a family by its samples' name */
        name = arena_printf(&d->arena, "%.*s%.*s", STR_ARG(name), STR_ARG(suffix));
    strbuf_clear(&d->family);
    strbuf_add(&d->family, m->family);
    emit_family(&d->writer.emit, name, type, m->meta->help);
    if (m->meta->unit.n && metric_name_is_legacy(m->family) && str_ends(m->family, m->meta->unit))
        strbuf_addf(&d->out, "# UNIT %.*s %.*s\n", STR_ARG(m->family), STR_ARG(m->meta->unit));
}

static bool write_series(struct dump *d, const struct metric *m, struct labels ls,
                         const struct columns *c, struct err *err)
{
    VEC(struct label) labels = {0};
    bool ok = true;
    for (size_t i = 0; i < ls.n; i++) {
        if (!str_eq(ls.at[i].name, LABEL_NAME))
            vec_push(&labels, ls.at[i]);
    }
    for (size_t i = 0; ok && i < c->n; i++) {
        if (c->h && c->h[i]) {
            d->histograms++;
            continue;
        }
        d->stale += is_stale_nan(c->v[i]);
        write_head(d, m);
        expfmt_writer_sample_at(&d->writer, m->name, labels.at, labels.n, c->v[i], c->t[i]);
        ok = flush(d, false, err);
    }
    vec_fini(&labels);
    return ok;
}

/* One series of each selection is at hand; the smallest comes next, once. */
struct cursor {
    struct selection *sel;
    size_t at, n;
};

static struct labels labels_at(const struct dump *d, const struct cursor *c)
{
    return d->source->ops->labels(c->sel, c->at);
}

static struct cursor *smallest(const struct dump *d, struct cursor *at, size_t n)
{
    struct cursor *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (at[i].at < at[i].n &&
            (!best || labels_cmp(labels_at(d, &at[i]), labels_at(d, best)) < 0))
            best = &at[i];
    return best;
}

static bool write_merged(struct dump *d, const struct metric *m, struct cursor *at, size_t n,
                         struct err *err)
{
    ARENA_CLEANUP struct arena a;
    struct cursor *c;
    bool ok = true;
    arena_init(&a, 0);
    while (ok && (c = smallest(d, at, n))) {
        struct columns cols;
        struct labels ls = labels_dup(&a, labels_at(d, c));
        ok = source_read(d->source->ops, c->sel, c->at, d->filter->start, d->filter->end, &a, &cols,
                         err) &&
             write_series(d, m, ls, &cols, err);
        for (size_t i = 0; i < n; i++)
            at[i].at += at[i].at < at[i].n && labels_eq(labels_at(d, &at[i]), ls);
        arena_reset(&a);
    }
    return ok;
}

static bool select_one(struct dump *d, const struct metric *m, const struct matcher *with,
                       size_t with_n, struct cursor *out, struct err *err)
{
    struct select_hints h = hints(d);
    struct matcher *all = mem_array(with_n + 1, sizeof *all);
    for (size_t i = 0; i < with_n; i++)
        all[i] = with[i];
    bool ok = matcher_init(&all[with_n], MATCH_EQ, LABEL_NAME, m->name, err);
    if (ok) {
        out->sel = d->source->ops->select(d->source, all, with_n + 1, &h, &d->budget, err);
        out->n = out->sel ? d->source->ops->size(out->sel) : 0;
        matcher_fini(&all[with_n]);
    }
    free(all);
    return ok && out->sel;
}

static bool write_metric(struct dump *d, const struct metric *m, struct err *err)
{
    size_t n = d->filter->match_n ? d->filter->match_n : 1, m_n = 0;
    struct cursor *at = mem_zalloc(n * sizeof *at);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct matcher *with = NULL;
        if (d->filter->match_n)
            with = promql_expr_matchers(d->filter->match[i], &m_n);
        ok = select_one(d, m, with, m_n, &at[i], err);
    }
    ok = ok && write_merged(d, m, at, n, err);
    for (size_t i = 0; i < n; i++)
        if (at[i].sel)
            d->source->ops->release(at[i].sel);
    free(at);
    return ok;
}

static bool write_all(struct dump *d, struct err *err)
{
    if (!gather_metrics(d, err))
        return false;
    for (size_t i = 0; i < d->metrics.n; i++) {
        if (i && str_eq(d->metrics.at[i].name, d->metrics.at[i - 1].name))
            continue; /* two selectors found it */
        if (!write_metric(d, &d->metrics.at[i], err))
            return false;
    }
    strbuf_addz(&d->out, "# EOF\n");
    return flush(d, true, err);
}

static void say_left_out(const struct dump *d)
{
    if (d->stale)
        fprintf(stderr, "note: %" PRIu64 " staleness markers were written as NaN\n", d->stale);
    if (d->histograms)
        fprintf(stderr,
                "warning: %" PRIu64 " samples of native histograms were left out: OpenMetrics "
                "text cannot hold them\n",
                d->histograms);
}

static bool dump(struct tsdb *db, const struct db_filter *f, struct err *err)
{
    struct dump d = {.source = tsdb_source(db), .filter = f};
    struct expfmt_choice how = {EXPFMT_OPENMETRICS_1_0_0, true};
    arena_init(&d.arena, 0);
    expfmt_writer_init(&d.writer, how, &d.out);
    bool ok = write_all(&d, err);
    say_left_out(&d);
    expfmt_writer_finish(&d.writer);
    vec_fini(&d.metrics);
    map_fini(&d.metadata);
    strbuf_fini(&d.family);
    strbuf_fini(&d.out);
    arena_fini(&d.arena);
    return ok;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    DB_FILTER_CLEANUP struct db_filter f = {0};
    struct err err;
    arena_init(&a, 0);
    if (!db_args(self, args, args_n, 1, &err) ||
        !db_filter_read(&values[MATCH], &values[START], &values[END], &a, &f, &err) ||
        !db_place_open(args[0], false, &a, &place, &err))
        return cmd_fail(&err);
    struct tsdb *db = db_open(&place, true, &err);
    bool ok = db && dump(db, &f, &err);
    if (db)
        tsdb_close(db);
    return ok ? 0 : cmd_fail(&err);
}

const struct command cmd_db_dump = {
    .name = "db dump",
    .args = "DIR",
    .summary = "write the samples of a storage directory as OpenMetrics text",
    .text =
        "Metrics come sorted, each sample with its time, and the end is marked by \"# EOF\": "
        "\"nunchi db import\"\nand \"promtool tsdb create-blocks-from openmetrics\" read it. Works "
        "beside a running server and\nchanges nothing. Staleness markers are written as NaN, "
        "because the format has no word for them.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
