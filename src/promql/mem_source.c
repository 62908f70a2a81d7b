// SPDX-License-Identifier: Apache-2.0
#include "promql/mem_source.h"

#include <stdlib.h>

#include "model/histogram_math.h"
#include "promql/eval_int.h"

struct mem_series {
    VEC(ts_ms) t;
    VEC(double) v;
    VEC(const struct histogram *) h;
    VEC(ts_ms) start;
    bool histograms, starts; /* any */
};

struct mem_source {
    struct source source;
    struct arena arena; /* labels */
    struct label_table table;
    VEC(struct mem_series) series; /* by index in the table */
    struct tier_span tiers[SOURCE_TIERS_MAX];
    size_t tiers_n;
};

struct selection {
    struct mem_source *m;
    size_t n;
    size_t *index; /* of series, sorted by labels */
    struct budget *budget;
};

static struct mem_source *of(struct source *s)
{
    return (struct mem_source *)s;
}

static bool matches(struct labels ls, const struct matcher *m, size_t m_n)
{
    for (size_t i = 0; i < m_n; i++)
        if (!matcher_test(&m[i], labels_get(ls, m[i].name)))
            return false;
    return true;
}

static int by_labels(const void *a, const void *b, void *ctx)
{
    const struct mem_source *m = ctx;
    return labels_cmp(m->table.at[*(const size_t *)a], m->table.at[*(const size_t *)b]);
}

static struct selection *mem_select(struct source *s, const struct matcher *m, size_t m_n,
                                    const struct select_hints *h, struct budget *b, struct err *err)
{
    struct mem_source *src = of(s);
    (void)err;
    struct selection *sel = mem_new(struct selection);
    sel->budget = b;
    sel->m = src;
    sel->index = mem_array(src->table.n + 1, sizeof *sel->index);
    for (size_t i = 0; i < src->table.n; i++)
        if (matches(src->table.at[i], m, m_n))
            sel->index[sel->n++] = i;
    qsort_r(sel->index, sel->n, sizeof *sel->index, by_labels, src);
    if (h->limit && sel->n > h->limit)
        sel->n = h->limit;
    return sel;
}

static size_t mem_size(const struct selection *sel)
{
    return sel->n;
}

static struct labels mem_labels(struct selection *sel, size_t i)
{
    return sel->m->table.at[sel->index[i]];
}

/* First sample at or after `t`. */
static size_t lower_bound(const struct mem_series *s, ts_ms t)
{
    size_t lo = 0, hi = s->t.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->t.at[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool mem_read(struct selection *sel, size_t first, size_t *n, ts_ms start, ts_ms end,
                     struct arena *a, struct columns *out, struct err *err)
{
    const struct mem_series *s = &sel->m->series.at[sel->index[first]];
    (void)a;
    *n = 1;
    const struct mem_source *src = sel->m;
    if (src->tiers_n && start <= src->tiers[src->tiers_n - 1].end)
        start = src->tiers[src->tiers_n - 1].end + 1;
    size_t lo = lower_bound(s, start), hi = lo;
    while (hi < s->t.n && s->t.at[hi] <= end)
        hi++;
    if (sel->budget && !budget_use(sel->budget, hi - lo, err))
        return false;
    *out = (struct columns){.n = hi - lo};
    if (hi > lo) {
        out->t = s->t.at + lo;
        out->v = s->v.at + lo;
        out->h = s->histograms ? s->h.at + lo : NULL;
        out->start = s->starts ? s->start.at + lo : NULL;
    }
    return true;
}

static size_t mem_tiers(const struct selection *sel, struct tier_span out[SOURCE_TIERS_MAX])
{
    memcpy(out, sel->m->tiers, sizeof sel->m->tiers);
    return sel->m->tiers_n;
}

static bool mem_read_tier(struct selection *sel, size_t i, ts_ms start, ts_ms end,
                          struct tier_rows *out, struct err *err)
{
    const struct mem_series *s = &sel->m->series.at[sel->index[i]];
    struct tier_rows all = {.arena = out->arena};
    for (size_t k = 0; k < sel->m->tiers_n; k++) {
        const struct tier_span *span = &sel->m->tiers[k];
        size_t lo = lower_bound(s, span->start + 1), hi = lower_bound(s, span->end + 1);
        struct columns c = {.n = hi - lo,
                            .t = s->t.at + lo,
                            .v = s->v.at + lo,
                            .h = s->histograms ? s->h.at + lo : NULL};
        if (hi > lo)
            tier_of_samples(&all, span->step_ms, &c);
    }
    for (size_t k = 0; k < all.n; k++) {
        if (all.at[k].start >= end || all.at[k].end < start)
            continue;
        *tier_rows_room(out, 1) = all.at[k];
        out->n++;
    }
    return !sel->budget || budget_use(sel->budget, out->n, err);
}

static void mem_release(struct selection *sel)
{
    free(sel->index);
    free(sel);
}

static int by_str(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sorted, each once, copied to the arena. */
static void take_strings(str *at, size_t n, struct arena *a, str **out, size_t *out_n)
{
    *out = arena_array(a, str, n);
    *out_n = 0;
    if (n)
        qsort(at, n, sizeof *at, by_str);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(at[i - 1], at[i]))
            (*out)[(*out_n)++] = arena_dup(a, at[i]);
}

static bool mem_label_names(struct source *s, const struct matcher *m, size_t m_n,
                            const struct select_hints *h, struct budget *b, struct arena *a,
                            str **out, size_t *n, struct err *err)
{
    struct mem_source *src = of(s);
    VEC(str) v = {0};
    for (size_t i = 0; i < src->table.n; i++)
        for (size_t k = 0; matches(src->table.at[i], m, m_n) && k < src->table.at[i].n; k++)
            vec_push(&v, src->table.at[i].at[k].name);
    take_strings(v.at, v.n, a, out, n);
    vec_fini(&v);
    return true;
}

static bool mem_label_values(struct source *s, str name, const struct matcher *m, size_t m_n,
                             const struct select_hints *h, struct budget *b, struct arena *a,
                             str **out, size_t *n, struct err *err)
{
    struct mem_source *src = of(s);
    VEC(str) v = {0};
    for (size_t i = 0; i < src->table.n; i++) {
        str value = labels_get(src->table.at[i], name);
        if (value.n && matches(src->table.at[i], m, m_n))
            vec_push(&v, value);
    }
    take_strings(v.at, v.n, a, out, n);
    vec_fini(&v);
    return true;
}

static bool mem_metadata(struct source *s, str family, size_t limit, struct arena *a,
                         struct metadata **out, size_t *n, struct err *err)
{
    *out = NULL;
    *n = 0;
    return true;
}

static const struct source_ops mem_ops = {
    .select = mem_select,
    .size = mem_size,
    .labels = mem_labels,
    .read = mem_read,
    .release = mem_release,
    .tiers = mem_tiers,
    .read_tier = mem_read_tier,
    .label_names = mem_label_names,
    .label_values = mem_label_values,
    .metadata = mem_metadata,
};

struct mem_source *mem_source_new(void)
{
    struct mem_source *m = mem_new(struct mem_source);
    m->source.ops = &mem_ops;
    arena_init(&m->arena, 0);
    return m;
}

void mem_source_tier(struct mem_source *m, int64_t step_ms, ts_ms until)
{
    ts_ms start = m->tiers_n ? m->tiers[m->tiers_n - 1].end : INT64_MIN;
    m->tiers[m->tiers_n++] = (struct tier_span){step_ms, start, until};
}

void mem_source_clear(struct mem_source *m)
{
    m->tiers_n = 0;
    VEC_EACH (s, &m->series) {
        vec_fini(&s->t);
        vec_fini(&s->v);
        vec_fini(&s->h);
        vec_fini(&s->start);
    }
    vec_clear(&m->series);
    label_table_fini(&m->table);
    arena_reset(&m->arena);
}

void mem_source_free(struct mem_source *m)
{
    if (!m)
        return;
    mem_source_clear(m);
    vec_fini(&m->series);
    arena_fini(&m->arena);
    free(m);
}

struct source *mem_source_source(struct mem_source *m)
{
    return &m->source;
}

/* Whether two samples can lie in one chunk as far as their layout goes. */
static bool same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->zero_threshold == b->zero_threshold &&
           a->custom_n == b->custom_n &&
           (!a->custom_n || memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) == 0);
}

static const struct histogram *stored(struct mem_source *m, const struct mem_series *s,
                                      const struct histogram *h)
{
    struct histogram *copy = histogram_dup(&m->arena, h);
    const struct histogram *before = s->h.n ? s->h.at[s->h.n - 1] : NULL;
    if (h->reset == HISTOGRAM_GAUGE)
        return copy;
    copy->reset = HISTOGRAM_RESET_UNKNOWN;
    if (before && before->reset != HISTOGRAM_GAUGE && h->reset != HISTOGRAM_RESET_YES &&
        same_layout(h, before) && !histogram_was_reset(copy, before))
        copy->reset = HISTOGRAM_RESET_NO;
    return copy;
}

bool mem_source_add(struct mem_source *m, struct labels ls, const struct mem_sample *in)
{
    size_t known = m->table.n, i = label_table_add(&m->table, ls);
    if (i == known) {
        m->table.at[i] = labels_dup(&m->arena, ls);
        vec_push(&m->series, (struct mem_series){0});
    }
    struct mem_series *s = &m->series.at[i];
    if (s->t.n && s->t.at[s->t.n - 1] >= in->t)
        return false;
    vec_push(&s->h, in->h ? stored(m, s, in->h) : NULL);
    vec_push(&s->t, in->t);
    vec_push(&s->v, in->h ? 0 : in->v);
    vec_push(&s->start, in->start);
    s->histograms |= in->h != NULL;
    s->starts |= in->start != 0;
    return true;
}
