// SPDX-License-Identifier: Apache-2.0
/*
 * Deleting, and writing parts anew without what was deleted. The head is flushed first, so that all
 * that was acknowledged is in parts with smaller numbers than the tombstone's.
 */
#include <inttypes.h>

#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/tsdb_int.h"

enum { SLICE = 1024 };
#define FILE_NAME STR("tombstones")

bool db_load_tombstones(struct tsdb *db, struct tsdb_recovery *report, struct err *err)
{
    struct err why = {0};
    bytes file;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    db->tombstones = NULL;
    if (catalog_get_file(db->catalog, FILE_NAME, &a, &file, &why))
        db->tombstones = tombstones_decode(file, &why);
    if (!db->tombstones && why.kind != ERR_NOT_FOUND) {
        if (why.kind != ERR_CORRUPT) {
            *err = why;
            return false;
        }
        if (report->first.kind == ERR_NONE)
            report->first = why;
        self_add(SELF_TSDB_TOMBSTONES_LOST, 1);
        if (!db->o.read_only &&
            !catalog_quarantine_file(db->catalog, FILE_NAME, str_from_z(why.msg), err))
            return false;
    }
    if (!db->tombstones)
        db->tombstones = tombstones_new(0);
    for (size_t i = 0; i < db->tombstones->n; i++)
        catalog_ids_above(db->catalog, db->tombstones->at[i].id);
    return true;
}

/* Makes `t` durable and then what readers see. Takes it. */
static bool put_tombstones(struct tsdb *db, struct tombstones *t, struct err *err)
{
    struct strbuf file STRBUF_CLEANUP = {0};
    tombstones_encode(t, &file);
    pool_block_begin();
    bool ok = catalog_put_file(db->catalog, FILE_NAME, bytes_of(file.p, file.n), err);
    pool_block_end();
    if (!ok) {
        tombstones_unref(t);
        return err_wrap(err, "writing the list of what was deleted");
    }
    pthread_rwlock_wrlock(&db->head.gate);
    struct tombstones *old = db->tombstones;
    db->tombstones = t;
    pthread_rwlock_unlock(&db->head.gate);
    self_set(SELF_TSDB_TOMBSTONES, (int64_t)t->n);
    tombstones_unref(old);
    return true;
}

static void add_all(struct tombstones *to, const struct tombstones *from)
{
    for (size_t i = 0; i < from->n; i++)
        tombstones_add(to, from->at[i].id, from->at[i].m, from->at[i].m_n, from->at[i].start,
                       from->at[i].end);
}

/* What was deleted can be written again. */
static void forget_last(struct tsdb *db)
{
    struct head *h = &db->head;
    for (unsigned i = 0; i < h->shards_n; i++) {
        struct shard *sh = &h->shards[i];
        struct series *s = NULL;
        uint32_t id = 0;
        do {
            pthread_rwlock_wrlock(&h->gate);
            pthread_rwlock_rdlock(&sh->lock);
            for (int k = 0; k < SLICE && (s = series_table_next(&sh->table, &id)); k++, id++)
                head_forget_last(h, s);
            pthread_rwlock_unlock(&sh->lock);
            pthread_rwlock_unlock(&h->gate);
            pool_yield();
        } while (s);
    }
}

static bool delete_flushed(struct tsdb *db, const struct matcher *m, size_t m_n, ts_ms start,
                           ts_ms end, struct err *err)
{
    /* The flush writes those that are left, and parts that had more do not count any longer. */
    exemplars_delete(db->exemplars, &(struct matcher_set){m, m_n}, start, end);
    if (!db_flush_all(db, err))
        return false;
    if (db->tombstones->n >= TOMBSTONES_MAX)
        return err_set(err, ERR_LIMIT, "there are %d deletions already; clean tombstones first",
                       TOMBSTONES_MAX);
    struct tombstones *t = tombstones_new(db->tombstones->n + 1);
    add_all(t, db->tombstones);
    tombstones_add(t, catalog_next_id(db->catalog), m, m_n, start, end);
    if (!put_tombstones(db, t, err))
        return false;
    forget_last(db);
    return true;
}

bool tsdb_delete(struct tsdb *db, const struct matcher *m, size_t m_n, ts_ms start, ts_ms end,
                 struct err *err)
{
    if (m_n == 0 || m_n > TOMBSTONE_MATCHERS_MAX || start > end)
        return err_set(err, ERR_INVALID,
                       m_n == 0      ? "a deletion needs a matcher"
                       : start > end ? "a deletion ends before it starts"
                                     : "a deletion has too many matchers");
    pthread_mutex_lock(&db->work);
    bool ok = delete_flushed(db, m, m_n, start, end, err);
    pthread_mutex_unlock(&db->work);
    if (ok)
        self_add(SELF_TSDB_DELETES, 1);
    return ok;
}

/* The first part that holds something deleted; NULL: none. */
static bool find_deleted(struct tsdb *db, struct tpart **out, struct err *err)
{
    *out = NULL;
    for (size_t i = 0; i < db->parts->n && !*out; i++) {
        struct tpart *p = db->parts->at[i];
        struct index_ref *r = tpart_index(p, err);
        if (!r)
            return false;
        struct veil *v = tpart_veil(p, r->x, db->tombstones);
        if (veil_has_deleted(v, r->x))
            *out = p;
        veil_unref(v);
        index_ref_put(r);
    }
    return true;
}

/* A slice of it; *done: no part is left, and the tombstones are gone. */
static bool clean_some(struct tsdb *db, bool *done, struct err *err)
{
    struct tpart *p;
    *done = false;
    if (db->merge)
        return db_merge_slice(db, err);
    if (!find_deleted(db, &p, err))
        return false;
    if (p)
        return db_rewrite(db, p, err);
    *done = true;
    /* A job that is under way may have read a part before it was deleted from. */
    db_tier_abort(db);
    return db->tombstones->n == 0 || put_tombstones(db, tombstones_new(0), err);
}

bool tsdb_clean_tombstones(struct tsdb *db, struct err *err)
{
    bool done = false, ok = true;
    while (ok && !done) {
        pthread_mutex_lock(&db->work);
        ok = clean_some(db, &done, err);
        pthread_mutex_unlock(&db->work);
        pool_yield();
    }
    return ok;
}

static bool is_needed(const struct tsdb *db, const struct tombstone *s)
{
    for (size_t i = 0; i < db->parts->n; i++) {
        const struct part_info *info = part_info(db->parts->at[i]->part);
        if (info->id < s->id && info->min_t <= s->end && info->max_t >= s->start)
            return true;
    }
    return false;
}

bool db_drop_tombstones(struct tsdb *db, bool *did, struct err *err)
{
    size_t needed = 0;
    *did = false;
    for (size_t i = 0; i < db->tombstones->n; i++)
        needed += is_needed(db, &db->tombstones->at[i]);
    if (needed == db->tombstones->n)
        return true;
    struct tombstones *t = tombstones_new(needed);
    for (size_t i = 0; i < db->tombstones->n; i++) {
        const struct tombstone *s = &db->tombstones->at[i];
        if (is_needed(db, s))
            tombstones_add(t, s->id, s->m, s->m_n, s->start, s->end);
    }
    *did = true;
    return put_tombstones(db, t, err);
}
