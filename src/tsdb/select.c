// SPDX-License-Identifier: Apache-2.0
/*
 * Reading: a selection is a view of head and parts at one moment.
 *
 * The moment is when the gate is first held. Matching can be long (a regex over many values), so it
 * runs before that, and the series that were added meanwhile are tested one by one under the gate:
 * no batch can be applied then, so what a batch brought is seen whole. Many series are captured in
 * slices (moment.h). See head.h for why captured chunks can be read after the gate.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

enum { BUDGET_EVERY = 256 };

/* A place where a series has samples: a part and its id there, or a capture of the head. */
struct origin {
    uint32_t part; /* index in the set; HEAD: a capture */
    uint32_t id;
};
#define HEAD UINT32_MAX

struct selected {
    uint32_t first, n;    /* in `origins`; parts in their order, then the head */
    struct labels labels; /* made when they are asked for; at NULL: not yet */
};

struct selection {
    struct tsdb *db;
    struct arena arena; /* of the thread that asks for labels; reading uses the reader's */
    struct arena notes; /* what others told of the series while they were captured */
    struct budget *budget;
    size_t held; /* of the arrays below, counted in the budget */
    struct reclaim_reader reader;
    struct part_set *parts;
    struct index_ref **indexes; /* one per part; NULL: not needed */
    struct veil **veils;        /* what of each is hidden; NULL: nothing */
    struct tombstones *tombstones;
    struct cutoffs cutoffs;
    bool newest_only;
    ts_ms start, end; /* as asked for */
    VEC(const struct series *) series;
    struct capture *captures;
    uint64_t *numbers; /* of the series, head_series_number: looked at more often than they are */
    VEC(struct origin) origins;
    VEC(struct selected) at;
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

static struct quota *quota_of(const struct budget *b)
{
    return b ? (struct quota *)(uintptr_t)&b->memory : NULL;
}

/* Counts what the arrays take, and `more` that is about to be taken. */
static bool check_memory(struct selection *sel, size_t more, struct err *err)
{
    size_t all = more + sel->series.cap * sizeof *sel->series.at +
                 sel->origins.cap * sizeof *sel->origins.at + sel->at.cap * sizeof *sel->at.at;
    if (sel->captures)
        all += sel->series.n * (sizeof *sel->captures + sizeof *sel->numbers);
    return budget_hold(sel->budget, &sel->held, all, err);
}

static void sel_release(struct selection *sel)
{
    for (size_t i = 0; sel->parts && sel->indexes && i < sel->parts->n; i++) {
        index_ref_put(sel->indexes[i]);
        veil_unref(sel->veils[i]);
    }
    tombstones_unref(sel->tombstones);
    part_set_unref(sel->parts);
    reclaim_leave(&sel->db->head.reclaim, &sel->reader);
    vec_fini(&sel->series);
    vec_fini(&sel->origins);
    vec_fini(&sel->at);
    free(sel->captures);
    free(sel->numbers);
    arena_fini(&sel->notes);
    arena_fini(&sel->arena);
    quota_hold(quota_of(sel->budget), &sel->held, 0);
    free(sel);
}

/* ---- the head ---- */

static bool match_shards(struct selection *sel, const struct request *r, uint32_t *seen,
                         struct err *err)
{
    struct head *h = &sel->db->head;
    struct arena a ARENA_CLEANUP;
    arena_init_quota(&a, quota_of(sel->budget));
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        if (!check_budget(sel, 0, err) || !check_memory(sel, 0, err))
            return false;
        pthread_rwlock_rdlock(&sh->lock);
        struct id_list ids = shard_match(h, sh, r->m, r->m_n, &a);
        vec_reserve(&sel->series, ids.n);
        for (size_t k = 0; k < ids.n; k++)
            sel->series.at[sel->series.n++] = series_table_get(&sh->table, ids.at[k]);
        seen[i] = series_table_end(&sh->table);
        pthread_rwlock_unlock(&sh->lock);
        arena_reset(&a);
    }
    return true;
}

/* Under the gate: series that were added since their shard was matched. */
static void match_late(struct selection *sel, const struct request *r, const uint32_t *seen)
{
    struct head *h = &sel->db->head;
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        pthread_rwlock_rdlock(&sh->lock);
        const struct series *s;
        for (uint32_t id = seen[i]; (s = series_table_next(&sh->table, &id)); id++)
            if (series_matches(h, s, r->m, r->m_n))
                vec_push(&sel->series, s);
        pthread_rwlock_unlock(&sh->lock);
    }
}

enum { CAPTURES_AHEAD = 8 };

/* Under the gate. */
static void capture_slice(struct selection *sel, size_t from, size_t to)
{
    const struct head *h = &sel->db->head;
    for (size_t i = from; i < to; i++) {
        if (i + CAPTURES_AHEAD < to)
            series_prefetch(sel->series.at[i + CAPTURES_AHEAD]);
        head_capture(h, sel->series.at[i], &sel->arena, &sel->captures[i]);
    }
    if ((int64_t)(to - from) > self_get(SELF_TSDB_CAPTURED_MAX))
        self_set(SELF_TSDB_CAPTURED_MAX, (int64_t)(to - from));
}

/* Under the gate, which is left between slices; what changes meanwhile is told by the moment. */
static void capture_in_slices(struct selection *sel, size_t slice)
{
    struct head *h = &sel->db->head;
    struct moment m;
    size_t n = sel->series.n, done = 0;
    moment_begin(h, &m, &sel->notes);
    for (;;) {
        size_t to = n - done < slice ? n : done + slice;
        capture_slice(sel, done, to);
        done = to;
        if (done == n)
            break;
        pthread_rwlock_unlock(&h->gate);
        pthread_rwlock_rdlock(&h->gate);
    }
    moment_end(h, &m);
    pthread_rwlock_unlock(&h->gate);
    moment_settle(&m, sel->series.at, sel->captures, n);
}

static bool select_head(struct selection *sel, const struct request *r, struct err *err)
{
    struct head *h = &sel->db->head;
    uint32_t *seen = arena_array(&sel->arena, uint32_t, h->shards_n);
    if (!match_shards(sel, r, seen, err) ||
        !check_memory(sel, sel->series.n * (sizeof *sel->captures + sizeof *sel->numbers), err))
        return false;
    sel->captures = mem_array(sel->series.n + 1, sizeof *sel->captures);
    size_t room = sel->series.n, slice = sel->db->o.capture_series;
    pthread_rwlock_rdlock(&h->gate);
    match_late(sel, r, seen);
    if (sel->series.n > room)
        sel->captures = mem_realloc(sel->captures, sel->series.n * sizeof *sel->captures);
    sel->parts = sel->db->parts;
    atomic_fetch_add(&sel->parts->refs, 1);
    sel->tombstones = tombstones_ref(sel->db->tombstones);
    if (sel->series.n > slice && !h->moments.closed) {
        capture_in_slices(sel, slice);
    } else {
        capture_slice(sel, 0, sel->series.n);
        pthread_rwlock_unlock(&h->gate);
    }
    sel->numbers = mem_array(sel->series.n + 1, sizeof *sel->numbers);
    for (size_t i = 0; i < sel->series.n; i++)
        sel->numbers[i] = head_series_number(h, sel->series.at[i]);
    return true;
}

/* ---- lists of candidates: the series of one part or of the head, in order of labels ---- */

struct list {
    struct selection *sel;
    uint32_t part; /* HEAD: ids are places in sel->series */
    struct id_list ids;
    size_t next;
    const uint32_t *links;    /* of the part: numbers in the head; NULL: unknown */
    struct index_place place; /* of the next one of a part */
    struct labels labels;     /* of the next one, if has_labels */
    bool has_labels;
    bool least; /* while the next of the selection is looked for */
};

static struct labels origin_labels(const struct selection *sel, struct origin o, struct arena *a)
{
    if (o.part == HEAD)
        return series_labels(&sel->db->head, sel->series.at[o.id], a);
    return index_labels(sel->indexes[o.part]->x, o.id, a);
}

static struct origin list_origin(const struct list *l)
{
    return (struct origin){l->part, l->ids.at[l->next]};
}

static struct labels list_labels(struct list *l)
{
    if (!l->has_labels)
        l->labels = origin_labels(l->sel, list_origin(l), &l->sel->arena);
    l->has_labels = true;
    return l->labels;
}

/* The number of the next series in the head; 0: unknown. */
static uint64_t list_number(const struct list *l)
{
    uint32_t id = l->ids.at[l->next];
    if (l->part == HEAD)
        return l->sel->numbers[id];
    return l->links ? l->links[id] : 0;
}

/* Series with one number are one series; all else is told by the labels. */
static int list_cmp(struct list *x, struct list *y)
{
    uint64_t number = list_number(x);
    if (number && number == list_number(y))
        return 0;
    if (x->part == HEAD || y->part == HEAD)
        return labels_cmp(list_labels(x), list_labels(y));
    x->place.id = x->ids.at[x->next];
    y->place.id = y->ids.at[y->next];
    if (!x->place.pairs)
        x->place.pairs = arena_zalloc(&x->sel->arena, INDEX_PAIR_LABELS * sizeof *x->place.pairs);
    return index_cmp(&x->place, &y->place);
}

static bool list_part(struct selection *sel, const struct request *r, uint32_t i, struct arena *a,
                      struct list *out, struct err *err)
{
    struct tpart *p = sel->parts->at[i];
    const struct part_info *info = part_info(p->part);
    *out = (struct list){.sel = sel, .part = i};
    /* A row is about the times of a step before its own. */
    struct request rows = *r;
    if (__builtin_add_overflow(r->end, info->tier.step_ms, &rows.end))
        rows.end = INT64_MAX;
    r = &rows;
    if (info->min_t > r->end || info->max_t < r->start)
        return true;
    sel->indexes[i] = tpart_index(p, err);
    if (!sel->indexes[i])
        return false;
    const struct index *x = sel->indexes[i]->x;
    struct veil *veil = sel->veils[i] = tpart_veil(p, x, sel->tombstones);
    index_match(x, r->m, r->m_n, a, &out->ids);
    bool inside = !veil && r->start <= info->min_t && info->max_t <= r->end;
    size_t n = 0;
    for (size_t k = 0; k < out->ids.n && !inside; k++) {
        ts_ms start = r->start, end = r->end;
        if (index_span(x, out->ids.at[k], &start, &end) &&
            !(veil && veil_hides(veil, &sel->cutoffs, out->ids.at[k], start, end)))
            out->ids.at[n++] = out->ids.at[k];
    }
    if (!inside)
        out->ids.n = n;
    out->links = atomic_load(&p->links);
    out->place.x = x;
    out->place.part = i + 1;
    return check_budget(sel, 0, err);
}

static int stray_cmp(const void *a, const void *b, void *selection)
{
    const struct selection *sel = selection;
    return series_cmp(&sel->db->head, sel->series.at[*(const uint32_t *)a],
                      sel->series.at[*(const uint32_t *)b]);
}

/* Puts the strays, which have no rank, between the others. Both are in order; from the back. */
static void insert_strays(struct selection *sel, struct id_list *l, uint32_t *strays, size_t n)
{
    size_t i = l->n, w = l->n + n;
    qsort_r(strays, n, sizeof *strays, stray_cmp, sel);
    while (n > 0)
        if (i > 0 && stray_cmp(&l->at[i - 1], &strays[n - 1], sel) > 0)
            l->at[--w] = l->at[--i];
        else
            l->at[--w] = strays[--n];
}

static void list_head(struct selection *sel, const struct request *r, struct arena *a,
                      struct list *out)
{
    size_t n = sel->series.n, strays = 0;
    struct ranked *ranks = arena_alloc(a, 2 * n * sizeof *ranks);
    *out = (struct list){.sel = sel, .part = HEAD};
    out->ids.at = arena_alloc(a, (n + 1) * sizeof *out->ids.at);
    order_update(&sel->db->head);
    order_ranks(&sel->db->head, sel->series.at, n, ranks, ranks + n);
    uint32_t *lost = arena_alloc(a, (n + 1) * sizeof *lost);
    for (size_t i = 0; i < n; i++) {
        if (!capture_overlaps(&sel->captures[ranks[i].i], r->start, r->end))
            continue;
        if (ranks[i].rank)
            out->ids.at[out->ids.n++] = ranks[i].i;
        else
            lost[strays++] = ranks[i].i;
    }
    if (strays) {
        insert_strays(sel, &out->ids, lost, strays);
        out->ids.n += strays;
    }
}

/* ---- all together ---- */

/* Marks the lists whose next series is the smallest. */
static void mark_least(struct list **lists, size_t n)
{
    struct list *least = lists[0];
    least->least = true;
    for (size_t i = 1; i < n; i++) {
        int c = list_cmp(lists[i], least);
        lists[i]->least = c <= 0;
        if (c >= 0)
            continue;
        least = lists[i];
        for (size_t k = 0; k < i; k++)
            lists[k]->least = false;
    }
}

/* The smallest of the lists' next series becomes the next of the selection. */
static void merge_next(struct selection *sel, struct list **lists, size_t n)
{
    struct selected s = {.first = (uint32_t)sel->origins.n};
    mark_least(lists, n);
    for (size_t i = 0; i < n; i++) {
        struct list *l = lists[i];
        if (!l->least)
            continue;
        vec_push(&sel->origins, list_origin(l));
        if (l->has_labels)
            s.labels = l->labels;
        l->has_labels = false;
        l->next++;
        s.n++;
    }
    vec_push(&sel->at, s);
}

static void take_list(struct selection *sel, struct list *l, size_t limit)
{
    size_t left = l->ids.n - l->next;
    if (limit && left > limit - sel->at.n)
        left = limit - sel->at.n;
    vec_reserve(&sel->origins, left);
    vec_reserve(&sel->at, left);
    for (; left > 0; left--, l->next++) {
        sel->at.at[sel->at.n++] = (struct selected){.first = (uint32_t)sel->origins.n, .n = 1};
        sel->origins.at[sel->origins.n++] = list_origin(l);
    }
}

static bool merge_lists(struct selection *sel, struct list *at, size_t n, size_t limit,
                        struct err *err)
{
    struct list **open = arena_array(&sel->arena, struct list *, n);
    for (;;) {
        size_t open_n = 0;
        for (size_t i = 0; i < n; i++)
            if (at[i].next < at[i].ids.n)
                open[open_n++] = &at[i];
        if (open_n == 0 || (limit && sel->at.n == limit))
            return true;
        if (open_n == 1)
            take_list(sel, open[0], limit);
        else
            merge_next(sel, open, open_n);
        if (sel->at.n % BUDGET_EVERY == 0 &&
            (!check_budget(sel, 0, err) || !check_memory(sel, 0, err)))
            return false;
    }
}

static bool fill(struct selection *sel, const struct request *r, size_t limit, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    arena_init_quota(&a, quota_of(sel->budget));
    if (!select_head(sel, r, err))
        return false;
    size_t n = sel->parts->n;
    sel->indexes = arena_array(&sel->arena, struct index_ref *, n + 1);
    sel->veils = arena_array(&sel->arena, struct veil *, n + 1);
    struct list *lists = arena_array(&a, struct list, n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (!list_part(sel, r, i, &a, &lists[i], err))
            return false;
    list_head(sel, r, &a, &lists[n]);
    return merge_lists(sel, lists, n + 1, limit, err) && check_memory(sel, 0, err) &&
           check_budget(sel, 0, err);
}

static struct selection *db_select(struct source *s, const struct matcher *m, size_t m_n,
                                   const struct select_hints *h, struct budget *b, struct err *err)
{
    struct selection *sel = mem_new(struct selection);
    struct request r = {m, m_n, h->start, h->end};
    sel->db = db_of_source(s);
    sel->budget = b;
    sel->newest_only = h->newest_only;
    sel->start = h->start;
    sel->end = h->end;
    arena_init_quota(&sel->arena, quota_of(b));
    arena_init(&sel->notes, 0);
    reclaim_enter(&sel->db->head.reclaim, &sel->reader);
    db_cutoffs(sel->db, &sel->cutoffs);
    if (r.start < sel->cutoffs.oldest)
        r.start = sel->cutoffs.oldest;
    if (fill(sel, &r, h->limit, err))
        return sel;
    sel_release(sel);
    return NULL;
}

static size_t sel_size(const struct selection *sel)
{
    return sel->at.n;
}

/* Labels are mostly asked for in order, and series lie all over the memory. */
enum { LABELS_AHEAD = 6 };

static void prefetch_labels(const struct selection *sel, size_t i)
{
    if (i >= sel->at.n || sel->at.at[i].labels.at)
        return;
    const struct selected *s = &sel->at.at[i];
    const struct origin *o = &sel->origins.at[s->first + s->n - 1];
    if (o->part != HEAD)
        return;
    __builtin_prefetch((const char *)sel->series.at[o->id] + 64);
    __builtin_prefetch((const char *)sel->series.at[o->id] + 128);
}

static struct labels sel_labels(struct selection *sel, size_t i)
{
    struct selected *s = &sel->at.at[i];
    prefetch_labels(sel, i + LABELS_AHEAD);
    if (!s->labels.at)
        s->labels = origin_labels(sel, sel->origins.at[s->first + s->n - 1], &sel->arena);
    return s->labels;
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
    ts_ms start;        /* of what is wanted */
    struct gather *out; /* one per series */
    bool done[READ_SERIES];
};

/* What part i has of the series; one batch of ranges. */
static bool read_part(const struct reading *r, uint32_t i, struct err *err)
{
    uint32_t ids[READ_SERIES];
    struct gather *out[READ_SERIES];
    size_t before[READ_SERIES], n = 0;
    const struct veil *veil = r->sel->veils[i];
    ts_ms gone = part_set_gone(r->sel->parts, part_info(r->sel->parts->at[i]->part));
    for (size_t k = 0; k < r->n; k++) {
        const struct selected *s = &r->sel->at.at[r->first + k];
        for (uint32_t o = s->first; o < s->first + s->n && !r->done[k]; o++)
            if (r->sel->origins.at[o].part == i) {
                r->out[k].start = gone >= r->start ? gone + 1 : r->start;
                ids[n] = r->sel->origins.at[o].id;
                before[n] = r->out[k].n;
                out[n++] = &r->out[k];
            }
    }
    if (n > 0 && !index_read(r->sel->indexes[i]->x, r->sel->db->pages, ids, n, out, err))
        return false;
    for (size_t k = 0; k < n && veil; k++)
        veil_apply(veil, &r->sel->cutoffs, ids[k], out[k], before[k]);
    return true;
}

/* Of series that are kept for less time than others. */
static void drop_old(const struct reading *r, size_t k, struct gather *g)
{
    const struct cutoffs *c = &r->sel->cutoffs;
    if (c->oldest == c->newest || g->n == 0)
        return;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    const struct selected *s = &r->sel->at.at[r->first + k];
    struct labels ls = origin_labels(r->sel, r->sel->origins.at[s->first + s->n - 1], &a);
    ts_ms cutoff = c->at[keep_class(&r->sel->db->keep, ls)];
    if (cutoff > INT64_MIN)
        gather_drop(g, 0, INT64_MIN, cutoff - 1);
}

static bool read_head(const struct reading *r, struct err *err)
{
    for (size_t k = 0; k < r->n; k++) {
        const struct selected *s = &r->sel->at.at[r->first + k];
        const struct origin *last = &r->sel->origins.at[s->first + s->n - 1];
        if (last->part != HEAD || r->done[k])
            continue;
        r->out[k].start = r->start;
        if (!capture_read(&r->sel->captures[last->id], &r->out[k], err))
            return false;
        drop_old(r, k, &r->out[k]);
    }
    return true;
}

/* The newest sample of series k, where it can be had without decoding: it is a float, the head has
 * it, and no part has any as new. */
static bool read_newest(const struct reading *r, size_t k)
{
    const struct selected *s = &r->sel->at.at[r->first + k];
    const struct origin *o = &r->sel->origins.at[s->first], *last = o + s->n - 1;
    struct gather *g = &r->out[k];
    if (last->part != HEAD)
        return false;
    const struct capture *c = &r->sel->captures[last->id];
    if (!c->open || c->extra || c->open_max_t < g->start || c->open_max_t > g->end)
        return false;
    for (; o < last; o++)
        if (part_info(r->sel->parts->at[o->part]->part)->max_t >= c->open_max_t)
            return false;
    gather_put(g, c->open_max_t, c->open_max_v);
    drop_old(r, k, g);
    return true;
}

static bool read_all(const struct reading *r, struct err *err)
{
    for (uint32_t i = 0; i < r->sel->parts->raw_n; i++)
        if (r->sel->indexes[i] && !read_part(r, i, err))
            return false;
    return read_head(r, err);
}

/* Room for what parts have of series k, so that it need not grow from part to part. What is more
 * than ROOM_SAMPLES grows, and is looked at by those who bound memory. */
static void make_room(const struct reading *r, size_t k)
{
    enum { ROOM_SAMPLES = 1 << 16 };
    const struct selection *sel = r->sel;
    const struct selected *s = &sel->at.at[r->first + k];
    size_t n = 0;
    for (uint32_t o = s->first; o < s->first + s->n && !r->done[k]; o++) {
        struct origin at = sel->origins.at[o];
        if (at.part != HEAD && at.part < sel->parts->raw_n)
            n += index_samples(sel->indexes[at.part]->x, at.id, r->start, r->out[k].end);
    }
    if (n)
        gather_room(&r->out[k], n < ROOM_SAMPLES ? n : ROOM_SAMPLES);
}

static bool sel_read(struct selection *sel, size_t first, size_t *n, ts_ms start, ts_ms end,
                     struct arena *a, struct columns *out, struct err *err)
{
    struct gather g[READ_SERIES];
    uint64_t samples = 0;
    if (start < sel->cutoffs.oldest)
        start = sel->cutoffs.oldest;
    if (start < part_set_raw_start(sel->parts))
        start = part_set_raw_start(sel->parts);
    size_t asked = read_series_max(start, end);
    asked = *n < asked ? *n : asked;
    for (size_t i = 0; i < asked; i++)
        g[i] = gather_of(a, start, end);
    struct reading r = {.sel = sel, .first = first, .n = asked, .start = start, .out = g};
    for (size_t i = 0; i < asked; i++) {
        r.done[i] = sel->newest_only && read_newest(&r, i);
        make_room(&r, i);
    }
    if (!read_all(&r, err))
        return sel->budget && arena_over(a) ? budget_memory_error(sel->budget, err) : false;
    for (size_t i = 0; i < asked; i++) {
        gather_settle(&g[i]);
        out[i] = (struct columns){g[i].n, g[i].t, g[i].v, g[i].h, g[i].since};
        samples += g[i].n;
    }
    *n = asked;
    return check_budget(sel, samples, err);
}

/* What one place has of a series; false: that must be read to be known. */
static bool origin_extent(const struct selection *sel, struct origin o, struct arena *a,
                          struct tsdb_extent *out)
{
    const struct part_set *ps = sel->parts;
    struct err err;
    if (o.part == HEAD) {
        struct gather g = gather_of(a, INT64_MIN, INT64_MAX);
        if (!capture_read(&sel->captures[o.id], &g, &err))
            return false;
        gather_settle(&g);
        *out = (struct tsdb_extent){g.n, g.n ? g.t[0] : 0, g.n ? g.t[g.n - 1] : 0};
        return true;
    }
    *out = (struct tsdb_extent){0};
    if (o.part >= ps->raw_n)
        return true;
    if (sel->veils[o.part] || part_set_gone(ps, part_info(ps->at[o.part]->part)) > INT64_MIN)
        return false;
    out->samples = index_extent(sel->indexes[o.part]->x, o.id, &out->first, &out->last);
    return true;
}

/* Whether that is all: nothing is hidden, too old, or there twice. */
static bool add_extents(const struct selection *sel, const struct selected *s, struct arena *a,
                        struct tsdb_extent *out)
{
    ts_ms raw = part_set_raw_start(sel->parts), oldest = sel->cutoffs.newest;
    for (uint32_t o = s->first; o < s->first + s->n; o++) {
        struct tsdb_extent x;
        if (!origin_extent(sel, sel->origins.at[o], a, &x))
            return false;
        if (x.samples &&
            (x.first < oldest || x.first < raw || (out->samples && x.first <= out->last)))
            return false;
        if (x.samples) {
            out->first = out->samples ? out->first : x.first;
            out->last = x.last;
            out->samples += x.samples;
        }
    }
    return true;
}

bool tsdb_extent(struct selection *sel, size_t i, struct tsdb_extent *out, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    struct columns c;
    struct tsdb_extent known = {0};
    arena_init(&a, 0);
    if (add_extents(sel, &sel->at.at[i], &a, &known)) {
        *out = known;
        return true;
    }
    if (!source_read(&tsdb_source_ops, sel, i, INT64_MIN, INT64_MAX, &a, &c, err))
        return false;
    *out = (struct tsdb_extent){.samples = c.n};
    if (c.n) {
        out->first = c.t[0];
        out->last = c.t[c.n - 1];
    }
    return true;
}

static bool db_exemplars(struct source *s, const struct matcher_set *sets, size_t sets_n,
                         ts_ms start, ts_ms end, struct arena *a, struct exemplar_series **out,
                         size_t *n, struct err *err)
{
    struct tsdb *db = db_of_source(s);
    ts_ms oldest = db_oldest(db);
    exemplars_select(db->exemplars, sets, sets_n, start < oldest ? oldest : start, end, a, out, n);
    return true;
}

/* ---- rows of tiers ---- */

static size_t sel_tiers(const struct selection *sel, struct tier_span out[SOURCE_TIERS_MAX])
{
    const struct part_set *ps = sel->parts;
    size_t n = 0;
    for (size_t i = 0; i < ps->steps_n; i++) {
        if (ps->steps[i].end < sel->start || ps->steps[i].start >= sel->end)
            continue;
        if (n == SOURCE_TIERS_MAX) /* steps were changed again and again: the oldest go unnamed */
            memmove(out, out + 1, --n * sizeof *out);
        out[n++] = ps->steps[i];
    }
    return n;
}

/* Rows of one span that are asked for, with behind < end <= until. */
struct rows_reading {
    struct selection *sel;
    size_t series;
    int64_t step_ms;
    ts_ms behind, until;
    struct tier_rows *out;
};

/* That all parts can be brought to; a step that does not fit was configured before. */
static int64_t common_step(const struct selection *sel, const struct selected *s,
                           const struct tier_span *span)
{
    for (uint32_t o = s->first; o < s->first + s->n; o++) {
        uint32_t part = sel->origins.at[o].part;
        if (part == HEAD || part < sel->parts->raw_n)
            continue;
        const struct part_tier *t = &part_info(sel->parts->at[part]->part)->tier;
        if (t->until > span->start && span->step_ms % t->step_ms != 0)
            return TIER_STEP_MAX_MS;
    }
    return span->step_ms;
}

static bool rows_of_part(const struct rows_reading *r, struct origin o, struct err *err)
{
    struct tpart *p = r->sel->parts->at[o.part];
    const struct part_info *info = part_info(p->part);
    struct tier_rows mine = {.arena = r->out->arena}, coarse = {.arena = r->out->arena};
    if (info->tier.until <= r->behind)
        return true;
    struct tier_dir *dir = tpart_rows(p, err);
    ts_ms gone = part_set_gone(r->sel->parts, info);
    if (!dir || !tier_rows_read(dir, r->sel->veils[o.part], o.id,
                                gone > r->behind ? gone : r->behind, r->until, &mine, err))
        return false;
    if (info->tier.step_ms < r->step_ms)
        tier_of_rows(&coarse, r->step_ms, mine.at, mine.n);
    else
        coarse = mine;
    tier_rows_add(r->out, r->step_ms, &coarse);
    return true;
}

/* Samples that came after the rows of their time were made. */
static bool rows_of_late(const struct rows_reading *r, struct err *err)
{
    ts_ms start = r->behind == INT64_MIN ? r->behind : r->behind + 1;
    if (start < r->sel->cutoffs.oldest)
        start = r->sel->cutoffs.oldest;
    struct gather g = gather_of(r->out->arena, start, r->until);
    struct tier_rows late = {.arena = r->out->arena};
    struct reading samples = {.sel = r->sel, .first = r->series, .n = 1, .start = start, .out = &g};
    if (!read_all(&samples, err))
        return false;
    gather_settle(&g);
    struct columns c = {.n = g.n, .t = g.t, .v = g.v, .h = g.h};
    tier_of_samples(&late, r->step_ms, &c);
    tier_rows_add(r->out, r->step_ms, &late);
    return true;
}

static bool read_span(const struct rows_reading *r, struct err *err)
{
    const struct selected *s = &r->sel->at.at[r->series];
    for (uint32_t o = s->first; o < s->first + s->n; o++) {
        struct origin origin = r->sel->origins.at[o];
        if (origin.part != HEAD && origin.part >= r->sel->parts->raw_n &&
            !rows_of_part(r, origin, err))
            return false;
    }
    return rows_of_late(r, err);
}

static ts_ms earlier(ts_ms a, ts_ms b)
{
    return a < b ? a : b;
}
static ts_ms later(ts_ms a, ts_ms b)
{
    return a > b ? a : b;
}

static bool sel_read_tier(struct selection *sel, size_t i, ts_ms start, ts_ms end,
                          struct tier_rows *out, struct err *err)
{
    size_t before = out->n;
    start = later(start, sel->cutoffs.oldest);
    for (size_t k = 0; k < sel->parts->steps_n; k++) {
        const struct tier_span *span = &sel->parts->steps[k];
        if (span->end < start || span->start >= end)
            continue;
        struct tier_rows rows = {.arena = out->arena};
        int64_t step = common_step(sel, &sel->at.at[i], span);
        ts_ms last = tier_window_start(end, step);
        struct rows_reading r = {sel, i, step, 0, 0, &rows};
        r.behind = later(span->start, tier_window_start(start, step));
        r.until = earlier(span->end, last > INT64_MAX - step ? INT64_MAX : last + step);
        if (!read_span(&r, err))
            return false;
        for (size_t m = 0; m < rows.n; m++) {
            if (rows.at[m].start >= end || rows.at[m].end < start)
                continue;
            *tier_rows_room(out, 1) = rows.at[m];
            out->n++;
        }
    }
    return check_budget(sel, out->n - before, err);
}

const struct source_ops tsdb_source_ops = {
    .select = db_select,
    .size = sel_size,
    .labels = sel_labels,
    .read = sel_read,
    .release = sel_release,
    .tiers = sel_tiers,
    .read_tier = sel_read_tier,
    .label_names = db_label_names,
    .label_values = db_label_values,
    .exemplars = db_exemplars,
    .metadata = db_metadata_get,
    .metadata_history = db_metadata_history,
};
