// SPDX-License-Identifier: Apache-2.0
/*
 * Classic histograms as native ones with custom buckets: name_bucket by `le`, name_count and
 * name_sum with the same other labels are one series `name`.
 */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "model/histogram_math.h"
#include "promql/eval_int.h"
#include "promql/script_int.h"

enum part { PART_BUCKET, PART_COUNT, PART_SUM };

struct member {
    size_t owner; /* index of the histogram's labels */
    enum part part;
    double le;
    const struct script_series *series;
};

typedef VEC(struct member) member_vec;

static bool part_of(str name, enum part *part, str *base)
{
    static const str suffixes[] = {STR_INIT("_bucket"), STR_INIT("_count"), STR_INIT("_sum")};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (!str_ends(name, suffixes[i]))
            continue;
        *part = (enum part)i;
        *base = str_sub(name, 0, name.n - suffixes[i].n);
        return true;
    }
    return false;
}

static void add_member(const struct script_series *s, struct label_table *owners, member_vec *out,
                       struct arena *a)
{
    struct member m = {.series = s};
    struct labels_builder b;
    str base;
    if (s->starts || !part_of(labels_metric_name(s->labels), &m.part, &base))
        return;
    if (m.part == PART_BUCKET &&
        (!f64_parse(labels_get(s->labels, STR("le")), &m.le) || isnan(m.le)))
        return;
    labels_builder_init(&b, s->labels);
    labels_builder_set(&b, LABEL_NAME, base);
    labels_builder_set(&b, STR("le"), STR(""));
    m.owner = label_table_add(owners, labels_builder_take(&b, a));
    labels_builder_fini(&b);
    vec_push(out, m);
}

static int by_owner(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->owner != y->owner)
        return x->owner > y->owner ? 1 : -1;
    return (x->le > y->le) - (x->le < y->le);
}

/* What the members say at one step. */
struct classic {
    double count, sum;
    bool any, has_count, failed;
    VEC(double) bounds, cumulative;
};

static void see(struct classic *c, const struct member *m, size_t step)
{
    if (step >= m->series->n || m->series->values[step].gap || m->series->values[step].h)
        return;
    double v = m->series->values[step].v;
    c->any = true;
    if (m->part == PART_SUM) {
        c->sum = v;
    } else if (m->part == PART_COUNT) {
        c->count = v;
        c->has_count = true;
    } else if (!c->bounds.n || vec_last(&c->bounds) < m->le) {
        c->failed |= c->cumulative.n && v < vec_last(&c->cumulative);
        vec_push(&c->bounds, m->le);
        vec_push(&c->cumulative, v);
    }
}

static struct histogram *convert(struct classic *c, struct arena *a)
{
    if (!c->has_count && c->cumulative.n)
        c->count = vec_last(&c->cumulative);
    if (!c->bounds.n || vec_last(&c->bounds) != INFINITY) {
        vec_push(&c->bounds, INFINITY);
        vec_push(&c->cumulative, c->count);
    }
    size_t n = c->bounds.n;
    if (c->failed || n > HISTOGRAM_BUCKETS_MAX || c->count != vec_last(&c->cumulative))
        return NULL;
    struct histogram *h = arena_new(a, struct histogram);
    struct histogram_span *span = arena_new(a, struct histogram_span);
    double *counts = arena_array(a, double, n), *custom = arena_array(a, double, n);
    for (size_t i = 0; i < n; i++) {
        counts[i] = c->cumulative.at[i] - (i ? c->cumulative.at[i - 1] : 0);
        custom[i] = c->bounds.at[i];
    }
    *span = (struct histogram_span){0, (uint32_t)n};
    h->schema = HISTOGRAM_CUSTOM;
    h->count = c->count;
    h->sum = c->sum;
    h->custom = custom;
    h->custom_n = (uint32_t)n - 1;
    h->positive = (struct histogram_buckets){span, counts, 1, (uint32_t)n};
    return h;
}

static bool add_histogram(const struct member *m, size_t n, struct labels ls, int64_t gap,
                          struct mem_source *to, struct arena *a, struct err *err)
{
    size_t steps = 0;
    for (size_t i = 0; i < n; i++)
        steps = m[i].series->n > steps ? m[i].series->n : steps;
    for (size_t step = 0; step < steps; step++) {
        struct classic c = {0};
        for (size_t i = 0; i < n; i++)
            see(&c, &m[i], step);
        const struct histogram *h = c.any ? convert(&c, a) : NULL;
        vec_fini(&c.bounds);
        vec_fini(&c.cumulative);
        if (c.any && !h)
            return err_set(err, ERR_INVALID, "buckets do not make a histogram");
        if (h)
            mem_source_add(to, ls, &(struct mem_sample){.t = (ts_ms)step * gap, .h = h});
    }
    return true;
}

bool script_add_nhcb(const script_series_vec *series, int64_t gap, struct mem_source *to,
                     struct arena *a, struct err *err)
{
    struct label_table owners = {0};
    member_vec v = {0};
    bool ok = true;
    VEC_EACH (s, series)
        add_member(s, &owners, &v, a);
    if (v.n)
        qsort(v.at, v.n, sizeof *v.at, by_owner);
    for (size_t from = 0, end; ok && from < v.n; from = end) {
        for (end = from; end < v.n && v.at[end].owner == v.at[from].owner;)
            end++;
        ok = add_histogram(v.at + from, end - from, owners.at[v.at[from].owner], gap, to, a, err);
    }
    vec_fini(&v);
    label_table_fini(&owners);
    return ok;
}
