// SPDX-License-Identifier: Apache-2.0
/*
 * Merging neighbours into one larger part, and rewriting a part of which much is hidden.
 *
 * A level's parts are merged four at a time, only ones that stand next to each other in order of
 * WAL positions: so "of equal times the first stays" means the same before and after, and a sample
 * is written again at most LEVEL_MAX times. Parts that would span more than a tenth of the time
 * that samples are kept stay apart, so that what is too old goes with its file.
 *
 * A merge is a job that every tick does a slice of, under `work` but not longer than a slice, and
 * not more bytes a second and time of a CPU than its budget, which rises with the merges that wait:
 * flushes, deletes and snapshots come between. What it leaves out is what was hidden when it began;
 * what is deleted meanwhile has a larger number than the part it makes, and goes on being hidden.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/tsdb_int.h"

enum {
    MERGE_PARTS = 4,
    LEVEL_MAX = 5,
    PAGES_BYTES = 4 << 20,
    SLICE_SAMPLES = 1 << 18,
    SLICE_SERIES = 512,
    PERCENT_EACH = 4, /* of one CPU, for each merge that is due */
    SPANS_KEPT = 10, /* a part has at most this fraction of the time that samples are kept */
};
#define MERGE_BYTES_MAX (1ULL << 30)
#define SPAN_MIN_MS (24 * 3600 * 1000LL)
#define SPAN_MAX_MS (31 * 24 * 3600 * 1000LL)
#define SPARE_BYTES (64ULL << 20) /* stays free on the disk */

/* One input, at its next series. */
struct input {
    struct tpart *p;
    struct index_ref *index;
    struct veil *veil;
    uint32_t next;
    struct labels labels; /* of it, once is_read */
    struct arena arena;   /* holds them */
    bool is_read;
    bool is_first; /* no input stands at a series with smaller labels */
};

struct merge {
    struct tsdb *db;
    struct part_set *set; /* keeps the inputs */
    struct input in[MERGE_PARTS];
    size_t n;
    struct cutoffs cutoffs;
    struct index_writer *out;
    struct part_info info;
    uint64_t ids[MERGE_PARTS];
    struct page_cache
        *pages;         /* of its own: what is read once must not push out what is read often */
    struct arena arena; /* the samples of one series */
    uint64_t bytes;     /* of the inputs */
    int percent;        /* of one CPU that it may take */
};

/* ---- which ---- */

static int64_t span_max(const struct tsdb *db)
{
    int64_t keep = db->o.retention_ms / SPANS_KEPT;
    if (!db->o.retention_ms || keep > SPAN_MAX_MS)
        return SPAN_MAX_MS;
    return keep < SPAN_MIN_MS ? SPAN_MIN_MS : keep;
}

static bool fits(const struct tsdb *db, struct tpart *const *at)
{
    uint64_t size = 0;
    ts_ms min_t = INT64_MAX, max_t = INT64_MIN;
    for (size_t i = 0; i < MERGE_PARTS; i++) {
        const struct part_info *info = part_info(at[i]->part);
        if (at[i]->damaged || info->level != part_info(at[0]->part)->level)
            return false;
        size += part_blob(at[i]->part)->size;
        if (info->min_t > info->max_t)
            continue;
        min_t = info->min_t < min_t ? info->min_t : min_t;
        max_t = info->max_t > max_t ? info->max_t : max_t;
    }
    /* The difference may not fit: times are what writers say. */
    bool too_long = min_t <= max_t && (uint64_t)max_t - (uint64_t)min_t > (uint64_t)span_max(db);
    return size <= MERGE_BYTES_MAX && !too_long && part_info(at[0]->part)->level < LEVEL_MAX;
}

/* The first row of neighbours that fits, lowest level first; NULL when there is none. *due: how
 * many rows there are that share no part. */
static struct tpart *const *choose(const struct tsdb *db, int *due)
{
    const struct part_set *ps = db->parts;
    struct tpart *const *best = NULL;
    *due = 0;
    for (size_t i = 0; i + MERGE_PARTS <= ps->raw_n;) {
        struct tpart *const *at = &ps->at[i];
        bool is_due = fits(db, at);
        if (is_due && (!best || part_info(at[0]->part)->level < part_info(best[0]->part)->level))
            best = at;
        *due += is_due;
        i += is_due ? MERGE_PARTS : 1;
    }
    return best;
}

/* The kinds of series of which a part can hold nothing but what is too old. */
static uint64_t classes_over(const struct tsdb *db, const struct cutoffs *c, ts_ms max_t)
{
    uint64_t over = 0;
    for (size_t i = 0; i <= db->keep.n && i < 64; i++)
        over |= c->at[i] > max_t ? 1ULL << i : 0;
    return over;
}

static bool has_class(const struct veil *v, size_t series, uint64_t classes)
{
    bool found = false;
    for (size_t i = 0; i < series && !found; i++)
        found = classes >> v->classes->at[i] & 1;
    return found;
}

/* A part in which some series are over their time and others are not; NULL: none. Each is looked at
 * once when a kind of series is over. */
static struct tpart *const *choose_swept(struct tsdb *db)
{
    struct cutoffs c;
    db_cutoffs(db, &c);
    for (size_t i = 0; i < db->parts->raw_n && db->keep.n; i++) {
        struct tpart *p = db->parts->at[i];
        const struct part_info *info = part_info(p->part);
        uint64_t over = classes_over(db, &c, info->max_t);
        struct err err;
        if (info->min_t > info->max_t || p->damaged || over == p->swept)
            continue;
        struct index_ref *index = tpart_index(p, &err);
        if (!index)
            continue;
        struct veil *v = tpart_veil(p, index->x, db->tombstones);
        bool found = v && v->classes && has_class(v, info->series, over & ~p->swept);
        p->swept = over;
        veil_unref(v);
        index_ref_put(index);
        if (found)
            return &db->parts->at[i];
    }
    return NULL;
}

/* ---- a job ---- */

static void merge_free(struct merge *m)
{
    if (m->out)
        index_writer_abort(m->out);
    for (size_t i = 0; i < m->n; i++) {
        index_ref_put(m->in[i].index);
        veil_unref(m->in[i].veil);
        arena_fini(&m->in[i].arena);
    }
    part_set_unref(m->set);
    page_cache_free(m->pages);
    arena_fini(&m->arena);
    free(m);
}

void db_merge_abort(struct tsdb *db)
{
    if (db->merge)
        merge_free(db->merge);
    db->merge = NULL;
}

bool db_merge_space(const struct tsdb *db, uint64_t size, struct err *err)
{
    uint64_t left;
    if (!db->env->disk->ops->free_bytes(db->env->disk, &left, err))
        return false;
    if (left >= size && left - size >= SPARE_BYTES)
        return true;
    self_add(SELF_TSDB_MERGES_NO_SPACE, 1);
    return false;
}

static bool open_inputs(struct merge *m, struct tpart *const *at, struct err *err)
{
    struct tsdb *db = m->db;
    for (size_t i = 0; i < m->n; i++) {
        struct input *in = &m->in[i];
        in->p = at[i];
        m->ids[i] = part_info(at[i]->part)->id;
        in->index = tpart_index(at[i], err);
        if (!in->index)
            return false;
        in->veil = tpart_veil(at[i], in->index->x, db->tombstones);
    }
    return true;
}

static bool open_output(struct merge *m, uint32_t level, struct err *err)
{
    struct tsdb *db = m->db;
    struct catalog_change probe = {0};
    const struct part_info *first = part_info(m->in[0].p->part);
    const struct part_info *last = part_info(m->in[m->n - 1].p->part);
    if (!catalog_apply(db->catalog, &probe, NULL, err))
        return false;
    m->info = (struct part_info){.id = catalog_next_id(db->catalog),
                                 .level = level,
                                 .wal_from = first->wal_from,
                                 .wal_to = last->wal_to,
                                 .replaces = m->ids,
                                 .replaces_n = m->n};
    struct part_writer *w =
        part_writer_open(db->env->disk, catalog_parts_dir(db->catalog), m->info.id, err);
    if (!w)
        return false;
    m->out = index_writer_new(w);
    return true;
}

/* Begins a job with n neighbours. False without an error: there is no room on the disk. */
static bool begin(struct tsdb *db, struct tpart *const *at, size_t n, uint32_t level,
                  struct err *err)
{
    struct merge *m = mem_new(struct merge);
    *m = (struct merge){.db = db,
                        .n = n,
                        .percent = db->o.merge_percent,
                        .set = db->parts,
                        .pages = page_cache_new(PAGES_BYTES)};
    atomic_fetch_add(&m->set->refs, 1);
    arena_init(&m->arena, 0);
    db_cutoffs(db, &m->cutoffs);
    for (size_t i = 0; i < n; i++) {
        m->bytes += part_blob(at[i]->part)->size;
        arena_init(&m->in[i].arena, 0);
    }
    if (db_merge_space(db, m->bytes, err) && open_inputs(m, at, err) &&
        open_output(m, level, err)) {
        db->merge = m;
        return true;
    }
    merge_free(m);
    return false;
}

static bool is_at_end(const struct input *in)
{
    return in->next >= index_series_n(in->index->x);
}

static void read_labels(struct input *in)
{
    if (in->is_read)
        return;
    arena_reset(&in->arena);
    in->labels = index_labels(in->index->x, in->next, &in->arena);
    in->is_read = true;
}

/* Finds the inputs that are first; NULL: all are at their end. */
static const struct input *find_first(struct merge *m)
{
    const struct input *first = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct input *in = &m->in[i];
        in->is_first = !is_at_end(in);
        if (!in->is_first)
            continue;
        read_labels(in);
        int order = first ? labels_cmp(in->labels, first->labels) : 0;
        in->is_first = order <= 0;
        for (size_t k = 0; k < i && order < 0; k++)
            m->in[k].is_first = false;
        if (!first || order < 0)
            first = in;
    }
    return first;
}

/* Takes a series from every input that is first: moves those on, and writes it with `ls`, the
 * labels of one of them. */
static bool take_series(struct merge *m, struct labels ls, size_t *samples, struct err *err)
{
    struct gather g = gather_of(&m->arena, INT64_MIN, INT64_MAX), *out = &g;
    for (size_t i = 0; i < m->n; i++) {
        struct input *in = &m->in[i];
        size_t before = g.n;
        ts_ms gone = part_set_gone(m->set, part_info(in->p->part));
        g.start = gone == INT64_MIN ? gone : gone + 1;
        if (!in->is_first)
            continue;
        if (!index_read(in->index->x, m->pages, &in->next, 1, &out, err)) {
            if (err->kind == ERR_CORRUPT)
                tpart_damaged(in->p);
            return false;
        }
        veil_apply(in->veil, &m->cutoffs, in->next, &g, before);
        in->next++;
        in->is_read = false;
    }
    *samples += g.n;
    gather_settle(&g);
    if (g.n) {
        index_writer_series(m->out, ls, g.t, g.v, g.n);
        index_writer_extras(m->out, g.t, g.h, g.since, g.n);
    }
    return true;
}

struct seen {
    struct map families; /* -> the part whose rows are taken */
    struct index_writer *out;
    void *part;
};

static void add_metadata(void *arg, const struct metadata *md)
{
    struct seen *s = arg;
    void *part = map_get(&s->families, md->family);
    if (!part)
        map_put(&s->families, md->family, s->part);
    if (!part || part == s->part)
        index_writer_metadata(s->out, md);
}

/* The newest part that knows a family tells what it is and was. */
static void write_metadata(struct merge *m)
{
    struct seen s = {.out = m->out};
    for (size_t i = m->n; i-- > 0;) {
        s.part = m->in[i].p;
        index_metadata(m->in[i].index->x, add_metadata, &s);
    }
    map_fini(&s.families);
}

/* The newest input that has some has all that there were. */
static bool write_exemplars(struct merge *m, struct err *err)
{
    struct enc e = {0};
    bool ok = true;
    for (size_t i = m->n; i-- > 0 && ok && e.n == 0;)
        ok = index_exemplars(m->in[i].index->x, &e, err);
    if (ok && e.n)
        index_writer_exemplars(m->out, &e);
    enc_fini(&e);
    return ok;
}

/* Retention or quarantine may have taken an input away meanwhile. */
static bool are_live(const struct merge *m)
{
    size_t found = 0;
    for (size_t i = 0; i < m->db->parts->n; i++)
        for (size_t k = 0; k < m->n; k++)
            found += m->db->parts->at[i] == m->in[k].p;
    return found == m->n;
}

static bool finish(struct merge *m, struct err *err)
{
    struct tsdb *db = m->db;
    struct part *removed[MERGE_PARTS];
    struct catalog_change ch = {.add = &m->info.id, .add_n = 1, .remove = m->ids, .remove_n = m->n};
    uint64_t size;
    if (!are_live(m))
        return true;
    if (!write_exemplars(m, err))
        return false;
    write_metadata(m);
    bool ok = index_writer_finish(m->out, &m->info, &size, err);
    m->out = NULL;
    if (!ok || !catalog_apply(db->catalog, &ch, removed, err))
        return false;
    parts_publish(db);
    self_add(SELF_TSDB_MERGES, 1);
    self_add(SELF_TSDB_MERGED_BYTES, (int64_t)m->bytes);
    return true;
}

/* A slice of the job. */
static bool step(struct merge *m, bool *done, struct err *err)
{
    size_t samples = 0;
    *done = false;
    for (int i = 0; i < SLICE_SERIES && samples < SLICE_SAMPLES; i++) {
        arena_reset(&m->arena);
        const struct input *in = find_first(m);
        if (!in) {
            *done = true;
            return finish(m, err);
        }
        if (!take_series(m, in->labels, &samples, err))
            return false;
        pool_yield();
    }
    return true;
}

/* ---- the budget ---- */

/* A second's worth is saved up at most. */
bool db_merge_budget(struct tsdb *db)
{
    int64_t now = env_mono_ns(db->env);
    if (db->merge_paid_ns < now - 1000000000)
        db->merge_paid_ns = now - 1000000000;
    return db->merge_paid_ns <= now;
}

/* Merges pay off over hours, writers and queries wait now: so a merge takes little of a CPU unless
 * others wait behind it. */
static int percent_of(const struct tsdb *db, int due)
{
    return due * PERCENT_EACH < db->o.merge_percent ? due * PERCENT_EACH : db->o.merge_percent;
}

/* Whichever budget the slice used more of: bytes read, or time of a CPU. */
void db_merge_pay(struct tsdb *db, uint64_t size, int64_t spent_ns, int percent)
{
    int64_t disk = (int64_t)((double)size * 1e9 / (double)db->o.merge_bytes_per_s);
    int64_t cpu = spent_ns * 100 / percent;
    db->merge_paid_ns += disk > cpu ? disk : cpu;
}

static uint64_t bytes_done(const struct merge *m)
{
    double part = 0;
    for (size_t i = 0; i < m->n; i++) {
        size_t n = index_series_n(m->in[i].index->x);
        part += n ? (double)m->in[i].next / (double)n : 1;
    }
    return (uint64_t)(part / (double)m->n * (double)m->bytes);
}

bool db_merge_slice(struct tsdb *db, struct err *err)
{
    struct merge *m = db->merge;
    bool done;
    uint64_t before = bytes_done(m);
    int64_t start = env_mono_ns(db->env);
    bool ok = step(m, &done, err);
    if (ok)
        db_merge_pay(db, bytes_done(m) - before, env_mono_ns(db->env) - start, m->percent);
    if (!ok || done)
        db_merge_abort(db);
    return ok;
}

bool db_merge(struct tsdb *db, bool *did, struct err *err)
{
    *did = false;
    if (!db_merge_budget(db))
        return true;
    if (db->tier_job)
        return true;
    if (!db->merge) {
        int due;
        struct tpart *const *at = choose(db, &due);
        size_t n = at ? MERGE_PARTS : 1;
        if (!at)
            at = choose_swept(db);
        if (!at)
            return true;
        uint32_t level = part_info(at[0]->part)->level + (n > 1);
        if (!begin(db, at, n, level, err))
            return err->kind == ERR_NONE;
        if (n > 1)
            db->merge->percent = percent_of(db, due);
    }
    *did = true;
    return db_merge_slice(db, err);
}

bool db_rewrite(struct tsdb *db, struct tpart *p, struct err *err)
{
    if (part_info(p->part)->tier.step_ms)
        return db_tier_rewrite(db, p, err);
    db_tier_abort(db);
    db_merge_abort(db);
    if (begin(db, &p, 1, part_info(p->part)->level, err))
        return true;
    return err->kind == ERR_NONE &&
           err_set(err, ERR_NO_SPACE, "no room on the disk to write a part anew");
}

bool tsdb_settle(struct tsdb *db, struct err *err)
{
    bool did = true, ok = tsdb_flush(db, err);
    while (ok && did) {
        pthread_mutex_lock(&db->work);
        db->merge_paid_ns = 0;
        ok = db_merge(db, &did, err);
        pthread_mutex_unlock(&db->work);
        pool_yield();
    }
    return ok;
}
