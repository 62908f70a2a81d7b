// SPDX-License-Identifier: Apache-2.0
/*
 * Making rows of samples, and coarser rows of finer ones, when these are old enough.
 *
 * What is turned into rows is told by numbers, as with tombstones: a part of rows says which kind
 * of part it was made of, up to which time, and below which number. Readers and merges pass over
 * what such parts have of these times, so a part that reaches beyond is read for the rest, and what
 * comes late has a larger number and is found. Parts wholly before that time leave in the same
 * record of the catalog in which the new part comes.
 *
 * Also merges neighbours of one step, and writes a part anew without what was deleted. A job is
 * done in slices, as merges are, and never beside one.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sys/pool.h"
#include "sys/self.h"
#include "tsdb/tier_part.h"
#include "tsdb/tsdb_int.h"

enum {
    MERGE_PARTS = 4,
    REMOVES_MAX = 256,
    PAGES_BYTES = 4 << 20,
    SLICE_ROWS = 1 << 17,
    SLICE_SERIES = 512,
    SPANS_KEPT = 10,
};
#define MERGE_BYTES_MAX (1ULL << 30)
#define SPAN_MIN_MS (24 * 3600 * 1000LL)

/* ---- what there is ---- */

void part_set_note(struct part_set *ps, const struct part_info *info)
{
    const struct part_tier *t = &info->tier;
    size_t i = 0, k = 0;
    while (i < ps->tiers_n && ps->tiers[i].source_ms != t->source_ms)
        i++;
    if (i == ps->tiers_n && i < TIER_KINDS_MAX)
        ps->tiers[ps->tiers_n++] = *t;
    else if (i < ps->tiers_n && ps->tiers[i].before < t->before)
        ps->tiers[i] = *t;
    while (k < ps->steps_n && ps->steps[k].step_ms != t->step_ms)
        k++;
    if (k == ps->steps_n && k < TIER_KINDS_MAX)
        ps->steps[ps->steps_n++] = (struct tier_span){t->step_ms, 0, t->until};
    else if (k < ps->steps_n && ps->steps[k].end < t->until)
        ps->steps[k].end = t->until;
}

static int by_end(const void *a, const void *b)
{
    const struct tier_span *x = a, *y = b;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->step_ms < y->step_ms ? 1 : -1; /* the coarser one has the times */
}

void part_set_order_tiers(struct part_set *ps)
{
    size_t n = 0;
    ts_ms start = INT64_MIN;
    if (ps->steps_n)
        qsort(ps->steps, ps->steps_n, sizeof ps->steps[0], by_end);
    for (size_t i = 0; i < ps->steps_n; i++) {
        if (ps->steps[i].end <= start)
            continue;
        ps->steps[n] = ps->steps[i];
        ps->steps[n].start = start;
        start = ps->steps[n++].end;
    }
    ps->steps_n = n;
}

ts_ms part_set_gone(const struct part_set *ps, const struct part_info *info)
{
    for (size_t i = 0; i < ps->tiers_n; i++)
        if (ps->tiers[i].source_ms == info->tier.step_ms && info->id < ps->tiers[i].before)
            return ps->tiers[i].until;
    return INT64_MIN;
}

ts_ms part_set_raw_start(const struct part_set *ps)
{
    return ps->steps_n ? ps->steps[ps->steps_n - 1].end + 1 : INT64_MIN;
}

bool db_tiers_init(struct tsdb *db, const struct tsdb_options *o, struct err *err)
{
    if (!o->tiers_n)
        return true;
    if (o->tiers_n > SOURCE_TIERS_MAX)
        return err_set(err, ERR_LIMIT, "%zu tiers; there can be %d", o->tiers_n, SOURCE_TIERS_MAX);
    if (o->retention_ms == 0)
        return err_set(err, ERR_INVALID, "samples that are kept for ever need no tiers");
    int64_t keep = o->retention_ms, step = 1;
    for (size_t i = 0; i < o->tiers_n; i++) {
        const struct tsdb_tier *t = &o->tiers[i];
        if (t->step_ms < TIER_STEP_MIN_MS || t->step_ms > TIER_STEP_MAX_MS ||
            t->step_ms % step != 0 || TIER_STEP_MAX_MS % t->step_ms != 0 || t->keep_ms <= keep)
            return err_set(err, ERR_INVALID,
                           "a tier of %" PRId64 " ms kept for %" PRId64
                           " ms: steps divide a day, each is a multiple of the one before and is "
                           "kept for longer",
                           t->step_ms, t->keep_ms);
        keep = t->keep_ms;
        step = t->step_ms;
        db->tiers[db->tiers_n++] = *t;
    }
    for (size_t i = 0; i < o->retention_by_n; i++)
        if (o->retention_by[i].keep_ms == 0 || o->retention_by[i].keep_ms > o->retention_ms)
            return err_set(err, ERR_INVALID,
                           "with tiers no rule can keep samples for longer than all others are");
    db->keep.keep_ms = keep;
    return true;
}

/* ---- a job ---- */

struct tier_input {
    struct tpart *p;
    struct index_ref *index;
    struct tier_dir *dir; /* of rows; the part's */
    struct veil *veil;
    ts_ms gone; /* up to here it is in other rows */
    uint32_t next;
    struct labels labels;
    bool remove, damaged;
};

struct tier_job {
    struct tsdb *db;
    struct part_set *set; /* keeps the inputs */
    VEC(struct tier_input) in;
    int64_t source_ms, step_ms; /* 0: samples */
    ts_ms until;
    struct cutoffs cutoffs;
    struct tier_writer *out;
    struct part_info info;
    uint64_t ids[REMOVES_MAX];
    size_t ids_n;
    struct page_cache *pages;
    struct arena arena;
    uint64_t bytes;
};

static void job_free(struct tier_job *j)
{
    if (j->out)
        tier_writer_abort(j->out);
    VEC_EACH (in, &j->in) {
        index_ref_put(in->index);
        veil_unref(in->veil);
    }
    vec_fini(&j->in);
    part_set_unref(j->set);
    page_cache_free(j->pages);
    arena_fini(&j->arena);
    free(j);
}

void db_tier_abort(struct tsdb *db)
{
    if (db->tier_job)
        job_free(db->tier_job);
    db->tier_job = NULL;
}

static struct tier_job *job_new(struct tsdb *db, int64_t source_ms, int64_t step_ms)
{
    struct tier_job *j = mem_new(struct tier_job);
    j->db = db;
    j->source_ms = source_ms;
    j->step_ms = step_ms;
    j->until = INT64_MAX;
    j->set = db->parts;
    atomic_fetch_add(&j->set->refs, 1);
    arena_init(&j->arena, 0);
    j->info.tier = (struct part_tier){.step_ms = step_ms, .until = INT64_MIN};
    return j;
}

static void job_add(struct tier_job *j, struct tpart *p, bool remove)
{
    const struct part_info *info = part_info(p->part);
    vec_push(&j->in,
             (struct tier_input){.p = p, .gone = part_set_gone(j->set, info), .remove = remove});
    j->bytes += part_blob(p->part)->size;
    if (remove) {
        j->ids[j->ids_n++] = info->id;
        j->info.wal_from = j->info.wal_to =
            info->wal_to > j->info.wal_to ? info->wal_to : j->info.wal_to;
    }
}

static bool open_inputs(struct tier_job *j, struct err *err)
{
    VEC_EACH (in, &j->in) {
        in->index = tpart_index(in->p, err);
        if (!in->index || (j->source_ms && !(in->dir = tpart_rows(in->p, err))))
            return false;
        in->veil = tpart_veil(in->p, in->index->x, j->db->tombstones);
    }
    return true;
}

static bool open_output(struct tier_job *j, struct err *err)
{
    struct tsdb *db = j->db;
    j->info.id = catalog_next_id(db->catalog);
    /* A file that is there without its record would count samples twice, were it adopted. */
    struct catalog_change none_yet = {.remove = &j->info.id, .remove_n = 1};
    struct part *none[1];
    if (!catalog_apply(db->catalog, &none_yet, none, err))
        return false;
    struct part_writer *w =
        part_writer_open(db->env->disk, catalog_parts_dir(db->catalog), j->info.id, err);
    if (w)
        j->out = tier_writer_new(w, j->step_ms);
    return w != NULL;
}

/* Begins the job; takes it. False without an error: there is no room on the disk. */
static bool begin(struct tier_job *j, struct err *err)
{
    struct tsdb *db = j->db;
    j->pages = page_cache_new(PAGES_BYTES);
    db_cutoffs(db, &j->cutoffs);
    if (db_merge_space(db, j->bytes, err) && open_inputs(j, err) && open_output(j, err)) {
        db->tier_job = j;
        return true;
    }
    job_free(j);
    return false;
}

/* ---- series by series ---- */

static bool is_at_end(const struct tier_input *in)
{
    return in->next >= index_series_n(in->index->x);
}

static const struct tier_input *smallest(struct tier_job *j)
{
    const struct tier_input *best = NULL;
    VEC_EACH (in, &j->in) {
        if (is_at_end(in))
            continue;
        in->labels = index_labels(in->index->x, in->next, &j->arena);
        if (!best || labels_cmp(in->labels, best->labels) < 0)
            best = in;
    }
    return best;
}

/* What cannot be read is lost whatever is done; the rest is made rows, and the file is put away. */
static bool pass_over(struct tier_input *in, struct err *err)
{
    if (err->kind != ERR_CORRUPT)
        return false;
    in->damaged = true;
    tpart_damaged(in->p);
    self_add(SELF_TSDB_TIER_DAMAGED, 1);
    pthread_mutex_lock(&in->p->db->parts_lock);
    in->p->why = *err;
    pthread_mutex_unlock(&in->p->db->parts_lock);
    err_clear(err);
    return true;
}

static bool add_samples(struct tier_job *j, struct tier_input *in, struct gather *g,
                        struct err *err)
{
    size_t before = g->n;
    g->start = in->gone == INT64_MIN ? INT64_MIN : in->gone + 1;
    if (!index_read(in->index->x, j->pages, &in->next, 1, &g, err)) {
        g->n = before;
        return pass_over(in, err);
    }
    veil_apply(in->veil, &j->cutoffs, in->next, g, before);
    return true;
}

void tier_rows_add(struct tier_rows *out, int64_t step_ms, const struct tier_rows *more)
{
    struct tier_rows all = {.arena = out->arena};
    if (more->n == 0)
        return;
    if (out->n == 0) {
        *out = *more;
        return;
    }
    tier_merge(&all, step_ms, out->at, out->n, more->at, more->n);
    *out = all;
}

bool tier_rows_read(const struct tier_dir *dir, const struct veil *v, uint32_t id, ts_ms behind,
                    ts_ms until, struct tier_rows *out, struct err *err)
{
    struct tier_rows all = {.arena = out->arena};
    if (!tier_dir_read(dir, id, &all, err))
        return false;
    for (size_t i = 0; i < all.n; i++) {
        const struct tier_row *r = &all.at[i];
        if (r->end <= behind || r->end > until || veil_touches(v, id, r->first_t, r->last_t))
            continue;
        *tier_rows_room(out, 1) = *r;
        out->n++;
    }
    return true;
}

static bool add_rows(struct tier_job *j, struct tier_input *in, struct tier_rows *rows,
                     struct err *err)
{
    struct tier_rows mine = {.arena = &j->arena};
    if (!tier_rows_read(in->dir, in->veil, in->next, in->gone, j->until, &mine, err))
        return pass_over(in, err);
    tier_rows_add(rows, j->source_ms, &mine);
    return true;
}

/* Takes the series `ls` from every input that stands at it, and moves those on. */
static bool take_series(struct tier_job *j, struct labels ls, size_t *work, struct err *err)
{
    struct gather g = gather_of(&j->arena, INT64_MIN, j->until);
    struct tier_rows rows = {.arena = &j->arena}, out = {.arena = &j->arena};
    VEC_EACH (in, &j->in) {
        if (is_at_end(in) || labels_cmp(in->labels, ls) != 0)
            continue;
        if (!(j->source_ms ? add_rows(j, in, &rows, err) : add_samples(j, in, &g, err)))
            return false;
        in->next++;
    }
    gather_settle(&g);
    struct columns c = {.n = g.n, .t = g.t, .v = g.v, .h = g.h};
    if (j->source_ms == 0)
        tier_of_samples(&out, j->step_ms, &c);
    else if (j->source_ms == j->step_ms)
        out = rows;
    else
        tier_of_rows(&out, j->step_ms, rows.at, rows.n);
    if (out.n)
        tier_writer_series(j->out, ls, out.at, out.n);
    *work += g.n + rows.n + 1;
    return true;
}

/* ---- the end ---- */

struct seen {
    struct map families;
    struct tier_writer *out;
};

static void add_metadata(void *arg, const struct metadata *md)
{
    struct seen *s = arg;
    if (map_put(&s->families, md->family, s))
        tier_writer_metadata(s->out, md);
}

static void write_metadata(struct tier_job *j)
{
    struct seen s = {.out = j->out};
    for (size_t i = j->in.n; i-- > 0;)
        index_metadata(j->in.at[i].index->x, add_metadata, &s);
    map_fini(&s.families);
}

static bool are_live(const struct tier_job *j)
{
    size_t found = 0;
    for (size_t i = 0; i < j->db->parts->n; i++)
        for (size_t k = 0; k < j->in.n; k++)
            found += j->db->parts->at[i] == j->in.at[k].p;
    return found == j->in.n;
}

/* Damaged inputs are not deleted but put away by the next tick. */
static void keep_damaged(struct tier_job *j)
{
    j->ids_n = 0;
    VEC_EACH (in, &j->in)
        if (in->remove && !in->damaged)
            j->ids[j->ids_n++] = part_info(in->p->part)->id;
}

static void put_away_damaged(struct tier_job *j)
{
    pthread_mutex_lock(&j->db->parts_lock);
    VEC_EACH (in, &j->in)
        if (in->remove && in->damaged)
            in->p->bad = true;
    pthread_mutex_unlock(&j->db->parts_lock);
}

static bool finish(struct tier_job *j, struct err *err)
{
    struct tsdb *db = j->db;
    struct part *removed[REMOVES_MAX];
    uint64_t size;
    if (!are_live(j))
        return true;
    write_metadata(j);
    keep_damaged(j);
    j->info.replaces = j->ids;
    j->info.replaces_n = j->ids_n;
    bool ok = tier_writer_finish(j->out, &j->info, &size, err);
    j->out = NULL;
    struct catalog_change ch = {
        .add = &j->info.id, .add_n = 1, .remove = j->ids, .remove_n = j->ids_n};
    if (!ok || !catalog_apply(db->catalog, &ch, removed, err))
        return false;
    parts_publish(db);
    put_away_damaged(j);
    self_add(SELF_TSDB_TIER_PARTS, 1);
    self_add(SELF_TSDB_TIER_ROWS, (int64_t)j->info.samples);
    return true;
}

/* A slice of the job. */
static bool step(struct tier_job *j, bool *done, struct err *err)
{
    size_t work = 0;
    *done = false;
    for (int i = 0; i < SLICE_SERIES && work < SLICE_ROWS; i++) {
        arena_reset(&j->arena);
        const struct tier_input *in = smallest(j);
        if (!in) {
            *done = true;
            return finish(j, err);
        }
        if (!take_series(j, in->labels, &work, err))
            return false;
        pool_yield();
    }
    return true;
}

static uint64_t bytes_done(const struct tier_job *j)
{
    double part = 0;
    VEC_EACH (in, &j->in) {
        size_t n = index_series_n(in->index->x);
        part += n ? (double)in->next / (double)n : 1;
    }
    return j->in.n ? (uint64_t)(part / (double)j->in.n * (double)j->bytes) : 0;
}

static bool go_on(struct tsdb *db, struct err *err)
{
    struct tier_job *j = db->tier_job;
    bool done;
    uint64_t before = bytes_done(j);
    int64_t start = env_mono_ns(db->env);
    bool ok = step(j, &done, err);
    if (ok)
        db_merge_pay(db, bytes_done(j) - before, env_mono_ns(db->env) - start,
                     db->o.merge_percent);
    if (!ok || done)
        db_tier_abort(db);
    return ok;
}

/* ---- which ---- */

static int64_t step_of(const struct tpart *p)
{
    return part_info(p->part)->tier.step_ms;
}

/* The coarsest step: where one kind of row ends and another begins is a border of all. */
static int64_t border_ms(const struct tsdb *db)
{
    return db->tiers[db->tiers_n - 1].step_ms;
}

/* The step that rows of `source` become, and how old they are then; false: they stay. */
static bool next_step(const struct tsdb *db, int64_t source, int64_t *step_ms, int64_t *age_ms)
{
    *age_ms = db->o.retention_ms;
    for (size_t i = 0; i < db->tiers_n; i++) {
        const struct tsdb_tier *t = &db->tiers[i];
        if (t->step_ms <= source) {
            *age_ms = t->keep_ms;
        } else if (source == 0 || t->step_ms % source == 0) {
            *step_ms = t->step_ms;
            return true;
        }
    }
    return false;
}

/* A part of rows that says what is gone stays while another part has something of that. */
static bool is_needed(const struct part_set *ps, const struct tpart *p)
{
    const struct part_tier *t = &part_info(p->part)->tier;
    for (size_t i = 0; i < ps->n && t->step_ms; i++) {
        const struct part_info *x = part_info(ps->at[i]->part);
        if (ps->at[i] != p && x->tier.step_ms == t->source_ms && x->id < t->before &&
            x->min_t <= t->until && x->min_t <= x->max_t)
            return true;
    }
    return false;
}

/* Times up to which samples or rows are old enough. */
static ts_ms limit_of(struct tsdb *db, int64_t age_ms)
{
    int64_t newest = atomic_load_explicit(&db->newest, memory_order_relaxed);
    ts_ms now = env_now_ms(db->env);
    now = newest < now ? newest : now;
    if (now < INT64_MIN + age_ms + border_ms(db))
        return INT64_MIN;
    return tier_window_start(now - age_ms, border_ms(db));
}

/* Readers tell what they cannot read. */
static bool is_readable(struct tpart *p)
{
    pthread_mutex_lock(&p->db->parts_lock);
    bool ok = !p->bad;
    pthread_mutex_unlock(&p->db->parts_lock);
    return ok;
}

static bool is_whole(struct tpart *p)
{
    pthread_mutex_lock(&p->db->parts_lock);
    bool ok = !p->bad && !p->damaged;
    pthread_mutex_unlock(&p->db->parts_lock);
    return ok;
}

static bool is_over(const struct part_set *ps, struct tpart *p, int64_t source, ts_ms limit)
{
    const struct part_info *info = part_info(p->part);
    return step_of(p) == source && info->min_t <= info->max_t && info->max_t <= limit &&
           is_readable(p) && !is_needed(ps, p);
}

static ts_ms until_so_far(const struct part_set *ps, int64_t source)
{
    for (size_t i = 0; i < ps->tiers_n; i++)
        if (ps->tiers[i].source_ms == source)
            return ps->tiers[i].until;
    return INT64_MIN;
}

/* Where rows end if the oldest part of those that are old enough becomes rows; INT64_MIN: none is.
 */
static ts_ms oldest_end(const struct tsdb *db, int64_t source, ts_ms limit)
{
    const struct part_set *ps = db->parts;
    ts_ms max_t = INT64_MAX;
    for (size_t i = 0; i < ps->n; i++) {
        const struct part_info *info = part_info(ps->at[i]->part);
        if (info->max_t < max_t && is_over(ps, ps->at[i], source, limit))
            max_t = info->max_t;
    }
    if (max_t == INT64_MAX)
        return INT64_MIN;
    ts_ms start = tier_window_start(max_t, border_ms(db));
    return start > INT64_MAX - border_ms(db) ? limit : start + border_ms(db);
}

/* A job that makes rows of the oldest part of one kind, and of others as old; NULL: none is old
 * enough. */
static struct tier_job *choose_old(struct tsdb *db, int64_t source)
{
    const struct part_set *ps = db->parts;
    int64_t to, age;
    if (!next_step(db, source, &to, &age))
        return NULL;
    ts_ms limit = limit_of(db, age), end = oldest_end(db, source, limit);
    ts_ms until = until_so_far(ps, source);
    if (end == INT64_MIN)
        return NULL;
    until = end > until ? end : until;
    struct tier_job *j = job_new(db, source, to);
    j->until = until;
    j->info.tier = (struct part_tier){to, source, until, 0};
    for (size_t i = 0; i < ps->n; i++) {
        const struct part_info *info = part_info(ps->at[i]->part);
        bool old = j->ids_n < REMOVES_MAX && is_over(ps, ps->at[i], source, until);
        if (old || (step_of(ps->at[i]) == source && info->min_t <= until && is_readable(ps->at[i])))
            job_add(j, ps->at[i], old);
    }
    return j;
}

/* Four neighbours of one step and level. */
static bool can_merge(const struct tsdb *db, struct tpart *const *at)
{
    uint64_t size = 0;
    ts_ms min_t = INT64_MAX, max_t = INT64_MIN;
    const struct part_info *first = part_info(at[0]->part);
    for (size_t i = 0; i < MERGE_PARTS; i++) {
        const struct part_info *info = part_info(at[i]->part);
        if (!is_whole(at[i]) || info->level != first->level ||
            info->tier.step_ms != first->tier.step_ms ||
            info->tier.source_ms != first->tier.source_ms)
            return false;
        size += part_blob(at[i]->part)->size;
        if (info->min_t > info->max_t)
            continue;
        min_t = info->min_t < min_t ? info->min_t : min_t;
        max_t = info->max_t > max_t ? info->max_t : max_t;
    }
    int64_t step, age = 0;
    if (!next_step(db, first->tier.step_ms, &step, &age))
        age = db->keep.keep_ms;
    int64_t span = age / SPANS_KEPT > SPAN_MIN_MS ? age / SPANS_KEPT : SPAN_MIN_MS;
    return size <= MERGE_BYTES_MAX &&
           (min_t > max_t || (uint64_t)max_t - (uint64_t)min_t <= (uint64_t)span);
}

/* A job that writes n parts of rows as one. */
static struct tier_job *merge_job(struct tsdb *db, struct tpart *const *at, size_t n)
{
    const struct part_info *first = part_info(at[0]->part);
    struct tier_job *j = job_new(db, first->tier.step_ms, first->tier.step_ms);
    j->info.level = first->level + (n > 1);
    for (size_t i = 0; i < n; i++) {
        const struct part_tier *t = &part_info(at[i]->part)->tier;
        job_add(j, at[i], true);
        if (i == 0 || t->before > j->info.tier.before)
            j->info.tier = *t;
    }
    for (size_t i = 0; i < n; i++) /* rows of all are up to here */
        if (part_info(at[i]->part)->tier.until > j->info.tier.until)
            j->info.tier.until = part_info(at[i]->part)->tier.until;
    return j;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = part_info((*(struct tpart *const *)a)->part)->id;
    uint64_t y = part_info((*(struct tpart *const *)b)->part)->id;
    return (x > y) - (x < y);
}

static struct tier_job *choose_merge(struct tsdb *db, int64_t step_ms)
{
    const struct part_set *ps = db->parts;
    struct tier_job *j = NULL;
    VEC(struct tpart *) at = {0};
    for (size_t i = ps->raw_n; i < ps->n; i++)
        if (step_of(ps->at[i]) == step_ms)
            vec_push(&at, ps->at[i]);
    if (at.n)
        qsort(at.at, at.n, sizeof at.at[0], by_id);
    for (size_t i = 0; i + MERGE_PARTS <= at.n && !j; i++)
        if (can_merge(db, at.at + i))
            j = merge_job(db, at.at + i, MERGE_PARTS);
    vec_fini(&at);
    return j;
}

static struct tier_job *choose(struct tsdb *db)
{
    struct tier_job *j = db->imports ? NULL : choose_old(db, 0);
    for (size_t i = 0; i < db->parts->steps_n && !j; i++)
        j = choose_old(db, db->parts->steps[i].step_ms);
    for (size_t i = 0; i < db->parts->steps_n && !j; i++)
        j = choose_merge(db, db->parts->steps[i].step_ms);
    return j;
}

bool db_tier(struct tsdb *db, bool *did, struct err *err)
{
    *did = false;
    if (!db->tiers_n || db->merge || !db_merge_budget(db))
        return true;
    if (!db->tier_job) {
        struct tier_job *j = choose(db);
        if (!j)
            return true;
        if (!begin(j, err))
            return err->kind == ERR_NONE;
        if (db->tier_job->info.tier.before == 0)
            db->tier_job->info.tier.before = db->tier_job->info.id;
    }
    *did = true;
    return go_on(db, err);
}

bool db_tier_rewrite(struct tsdb *db, struct tpart *p, struct err *err)
{
    db_tier_abort(db);
    bool ok = begin(merge_job(db, &p, 1), err);
    if (!ok && err->kind == ERR_NONE)
        return err_set(err, ERR_NO_SPACE, "no room on the disk to write a part anew");
    while (db->tier_job && ok)
        ok = go_on(db, err);
    return ok;
}
