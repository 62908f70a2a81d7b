// SPDX-License-Identifier: Apache-2.0
/*
 * The way of a batch: find or make its series (writer's thread) -> WAL record -> commit -> append
 * to the head under the gate (committer's thread) -> done.
 *
 * Series may exist before the batch that brought them is committed; they have no samples then, and
 * series without samples in the range are no part of any selection. They are pinned until the batch
 * came through, so a flush does not remove them.
 *
 * A definition is left out of the record only when the mark of the series says that
 * appends that returned before have it twice in the same segment; wal.c says why that is enough.
 */
#include <assert.h>
#include <inttypes.h>

#include "sys/self.h"
#include "tsdb/record.h"
#include "tsdb/tsdb_int.h"

struct pending {
    struct tsdb *db;
    struct batch *b;
    struct series **series; /* NULL: not stored */
    uint64_t *number;       /* for the WAL; 0: not stored */
    uint32_t *defined;      /* mark.defined as it was when the series was found */
    uint8_t *define;        /* enum definition, for the segment at hand */
    size_t define_n;        /* how many are to be defined */
    bool is_plain;          /* sample i is that of series i, and all are stored: nearly always, and
                               then the committer need not look at the batch's series */
    size_t n;
    struct exemplar_row *exemplars; /* in the batch's arena; series: place in exemplar_series */
    struct labels *exemplar_series;
    size_t exemplars_n;
    struct flight flight;
    struct batch_result result;
    batch_done done;
    void *arg;
    _Atomic unsigned refs; /* the writer's and the committer's: the last one ends the flight */
};

/* One piece, cleared by hand: jemalloc gives large cleared memory by taking pages from the kernel.
 */
static struct pending *pending_new(size_t n)
{
    size_t arrays = n * (sizeof(struct series *) + sizeof(uint64_t) + sizeof(uint32_t) + 1);
    struct pending *p = mem_alloc(sizeof *p + arrays);
    memset(p, 0, sizeof *p + arrays);
    p->n = n;
    p->refs = 2;
    p->series = (struct series **)(p + 1);
    p->number = (uint64_t *)(p->series + n);
    p->defined = (uint32_t *)(p->number + n);
    p->define = (uint8_t *)(p->defined + n);
    return p;
}

static void pending_unref(struct pending *p)
{
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    flight_end(&p->db->head.flights, &p->flight);
    free(p);
}

void db_note_newest(struct tsdb *db, ts_ms t)
{
    int64_t newest = atomic_load_explicit(&db->newest, memory_order_relaxed);
    while (t > newest && !atomic_compare_exchange_weak_explicit(
                             &db->newest, &newest, t, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* ---- resolving ---- */

/* The labels are asked for only to tell which series it was. */
static void note_first(struct pending *p, enum err_kind kind, struct batch_series *s,
                       const char *why)
{
    if (p->result.first.kind != ERR_NONE)
        return;
    struct strbuf text STRBUF_CLEANUP = {0};
    struct err ignored = {0};
    if (!s->labels.n && batch_label(p->b, s, &ignored) != LABELS_OK)
        s->labels = (struct labels){0};
    labels_format(s->labels, &text);
    err_set(&p->result.first, kind, "series %.*s: %s", (int)(text.n < 300 ? text.n : 300), text.p,
            why);
}

static void move_sample(struct batch *b, uint32_t to, uint32_t from)
{
    b->t[to] = b->t[from];
    b->v[to] = b->v[from];
    if (b->h)
        b->h[to] = b->h[from];
    if (b->start)
        b->start[to] = b->start[from];
}

/* Drops histograms that are none. */
static void drop_unsound(struct pending *p)
{
    struct batch *b = p->b;
    for (size_t i = 0; i < b->series_n && b->h; i++) {
        struct batch_series *s = &b->series[i];
        struct err why = {0};
        uint32_t n = 0;
        for (uint32_t k = s->first; k < s->first + s->n; k++)
            if (!b->h[k] || histogram_check(b->h[k], &why))
                move_sample(b, s->first + n++, k);
        if (n < s->n)
            note_first(p, ERR_INVALID, s, why.msg);
        p->result.invalid += s->n - n;
        s->n = n;
    }
}

/* Drops samples of unusable times from the batch. */
static void drop_out_of_bounds(struct pending *p)
{
    struct batch *b = p->b;
    ts_ms oldest = db_oldest(p->db);
    for (size_t i = 0; i < b->series_n; i++) {
        struct batch_series *s = &b->series[i];
        uint32_t n = 0;
        for (uint32_t k = s->first; k < s->first + s->n; k++) {
            if (b->t[k] < oldest || b->t[k] > TSDB_TIME_MAX || b->t[k] < -TSDB_TIME_MAX)
                continue;
            if (s->first + n != k)
                move_sample(b, s->first + n, k);
            n++;
        }
        if (n < s->n)
            note_first(p, ERR_INVALID, s,
                       "a sample is older than the retention or has no sane time");
        p->result.out_of_bounds += s->n - n;
        s->n = n;
    }
}

static bool may_add(struct pending *p, struct batch_series *s)
{
    struct head *h = &p->db->head;
    const char *why = NULL;
    if (s->labels.n > SERIES_LABELS_MAX)
        why = "more labels than storage takes";
    else if (series_table_is_full(&h->shards[head_shard_of(h, s->hash)].table))
        why = "all numbers of series were given since the start; a new start gives them anew";
    else if (head_memory(h) > p->db->o.memory_bytes_max)
        why = "new series are refused because the memory of the head is used up "
              "(storage memory budget)";
    if (!why)
        return true;
    note_first(p, ERR_LIMIT, s, why);
    p->result.refused += s->n;
    self_add(SELF_TSDB_SERIES_REFUSED, 1);
    s->n = 0;
    return false;
}

/* Under the shard's lock: the series stays until the batch came through. */
static void take(struct pending *p, size_t i, struct series *s, uint64_t number)
{
    struct mark *mark = head_mark(&p->db->head, number);
    uint32_t touched = atomic_load_explicit(&mark->touched, memory_order_relaxed);
    while (touched < p->flight.round &&
           !atomic_compare_exchange_weak(&mark->touched, &touched, p->flight.round))
        ;
    p->series[i] = s;
    p->number[i] = number;
    p->defined[i] = atomic_load_explicit(&mark->defined, memory_order_acquire);
}

enum { PREFETCH = 32 };

/* Three dependent places for each that does not follow the one before, so rounds: the misses of a
 * round overlap. Under keys and all shards. */
static void find_some_by_key(struct pending *p, struct keys_walk *w, size_t from, size_t n)
{
    struct head *h = &p->db->head;
    const struct key_entry *at[PREFETCH];
    const struct batch_series *bs = p->b->series + from;
    for (size_t i = 0; i < n; i++) {
        at[i] = keys_follow(&h->keys, w, bs[i].key);
        if (!at[i])
            keys_prefetch(&h->keys, bs[i].key);
    }
    for (size_t i = 0; i < n; i++) {
        if (!at[i])
            at[i] = keys_find(&h->keys, w, bs[i].key);
        if (!bs[i].n || series_key_is_none(bs[i].key))
            at[i] = NULL;
        if (at[i])
            __builtin_prefetch(series_table_place(&h->shards[at[i]->shard].table, at[i]->id));
    }
    for (size_t i = 0; i < n; i++) {
        struct series *s =
            at[i] ? series_table_get(&h->shards[at[i]->shard].table, at[i]->id) : NULL;
        if (s)
            take(p, from + i, s, head_number(h, at[i]->shard, at[i]->id));
    }
}

static void find_by_key(struct pending *p)
{
    struct head *h = &p->db->head;
    struct keys_walk walk = {0};
    keys_lock(&h->keys);
    head_lock_shards(h);
    for (size_t i = 0; i < p->n; i += PREFETCH)
        find_some_by_key(p, &walk, i, p->n - i < PREFETCH ? p->n - i : PREFETCH);
    head_unlock_shards(h);
    keys_unlock(&h->keys);
}

/* Asks for the labels of what no key found. False: the batch is refused. */
static bool label(struct pending *p, struct err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        struct batch_series *bs = &p->b->series[i];
        if (p->series[i] || bs->n == 0)
            continue;
        struct err why = {0};
        enum label_verdict v = batch_label(p->b, bs, &why);
        if (v == LABELS_FAIL) {
            *err = why;
            return false;
        }
        if (v == LABELS_OK)
            continue;
        p->result.invalid += bs->n;
        bs->n = 0;
        if (p->result.first.kind == ERR_NONE)
            p->result.first = why;
    }
    return true;
}

static void prefetch(const struct pending *p, const struct shard *sh, const uint32_t *order,
                     size_t n)
{
    uint64_t hashes[PREFETCH];
    n = n < PREFETCH ? n : PREFETCH;
    for (size_t i = 0; i < n; i++)
        hashes[i] = p->b->series[order[i]].hash;
    shard_prefetch(sh, hashes, n);
}

/* The entries order[0..n) belong to one shard. */
static void resolve_shard(struct pending *p, struct shard *sh, const uint32_t *order, size_t n)
{
    struct head *h = &p->db->head;
    size_t missing = 0;
    pthread_rwlock_rdlock(&sh->lock);
    for (size_t k = 0; k < n; k++) {
        const struct batch_series *bs = &p->b->series[order[k]];
        if (k % PREFETCH == 0)
            prefetch(p, sh, order + k, n - k);
        struct series *s = shard_find(h, sh, bs->labels, bs->hash);
        if (s)
            take(p, order[k], s, head_series_number(h, s));
        else
            missing++;
    }
    pthread_rwlock_unlock(&sh->lock);
    if (!missing)
        return;
    pthread_rwlock_wrlock(&sh->lock);
    for (size_t k = 0; k < n; k++) {
        struct batch_series *bs = &p->b->series[order[k]];
        if (p->series[order[k]])
            continue;
        struct series *s = shard_find(h, sh, bs->labels, bs->hash);
        if (!s && may_add(p, bs))
            s = shard_add(h, sh, bs->labels, bs->hash);
        if (s)
            take(p, order[k], s, head_series_number(h, s));
    }
    pthread_rwlock_unlock(&sh->lock);
}

static void remember_keys(struct pending *p, const uint32_t *came, size_t n)
{
    struct head *h = &p->db->head;
    struct key_new *at MEM_CLEANUP = mem_array(n, sizeof *at);
    size_t new_n = 0;
    for (size_t k = 0; k < n; k++) {
        struct series_key key = p->b->series[came[k]].key;
        const struct series *s = p->series[came[k]];
        if (s && !series_key_is_none(key))
            at[new_n++] = (struct key_new){key, head_shard_of(h, s->hash), s->id};
    }
    keys_put(&h->keys, h, at, new_n);
}

static unsigned shard_of(const struct pending *p, uint32_t i)
{
    return head_shard_of(&p->db->head, p->b->series[i].hash);
}

/* Those that no key found, by their labels: every shard's lock once, so they are grouped by shard.
 * Their keys are put down in the order in which they came: so they will come again. Entries without
 * samples are left out. */
static void find_by_labels(struct pending *p)
{
    struct head *h = &p->db->head;
    uint32_t *came MEM_CLEANUP = mem_array(p->n + 1, sizeof *came);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->b->series[i].n && !p->series[i])
            came[n++] = (uint32_t)i;
    if (n == 0)
        return;
    uint32_t *order MEM_CLEANUP = mem_array(n, sizeof *order);
    size_t *at MEM_CLEANUP = mem_zalloc((h->shards_n + 1) * sizeof *at);
    for (size_t k = 0; k < n; k++)
        at[shard_of(p, came[k]) + 1]++;
    for (unsigned i = 0; i < h->shards_n; i++)
        at[i + 1] += at[i];
    for (size_t k = 0; k < n; k++)
        order[at[shard_of(p, came[k])]++] = came[k];
    for (unsigned i = 0; i < h->shards_n; i++) {
        size_t from = i ? at[i - 1] : 0;
        if (at[i] > from)
            resolve_shard(p, &h->shards[i], order + from, at[i] - from);
    }
    remember_keys(p, came, n);
}

/* False: the batch is refused as a whole. */
static bool resolve(struct pending *p, struct err *err)
{
    find_by_key(p);
    if (!label(p, err))
        return false;
    find_by_labels(p);
    return true;
}

/* ---- after the commit ---- */

/* Series a good way ahead, the end of their samples half as far. Under the gate. */
static void look_ahead(const struct pending *p, size_t i)
{
    if (i + 16 < p->n && p->series[i + 16])
        series_prefetch(p->series[i + 16]);
    if (i + 8 < p->n && p->series[i + 8])
        series_prefetch_end(p->series[i + 8]);
}

static enum append_result apply(struct pending *p, struct series *s, size_t k)
{
    struct head *h = &p->db->head;
    const struct batch *b = p->b;
    if (b->h || b->start)
        return head_append_extra(h, s, b->t[k], b->v[k], b->h ? b->h[k] : NULL,
                                 b->start ? b->start[k] : 0);
    return head_append(h, s, b->t[k], b->v[k]);
}

/* For writing; how often and how long it is waited for is counted. */
static void lock_gate(struct tsdb *db)
{
    if (pthread_rwlock_trywrlock(&db->head.gate) == 0)
        return;
    int64_t since = env_mono_ns(db->env);
    pthread_rwlock_wrlock(&db->head.gate);
    self_add(SELF_TSDB_APPLY_WAITS, 1);
    self_add(SELF_TSDB_APPLY_WAIT, env_mono_ns(db->env) - since);
}

static void apply_samples(struct pending *p, uint64_t lsn)
{
    struct tsdb *db = p->db;
    struct head *h = &db->head;
    const struct batch *b = p->b;
    size_t results[3] = {0};
    ts_ms newest = INT64_MIN;
    lock_gate(db);
    for (size_t i = 0; i < p->n; i++) {
        size_t k = p->is_plain ? i : b->series[i].first, n = p->is_plain ? 1 : b->series[i].n;
        look_ahead(p, i);
        for (size_t end = k + n; p->series[i] && k < end; k++) {
            results[apply(p, p->series[i], k)]++;
            newest = b->t[k] > newest ? b->t[k] : newest;
        }
    }
    db->applied_lsn = lsn;
    if (!db->first_mono_ns && results[APPEND_STORED])
        db->first_mono_ns = env_mono_ns(db->env);
    pthread_rwlock_unlock(&h->gate);
    if (newest != INT64_MIN)
        db_note_newest(db, newest);
    p->result.stored = results[APPEND_STORED];
    p->result.duplicate = results[APPEND_DUPLICATE];
    p->result.conflicting = results[APPEND_CONFLICTING];
    if (p->result.conflicting && p->result.first.kind == ERR_NONE)
        err_set(&p->result.first, ERR_INVALID,
                "%zu samples have the time of an earlier one and another value",
                p->result.conflicting);
}

static void count_result(struct tsdb *db, const struct batch_result *r)
{
    self_add(SELF_TSDB_STORED, (int64_t)r->stored);
    self_add(SELF_TSDB_DUPLICATE, (int64_t)r->duplicate);
    self_add(SELF_TSDB_CONFLICTING, (int64_t)r->conflicting);
    self_add(SELF_TSDB_OUT_OF_BOUNDS, (int64_t)r->out_of_bounds);
    self_add(SELF_TSDB_REFUSED, (int64_t)r->refused);
    atomic_fetch_add_explicit(&db->stored, r->stored, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->duplicate, r->duplicate, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->conflicting, r->conflicting, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->refused, r->refused, memory_order_relaxed);
}

static void finish(struct pending *p, bool ok, const struct err *err)
{
    struct batch_result none = {0};
    if (ok)
        count_result(p->db, &p->result);
    else
        self_add(SELF_TSDB_BATCH_FAILED, 1);
    batch_free(p->b);
    p->b = NULL;
    p->done(p->arg, ok, ok ? &p->result : &none, err);
}

static void apply_exemplars(struct pending *p)
{
    for (size_t i = 0; i < p->exemplars_n; i++)
        exemplars_add(p->db->exemplars, p->exemplar_series[p->exemplars[i].series],
                      &p->exemplars[i].x);
}

/* All records that one sync made durable come here one after the other. */
static void count_sync(struct tsdb *db, size_t stored)
{
    int64_t sync = self_get(SELF_WAL_SYNCS);
    db->sync_samples = sync == db->sync_seen ? db->sync_samples + (int64_t)stored : (int64_t)stored;
    db->sync_seen = sync;
    if (db->sync_samples > self_get(SELF_WAL_SAMPLES_PER_SYNC))
        self_set(SELF_WAL_SAMPLES_PER_SYNC, db->sync_samples);
}

static void committed(void *arg, bool ok, uint64_t lsn, const struct err *err)
{
    struct pending *p = arg;
    if (ok) {
        apply_samples(p, lsn);
        count_sync(p->db, p->result.stored);
        for (size_t i = 0; i < p->b->metadata_n; i++)
            db_metadata_put(p->db, &p->b->metadata[i]);
        apply_exemplars(p);
    }
    finish(p, ok, err);
    pending_unref(p);
}

/* ---- the record ---- */

/*
 * A series is defined twice in each segment, in different records, so that one damaged record takes
 * nothing along. The mark is twice the segment's number, plus one after the second time; 32 bits of
 * it, as a series is not left alone for 2^31 segments.
 */
enum definition { DEFINED, DEFINE_FIRST, DEFINE_SECOND };

static void choose_definitions(struct pending *p, uint64_t segment)
{
    p->define_n = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->define[i] = DEFINED;
        if (!p->series[i])
            continue;
        if (p->defined[i] == (uint32_t)(2 * segment + 1))
            continue;
        p->define[i] = p->defined[i] == (uint32_t)(2 * segment) ? DEFINE_SECOND : DEFINE_FIRST;
        p->define_n++;
    }
}

/* Labels of series that were found by their keys are not in the batch, but in the head. */
static struct enc encode(struct pending *p, uint64_t segment)
{
    struct enc e = {0};
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct record_input in = {.b = p->b, .number = p->number, .is_plain = p->is_plain};
    struct enc exemplars = {0};
    if (p->exemplars_n)
        exemplar_rows_encode(&exemplars, p->exemplar_series, p->exemplars_n, p->exemplars,
                             p->exemplars_n);
    in.exemplars = bytes_of(exemplars.p, exemplars.n);
    choose_definitions(p, segment);
    struct record_definition *at = arena_alloc(&a, p->define_n * sizeof *at);
    for (size_t i = 0; p->define_n && i < p->n; i++)
        if (p->define[i])
            at[in.definitions_n++] = (struct record_definition){
                p->number[i], series_labels(&p->db->head, p->series[i], &a)};
    in.definitions = at;
    record_encode(&e, &in);
    enc_fini(&exemplars);
    return e;
}

/* After the append returned, as wal.c asks for. Writers that race define once more than needed. */
static void note_defined(struct pending *p, uint64_t segment)
{
    struct head *h = &p->db->head;
    head_lock_shards(h);
    for (size_t i = 0; i < p->n; i++)
        if (p->define[i])
            atomic_store_explicit(&head_mark(h, p->number[i])->defined,
                                  (uint32_t)(2 * segment + (p->define[i] == DEFINE_SECOND)),
                                  memory_order_release);
    head_unlock_shards(h);
}

/* Queues the record, encoded anew for as long as the segment changes under it. */
static bool append(struct pending *p, struct err *err)
{
    struct wal_append a = {.type = RECORD_BATCH, .done = committed, .arg = p};
    for (;;) {
        a.segment = wal_segment(p->db->wal);
        struct enc e = encode(p, a.segment);
        a.payload = e.p;
        a.payload_n = e.n;
        if (wal_append(p->db->wal, &a, err))
            break;
        enc_fini(&e);
        if (err->kind != ERR_CANCELED)
            return false;
        err_clear(err);
    }
    if (p->define_n)
        note_defined(p, a.segment);
    return true;
}

static void refuse(struct batch *b, batch_done done, void *arg)
{
    struct batch_result none = {0};
    struct err err;
    err_set(&err, ERR_DENIED, "the storage was opened to be read only");
    self_add(SELF_TSDB_BATCH_FAILED, 1);
    batch_free(b);
    done(arg, false, &none, &err);
}

static bool has_work(struct pending *p)
{
    size_t stored = 0;
    p->is_plain = true;
    for (size_t i = 0; i < p->n; i++) {
        const struct batch_series *s = &p->b->series[i];
        stored += p->series[i] != NULL;
        p->is_plain = p->is_plain && p->series[i] && s->first == i && s->n == 1;
    }
    return stored > 0 || p->b->metadata_n > 0 || p->exemplars_n > 0;
}

/* The labels of the exemplar's series; nothing: it is not stored. */
static struct labels exemplar_labels(struct pending *p, uint32_t series)
{
    const struct batch_series *bs = &p->b->series[series];
    if (bs->labels.n)
        return bs->labels;
    if (p->series[series])
        return series_labels(&p->db->head, p->series[series], &p->b->arena);
    return (struct labels){0};
}

/* Those that will be stored. The same one comes again and again until there is a newer one. */
static void choose_exemplars(struct pending *p)
{
    struct batch *b = p->b;
    if (!b->exemplars_n)
        return;
    p->exemplars = arena_alloc(&b->arena, b->exemplars_n * sizeof *p->exemplars);
    p->exemplar_series = arena_alloc(&b->arena, b->exemplars_n * sizeof *p->exemplar_series);
    for (size_t i = 0; i < b->exemplars_n; i++) {
        const struct batch_exemplar *x = &b->exemplars[i];
        struct exemplar e = {x->labels, x->t, x->v};
        assert(x->series < b->series_n);
        struct labels ls = exemplar_labels(p, x->series);
        if (!ls.n || exemplars_check(p->db->exemplars, ls, &e) != EXEMPLAR_STORED)
            continue;
        p->exemplar_series[p->exemplars_n] = ls;
        p->exemplars[p->exemplars_n] = (struct exemplar_row){(uint32_t)p->exemplars_n, e};
        p->exemplars_n++;
    }
}

void db_write(struct sink *s, struct batch *b, batch_done done, void *arg)
{
    struct err err = {0};
    if (db_of_sink(s)->o.read_only) {
        refuse(b, done, arg);
        return;
    }
    struct pending *p = pending_new(b->series_n);
    p->db = db_of_sink(s);
    p->b = b;
    p->done = done;
    p->arg = arg;
    flight_begin(&p->db->head.flights, &p->flight);
    drop_unsound(p);
    drop_out_of_bounds(p);
    bool ok = resolve(p, &err);
    if (ok) {
        db_metadata_filter(p->db, b);
        choose_exemplars(p);
    }
    if (ok && !has_work(p)) {
        finish(p, true, NULL);
        pending_unref(p);
    } else if (!ok || !append(p, &err)) {
        finish(p, false, &err);
        pending_unref(p);
    }
    pending_unref(p);
}
