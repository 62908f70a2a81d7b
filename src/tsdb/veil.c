// SPDX-License-Identifier: Apache-2.0
#include "tsdb/veil.h"

#include <stdlib.h>

void cutoffs_find(const struct keep *k, ts_ms now, struct cutoffs *out)
{
    out->oldest = INT64_MAX;
    out->newest = INT64_MIN;
    for (size_t i = 0; i <= k->n; i++) {
        int64_t keep = i ? k->rules[i - 1].keep_ms : k->keep_ms;
        ts_ms at = keep && now > INT64_MIN + keep ? now - keep : INT64_MIN;
        out->at[i] = at;
        out->oldest = at < out->oldest ? at : out->oldest;
        out->newest = at > out->newest ? at : out->newest;
    }
}

unsigned keep_class(const struct keep *k, struct labels ls)
{
    for (size_t i = 0; i < k->n; i++) {
        bool all = true;
        for (size_t j = 0; j < k->rules[i].m_n && all; j++) {
            const struct matcher *m = &k->rules[i].m[j];
            all = matcher_test(m, labels_get(ls, m->name));
        }
        if (all)
            return (unsigned)i + 1;
    }
    return 0;
}

/* ---- what is found in the index ---- */

/* The first rule that matches counts, so the last one is asked first. */
static struct veil_classes *find_classes(const struct index *x, const struct keep *k)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct veil_classes *c = mem_zalloc(sizeof *c + index_series_n(x));
    c->refs = 1;
    for (size_t i = k->n; i-- > 0;) {
        struct id_list ids;
        index_match(x, k->rules[i].m, k->rules[i].m_n, &a, &ids);
        for (size_t j = 0; j < ids.n; j++)
            c->at[ids.at[j]] = (uint8_t)(i + 1);
        arena_reset(&a);
    }
    return c;
}

static struct veil_ids *find_ids(const struct index *x, const struct scope *of)
{
    struct arena a ARENA_CLEANUP;
    struct id_list l;
    arena_init(&a, 0);
    index_match(x, of->m, of->m_n, &a, &l);
    struct veil_ids *ids = mem_alloc(sizeof *ids + l.n * sizeof ids->at[0]);
    *ids = (struct veil_ids){.refs = 1, .n = l.n};
    if (l.n)
        memcpy(ids->at, l.at, l.n * sizeof ids->at[0]);
    return ids;
}

static bool concerns(const struct tombstone *s, const struct part_info *info)
{
    return s->id > info->id && s->start <= info->max_t && s->end >= info->min_t;
}

static int by_start(const void *a, const void *b)
{
    const struct veil_span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Sorts, and makes one of those that overlap or touch. */
static size_t join_spans(struct veil_span *at, size_t n)
{
    size_t w = 0;
    qsort(at, n, sizeof *at, by_start);
    for (size_t i = 1; i < n; i++) {
        if (at[w].end < at[i].start && (uint64_t)at[i].start - (uint64_t)at[w].end > 1)
            at[++w] = at[i];
        else if (at[i].end > at[w].end)
            at[w].end = at[i].end;
    }
    return w + 1;
}

/* The group of the tombstones at[0..n), which are of one scope; false: they hide nothing here. */
static bool make_group(struct veil *v, const struct part_info *info, const struct tombstone *at,
                       size_t n, struct veil_group *g)
{
    *g = (struct veil_group){.of = at->of};
    for (size_t i = 0; i < n; i++)
        g->n += concerns(&at[i], info);
    if (g->n == 0)
        return false;
    g->spans = arena_array(&v->arena, struct veil_span, g->n);
    g->n = 0;
    for (size_t i = 0; i < n; i++)
        if (concerns(&at[i], info))
            g->spans[g->n++] = (struct veil_span){at[i].start, at[i].end};
    g->n = join_spans(g->spans, g->n);
    return true;
}

/* Those of both veils are in one order, so `*seen` only moves on. */
static struct veil_ids *ids_of(const struct veil *old, size_t *seen, const struct index *x,
                               const struct scope *of)
{
    while (old && *seen < old->n && old->groups[*seen].of->number < of->number)
        ++*seen;
    if (!old || *seen == old->n || old->groups[*seen].of != of)
        return find_ids(x, of);
    struct veil_ids *ids = old->groups[*seen].ids;
    atomic_fetch_add(&ids->refs, 1);
    return ids;
}

static void find_groups(struct veil *v, const struct index *x, const struct part_info *info,
                        const struct tombstones *t, const struct veil *old)
{
    size_t seen = 0;
    v->groups = arena_array(&v->arena, struct veil_group, t->n + 1);
    for (size_t i = 0, n; i < t->n; i += n) {
        struct veil_group *g = &v->groups[v->n];
        for (n = 1; i + n < t->n && t->at[i + n].of == t->at[i].of;)
            n++;
        if (!make_group(v, info, &t->at[i], n, g))
            continue;
        g->ids = ids_of(old, &seen, x, g->of);
        scope_ref(g->of);
        v->n++;
    }
}

enum { FEW_GROUPS = 8, PLACES_PER_SERIES = 4, PLACES_MIN = 1 << 20 };

/* So that a series need not ask every group. */
static void find_places(struct veil *v, size_t series)
{
    size_t total = 0;
    for (size_t i = 0; i < v->n; i++)
        total += v->groups[i].ids->n;
    if (v->n <= FEW_GROUPS || total > series * PLACES_PER_SERIES + PLACES_MIN)
        return;
    v->first = arena_array(&v->arena, uint32_t, series + 2);
    v->places = arena_array(&v->arena, uint32_t, total + 1);
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->groups[i].ids->n; k++)
            v->first[v->groups[i].ids->at[k] + 2]++;
    for (size_t i = 2; i < series + 2; i++)
        v->first[i] += v->first[i - 1];
    for (uint32_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->groups[i].ids->n; k++)
            v->places[v->first[v->groups[i].ids->at[k] + 1]++] = i;
}

struct veil *veil_new(const struct index *x, const struct part_info *info,
                      const struct tombstones *t, const struct keep *k, const struct veil *old)
{
    bool any = k->n > 0;
    for (size_t i = 0; i < t->n && !any; i++)
        any = concerns(&t->at[i], info);
    if (!any)
        return NULL;
    struct veil *v = mem_new(struct veil);
    v->refs = 1;
    v->version = t->version;
    arena_init(&v->arena, 0);
    v->classes = old ? old->classes : NULL;
    if (v->classes)
        atomic_fetch_add(&v->classes->refs, 1);
    else if (k->n)
        v->classes = find_classes(x, k);
    find_groups(v, x, info, t, old);
    find_places(v, index_series_n(x));
    return v;
}

void veil_unref(struct veil *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    for (size_t i = 0; i < v->n; i++) {
        if (atomic_fetch_sub(&v->groups[i].ids->refs, 1) == 1)
            free(v->groups[i].ids);
        scope_unref(v->groups[i].of);
    }
    if (v->classes && atomic_fetch_sub(&v->classes->refs, 1) == 1)
        free(v->classes);
    arena_fini(&v->arena);
    free(v);
}

/* ---- asking ---- */

static bool has_id(const struct veil_ids *l, uint32_t id)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->at[mid] == id)
            return true;
        if (l->at[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* The groups of a series, one after the other from place 0 on; NULL: no more. */
static const struct veil_group *next_group(const struct veil *v, uint32_t id, size_t *place)
{
    if (!v)
        return NULL;
    if (v->first) {
        size_t i = v->first[id] + (*place)++;
        return i < v->first[id + 1] ? &v->groups[v->places[i]] : NULL;
    }
    while (*place < v->n) {
        const struct veil_group *g = &v->groups[(*place)++];
        if (has_id(g->ids, id))
            return g;
    }
    return NULL;
}

/* The first span that ends at `t` or later; n: none. */
static size_t first_span(const struct veil_group *g, ts_ms t)
{
    size_t lo = 0, hi = g->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (g->spans[mid].end < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool veil_has_deleted(const struct veil *v, const struct index *x)
{
    for (size_t i = 0; v && i < v->n; i++) {
        const struct veil_group *g = &v->groups[i];
        for (size_t k = 0; k < g->ids->n; k++)
            for (size_t s = 0; s < g->n; s++)
                if (index_overlaps(x, g->ids->at[k], g->spans[s].start, g->spans[s].end))
                    return true;
    }
    return false;
}

static ts_ms cutoff_of(const struct veil *v, const struct cutoffs *c, uint32_t id)
{
    return c->at[v && v->classes ? v->classes->at[id] : 0];
}

bool veil_hides(const struct veil *v, const struct cutoffs *c, uint32_t id, ts_ms start, ts_ms end)
{
    if (end < cutoff_of(v, c, id))
        return true;
    size_t place = 0;
    for (const struct veil_group *g; (g = next_group(v, id, &place));) {
        size_t i = first_span(g, end);
        if (i < g->n && g->spans[i].start <= start)
            return true;
    }
    return false;
}

bool veil_touches(const struct veil *v, uint32_t id, ts_ms start, ts_ms end)
{
    size_t place = 0;
    for (const struct veil_group *g; (g = next_group(v, id, &place));) {
        size_t i = first_span(g, start);
        if (i < g->n && g->spans[i].start <= end)
            return true;
    }
    return false;
}

void veil_apply(const struct veil *v, const struct cutoffs *c, uint32_t id, struct gather *g,
                size_t from)
{
    ts_ms cutoff = cutoff_of(v, c, id);
    size_t place = 0;
    if (g->n == from)
        return;
    if (g->t[from] < cutoff)
        gather_drop(g, from, INT64_MIN, cutoff - 1);
    for (const struct veil_group *p; g->n > from && (p = next_group(v, id, &place));)
        for (size_t i = first_span(p, g->t[from]);
             i < p->n && g->n > from && p->spans[i].start <= g->t[g->n - 1]; i++)
            gather_drop(g, from, p->spans[i].start, p->spans[i].end);
}
