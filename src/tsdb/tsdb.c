// SPDX-License-Identifier: Apache-2.0
/* Opening and closing the engine, and what is due in the background. */
#include "tsdb/tsdb.h"

#include <assert.h>
#include <unistd.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

enum {
    SHARDS_MAX = 64,
    READ_ONLY_ATTEMPTS = 32,
    EXEMPLARS_DEFAULT = 100000,
    CAPTURE_SERIES = 4096,
    CLOSE_WAL_BYTES = 8 << 20,
};

static unsigned default_shards(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = 1;
    while (n < SHARDS_MAX && (long)n < cpus)
        n *= 2;
    return n;
}

static size_t exemplars_max(int64_t max)
{
    return max < 0 ? 0 : max == 0 ? EXEMPLARS_DEFAULT : (size_t)max;
}

void tsdb_set_exemplars_max(struct tsdb *db, int64_t max)
{
    exemplars_resize(db->exemplars, exemplars_max(max));
}

static struct tsdb *db_new(const struct tsdb_options *o)
{
    struct tsdb *db = mem_new(struct tsdb);
    arena_init(&db->arena, 0);
    db->o = *o;
    db->env = o->env;
    db->dir = arena_dup(&db->arena, o->dir.n ? o->dir : STR("metrics"));
    db->o.memory_bytes_max = o->memory_bytes_max ? o->memory_bytes_max : 1ULL << 30;
    db->o.cache_bytes_max = o->cache_bytes_max ? o->cache_bytes_max : 16ULL << 20;
    db->o.wal_bytes_max = o->wal_bytes_max ? o->wal_bytes_max : 64ULL << 20;
    db->o.flush_age_ms = o->flush_age_ms ? o->flush_age_ms : 2 * 3600 * 1000;
    db->o.merge_bytes_per_s = o->merge_bytes_per_s ? o->merge_bytes_per_s : 64ULL << 20;
    db->o.merge_percent = o->merge_percent ? o->merge_percent : 50;
    assert(db->o.merge_percent > 0 && db->o.merge_percent <= 100);
    db->o.shards = o->shards ? o->shards : default_shards();
    db->o.capture_series = o->capture_series ? o->capture_series : CAPTURE_SERIES;
    assert((db->o.shards & (db->o.shards - 1)) == 0);
    db->sink.write = db_write;
    db->source.ops = &tsdb_source_ops;
    db->newest = INT64_MIN;
    head_init(&db->head, db->o.shards);
    db->head.start_zeros = o->start_zeros;
    db->pages = page_cache_new(db->o.cache_bytes_max);
    pthread_mutex_init(&db->work, NULL);
    pthread_mutex_init(&db->parts_lock, NULL);
    db_metadata_init(db);
    db->exemplars = exemplars_new(exemplars_max(o->exemplars_max));
    return db;
}

static void db_free(struct tsdb *db)
{
    db_merge_abort(db);
    db_tier_abort(db);
    if (db->wal)
        wal_close(db->wal);
    tombstones_unref(db->tombstones);
    db_keep_fini(db);
    part_set_unref(db->parts);
    if (db->catalog)
        catalog_close(db->catalog);
    page_cache_free(db->pages);
    head_fini(&db->head);
    db_metadata_fini(db);
    exemplars_free(db->exemplars);
    pthread_mutex_destroy(&db->work);
    pthread_mutex_destroy(&db->parts_lock);
    arena_fini(&db->arena);
    free(db);
}

static bool open_catalog(struct tsdb *db, struct tsdb_recovery *report, struct err *err)
{
    struct catalog_recovery found;
    struct catalog_options o = {.disk = db->env->disk,
                                .dir = db->dir,
                                .kind = PART_KIND_METRICS,
                                .wrap = db->o.wrap_blob,
                                .wrap_arg = db->o.wrap_arg,
                                .read_only = db->o.read_only};
    db->catalog = catalog_open(&o, &found, err);
    if (!db->catalog)
        return false;
    report->parts = found.parts;
    report->parts_quarantined = found.quarantined;
    report->parts_adopted = found.adopted;
    report->catalog_rebuilt = found.rebuilt;
    report->first = found.first;
    db->parts = part_set_make(db, NULL);
    db->cut_lsn = catalog_wal_covered(db->catalog);
    if (db->cut_lsn == 0)
        db->cut_lsn = 1;
    db->applied_lsn = db->cut_lsn - 1;
    for (size_t i = 0; i < db->parts->n; i++) {
        const struct part_info *info = part_info(db->parts->at[i]->part);
        if (info->min_t <= info->max_t)
            db_note_newest(db, info->max_t);
    }
    return true;
}

static void put_metadata(void *arg, const struct metadata *m)
{
    db_metadata_put(arg, m);
}

/* From the newest part: every flush wrote all that was known. An unreadable one is put away later.
 */
static void load_metadata(struct tsdb *db)
{
    struct err err = {0};
    for (size_t i = db->parts->n; i-- > 0;) {
        struct index_ref *r = tpart_index(db->parts->at[i], &err);
        if (!r)
            continue;
        index_metadata(r->x, put_metadata, db);
        index_ref_put(r);
        break;
    }
    db->metadata.dirty = false;
}

static void put_exemplar(void *arg, struct labels series, const struct exemplar *x)
{
    exemplars_add(arg, series, x);
}

/* From the newest part that has some, as all flushes with new ones wrote all. One that cannot be
 * read is put away later; then an older one is better than none. */
static void load_exemplars(struct tsdb *db)
{
    struct err err = {0};
    struct enc e = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (size_t i = db->parts->n; i-- > 0 && e.n == 0;) {
        struct tpart *p = db->parts->at[i];
        struct index_ref *r = part_section(p->part, "exemplars") ? tpart_index(p, &err) : NULL;
        if (!r || !index_exemplars(r->x, &e, &err))
            e.n = 0;
        struct dec d = dec_of(bytes_of(e.p, e.n));
        if (e.n && !exemplar_rows_decode(&d, &a, put_exemplar, db->exemplars))
            e.n = 0;
        index_ref_put(r);
    }
    enc_fini(&e);
    exemplars_set_dirty(db->exemplars, false);
}

static bool open_wal(struct tsdb *db, struct tsdb_recovery *report, struct err *err)
{
    struct wal_recovery found;
    struct wal_options o = {.env = db->env,
                            .dir = arena_printf(&db->arena, "%.*s/wal", STR_ARG(db->dir)),
                            .quarantine =
                                arena_printf(&db->arena, "%.*s/quarantine", STR_ARG(db->dir)),
                            .segment_bytes = db->o.segment_bytes,
                            .fast = db->o.durability == TSDB_FAST,
                            .stepped = db->o.stepped};
    struct replay *r = replay_new(db, db->cut_lsn, report);
    bool ok;
    if (db->o.read_only)
        ok = wal_read(&o, db->cut_lsn, replay_record, r, &found, err);
    else
        ok = (db->wal = wal_open(&o, db->cut_lsn, replay_record, r, &found, err)) != NULL;
    replay_end(r);
    if (!ok)
        return false;
    report->wal_damaged += found.damaged_records;
    report->wal_torn = found.torn_tails;
    return true;
}

static struct tsdb *open_once(const struct tsdb_options *o, struct tsdb_recovery *report,
                              bool *moved, struct err *err)
{
    struct tsdb *db = db_new(o);
    int64_t start = env_mono_ns(db->env);
    *report = (struct tsdb_recovery){0};
    bool ok = db_keep_init(db, o, err) && db_tiers_init(db, o, err) &&
              open_catalog(db, report, err) && db_load_tombstones(db, report, err);
    if (ok) {
        load_metadata(db);
        load_exemplars(db);
        ok = open_wal(db, report, err);
    }
    *moved = o->read_only && db->catalog && catalog_is_outdated(db->catalog);
    report->duration_ns = env_mono_ns(db->env) - start;
    if (ok && !*moved)
        return db;
    db_free(db);
    return NULL;
}

static bool has_storage(const struct tsdb_options *o, struct err *err)
{
    struct arena a ARENA_CLEANUP;
    struct disk_info info;
    arena_init(&a, 0);
    str dir = o->dir.n ? o->dir : STR("metrics");
    str parts = arena_printf(&a, "%.*s/parts", STR_ARG(dir));
    return o->env->disk->ops->stat(o->env->disk, parts, &info, err);
}

/*
 * Beside a server: a flush moves samples from the WAL to a part, a merge replaces parts. What was
 * read is one state only if the list of parts is the same afterwards as before.
 */
static struct tsdb *open_beside(const struct tsdb_options *o, struct tsdb_recovery *report,
                                struct err *err)
{
    bool moved = true, again = true;
    if (!has_storage(o, err))
        return NULL;
    for (int i = 0; i < READ_ONLY_ATTEMPTS && again; i++) {
        err_clear(err);
        struct tsdb *db = open_once(o, report, &moved, err);
        if (db)
            return db;
        /* A segment of the WAL was ended (its file becomes shorter) or deleted under the reader. */
        again = moved || err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND;
    }
    if (moved)
        err_set(err, ERR_UNAVAILABLE, "the directory changes faster than it can be opened");
    return NULL;
}

struct tsdb *tsdb_open(const struct tsdb_options *o, struct tsdb_recovery *report, struct err *err)
{
    bool moved;
    return o->read_only ? open_beside(o, report, err) : open_once(o, report, &moved, err);
}

/* So that the next start has little to replay. What fails stays in the WAL. */
static void flush_before_close(struct tsdb *db)
{
    struct wal_stats w;
    struct err ignored = {0};
    if (db->o.read_only)
        return;
    wal_stats(db->wal, &w);
    if (w.bytes > CLOSE_WAL_BYTES)
        tsdb_flush(db, &ignored);
}

void tsdb_close(struct tsdb *db)
{
    flush_before_close(db);
    db_free(db);
}

struct sink *tsdb_sink(struct tsdb *db)
{
    return &db->sink;
}

struct source *tsdb_source(struct tsdb *db)
{
    return &db->source;
}

bool tsdb_step(struct tsdb *db)
{
    return db->wal && wal_step(db->wal);
}

/* ---- background ---- */

/* Flush when the head is old, or its WAL or its samples are large. */
static bool is_flush_due(struct tsdb *db)
{
    struct wal_stats w;
    wal_stats(db->wal, &w);
    /* In fast mode records may be acknowledged and then fail to be synced: only a part saves them.
     */
    bool failed = db->o.durability == TSDB_FAST && w.failures != db->wal_failures_seen;
    pthread_rwlock_rdlock(&db->head.gate);
    int64_t first = db->first_mono_ns;
    uint64_t samples = db->head.samples;
    bool has_new = db->applied_lsn >= db->cut_lsn;
    pthread_rwlock_unlock(&db->head.gate);
    if (db->frozen)
        return true;
    if (!has_new)
        return false;
    uint64_t memory = atomic_load_explicit(&db->head.memory, memory_order_relaxed);
    bool old = first && env_mono_ns(db->env) - first >= db->o.flush_age_ms * 1000000;
    bool large = memory > db->o.memory_bytes_max / 4 * 3 &&
                 samples * sizeof(struct sample) > db->o.memory_bytes_max / 8;
    if (failed)
        db->wal_failures_seen = w.failures;
    return old || large || failed || w.bytes > db->o.wal_bytes_max;
}

/* So that queries need not. */
static void rank_series(struct tsdb *db)
{
    struct reclaim_reader reader;
    reclaim_enter(&db->head.reclaim, &reader);
    order_update(&db->head);
    reclaim_leave(&db->head.reclaim, &reader);
}

/* One piece of work; *did: there was one. */
static bool work(struct tsdb *db, bool *did, struct err *err)
{
    if (!db_quarantine(db, did, err) || *did)
        return err->kind == ERR_NONE;
    if (!db_retain(db, did, err) || *did)
        return err->kind == ERR_NONE;
    if (!db_drop_tombstones(db, did, err) || *did)
        return err->kind == ERR_NONE;
    if (is_flush_due(db)) {
        *did = true;
        return db_flush(db, true, err);
    }
    if (!db_clean(db, did, err) || *did)
        return err->kind == ERR_NONE;
    if (!db_tier(db, did, err) || *did)
        return err->kind == ERR_NONE;
    if (!db_merge(db, did, err) || *did)
        return err->kind == ERR_NONE;
    rank_series(db);
    db_link_part(db, did);
    return *did || db_scrub(db, did, err);
}

bool tsdb_tick(struct tsdb *db, struct err *err)
{
    bool did = false;
    err_clear(err);
    wal_tick(db->wal);
    if (pthread_mutex_trylock(&db->work) != 0)
        return false;
    bool ok = work(db, &did, err);
    pthread_mutex_unlock(&db->work);
    self_set(SELF_TSDB_SERIES, (int64_t)atomic_load(&db->head.series));
    self_set(SELF_TSDB_MEMORY, (int64_t)atomic_load(&db->head.memory));
    if (!ok)
        self_add(SELF_TSDB_BACKGROUND_FAILED, 1);
    return ok && did;
}

bool tsdb_flush(struct tsdb *db, struct err *err)
{
    pthread_mutex_lock(&db->work);
    bool ok = db_flush_all(db, err);
    pthread_mutex_unlock(&db->work);
    return ok;
}
