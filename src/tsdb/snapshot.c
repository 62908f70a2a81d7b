// SPDX-License-Identifier: Apache-2.0
/* Snapshots, and the list of parts for whoever asks. */
#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/tsdb_int.h"

/* The parts are counted, so that no merge's end deletes one before it is linked. */
static struct part_set *flushed_parts(struct tsdb *db, uint64_t *covered, struct err *err)
{
    struct part_set *ps = NULL;
    if (db_flush_all(db, err)) {
        ps = db->parts;
        atomic_fetch_add(&ps->refs, 1);
        *covered = catalog_wal_covered(db->catalog);
    }
    return ps;
}

/* Under `work` to the end: linking is short, and the list of tombstones must be that of the parts.
 */
static bool snapshot(struct tsdb *db, str dir, struct err *err)
{
    static const str names[] = {{"tombstones", 10}};
    uint64_t covered;
    struct part_set *ps = flushed_parts(db, &covered, err);
    if (!ps)
        return false;
    struct part **parts MEM_CLEANUP = mem_array(ps->n + 1, sizeof *parts);
    for (size_t i = 0; i < ps->n; i++)
        parts[i] = ps->at[i]->part;
    pool_block_begin();
    bool ok = catalog_snapshot(db->catalog, parts, ps->n, covered, names, 1, dir, err);
    pool_block_end();
    part_set_unref(ps);
    return ok;
}

bool tsdb_snapshot(struct tsdb *db, str dir, struct err *err)
{
    pthread_mutex_lock(&db->work);
    bool ok = snapshot(db, dir, err);
    pthread_mutex_unlock(&db->work);
    self_add(ok ? SELF_TSDB_SNAPSHOTS : SELF_TSDB_SNAPSHOTS_FAILED, 1);
    return ok;
}

size_t tsdb_parts(struct tsdb *db, struct arena *a, struct tsdb_part **out)
{
    pthread_rwlock_rdlock(&db->head.gate);
    struct part_set *ps = db->parts;
    atomic_fetch_add(&ps->refs, 1);
    pthread_rwlock_unlock(&db->head.gate);
    size_t n = ps->n;
    *out = arena_array(a, struct tsdb_part, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct tpart *p = ps->at[i];
        const struct part_info *info = part_info(p->part);
        uint64_t *replaces = arena_array(a, uint64_t, info->replaces_n + 1);
        if (info->replaces_n)
            memcpy(replaces, info->replaces, info->replaces_n * sizeof *replaces);
        (*out)[i] = (struct tsdb_part){.id = info->id,
                                       .bytes = part_blob(p->part)->size,
                                       .series = info->series,
                                       .samples = info->samples,
                                       .level = info->level,
                                       .min_t = info->min_t,
                                       .max_t = info->max_t,
                                       .replaces = replaces,
                                       .replaces_n = info->replaces_n};
        pthread_mutex_lock(&db->parts_lock);
        (*out)[i].damaged = p->bad || p->damaged;
        pthread_mutex_unlock(&db->parts_lock);
    }
    part_set_unref(ps);
    return n;
}
