// SPDX-License-Identifier: Apache-2.0
#include "tsdb/import.h"

#include <inttypes.h>

#include "base/vec.h"
#include "tsdb/tsdb_int.h"

struct tsdb_import {
    struct tsdb *db;
    uint64_t lsn;      /* parts cover no record, and stand at this place in the order */
    VEC(uint64_t) ids; /* finished parts */
    uint64_t id;       /* of the part at hand */
    struct index_writer *x;
    struct arena arena;   /* of `last` */
    struct strbuf last;   /* labels of the series before, as text, for messages */
    struct labels before; /* in `arena` */
    bool has_before;
};

struct tsdb_import *tsdb_import_begin(struct tsdb *db, struct err *err)
{
    pthread_mutex_lock(&db->work);
    bool ok = db_flush(db, true, err);
    uint64_t lsn = db->cut_lsn;
    db->imports += ok;
    pthread_mutex_unlock(&db->work);
    if (!ok)
        return NULL;
    struct tsdb_import *im = mem_new(struct tsdb_import);
    im->db = db;
    im->lsn = lsn;
    arena_init(&im->arena, 0);
    return im;
}

static void import_free(struct tsdb_import *im)
{
    pthread_mutex_lock(&im->db->work);
    im->db->imports--;
    pthread_mutex_unlock(&im->db->work);
    vec_fini(&im->ids);
    strbuf_fini(&im->last);
    arena_fini(&im->arena);
    free(im);
}

static bool end_part(struct tsdb_import *im, struct err *err)
{
    struct part_info info = {.id = im->id, .wal_from = im->lsn, .wal_to = im->lsn};
    struct index_writer *x = im->x;
    uint64_t size;
    im->x = NULL;
    im->has_before = false;
    if (!x)
        return true;
    db_write_metadata(im->db, x);
    if (!index_writer_finish(x, &info, &size, err))
        return false;
    vec_push(&im->ids, im->id);
    return true;
}

bool tsdb_import_part(struct tsdb_import *im, struct err *err)
{
    struct tsdb *db = im->db;
    if (!end_part(im, err))
        return false;
    pthread_mutex_lock(&db->work);
    im->id = catalog_next_id(db->catalog);
    struct catalog_change ch = {.remove = &im->id, .remove_n = 1};
    struct part *none[1];
    bool ok = catalog_apply(db->catalog, &ch, none, err);
    struct part_writer *w =
        ok ? part_writer_open(db->env->disk, catalog_parts_dir(db->catalog), im->id, err) : NULL;
    pthread_mutex_unlock(&db->work);
    im->x = w ? index_writer_new(w) : NULL;
    return w != NULL;
}

static bool bad_series(struct tsdb_import *im, struct labels ls, const char *why, struct err *err)
{
    strbuf_clear(&im->last);
    labels_format(ls, &im->last);
    return err_set(err, ERR_INVALID, "series %.*s: %s", (int)(im->last.n < 300 ? im->last.n : 300),
                   im->last.p, why);
}

static bool check_series(struct tsdb_import *im, struct labels ls, const struct columns *c,
                         struct err *err)
{
    if (ls.n > SERIES_LABELS_MAX)
        return bad_series(im, ls, "more labels than storage takes", err);
    if (im->has_before && labels_cmp(im->before, ls) >= 0)
        return bad_series(im, ls, "does not come after the one before it", err);
    for (size_t i = 0; i < c->n; i++) {
        if (c->t[i] < -TSDB_TIME_MAX || c->t[i] > TSDB_TIME_MAX)
            return bad_series(im, ls, "a sample has no sane time", err);
        if (i > 0 && c->t[i - 1] >= c->t[i])
            return bad_series(im, ls, "its samples do not rise in time", err);
    }
    return true;
}

bool tsdb_import_series(struct tsdb_import *im, struct labels ls, const struct columns *c,
                        struct err *err)
{
    if (c->n == 0 || !check_series(im, ls, c, err))
        return c->n == 0;
    double *v MEM_CLEANUP = mem_array(c->n, sizeof *v);
    for (size_t i = 0; i < c->n; i++)
        v[i] = c->h && c->h[i]              ? histogram_mark()
               : is_histogram_mark(c->v[i]) ? normal_nan()
                                            : c->v[i];
    index_writer_series(im->x, ls, c->t, v, c->n);
    index_writer_extras(im->x, c->t, c->h, c->start, c->n);
    db_note_newest(im->db, c->t[c->n - 1]);
    arena_reset(&im->arena);
    im->before = labels_dup(&im->arena, ls);
    im->has_before = true;
    return true;
}

void tsdb_import_metadata(struct tsdb_import *im, const struct metadata *m)
{
    db_metadata_put(im->db, m);
}

static void publish(struct tsdb *db)
{
    struct part_set *ps = part_set_make(db, db->parts);
    pthread_rwlock_wrlock(&db->head.gate);
    struct part_set *old = part_set_swap(db, ps);
    pthread_rwlock_unlock(&db->head.gate);
    part_set_unref(old);
}

bool tsdb_import_commit(struct tsdb_import *im, struct err *err)
{
    struct tsdb *db = im->db;
    bool ok = end_part(im, err);
    if (!ok) {
        tsdb_import_abort(im);
        return false;
    }
    pthread_mutex_lock(&db->work);
    struct catalog_change ch = {.add = im->ids.at, .add_n = im->ids.n};
    ok = im->ids.n == 0 || catalog_apply(db->catalog, &ch, NULL, err);
    if (ok)
        publish(db);
    pthread_mutex_unlock(&db->work);
    import_free(im);
    return ok;
}

/* Files that cannot be deleted now are deleted by the next opening. */
void tsdb_import_abort(struct tsdb_import *im)
{
    struct tsdb *db = im->db;
    struct err ignored = {0};
    arena_reset(&im->arena);
    if (im->x)
        index_writer_abort(im->x);
    VEC_EACH (id, &im->ids)
        db->env->disk->ops->unlink(
            db->env->disk, part_path(&im->arena, catalog_parts_dir(db->catalog), *id), &ignored);
    pthread_mutex_lock(&db->metadata.lock);
    db->metadata.dirty = db->metadata.map.n > 0;
    pthread_mutex_unlock(&db->metadata.lock);
    import_free(im);
}
