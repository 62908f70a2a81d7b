// SPDX-License-Identifier: Apache-2.0
/*
 * Names and values of labels, from indexes alone. Time is looked at as far as head and parts tell
 * theirs: what a head or part has that overlaps the range counts, whenever its samples are.
 */
#include <stdlib.h>

#include "tsdb/tsdb_int.h"

struct collecting {
    struct cutoffs cutoffs;
    struct tsdb *db;
    str name; /* whose values; empty: names are wanted */
    const struct matcher *m;
    size_t m_n;
    ts_ms start, end;
    struct budget *budget;
    struct arena arena; /* of the call */
    struct map seen;
};

static bool check_budget(const struct collecting *c, struct err *err)
{
    return !c->budget || budget_use(c->budget, 0, err);
}

static void see(void *arg, str text)
{
    struct collecting *c = arg;
    map_put(&c->seen, text, c);
}

/* ---- head ---- */

static void see_symbol(struct collecting *c, uint32_t symbol)
{
    see(c, symbols_text(&c->db->head.symbols, symbol));
}

static void see_shard(struct collecting *c, const struct shard *sh, uint32_t name)
{
    if (!c->name.n) {
        VEC_EACH (n, &sh->index.names)
            see_symbol(c, n->name);
        return;
    }
    const uint32_t *i = numbers_get(&sh->index.by_name, name);
    if (!i)
        return;
    VEC_EACH (p, &sh->index.names.at[*i].postings)
        see_symbol(c, sh->index.postings.at[*p].value);
}

static void see_once(struct collecting *c, struct numbers *symbols, uint32_t symbol)
{
    if (numbers_get(symbols, symbol))
        return;
    numbers_put(symbols, symbol, 1);
    see_symbol(c, symbol);
}

/* Looking at a series for one label costs as much as asking so many values, since it lies anywhere;
 * for all its labels it is worth it until there are more series than values. */
enum { SERIES_COST = 16 };

/* The values that a series of the list has, by asking each value. */
static bool see_values(struct collecting *c, const struct head_index *x,
                       const struct label_values *lv, const struct id_list *ids)
{
    bool any = false;
    VEC_EACH (i, &lv->postings) {
        const struct postings *p = &x->postings.at[*i];
        if (!ids_meet(ids->at, ids->n, postings_ids(p), p->n))
            continue;
        any = true;
        if (!c->name.n)
            break;
        see_symbol(c, p->value);
    }
    return any;
}

static void see_lists(struct collecting *c, const struct head_index *x, const struct id_list *ids)
{
    VEC_EACH (lv, &x->names)
        if (see_values(c, x, lv, ids))
            see_symbol(c, lv->name);
}

static void see_matching(struct collecting *c, struct shard *sh, uint32_t name)
{
    struct numbers symbols = {0};
    const struct head_index *x = &sh->index;
    struct id_list ids = shard_match(&c->db->head, sh, c->m, c->m_n, &c->arena);
    const uint32_t *place = name ? numbers_get(&x->by_name, name) : NULL;
    if (name && !place)
        return;
    size_t values = name ? x->names.at[*place].postings.n : x->postings.n;
    if (name ? values < ids.n * SERIES_COST : values * 2 < ids.n) {
        if (name)
            see_values(c, x, &x->names.at[*place], &ids);
        else
            see_lists(c, x, &ids);
        return;
    }
    for (size_t k = 0; k < ids.n; k++) {
        const struct series *s = series_table_get(&sh->table, ids.at[k]);
        for (size_t i = 0; i < s->labels_n; i++)
            if (!c->name.n)
                see_once(c, &symbols, s->labels[2 * i]);
            else if (s->labels[2 * i] == name)
                see_once(c, &symbols, s->labels[2 * i + 1]);
    }
    numbers_fini(&symbols);
}

static bool see_head(struct collecting *c, struct err *err)
{
    struct head *h = &c->db->head;
    uint32_t name = c->name.n ? symbols_find(&h->symbols, c->name) : 0;
    if (c->name.n && !name)
        return true;
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        if (!check_budget(c, err))
            return false;
        pthread_rwlock_rdlock(&sh->lock);
        if (c->m_n)
            see_matching(c, sh, name);
        else
            see_shard(c, sh, name);
        pthread_rwlock_unlock(&sh->lock);
        arena_reset(&c->arena);
    }
    return true;
}

/* ---- parts ---- */

/* Whether all of its series are in the head. */
static bool is_covered(const struct tsdb *db, struct tpart *p)
{
    return atomic_load(&p->links) && atomic_load(&p->covered) &&
           atomic_load(&p->linked_at) == atomic_load(&db->head.removed);
}

/* Leaves out series of which all is hidden. */
static void drop_hidden(const struct collecting *c, const struct index *x, const struct veil *veil,
                        struct id_list *ids)
{
    size_t n = 0;
    for (size_t k = 0; k < ids->n; k++) {
        ts_ms start = c->start, end = c->end;
        if (index_span(x, ids->at[k], &start, &end) &&
            !veil_hides(veil, &c->cutoffs, ids->at[k], start, end))
            ids->at[n++] = ids->at[k];
    }
    ids->n = n;
}

static bool see_part(struct collecting *c, struct tpart *p, const struct tombstones *t,
                     struct index_ref *x, struct err *err)
{
    struct id_list ids;
    struct veil *veil = tpart_veil(p, x->x, t);
    if (c->m_n || veil)
        index_match(x->x, c->m, c->m_n, &c->arena, &ids);
    if (veil)
        drop_hidden(c, x->x, veil, &ids);
    index_see(x->x, c->name, c->m_n || veil ? &ids : NULL, &c->arena, see, c);
    veil_unref(veil);
    return check_budget(c, err);
}

/* What is to be looked at, as of one moment. */
struct view {
    struct part_set *parts;
    struct tombstones *tombstones;
    struct index_ref **indexes; /* of those that were needed; the text that was seen is in them */
    bool head;
};

static void view_take(struct collecting *c, struct view *v)
{
    struct head *h = &c->db->head;
    pthread_rwlock_rdlock(&h->gate);
    v->parts = c->db->parts;
    atomic_fetch_add(&v->parts->refs, 1);
    v->tombstones = tombstones_ref(c->db->tombstones);
    v->head = h->frozen_live || (h->min_t <= c->end && h->max_t >= c->start);
    pthread_rwlock_unlock(&h->gate);
    v->indexes = mem_zalloc((v->parts->n + 1) * sizeof(struct index_ref *));
}

static void view_drop(struct view *v)
{
    for (size_t i = 0; i < v->parts->n; i++)
        index_ref_put(v->indexes[i]);
    part_set_unref(v->parts);
    tombstones_unref(v->tombstones);
    free(v->indexes);
}

static bool see_all(struct collecting *c, struct view *v, struct err *err)
{
    if (v->head && !see_head(c, err))
        return false;
    for (size_t i = 0; i < v->parts->n; i++) {
        struct tpart *p = v->parts->at[i];
        const struct part_info *info = part_info(p->part);
        if (info->min_t > c->end || info->max_t < c->start || (v->head && is_covered(c->db, p)))
            continue;
        v->indexes[i] = tpart_index(p, err);
        if (!v->indexes[i] || !see_part(c, p, v->tombstones, v->indexes[i], err))
            return false;
    }
    return true;
}

/* ---- both ---- */

static int text_cmp(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sorted, copied into the arena. */
static void settle(const struct map *seen, size_t limit, struct arena *a, str **out, size_t *n)
{
    str *at MEM_CLEANUP = mem_array(seen->n + 1, sizeof *at);
    for (size_t i = 0; i < seen->n; i++)
        at[i] = seen->entries[i].key;
    if (seen->n)
        qsort(at, seen->n, sizeof *at, text_cmp);
    *n = limit && limit < seen->n ? limit : seen->n;
    *out = arena_array(a, str, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = arena_dup(a, at[i]);
}

static bool collect(struct collecting *c, size_t limit, struct arena *a, str **out, size_t *n,
                    struct err *err)
{
    struct reclaim_reader reader;
    struct view v;
    db_cutoffs(c->db, &c->cutoffs);
    c->start = c->start < c->cutoffs.oldest ? c->cutoffs.oldest : c->start;
    arena_init(&c->arena, 0);
    reclaim_enter(&c->db->head.reclaim, &reader);
    view_take(c, &v);
    bool ok = see_all(c, &v, err);
    if (ok)
        settle(&c->seen, limit, a, out, n);
    view_drop(&v);
    reclaim_leave(&c->db->head.reclaim, &reader);
    arena_fini(&c->arena);
    map_fini(&c->seen);
    return ok;
}

bool db_label_names(struct source *s, const struct matcher *m, size_t m_n,
                    const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                    size_t *n, struct err *err)
{
    struct collecting c = {
        .db = db_of_source(s), .m = m, .m_n = m_n, .start = h->start, .end = h->end, .budget = b};
    return collect(&c, h->limit, a, out, n, err);
}

bool db_label_values(struct source *s, str name, const struct matcher *m, size_t m_n,
                     const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                     size_t *n, struct err *err)
{
    struct collecting c = {.db = db_of_source(s),
                           .name = name,
                           .m = m,
                           .m_n = m_n,
                           .start = h->start,
                           .end = h->end,
                           .budget = b};
    if (name.n)
        return collect(&c, h->limit, a, out, n, err);
    *out = arena_array(a, str, 1);
    *n = 0;
    return true;
}
