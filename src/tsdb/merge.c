// SPDX-License-Identifier: Apache-2.0
/*
 * Merging neighbours into one larger part, and deleting what is too old.
 *
 * A level's parts are merged four at a time, oldest first, only ones that stand next to each other
 * in order of WAL positions: so "of equal times the first stays" means the same before and after.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sys/pool.h"
#include "tsdb/tsdb_int.h"

enum { MERGE_PARTS = 4, LEVEL_MAX = 5, PAGES_BYTES = 4 << 20 };
#define MERGE_BYTES_MAX (1ULL << 30)
#define MERGE_SPAN_MIN_MS (24 * 3600 * 1000LL)

/* One input, at its next series. */
struct input {
    struct tpart *p;
    struct index_ref *index;
    uint32_t next;
    struct labels labels;
};

struct merge {
    struct tsdb *db;
    struct input in[MERGE_PARTS];
    struct index_writer *out;
    struct page_cache
        *pages;         /* of its own: what is read once must not push out what is read often */
    struct arena arena; /* labels of the series that the inputs stand at */
    struct gather samples;
};

static bool fits(const struct tsdb *db, struct tpart *const *at)
{
    uint64_t size = 0;
    ts_ms min_t = INT64_MAX, max_t = INT64_MIN;
    int64_t span = db->o.retention_ms / 4;
    for (size_t i = 0; i < MERGE_PARTS; i++) {
        const struct part_info *info = part_info(at[i]->part);
        if (at[i]->no_merge || info->level != part_info(at[0]->part)->level)
            return false;
        size += part_blob(at[i]->part)->size;
        if (info->min_t > info->max_t)
            continue;
        min_t = info->min_t < min_t ? info->min_t : min_t;
        max_t = info->max_t > max_t ? info->max_t : max_t;
    }
    if (span < MERGE_SPAN_MIN_MS)
        span = MERGE_SPAN_MIN_MS;
    bool too_long = db->o.retention_ms && min_t <= max_t && max_t - min_t > span;
    return size <= MERGE_BYTES_MAX && !too_long && part_info(at[0]->part)->level < LEVEL_MAX;
}

/* The first row of neighbours that fits, lowest level first; NULL when there is none. */
static struct tpart *const *choose(const struct tsdb *db)
{
    const struct part_set *ps = db->parts;
    struct tpart *const *best = NULL;
    for (size_t i = 0; i + MERGE_PARTS <= ps->n; i++) {
        struct tpart *const *at = &ps->at[i];
        if (fits(db, at) &&
            (!best || part_info(at[0]->part)->level < part_info(best[0]->part)->level))
            best = at;
    }
    return best;
}

static void load(struct input *in, struct arena *a)
{
    in->labels = (struct labels){0};
    if (in->next < index_series_n(in->index->x))
        in->labels = index_labels(in->index->x, in->next, a);
}

static bool is_at_end(const struct input *in)
{
    return in->next >= index_series_n(in->index->x);
}

static const struct input *smallest(const struct merge *m)
{
    const struct input *best = NULL;
    for (size_t i = 0; i < MERGE_PARTS; i++)
        if (!is_at_end(&m->in[i]) && (!best || labels_cmp(m->in[i].labels, best->labels) < 0))
            best = &m->in[i];
    return best;
}

/* Reads the series `ls` from every input that stands at it, and moves those on. */
static bool take_series(struct merge *m, struct labels ls, struct err *err)
{
    bool here[MERGE_PARTS];
    for (size_t i = 0; i < MERGE_PARTS; i++)
        here[i] = !is_at_end(&m->in[i]) && labels_cmp(m->in[i].labels, ls) == 0;
    m->samples = gather_of(&m->arena, INT64_MIN, INT64_MAX);
    for (size_t i = 0; i < MERGE_PARTS; i++) {
        struct input *in = &m->in[i];
        if (!here[i])
            continue;
        if (!index_read(in->index->x, m->pages, &in->next, 1, &(struct gather *){&m->samples},
                        err)) {
            in->p->no_merge = err->kind == ERR_CORRUPT;
            return false;
        }
        in->next++;
    }
    gather_settle(&m->samples);
    const struct gather *g = &m->samples;
    if (g->n) {
        index_writer_series(m->out, ls, g->t, g->v, g->n);
        index_writer_extras(m->out, g->t, g->h, g->since, g->n);
    }
    return true;
}

static bool write_series(struct merge *m, struct err *err)
{
    for (;;) {
        arena_reset(&m->arena);
        for (size_t i = 0; i < MERGE_PARTS; i++)
            load(&m->in[i], &m->arena);
        const struct input *in = smallest(m);
        if (!in)
            return true;
        if (!take_series(m, in->labels, err))
            return false;
        pool_yield();
    }
}

struct seen {
    struct map families;
    struct index_writer *out;
};

static void add_metadata(void *arg, const struct metadata *md)
{
    struct seen *s = arg;
    if (map_put(&s->families, md->family, s))
        index_writer_metadata(s->out, md);
}

/* The newest part that knows a family tells what it is. */
static void write_metadata(struct merge *m)
{
    struct seen s = {.out = m->out};
    for (size_t i = MERGE_PARTS; i-- > 0;)
        index_metadata(m->in[i].index->x, add_metadata, &s);
    map_fini(&s.families);
}

/* The newest input that has some has all that there were. */
static bool write_exemplars(struct merge *m, struct err *err)
{
    struct enc e = {0};
    bool ok = true;
    for (size_t i = MERGE_PARTS; i-- > 0 && ok && e.n == 0;)
        ok = index_exemplars(m->in[i].index->x, &e, err);
    if (ok && e.n)
        index_writer_exemplars(m->out, &e);
    enc_fini(&e);
    return ok;
}

static bool open_inputs(struct merge *m, struct tpart *const *at, struct err *err)
{
    for (size_t i = 0; i < MERGE_PARTS; i++) {
        m->in[i].p = at[i];
        m->in[i].index = tpart_index(at[i], err);
        if (!m->in[i].index)
            return false;
    }
    return true;
}

static bool write_part(struct merge *m, struct part_info *info, struct err *err)
{
    struct tsdb *db = m->db;
    uint64_t size;
    struct catalog_change probe = {0};
    if (!catalog_apply(db->catalog, &probe, NULL, err))
        return false;
    struct part_writer *w =
        part_writer_open(db->env->disk, catalog_parts_dir(db->catalog), info->id, err);
    if (!w)
        return false;
    m->out = index_writer_new(w);
    if (!write_series(m, err) || !write_exemplars(m, err)) {
        index_writer_abort(m->out);
        return false;
    }
    write_metadata(m);
    return index_writer_finish(m->out, info, &size, err);
}

/* Swaps the set for what the catalog says now; parts that left are deleted by their last reader. */
static void publish(struct tsdb *db)
{
    struct part_set *ps = part_set_make(db, db->parts);
    pthread_rwlock_wrlock(&db->head.gate);
    struct part_set *old = part_set_swap(db, ps);
    pthread_rwlock_unlock(&db->head.gate);
    for (size_t i = 0; i < old->n; i++) {
        bool stays = false;
        for (size_t k = 0; k < ps->n; k++)
            stays = stays || ps->at[k] == old->at[i];
        old->at[i]->removed = !stays;
    }
    part_set_unref(old);
}

static bool merge_row(struct merge *m, struct tpart *const *at, struct err *err)
{
    uint64_t ids[MERGE_PARTS];
    struct part *removed[MERGE_PARTS];
    for (size_t i = 0; i < MERGE_PARTS; i++)
        ids[i] = part_info(at[i]->part)->id;
    struct part_info info = {.id = catalog_next_id(m->db->catalog),
                             .level = part_info(at[0]->part)->level + 1,
                             .wal_from = part_info(at[0]->part)->wal_from,
                             .wal_to = part_info(at[MERGE_PARTS - 1]->part)->wal_to,
                             .replaces = ids,
                             .replaces_n = MERGE_PARTS};
    struct catalog_change ch = {&info.id, 1, ids, MERGE_PARTS, 0};
    if (!open_inputs(m, at, err) || !write_part(m, &info, err) ||
        !catalog_apply(m->db->catalog, &ch, removed, err))
        return false;
    publish(m->db);
    return true;
}

bool db_merge(struct tsdb *db, bool *did, struct err *err)
{
    struct tpart *const *at = choose(db);
    *did = at != NULL;
    if (!at)
        return true;
    struct merge m = {.db = db};
    arena_init(&m.arena, 0);
    m.pages = page_cache_new(PAGES_BYTES);
    bool ok = merge_row(&m, at, err);
    for (size_t i = 0; i < MERGE_PARTS; i++)
        index_ref_put(m.in[i].index);
    page_cache_free(m.pages);
    arena_fini(&m.arena);
    return ok;
}

bool db_retain(struct tsdb *db, bool *did, struct err *err)
{
    ts_ms oldest = db_oldest(db);
    VEC(uint64_t) ids = {0};
    for (size_t i = 0; i < db->parts->n; i++) {
        const struct part_info *info = part_info(db->parts->at[i]->part);
        if (info->min_t <= info->max_t && info->max_t < oldest)
            vec_push(&ids, info->id);
    }
    *did = ids.n > 0;
    bool ok = true;
    if (*did) {
        struct part **removed MEM_CLEANUP = mem_array(ids.n, sizeof(struct part *));
        struct catalog_change ch = {.remove = ids.at, .remove_n = ids.n};
        ok = catalog_apply(db->catalog, &ch, removed, err);
        if (ok)
            publish(db);
    }
    vec_fini(&ids);
    return ok;
}
