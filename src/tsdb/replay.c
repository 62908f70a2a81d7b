// SPDX-License-Identifier: Apache-2.0
/*
 * Replaying the WAL into the head. Numbers of series hold within one epoch (one process run).
 * Samples of a number that no record has defined so far are put aside until the epoch ends, because
 * each segment repeats the definitions it needs; what is still without one then is counted as lost.
 *
 * When the head grows over its budget it is flushed on the way, so replay needs no more memory than
 * running did.
 */
#include <inttypes.h>

#include "sys/self.h"
#include "tsdb/record.h"
#include "tsdb/tsdb_int.h"

enum { ASIDE_MAX = 1 << 20, AHEAD = 16, HOLES = 8, DIRECT_MIN = 1 << 16 };

struct aside {
    uint64_t number, lsn;
    struct sample s;
    const struct histogram *h; /* in aside_arena */
    ts_ms start;
};

struct replay {
    struct tsdb *db;
    struct tsdb_recovery *report;
    uint64_t covered, epoch, lsn;
    VEC(struct series *) series; /* in this epoch, by number; NULL: not defined */
    struct numbers places;       /* of numbers too large for that: index into far */
    VEC(struct series *) far;
    size_t defined;
    VEC(struct aside) aside;
    struct arena arena, aside_arena;
};

struct replay *replay_new(struct tsdb *db, uint64_t covered, struct tsdb_recovery *report)
{
    struct replay *r = mem_new(struct replay);
    r->db = db;
    r->covered = covered;
    r->report = report;
    arena_init(&r->arena, 0);
    arena_init(&r->aside_arena, 0);
    return r;
}

static struct series *series_of(const struct replay *r, uint64_t number)
{
    if (number < r->series.n && r->series.at[number])
        return r->series.at[number];
    const uint32_t *i = numbers_get(&r->places, number);
    return i ? r->far.at[*i] : NULL;
}

/* Numbers begin at 1 and have few holes where few series left; what a record says may be anything,
 * so the array stays in proportion to what is defined. */
static void set_series(struct replay *r, uint64_t number, struct series *s)
{
    if (number < HOLES * ++r->defined + DIRECT_MIN) {
        if (number >= r->series.n) {
            size_t n = r->series.n;
            vec_reserve(&r->series, number + 1 - n);
            memset(r->series.at + n, 0, (number + 1 - n) * sizeof *r->series.at);
            r->series.n = number + 1;
        }
        r->series.at[number] = s;
    } else {
        numbers_put(&r->places, number, (uint32_t)r->far.n);
        vec_push(&r->far, s);
    }
}

static bool define(void *arg, uint64_t number, struct labels ls)
{
    struct replay *r = arg;
    struct head *h = &r->db->head;
    if (series_of(r, number))
        return true;
    uint64_t hash = labels_hash(ls);
    struct shard *sh = &h->shards[head_shard_of(h, hash)];
    struct series *s = shard_find(h, sh, ls, hash);
    if (!s)
        s = shard_add(h, sh, ls, hash);
    set_series(r, number, s);
    return true;
}

static void count_orphan(struct replay *r, uint64_t lsn)
{
    if (r->report->orphan_samples++ == 0 || lsn < r->report->orphan_lsn)
        r->report->orphan_lsn = lsn;
    self_add(SELF_TSDB_ORPHANS, 1);
}

static void put_aside(struct replay *r, uint64_t number, const struct record_samples *x, size_t k)
{
    struct aside a = {number, r->lsn, {x->t[k], x->v[k]}, NULL, x->start ? x->start[k] : 0};
    if (r->aside.n >= ASIDE_MAX) {
        count_orphan(r, r->lsn);
        return;
    }
    if (x->h && x->h[k])
        a.h = histogram_dup(&r->aside_arena, x->h[k]);
    vec_push(&r->aside, a);
}

static void append(struct replay *r, struct series *s, const struct record_samples *x, size_t k)
{
    if (x->h || x->start)
        head_append_extra(&r->db->head, s, x->t[k], x->v[k], x->h[k], x->start[k]);
    else
        head_append(&r->db->head, s, x->t[k], x->v[k]);
}

/* Series a good way ahead, and where the next sample goes of those half as far. */
static void look_ahead(const struct replay *r, const struct record_samples *x, size_t i,
                       struct series **ring)
{
    struct series *s = i < x->series_n ? series_of(r, x->number[i]) : NULL;
    ring[i % AHEAD] = s;
    if (s)
        series_prefetch(s);
    if (i >= AHEAD / 2 && ring[(i - AHEAD / 2) % AHEAD])
        series_prefetch_end(ring[(i - AHEAD / 2) % AHEAD]);
}

static bool samples(void *arg, const struct record_samples *x)
{
    struct replay *r = arg;
    struct series *ring[AHEAD] = {0};
    ts_ms newest = INT64_MIN;
    if (r->lsn < r->covered)
        return true;
    for (size_t i = 0; i + 1 < AHEAD; i++)
        look_ahead(r, x, i, ring);
    for (size_t i = 0, k = 0; i < x->series_n; i++) {
        look_ahead(r, x, i + AHEAD - 1, ring);
        struct series *s = ring[i % AHEAD];
        for (size_t end = k + x->count[i]; k < end; k++) {
            if (!s) {
                put_aside(r, x->number[i], x, k);
                continue;
            }
            append(r, s, x, k);
            newest = x->t[k] > newest ? x->t[k] : newest;
            r->report->wal_samples++;
        }
    }
    if (newest != INT64_MIN)
        db_note_newest(r->db, newest);
    return true;
}

/* Counts what a doubtful record could not give to any series. */
struct probe {
    struct replay *r;
    uint64_t orphans;
};

static bool probe_define(void *arg, uint64_t number, struct labels ls)
{
    return define(((struct probe *)arg)->r, number, ls);
}

static bool probe_samples(void *arg, const struct record_samples *x)
{
    struct probe *p = arg;
    for (size_t i = 0; i < x->series_n; i++)
        if (!series_of(p->r, x->number[i]))
            p->orphans += x->count[i];
    return true;
}

static void probe_exemplar(void *arg, struct labels series, const struct exemplar *x)
{
}

static bool probe_metadata(void *arg, const struct metadata *m)
{
    return true;
}

/*
 * A record behind a hole was most likely never acknowledged, and then its batch must come whole or
 * not at all; no later segment of its epoch can define what it lacks.
 */
static bool is_whole(struct replay *r, const struct wal_record *w)
{
    struct probe p = {.r = r};
    struct record_visitor v = {probe_define, probe_samples, probe_metadata, probe_exemplar, &p};
    if (!w->doubtful)
        return true;
    bool ok = record_decode(w->payload, &r->arena, &v);
    arena_reset(&r->arena);
    for (uint64_t i = 0; ok && i < p.orphans; i++)
        count_orphan(r, w->lsn);
    return ok && p.orphans == 0;
}

static bool metadata(void *arg, const struct metadata *m)
{
    db_metadata_put(((struct replay *)arg)->db, m);
    return true;
}

static void exemplar(void *arg, struct labels series, const struct exemplar *x)
{
    struct replay *r = arg;
    if (r->lsn >= r->covered)
        exemplars_add(r->db->exemplars, series, x);
}

static void end_epoch(struct replay *r)
{
    VEC_EACH (a, &r->aside) {
        struct series *s = series_of(r, a->number);
        if (s) {
            head_append_extra(&r->db->head, s, a->s.t, a->s.v, a->h, a->start);
            db_note_newest(r->db, a->s.t);
            r->report->wal_samples++;
        } else {
            count_orphan(r, a->lsn);
        }
    }
    vec_clear(&r->aside);
    arena_reset(&r->aside_arena);
    vec_clear(&r->series);
    vec_clear(&r->far);
    r->defined = 0;
    numbers_fini(&r->places);
}

static bool over_budget(const struct tsdb *db)
{
    return atomic_load(&db->head.memory) > db->o.memory_bytes_max && db->head.samples > 0 &&
           db->head.samples * sizeof(struct sample) > db->o.memory_bytes_max / 8;
}

bool replay_record(void *arg, const struct wal_record *w, struct err *err)
{
    struct replay *r = arg;
    struct record_visitor v = {define, samples, metadata, exemplar, r};
    if (w->epoch != r->epoch)
        end_epoch(r);
    r->epoch = w->epoch;
    r->lsn = w->lsn;
    if (w->type != RECORD_BATCH)
        return err_set(err, ERR_INVALID,
                       "WAL record %" PRIu64 " is of type %u, which this program "
                       "does not know",
                       w->lsn, w->type);
    if (is_whole(r, w) && !record_decode(w->payload, &r->arena, &v))
        r->report->wal_damaged++;
    arena_reset(&r->arena);
    r->report->wal_records += w->lsn >= r->covered;
    if (w->lsn < r->covered)
        return true;
    r->db->applied_lsn = w->lsn;
    if (!r->db->first_mono_ns)
        r->db->first_mono_ns = env_mono_ns(r->db->env);
    /* Samples put aside belong to records before the cut: not while there are any. */
    if (over_budget(r->db) && r->aside.n == 0 && !r->db->o.read_only)
        return db_flush(r->db, false, err);
    return true;
}

void replay_end(struct replay *r)
{
    end_epoch(r);
    vec_fini(&r->aside);
    vec_fini(&r->series);
    vec_fini(&r->far);
    arena_fini(&r->arena);
    arena_fini(&r->aside_arena);
    free(r);
}
