// SPDX-License-Identifier: Apache-2.0
/*
 * Flush: the head becomes a part, and the WAL that it covered goes.
 *
 *   cut      raise the generation; all records up to cut_lsn are in older generations     gate,
 * O(1) collect  freeze every series that was not appended to since                gate, a slice at
 * a time write    sort by labels, write the part, sync, rename, catalog record              no lock
 *   publish  swap the list of parts, frozen chunks stop counting                          gate,
 * O(1) drop     free the frozen chunks, trim the WAL, remove silent series        gate, a slice at
 * a time
 *
 * When writing fails, the frozen chunks stay what they are and the next flush begins at `collect`.
 */
#include <stdlib.h>

#include "sys/pool.h"
#include "tsdb/tsdb_int.h"

enum { SLICE = 128, IDLE_FLUSHES = 2 };

typedef VEC(struct series *) series_list;

/* Begins a generation. False when nothing came since the last, and no exemplar was deleted. */
static bool cut(struct tsdb *db)
{
    struct head *h = &db->head;
    bool exemplars = exemplars_dirty(db->exemplars);
    pthread_rwlock_wrlock(&h->gate);
    bool is_new = !db->frozen && (exemplars || db->applied_lsn >= db->cut_lsn);
    if (is_new) {
        db->cut_from = db->cut_lsn;
        db->cut_lsn = db->applied_lsn + 1;
        db->frozen = true;
        db->first_mono_ns = 0;
        h->gen++;
        h->frozen_live = true;
        h->min_t = INT64_MAX;
        h->max_t = INT64_MIN;
    }
    pthread_rwlock_unlock(&h->gate);
    if (is_new && db->wal)
        wal_roll(db->wal);
    return db->frozen;
}

/* From *id on; false: there are no more. */
static bool collect_slice(struct head *h, struct shard *sh, uint32_t *id, series_list *out)
{
    struct series *s = NULL;
    for (int i = 0; i < SLICE && (s = series_table_next(&sh->table, id)); i++, ++*id) {
        head_freeze(h, s);
        s->idle += s->idle < UINT16_MAX;
        if (!s->frozen)
            continue;
        s->idle = 0;
        vec_push(out, s);
    }
    return s != NULL;
}

static void collect(struct head *h, series_list *out)
{
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        bool more = true;
        for (uint32_t id = 0; more;) {
            pthread_rwlock_wrlock(&h->gate);
            pthread_rwlock_rdlock(&sh->lock);
            more = collect_slice(h, sh, &id, out);
            pthread_rwlock_unlock(&sh->lock);
            pthread_rwlock_unlock(&h->gate);
            pool_yield();
        }
    }
}

/* By labels. The order knows all of the list: what has samples to flush is not removed. */
static void sort_series(struct head *h, series_list *list)
{
    struct reclaim_reader reader;
    struct ranked *at MEM_CLEANUP = mem_array(list->n + 1, 2 * sizeof *at);
    struct series **sorted = mem_array(list->n + 1, sizeof *sorted);
    reclaim_enter(&h->reclaim, &reader);
    order_update(h);
    reclaim_leave(&h->reclaim, &reader);
    order_ranks(h, (const struct series *const *)list->at, list->n, at, at + list->n);
    for (size_t i = 0; i < list->n; i++)
        sorted[i] = list->at[at[i].i];
    free(list->at);
    list->at = sorted;
    list->cap = list->n + 1;
}

/* What is frozen stays; where it is found may move while others append. */
static const struct extra_capture *capture_extra(struct head *h, const struct series *s,
                                                 struct arena *a)
{
    if (!s->has_extra)
        return NULL;
    pthread_rwlock_rdlock(&h->gate);
    const struct extra_capture *c = extras_capture(&h->extras, head_series_number(h, s), true, a);
    pthread_rwlock_unlock(&h->gate);
    return c;
}

/* Frozen chunks change only in this thread until they are dropped, so no lock is held. */
static bool write_series(struct tsdb *db, struct index_writer *x, const series_list *list,
                         struct err *err)
{
    struct arena a ARENA_CLEANUP;
    bool ok = true;
    arena_init(&a, 0);
    for (size_t i = 0; i < list->n && ok; i++) {
        struct capture c = {.frozen = list->at[i]->frozen,
                            .extra = capture_extra(&db->head, list->at[i], &a)};
        struct gather g = gather_of(&a, INT64_MIN, INT64_MAX);
        ok = capture_read(&c, &g, err);
        if (!ok)
            break;
        gather_settle(&g);
        index_writer_series(x, series_labels(&db->head, list->at[i], &a), g.t, g.v, g.n);
        index_writer_extras(x, g.t, g.h, g.since, g.n);
        arena_reset(&a);
        if (i % SLICE == 0)
            pool_yield();
    }
    return ok;
}

void db_write_metadata(struct tsdb *db, struct index_writer *x)
{
    pthread_mutex_lock(&db->metadata.lock);
    for (size_t i = 0; i < db->metadata.map.n; i++) {
        const struct metadata_entry *e = db->metadata.map.entries[i].value;
        for (size_t k = 0; k < e->n; k++)
            index_writer_metadata(x, &e->at[k]);
    }
    db->metadata.dirty = false;
    pthread_mutex_unlock(&db->metadata.lock);
}

static bool write_part(struct tsdb *db, const series_list *list, uint64_t *id, struct err *err)
{
    struct part_info info = {.wal_from = db->cut_from, .wal_to = db->cut_lsn};
    uint64_t size;
    info.id = *id = catalog_next_id(db->catalog);
    struct part_writer *w =
        part_writer_open(db->env->disk, catalog_parts_dir(db->catalog), info.id, err);
    if (!w)
        return false;
    struct index_writer *x = index_writer_new(w);
    if (!write_series(db, x, list, err)) {
        index_writer_abort(x);
        return false;
    }
    db_write_metadata(db, x);
    if (exemplars_dirty(db->exemplars)) {
        struct enc e = {0};
        exemplars_encode(db->exemplars, &e);
        index_writer_exemplars(x, &e);
    }
    return index_writer_finish(x, &info, &size, err);
}

/* Durable part and list; also when there is nothing to write but the WAL's new beginning, then *id
 * is 0. */
static bool make_durable(struct tsdb *db, series_list *list, uint64_t *id, struct err *err)
{
    *id = 0;
    struct catalog_change ch = {.wal_covered = db->cut_lsn}, probe = {0};
    pthread_mutex_lock(&db->metadata.lock);
    bool dirty = db->metadata.dirty;
    pthread_mutex_unlock(&db->metadata.lock);
    bool exemplars = exemplars_dirty(db->exemplars);
    if (!catalog_apply(db->catalog, &probe, NULL, err))
        return false;
    if (list->n > 0 || dirty || exemplars) {
        if (list->n)
            sort_series(&db->head, list);
        bool ok = write_part(db, list, id, err);
        ch.add = id;
        ch.add_n = 1;
        if (ok && catalog_apply(db->catalog, &ch, NULL, err))
            return true;
        pthread_mutex_lock(&db->metadata.lock);
        db->metadata.dirty = dirty;
        pthread_mutex_unlock(&db->metadata.lock);
        if (exemplars)
            exemplars_set_dirty(db->exemplars, true);
        return false;
    }
    return catalog_apply(db->catalog, &ch, NULL, err);
}

/* `id`: the new part; 0: there is none. */
static void publish(struct tsdb *db, uint64_t id, const series_list *list)
{
    struct part_set *ps = part_set_make(db, db->parts);
    for (size_t i = 0; i < ps->n && id; i++)
        if (part_info(ps->at[i]->part)->id == id)
            tpart_link(ps->at[i], list->at, list->n);
    moments_close(&db->head);
    pthread_rwlock_wrlock(&db->head.gate);
    struct part_set *old = part_set_swap(db, ps);
    db->head.frozen_live = false;
    moments_open(&db->head);
    pthread_rwlock_unlock(&db->head.gate);
    part_set_unref(old);
}

static void drop(struct tsdb *db, const series_list *list)
{
    struct head *h = &db->head;
    for (size_t from = 0; from < list->n; from += SLICE) {
        pthread_rwlock_wrlock(&h->gate);
        for (size_t i = from; i < from + SLICE && i < list->n; i++)
            head_drop_frozen(h, list->at[i]);
        pthread_rwlock_unlock(&h->gate);
        pool_yield();
    }
    db->frozen = false;
}

bool db_flush(struct tsdb *db, bool gc, struct err *err)
{
    series_list list = {0};
    if (!cut(db))
        return true;
    collect(&db->head, &list);
    uint64_t id;
    bool ok = make_durable(db, &list, &id, err);
    if (ok) {
        publish(db, id, &list);
        drop(db, &list);
        if (gc)
            head_remove_idle(&db->head, IDLE_FLUSHES);
        if (db->wal)
            ok = wal_trim(db->wal, db->cut_lsn, err);
    }
    vec_fini(&list);
    return ok;
}

bool db_flush_all(struct tsdb *db, struct err *err)
{
    /* A flush that failed before first ends what it had begun. */
    bool again = db->frozen;
    return db_flush(db, true, err) && (!again || db_flush(db, true, err));
}
