// SPDX-License-Identifier: Apache-2.0
#include "tsdb/veil.h"

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

/* The first rule that matches counts, so the last one is asked first. */
static void find_classes(struct veil *v, const struct index *x, const struct keep *k)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    v->classes = arena_zalloc(&v->arena, index_series_n(x) + 1);
    for (size_t i = k->n; i-- > 0;) {
        struct id_list ids;
        index_match(x, k->rules[i].m, k->rules[i].m_n, &a, &ids);
        for (size_t j = 0; j < ids.n; j++)
            v->classes[ids.at[j]] = (uint8_t)(i + 1);
        arena_reset(&a);
    }
}

static bool concerns(const struct tombstone *s, const struct part_info *info)
{
    return s->id > info->id && s->start <= info->max_t && s->end >= info->min_t;
}

static void find_ranges(struct veil *v, const struct index *x, const struct part_info *info,
                        const struct tombstones *t)
{
    v->ranges = arena_array(&v->arena, struct veil_range, t->n + 1);
    for (size_t i = 0; i < t->n; i++) {
        struct arena a ARENA_CLEANUP;
        const struct tombstone *s = &t->at[i];
        struct id_list ids;
        arena_init(&a, 0);
        if (!concerns(s, info))
            continue;
        index_match(x, s->m, s->m_n, &a, &ids);
        if (ids.n == 0)
            continue;
        uint32_t *at = arena_alloc(&v->arena, ids.n * sizeof *at);
        memcpy(at, ids.at, ids.n * sizeof *at);
        v->ranges[v->n++] = (struct veil_range){s->start, s->end, {at, ids.n}};
    }
}

struct veil *veil_new(const struct index *x, const struct part_info *info,
                      const struct tombstones *t, const struct keep *k)
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
    if (k->n)
        find_classes(v, x, k);
    find_ranges(v, x, info, t);
    return v;
}

void veil_unref(struct veil *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    arena_fini(&v->arena);
    free(v);
}

static bool has_id(const struct id_list *l, uint32_t id)
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

bool veil_has_deleted(const struct veil *v, const struct index *x)
{
    for (size_t i = 0; v && i < v->n; i++)
        for (size_t k = 0; k < v->ranges[i].ids.n; k++)
            if (index_overlaps(x, v->ranges[i].ids.at[k], v->ranges[i].start, v->ranges[i].end))
                return true;
    return false;
}

static ts_ms cutoff_of(const struct veil *v, const struct cutoffs *c, uint32_t id)
{
    return c->at[v && v->classes ? v->classes[id] : 0];
}

bool veil_hides(const struct veil *v, const struct cutoffs *c, uint32_t id, ts_ms start, ts_ms end)
{
    if (end < cutoff_of(v, c, id))
        return true;
    for (size_t i = 0; v && i < v->n; i++)
        if (v->ranges[i].start <= start && v->ranges[i].end >= end && has_id(&v->ranges[i].ids, id))
            return true;
    return false;
}

bool veil_touches(const struct veil *v, uint32_t id, ts_ms start, ts_ms end)
{
    for (size_t i = 0; v && i < v->n; i++)
        if (v->ranges[i].start <= end && v->ranges[i].end >= start && has_id(&v->ranges[i].ids, id))
            return true;
    return false;
}

void veil_apply(const struct veil *v, const struct cutoffs *c, uint32_t id, struct gather *g,
                size_t from)
{
    ts_ms cutoff = cutoff_of(v, c, id);
    if (g->n == from)
        return;
    if (g->t[from] < cutoff)
        gather_drop(g, from, INT64_MIN, cutoff - 1);
    for (size_t i = 0; v && i < v->n; i++)
        if (has_id(&v->ranges[i].ids, id))
            gather_drop(g, from, v->ranges[i].start, v->ranges[i].end);
}
