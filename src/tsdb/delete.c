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
        db->tombstones = tombstones_new();
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

/* Nothing that came after the older one is of its time. An import may have the number of a part
 * that is not there yet. */
static bool may_raise(void *arg, const struct tombstone *older)
{
    const struct tsdb *db = arg;
    bool may = db->imports == 0;
    for (size_t i = 0; i < db->parts->n && may; i++) {
        const struct part_info *info = part_info(db->parts->at[i]->part);
        may = info->id < older->id || info->min_t > older->end || info->max_t < older->start;
    }
    return may;
}

static bool delete_flushed(struct tsdb *db, struct deletion *d, struct err *err)
{
    /* The flush writes those that are left, and parts that had more do not count any longer. */
    exemplars_delete(db->exemplars, &(struct matcher_set){d->m, d->m_n}, d->start, d->end);
    if (!db_flush_all(db, err))
        return false;
    d->id = catalog_next_id(db->catalog);
    struct tombstones *t = tombstones_with(db->tombstones, d);
    if (t->n > TOMBSTONES_MAX) {
        tombstones_unref(t);
        return err_set(err, ERR_LIMIT, "there are %d deletions that were not cleaned",
                       TOMBSTONES_MAX);
    }
    if (!put_tombstones(db, t, err))
        return false;
    forget_last(db);
    return true;
}

static bool is_full(struct tsdb *db)
{
    pthread_mutex_lock(&db->work);
    bool full = db->tombstones->n >= TOMBSTONES_MAX;
    pthread_mutex_unlock(&db->work);
    return full;
}

bool tsdb_delete(struct tsdb *db, const struct matcher *m, size_t m_n, ts_ms start, ts_ms end,
                 struct err *err)
{
    struct deletion d = {
        .m = m, .m_n = m_n, .start = start, .end = end, .may_raise = may_raise, .arg = db};
    if (m_n == 0 || m_n > TOMBSTONE_MATCHERS_MAX || start > end)
        return err_set(err, ERR_INVALID,
                       m_n == 0      ? "a deletion needs a matcher"
                       : start > end ? "a deletion ends before it starts"
                                     : "a deletion has too many matchers");
    /* Cleaning in the background could not keep up: whoever deletes waits for it. */
    if (is_full(db) && !tsdb_clean_tombstones(db, err))
        return false;
    pthread_mutex_lock(&db->work);
    bool ok = delete_flushed(db, &d, err);
    pthread_mutex_unlock(&db->work);
    if (ok)
        self_add(SELF_TSDB_DELETES, 1);
    return ok;
}

/*
 * Cleaning goes up to a tombstone: parts with smaller numbers that hold something deleted are
 * written anew, and get larger ones; when there is none left, that tombstone and those before it
 * have done their work. So it ends, whatever is deleted meanwhile.
 */
static uint64_t newest_tombstone(const struct tsdb *db)
{
    uint64_t id = 0;
    for (size_t i = 0; i < db->tombstones->n; i++)
        id = db->tombstones->at[i].id > id ? db->tombstones->at[i].id : id;
    return id;
}

/* The first part below `upto` that holds something deleted; NULL: none. */
static bool find_deleted(struct tsdb *db, uint64_t upto, bool sound, struct tpart **out,
                         struct err *err)
{
    *out = NULL;
    for (size_t i = 0; i < db->parts->n && !*out; i++) {
        struct tpart *p = db->parts->at[i];
        if (part_info(p->part)->id > upto || (sound && p->damaged))
            continue;
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

struct cleaned {
    const struct tsdb *db;
    uint64_t upto;
};

/* It came later, or a damaged part could not be written anew. */
static bool is_left(void *arg, const struct tombstone *s)
{
    const struct cleaned *c = arg;
    bool left = s->id > c->upto;
    for (size_t i = 0; i < c->db->parts->n && !left; i++) {
        const struct part_info *info = part_info(c->db->parts->at[i]->part);
        left = c->db->parts->at[i]->damaged && info->id < s->id;
    }
    return left;
}

static bool drop_cleaned(struct tsdb *db, uint64_t upto, struct err *err)
{
    struct cleaned c = {db, upto};
    /* A job that is under way may have read a part before it was deleted from. */
    db_tier_abort(db);
    db->cleaned = upto;
    struct tombstones *left = tombstones_without(db->tombstones, is_left, &c);
    if (left->n < db->tombstones->n)
        return put_tombstones(db, left, err);
    tombstones_unref(left);
    return true;
}

/* A slice of it; *done: no part is left, and the tombstones are gone. */
static bool clean_some(struct tsdb *db, uint64_t upto, bool *done, struct err *err)
{
    struct tpart *p;
    *done = false;
    if (db->merge)
        return db_merge_slice(db, err);
    if (!find_deleted(db, upto, false, &p, err))
        return false;
    if (p)
        return db_rewrite(db, p, err);
    *done = true;
    return drop_cleaned(db, upto, err);
}

bool tsdb_clean_tombstones(struct tsdb *db, struct err *err)
{
    bool done = false, ok = true;
    uint64_t upto = 0;
    while (ok && !done) {
        pthread_mutex_lock(&db->work);
        upto = upto ? upto : newest_tombstone(db);
        ok = clean_some(db, upto, &done, err);
        pthread_mutex_unlock(&db->work);
        pool_yield();
    }
    return ok;
}

/* Begins to write the next part anew; slices of that are the merges' business. */
static bool clean_next(struct tsdb *db, bool *did, struct err *err)
{
    struct tpart *p;
    if (!find_deleted(db, db->clean_upto, true, &p, err)) {
        bool is_bad = err->kind == ERR_CORRUPT; /* the next tick puts the part away */
        if (is_bad)
            err_clear(err);
        return is_bad;
    }
    *did = true;
    if (p)
        return db_rewrite(db, p, err);
    uint64_t upto = db->clean_upto;
    db->clean_upto = 0;
    return drop_cleaned(db, upto, err);
}

/* Those that cleaning left do not begin it again. */
static bool are_many(const struct tsdb *db)
{
    size_t n = 0;
    for (size_t i = 0; i < db->tombstones->n; i++)
        n += db->tombstones->at[i].id > db->cleaned;
    return n >= TOMBSTONES_MANY;
}

bool db_clean(struct tsdb *db, bool *did, struct err *err)
{
    *did = false;
    if (!db->clean_upto && are_many(db))
        db->clean_upto = newest_tombstone(db);
    if (!db->clean_upto || db->merge || db->tier_job || !db_merge_budget(db))
        return true;
    if (clean_next(db, did, err))
        return true;
    *did = false;
    if (err->kind != ERR_NO_SPACE) /* which is counted; later there may be room */
        return false;
    err_clear(err);
    return true;
}

static bool is_needed(void *arg, const struct tombstone *s)
{
    const struct tsdb *db = arg;
    bool needed = false;
    for (size_t i = 0; i < db->parts->n && !needed; i++) {
        const struct part_info *info = part_info(db->parts->at[i]->part);
        needed = info->id < s->id && info->min_t <= s->end && info->max_t >= s->start;
    }
    return needed;
}

bool db_drop_tombstones(struct tsdb *db, bool *did, struct err *err)
{
    size_t needed = 0;
    *did = false;
    for (size_t i = 0; i < db->tombstones->n; i++)
        needed += is_needed(db, &db->tombstones->at[i]);
    if (needed == db->tombstones->n)
        return true;
    *did = true;
    return put_tombstones(db, tombstones_without(db->tombstones, is_needed, db), err);
}
