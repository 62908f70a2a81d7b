// SPDX-License-Identifier: Apache-2.0
/*
 * Reading: a selection is a view of head and parts at one moment.
 *
 * The moment is when the gate is held. Matching can be long (a regex over many values), so it runs
 * before that, and the series that were added meanwhile are tested one by one under the gate: no
 * batch can be applied then, so what a batch brought is seen whole. See head.h for why captured
 * chunks can be read after the gate.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tsdb/tsdb_int.h"

enum { BUDGET_EVERY = 256 };

/* A place where a series has samples: a part and its id there, or a capture of the head. */
struct origin {
    struct labels labels;
    uint32_t part; /* index in the set; HEAD: a capture */
    uint32_t id;
};
#define HEAD UINT32_MAX

struct selected {
    uint32_t first, n; /* in `origins`; parts in their order, then the head */
};

struct selection {
    struct tsdb *db;
    struct arena arena;
    struct budget *budget;
    struct reclaim_reader reader;
    struct part_set *parts;
    struct index_ref **indexes; /* one per part; NULL: not needed */
    VEC(const struct series *) series;
    VEC(struct labels) series_labels;
    struct capture *captures;
    VEC(struct origin) origins;
    struct selected *at;
    size_t n;
};

struct request {
    const struct matcher *m;
    size_t m_n;
    ts_ms start, end;
};

static bool check_budget(const struct selection *sel, uint64_t samples, struct err *err)
{
    return !sel->budget || budget_use(sel->budget, samples, err);
}

static void sel_release(struct selection *sel)
{
    for (size_t i = 0; sel->parts && sel->indexes && i < sel->parts->n; i++)
        index_ref_put(sel->indexes[i]);
    part_set_unref(sel->parts);
    reclaim_leave(&sel->db->head.reclaim, &sel->reader);
    vec_fini(&sel->series);
    vec_fini(&sel->series_labels);
    vec_fini(&sel->origins);
    free(sel->captures);
    arena_fini(&sel->arena);
    free(sel);
}

/* ---- the head ---- */

/* Under the shard's lock. */
static void take_series(struct selection *sel, const struct series *s)
{
    vec_push(&sel->series, s);
    vec_push(&sel->series_labels, series_labels(&sel->db->head, s, &sel->arena));
}

static bool match_shards(struct selection *sel, const struct request *r, size_t *seen,
                         struct err *err)
{
    struct head *h = &sel->db->head;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        if (!check_budget(sel, 0, err))
            return false;
        pthread_rwlock_rdlock(&sh->lock);
        struct id_list ids = shard_match(h, sh, r->m, r->m_n, &a);
        for (size_t k = 0; k < ids.n; k++)
            take_series(sel, sh->by_id.at[ids.at[k]]);
        seen[i] = sh->by_id.n;
        pthread_rwlock_unlock(&sh->lock);
        arena_reset(&a);
    }
    return true;
}

/* Under the gate: series that were added since their shard was matched. */
static void match_late(struct selection *sel, const struct request *r, const size_t *seen)
{
    struct head *h = &sel->db->head;
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        pthread_rwlock_rdlock(&sh->lock);
        for (size_t id = seen[i]; id < sh->by_id.n; id++) {
            const struct series *s = sh->by_id.at[id];
            if (s && series_matches(h, s, r->m, r->m_n))
                take_series(sel, s);
        }
        pthread_rwlock_unlock(&sh->lock);
    }
}

static bool select_head(struct selection *sel, const struct request *r, struct err *err)
{
    struct head *h = &sel->db->head;
    size_t *seen = arena_array(&sel->arena, size_t, h->shards_n);
    if (!match_shards(sel, r, seen, err))
        return false;
    sel->captures = mem_array(sel->series.n + 1, sizeof *sel->captures);
    size_t room = sel->series.n;
    pthread_rwlock_rdlock(&h->gate);
    match_late(sel, r, seen);
    if (sel->series.n > room)
        sel->captures = mem_realloc(sel->captures, sel->series.n * sizeof *sel->captures);
    for (size_t i = 0; i < sel->series.n; i++)
        head_capture(h, sel->series.at[i], &sel->captures[i]);
    sel->parts = sel->db->parts;
    atomic_fetch_add(&sel->parts->refs, 1);
    pthread_rwlock_unlock(&h->gate);
    return true;
}

/* ---- parts ---- */

static bool select_part(struct selection *sel, const struct request *r, uint32_t i, struct err *err)
{
    struct tpart *p = sel->parts->at[i];
    const struct part_info *info = part_info(p->part);
    if (info->min_t > r->end || info->max_t < r->start)
        return true;
    struct arena a ARENA_CLEANUP;
    struct id_list ids;
    arena_init(&a, 0);
    sel->indexes[i] = tpart_index(p, err);
    if (!sel->indexes[i] || !index_match(sel->indexes[i]->x, r->m, r->m_n, &a, &ids, err))
        return false;
    for (size_t k = 0; k < ids.n; k++) {
        struct origin o = {.part = i, .id = ids.at[k]};
        if (k % BUDGET_EVERY == 0 && !check_budget(sel, 0, err))
            return false;
        if (!index_overlaps(sel->indexes[i]->x, o.id, r->start, r->end))
            continue;
        if (!index_labels(sel->indexes[i]->x, o.id, &sel->arena, &o.labels, err))
            return false;
        vec_push(&sel->origins, o);
    }
    return true;
}

/* ---- both ---- */

static int origin_cmp(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c ? c : (x->part > y->part) - (x->part < y->part);
}

/* Sorts the origins and makes one entry of those with equal labels. */
static void group(struct selection *sel, size_t limit)
{
    size_t n = sel->origins.n;
    if (n)
        qsort(sel->origins.at, n, sizeof sel->origins.at[0], origin_cmp);
    sel->at = arena_array(&sel->arena, struct selected, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct origin *o = &sel->origins.at[i];
        if (i > 0 && labels_eq(o[-1].labels, o->labels))
            sel->at[sel->n - 1].n++;
        else
            sel->at[sel->n++] = (struct selected){(uint32_t)i, 1};
    }
    if (limit && sel->n > limit)
        sel->n = limit;
}

static bool fill(struct selection *sel, const struct request *r, size_t limit, struct err *err)
{
    if (!select_head(sel, r, err))
        return false;
    sel->indexes = arena_array(&sel->arena, struct index_ref *, sel->parts->n + 1);
    for (size_t i = 0; i < sel->series.n; i++)
        if (capture_overlaps(&sel->captures[i], r->start, r->end))
            vec_push(&sel->origins, (struct origin){sel->series_labels.at[i], HEAD, (uint32_t)i});
    for (uint32_t i = 0; i < sel->parts->n; i++)
        if (!select_part(sel, r, i, err))
            return false;
    group(sel, limit);
    return check_budget(sel, 0, err);
}

static struct selection *db_select(struct source *s, const struct matcher *m, size_t m_n,
                                   const struct select_hints *h, struct budget *b, struct err *err)
{
    struct selection *sel = mem_new(struct selection);
    struct request r = {m, m_n, h->start, h->end};
    sel->db = db_of_source(s);
    sel->budget = b;
    arena_init(&sel->arena, 0);
    reclaim_enter(&sel->db->head.reclaim, &sel->reader);
    ts_ms oldest = db_oldest(sel->db);
    if (r.start < oldest)
        r.start = oldest;
    if (fill(sel, &r, h->limit, err))
        return sel;
    sel_release(sel);
    return NULL;
}

static size_t sel_size(const struct selection *sel)
{
    return sel->n;
}

static struct labels sel_labels(const struct selection *sel, size_t i)
{
    return sel->origins.at[sel->at[i].first].labels;
}

/* A read is of about so many samples, were they ten seconds apart; whoever wants more asks again.
 */
enum { READ_SAMPLES = 1 << 15, READ_SERIES = 256, READ_APART_MS = 10000 };

static size_t read_series_max(ts_ms start, ts_ms end)
{
    uint64_t span = end > start ? (uint64_t)end - (uint64_t)start : 0;
    uint64_t n = READ_SAMPLES / (span / READ_APART_MS + 1);
    return n < 1 ? 1 : n < READ_SERIES ? n : READ_SERIES;
}

struct reading {
    struct selection *sel;
    size_t first, n;
    struct gather *out; /* one per series */
};

/* What part i has of the series; one batch of ranges. */
static bool read_part(const struct reading *r, uint32_t i, struct err *err)
{
    uint32_t ids[READ_SERIES];
    struct gather *out[READ_SERIES];
    size_t n = 0;
    for (size_t k = 0; k < r->n; k++) {
        const struct selected *s = &r->sel->at[r->first + k];
        for (uint32_t o = s->first; o < s->first + s->n; o++)
            if (r->sel->origins.at[o].part == i) {
                ids[n] = r->sel->origins.at[o].id;
                out[n++] = &r->out[k];
            }
    }
    return n == 0 || index_read(r->sel->indexes[i]->x, ids, n, out, err);
}

static bool read_head(const struct reading *r, struct err *err)
{
    for (size_t k = 0; k < r->n; k++) {
        const struct selected *s = &r->sel->at[r->first + k];
        const struct origin *last = &r->sel->origins.at[s->first + s->n - 1];
        if (last->part == HEAD && !capture_read(&r->sel->captures[last->id], &r->out[k], err))
            return false;
    }
    return true;
}

static bool sel_read(struct selection *sel, size_t first, size_t *n, ts_ms start, ts_ms end,
                     struct arena *a, struct columns *out, struct err *err)
{
    struct gather g[READ_SERIES];
    uint64_t samples = 0;
    ts_ms oldest = db_oldest(sel->db);
    if (start < oldest)
        start = oldest;
    size_t asked = read_series_max(start, end);
    asked = *n < asked ? *n : asked;
    for (size_t i = 0; i < asked; i++)
        g[i] = gather_of(a, start, end);
    struct reading r = {sel, first, asked, g};
    for (uint32_t i = 0; i < sel->parts->n; i++)
        if (sel->indexes[i] && !read_part(&r, i, err))
            return false;
    if (!read_head(&r, err))
        return false;
    for (size_t i = 0; i < asked; i++) {
        gather_settle(&g[i]);
        out[i] = (struct columns){.n = g[i].n, .t = g[i].t, .v = g[i].v};
        samples += g[i].n;
    }
    *n = asked;
    return check_budget(sel, samples, err);
}

/* ---- names and values ---- */

static int str_order(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sorted, each once, copied into the arena. */
static void settle_names(str *at, size_t n, size_t limit, struct arena *a, str **out, size_t *out_n)
{
    size_t k = 0;
    if (n)
        qsort(at, n, sizeof *at, str_order);
    *out = arena_array(a, str, n + 1);
    for (size_t i = 0; i < n && !(limit && k == limit); i++)
        if (k == 0 || !str_eq(at[i], (*out)[k - 1]))
            (*out)[k++] = arena_dup(a, at[i]);
    *out_n = k;
}

/* The names of all labels (name empty), or the values of one, of the series that match. */
static bool collect(struct source *s, str name, const struct matcher *m, size_t m_n,
                    const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                    size_t *n, struct err *err)
{
    struct select_hints all = *h;
    all.limit = 0;
    all.series_only = true;
    struct selection *sel = db_select(s, m, m_n, &all, b, err);
    if (!sel)
        return false;
    struct map seen MAP_CLEANUP = {0};
    for (size_t i = 0; i < sel->n; i++) {
        struct labels ls = sel_labels(sel, i);
        for (size_t k = 0; k < ls.n; k++)
            if (!name.n)
                map_put(&seen, ls.at[k].name, sel);
            else if (str_eq(ls.at[k].name, name))
                map_put(&seen, ls.at[k].value, sel);
    }
    str *names MEM_CLEANUP = mem_array(seen.n + 1, sizeof *names);
    for (size_t i = 0; i < seen.n; i++)
        names[i] = seen.entries[i].key;
    settle_names(names, seen.n, h->limit, a, out, n);
    sel_release(sel);
    return true;
}

static bool db_label_names(struct source *s, const struct matcher *m, size_t m_n,
                           const struct select_hints *h, struct budget *b, struct arena *a,
                           str **out, size_t *n, struct err *err)
{
    return collect(s, STR(""), m, m_n, h, b, a, out, n, err);
}

static bool db_label_values(struct source *s, str name, const struct matcher *m, size_t m_n,
                            const struct select_hints *h, struct budget *b, struct arena *a,
                            str **out, size_t *n, struct err *err)
{
    if (name.n)
        return collect(s, name, m, m_n, h, b, a, out, n, err);
    *out = arena_array(a, str, 1);
    *n = 0;
    return true;
}

const struct source_ops tsdb_source_ops = {
    .select = db_select,
    .size = sel_size,
    .labels = sel_labels,
    .read = sel_read,
    .release = sel_release,
    .label_names = db_label_names,
    .label_values = db_label_values,
    .metadata = db_metadata_get,
};
