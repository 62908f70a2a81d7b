// SPDX-License-Identifier: Apache-2.0
/*
 * What is kept: by time, by time of series that match, by size. Whole parts go when all of them is
 * too old; what is too old in others is not seen, and left out when they are merged.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

void db_cutoffs(struct tsdb *db, struct cutoffs *out)
{
    int64_t newest = atomic_load_explicit(&db->newest, memory_order_relaxed);
    ts_ms now = env_now_ms(db->env);
    /* A clock that runs ahead must not age the data, nor samples from the future. Without any
     * sample nothing is too old. */
    cutoffs_find(&db->keep, newest < now ? newest : now, out);
}

ts_ms db_oldest(struct tsdb *db)
{
    struct cutoffs c;
    if (!db->keep.n && !db->keep.keep_ms)
        return INT64_MIN;
    db_cutoffs(db, &c);
    return c.oldest;
}

bool db_keep_init(struct tsdb *db, const struct tsdb_options *o, struct err *err)
{
    db->keep.keep_ms = o->retention_ms;
    if (o->retention_by_n > KEEP_RULES_MAX)
        return err_set(err, ERR_LIMIT, "%zu rules of storage.retention_by; there can be %d",
                       o->retention_by_n, KEEP_RULES_MAX);
    for (size_t i = 0; i < o->retention_by_n; i++) {
        const struct tsdb_retention_rule *r = &o->retention_by[i];
        db->keep.rules[i].keep_ms = r->keep_ms;
        db->keep.rules[i].m = arena_array(&db->arena, struct matcher, r->m_n + 1);
        db->keep.n++;
        for (size_t k = 0; k < r->m_n; k++) {
            struct matcher *m = &db->keep.rules[i].m[k];
            if (!matcher_init(m, r->m[k].op, arena_dup(&db->arena, r->m[k].name),
                              arena_dup(&db->arena, r->m[k].value), err))
                return false;
            db->keep.rules[i].m_n++;
        }
    }
    return true;
}

void db_keep_fini(struct tsdb *db)
{
    for (size_t i = 0; i < db->keep.n; i++)
        for (size_t k = 0; k < db->keep.rules[i].m_n; k++)
            matcher_fini(&db->keep.rules[i].m[k]);
}

/* The oldest part, when all of them together are too large; the newest one stays. */
static struct tpart *oldest_over_size(struct tsdb *db)
{
    uint64_t max = db->o.retention_bytes_max, size = 0;
    struct wal_stats w;
    struct tpart *oldest = NULL;
    if (!max)
        return NULL;
    wal_stats(db->wal, &w);
    size = w.bytes;
    for (size_t i = 0; i < db->parts->n; i++) {
        struct tpart *p = db->parts->at[i];
        size += part_blob(p->part)->size;
        if (i + 1 < db->parts->n &&
            (!oldest || part_info(p->part)->max_t < part_info(oldest->part)->max_t))
            oldest = p;
    }
    return size > max ? oldest : NULL;
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
    self_add(SELF_TSDB_RETENTION_TIME, (int64_t)ids.n);
    struct tpart *over = ids.n ? NULL : oldest_over_size(db);
    if (over) {
        vec_push(&ids, part_info(over->part)->id);
        self_add(SELF_TSDB_RETENTION_SIZE, 1);
    }
    *did = ids.n > 0;
    bool ok = true;
    if (*did) {
        struct part **removed MEM_CLEANUP = mem_array(ids.n, sizeof(struct part *));
        struct catalog_change ch = {.remove = ids.at, .remove_n = ids.n};
        ok = catalog_apply(db->catalog, &ch, removed, err);
        if (ok)
            parts_publish(db);
    }
    vec_fini(&ids);
    return ok;
}
