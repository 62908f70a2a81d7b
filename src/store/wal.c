// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the WAL.
 *
 * Appenders decide, under `lock`, which segment a record belongs to and where in it; the committer
 * creates segments when it meets their first record. So the number of the current segment is known
 * before the file exists, and an error, of creation too, only ever moves that number on: records
 * that were encoded for a failed segment fail, the next append encodes for a new one.
 *
 * Why an acknowledged record never depends on one that is lost: a caller may leave out what an
 * earlier record of the same segment holds only after that append returned, so the earlier record
 * stands before the later one in the same file. The later one is acknowledged only if every write
 * and sync of the file up to it succeeded.
 */
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>

#include "base/hash.h"
#include "store/wal_int.h"
#include "sys/self.h"
#include "sys/thread.h"

enum { IOV_MAX_RECORDS = 128 };

struct node {
    struct node *next;
    uint64_t segment, off, lsn;
    void *payload;
    size_t n;
    wal_done done;
    void *arg;
    uint8_t frame[WAL_FRAME_BYTES];
};

struct wal {
    struct wal_options o;
    struct disk *disk;
    char *dir;
    pthread_t thread;

    pthread_mutex_t lock; /* guards up to the next empty line */
    pthread_cond_t wake;
    struct node *head, **tail;
    uint64_t queued_bytes;
    uint64_t cur_seq, cur_off, next_lsn;
    uint64_t trimmed; /* largest lsn that wal_trim was given */
    bool closing, sync_wanted;
    uint32_t salt; /* of segment cur_seq */
    VEC(struct wal_segment_file) files;
    struct wal_stats stats;

    /* The committer's own. */
    struct disk_file *file;
    uint64_t file_seq, failed_seq;
    struct err failure;        /* of failed_seq */
    uint64_t written;          /* end of what was written */
    uint64_t acked, acked_lsn; /* end of what was acknowledged */
    uint64_t prev_seq, prev_end, prev_lsn, epoch;
    bool dirty;
};

static const uint8_t zeros[WAL_ALIGN];

static uint32_t new_salt(struct wal *w)
{
    uint32_t salt;
    w->o.env->entropy->fill(w->o.env->entropy, &salt, sizeof salt);
    return salt;
}

/* Under lock. */
static void next_segment(struct wal *w)
{
    w->cur_seq++;
    w->cur_off = WAL_RECORDS_AT;
    w->salt = new_salt(w);
}

/* ---- committer ---- */

static bool write_header(struct wal *w, uint64_t first_lsn, uint32_t salt, struct err *err)
{
    uint8_t block[WAL_RECORDS_AT] = {0};
    struct wal_header h = {.space = w->o.space,
                           .seq = w->file_seq,
                           .epoch = w->epoch,
                           .first_lsn = first_lsn,
                           .prev_seq = w->prev_seq,
                           .prev_end = w->prev_end,
                           .prev_lsn = w->prev_lsn,
                           .salt = salt};
    wal_header_encode(&h, block);
    wal_header_encode(&h, block + WAL_HEADER_COPY_AT);
    return w->disk->ops->write(w->file, 0, &(struct disk_iov){block, sizeof block}, 1, err);
}

/* Gives up the space behind the end. That it may fail is no harm: zeros are read as an end too. */
static void end_file(struct wal *w)
{
    struct err ignored = {0};
    w->disk->ops->truncate(w->file, w->acked, &ignored);
    w->disk->ops->close(w->file);
    w->file = NULL;
    w->prev_seq = w->file_seq;
    w->prev_end = w->acked;
    w->prev_lsn = w->acked_lsn;
}

/* Nothing more is acknowledged from the current segment. */
static void fail_segment(struct wal *w, uint64_t seq, const struct err *err)
{
    self_add(SELF_WAL_FAILURES, 1);
    w->failed_seq = seq;
    w->failure = *err;
    w->dirty = false;
    if (w->file)
        end_file(w);
    pthread_mutex_lock(&w->lock);
    w->stats.failures++;
    if (w->cur_seq == seq)
        next_segment(w);
    pthread_mutex_unlock(&w->lock);
}

static bool sync_file(struct wal *w, struct err *err)
{
    w->dirty = false;
    self_add(SELF_WAL_SYNCS, 1);
    return w->disk->ops->sync(w->file, err);
}

static bool create_file(struct wal *w, const struct node *first, struct err *err)
{
    char buf[WAL_PATH_MAX];
    str path = wal_path(buf, str_from_z(w->dir), first->segment);
    uint64_t size = w->o.segment_bytes, need = WAL_RECORDS_AT + wal_frame_span(first->n);
    struct wal_frame f;
    bool framed = wal_frame_decode(first->frame, &f);
    assert(framed);
    w->file_seq = first->segment;
    w->file = w->disk->ops->open(w->disk, path, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, err);
    if (!w->file)
        return false;
    if (w->disk->ops->allocate(w->file, size > need ? size : need, err) &&
        write_header(w, first->lsn, f.salt, err) && w->disk->ops->sync(w->file, err) &&
        w->disk->ops->sync_dir(w->disk, str_from_z(w->dir), err))
        return true;
    struct err ignored = {0};
    w->disk->ops->close(w->file);
    w->file = NULL;
    w->disk->ops->unlink(w->disk, path, &ignored);
    return false;
}

/* Makes `first->segment` the open file. */
static bool open_for(struct wal *w, const struct node *first, struct err *err)
{
    if (w->file && w->file_seq == first->segment)
        return true;
    if (w->file) {
        bool synced = !w->dirty || sync_file(w, err);
        end_file(w);
        if (!synced) { /* fast mode: acknowledged already, so only counted */
            self_add(SELF_WAL_FAILURES, 1);
            pthread_mutex_lock(&w->lock);
            w->stats.failures++;
            pthread_mutex_unlock(&w->lock);
            err_clear(err);
        }
    }
    if (!create_file(w, first, err))
        return false;
    w->acked = w->written = WAL_RECORDS_AT;
    w->acked_lsn = first->lsn;
    pthread_mutex_lock(&w->lock);
    vec_push(&w->files, (struct wal_segment_file){w->file_seq, WAL_RECORDS_AT, first->lsn});
    pthread_mutex_unlock(&w->lock);
    return true;
}

/* Writes the records [from, to) of one segment, which lie behind each other. */
static bool write_run(struct wal *w, struct node *from, const struct node *to, struct err *err)
{
    struct disk_iov iov[3 * IOV_MAX_RECORDS];
    while (from != to) {
        size_t n = 0;
        uint64_t off = from->off, end = off;
        for (; from != to && n + 3 <= sizeof iov / sizeof iov[0]; from = from->next) {
            size_t pad = wal_frame_span(from->n) - WAL_FRAME_BYTES - from->n;
            assert(from->off == end);
            iov[n++] = (struct disk_iov){from->frame, WAL_FRAME_BYTES};
            iov[n++] = (struct disk_iov){from->payload, from->n};
            if (pad)
                iov[n++] = (struct disk_iov){zeros, pad};
            end += wal_frame_span(from->n);
        }
        if (!w->disk->ops->write(w->file, off, iov, n, err))
            return false;
        w->written = end;
    }
    w->dirty = true;
    return true;
}

static void count_group(struct wal *w, uint64_t records)
{
    self_add(SELF_WAL_RECORDS, (int64_t)records);
    pthread_mutex_lock(&w->lock);
    w->stats.commits++;
    w->stats.records += records;
    if (records > w->stats.group_records_max)
        w->stats.group_records_max = records;
    struct wal_segment_file *f = &vec_last(&w->files);
    f->bytes = w->acked;
    f->next_lsn = w->acked_lsn;
    pthread_mutex_unlock(&w->lock);
}

/* Commits the records [from, to) of one segment: all or none. */
static bool commit_run(struct wal *w, struct node *from, const struct node *to, struct err *err)
{
    if (from->segment == w->failed_seq) {
        *err = w->failure;
        return false;
    }
    if (!open_for(w, from, err) || !write_run(w, from, to, err) ||
        (!w->o.fast && !sync_file(w, err))) {
        fail_segment(w, from->segment, err);
        return false;
    }
    uint64_t records = 0;
    for (const struct node *n = from; n != to; n = n->next, records++)
        w->acked_lsn = n->lsn + 1;
    w->acked = w->written;
    count_group(w, records);
    return true;
}

static void finish_run(struct wal *w, struct node *from, const struct node *to, bool ok,
                       const struct err *err)
{
    uint64_t n_bytes = 0;
    while (from != to) {
        struct node *n = from;
        from = n->next;
        n_bytes += wal_frame_span(n->n);
        n->done(n->arg, ok, n->lsn, err);
        free(n->payload);
        free(n);
    }
    pthread_mutex_lock(&w->lock);
    w->queued_bytes -= n_bytes;
    pthread_mutex_unlock(&w->lock);
}

static void commit_list(struct wal *w, struct node *list)
{
    while (list) {
        struct node *to = list;
        while (to && to->segment == list->segment)
            to = to->next;
        struct err err = {0};
        bool ok = commit_run(w, list, to, &err);
        finish_run(w, list, to, ok, &err);
        list = to;
    }
}

/* Takes what waits; under lock. */
static struct node *take_list(struct wal *w)
{
    struct node *list = w->head;
    w->head = NULL;
    w->tail = &w->head;
    return list;
}

static void sync_late(struct wal *w)
{
    struct err err = {0};
    if (w->file && w->dirty && !sync_file(w, &err))
        fail_segment(w, w->file_seq, &err);
}

bool wal_step(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    struct node *list = take_list(w);
    bool sync = w->sync_wanted;
    w->sync_wanted = false;
    pthread_mutex_unlock(&w->lock);
    commit_list(w, list);
    if (sync)
        sync_late(w);
    return list != NULL;
}

static void *committer(void *arg)
{
    struct wal *w = arg;
    thread_name("wal");
    thread_prompt();
    for (;;) {
        pthread_mutex_lock(&w->lock);
        while (!w->head && !w->closing && !w->sync_wanted)
            pthread_cond_wait(&w->wake, &w->lock);
        bool end = w->closing && !w->head;
        pthread_mutex_unlock(&w->lock);
        if (end)
            return NULL;
        wal_step(w);
    }
}

/* ---- appenders ---- */

uint64_t wal_segment(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    uint64_t seq = w->cur_seq;
    pthread_mutex_unlock(&w->lock);
    return seq;
}

/* Under lock. */
static bool admit(struct wal *w, const struct wal_append *a, struct err *err)
{
    uint64_t span = wal_frame_span(a->payload_n);
    if (w->closing)
        return err_set(err, ERR_UNAVAILABLE, "the storage is closing");
    if (w->queued_bytes + span > w->o.queue_bytes && w->head) {
        self_add(SELF_WAL_QUEUE_FULL, 1);
        return err_set(err, ERR_UNAVAILABLE,
                       "the WAL is behind: %" PRIu64 " bytes wait for the disk", w->queued_bytes);
    }
    if (a->segment == w->cur_seq && w->cur_off > WAL_RECORDS_AT &&
        w->cur_off + span > w->o.segment_bytes)
        next_segment(w);
    if (a->segment != w->cur_seq)
        return err_set(err, ERR_CANCELED, "the WAL segment changed");
    return true;
}

static void enqueue(struct wal *w, struct node *n, const struct wal_append *a, uint32_t crc)
{
    struct wal_frame f = {.n = (uint32_t)a->payload_n,
                          .lsn = w->next_lsn,
                          .type = a->type,
                          .salt = w->salt,
                          .payload_crc = crc};
    wal_frame_encode(&f, n->frame);
    n->lsn = w->next_lsn++;
    n->segment = w->cur_seq;
    n->off = w->cur_off;
    w->cur_off += wal_frame_span(n->n);
    w->queued_bytes += wal_frame_span(n->n);
    *w->tail = n;
    w->tail = &n->next;
}

bool wal_append(struct wal *w, const struct wal_append *a, struct err *err)
{
    if (a->payload_n > WAL_RECORD_BYTES_MAX)
        return err_set(err, ERR_LIMIT,
                       "a batch of %zu bytes is larger than a WAL record may be (%d)", a->payload_n,
                       WAL_RECORD_BYTES_MAX);
    uint32_t crc = crc32c(0, a->payload, a->payload_n);
    struct node *n = mem_new(struct node);
    n->payload = a->payload;
    n->n = a->payload_n;
    n->done = a->done;
    n->arg = a->arg;
    pthread_mutex_lock(&w->lock);
    bool ok = admit(w, a, err);
    bool was_empty = !w->head;
    if (ok)
        enqueue(w, n, a, crc);
    pthread_mutex_unlock(&w->lock);
    if (!ok)
        free(n);
    else if (was_empty && !w->o.stepped)
        pthread_cond_signal(&w->wake);
    return ok;
}

void wal_tick(struct wal *w)
{
    if (!w->o.fast)
        return;
    pthread_mutex_lock(&w->lock);
    w->sync_wanted = true;
    pthread_mutex_unlock(&w->lock);
    if (!w->o.stepped)
        pthread_cond_signal(&w->wake);
}

void wal_roll(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->cur_off > WAL_RECORDS_AT)
        next_segment(w);
    pthread_mutex_unlock(&w->lock);
}

/* ---- open, close, trim ---- */

static void start_numbers(struct wal *w, struct wal_tail *tail)
{
    w->files.at = tail->files.at;
    w->files.n = tail->files.n;
    w->files.cap = tail->files.cap;
    w->cur_seq = w->epoch = tail->next_seq;
    w->cur_off = WAL_RECORDS_AT;
    w->salt = new_salt(w);
    w->next_lsn = tail->next_lsn;
    w->prev_seq = tail->prev_seq;
    w->prev_end = tail->prev_end;
    w->prev_lsn = tail->next_lsn;
}

static void wal_free(struct wal *w)
{
    vec_fini(&w->files);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->dir);
    free(w);
}

static struct wal *wal_new(const struct wal_options *o)
{
    struct wal *w = mem_new(struct wal);
    w->o = *o;
    w->disk = o->env->disk;
    w->dir = mem_zalloc(o->dir.n + 1);
    memcpy(w->dir, o->dir.p, o->dir.n);
    if (!w->o.segment_bytes)
        w->o.segment_bytes = WAL_SEGMENT_BYTES_DEFAULT;
    if (!w->o.queue_bytes)
        w->o.queue_bytes = WAL_QUEUE_BYTES_DEFAULT;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    return w;
}

/* The directory and its name, durable before anything in it is. */
static bool make_dir(struct disk *d, str dir, struct err *err)
{
    size_t n = dir.n;
    while (n > 0 && dir.p[n - 1] != '/')
        n--;
    str parent = n > 0 ? str_sub(dir, 0, n - 1) : STR(".");
    return d->ops->mkdir(d, dir, err) && d->ops->sync_dir(d, parent, err);
}

struct wal *wal_open(const struct wal_options *o, uint64_t from,
                     bool (*fn)(void *arg, const struct wal_record *r, struct err *err), void *arg,
                     struct wal_recovery *report, struct err *err)
{
    struct wal_tail tail = {0};
    *report = (struct wal_recovery){0};
    if (!make_dir(o->env->disk, o->dir, err) || !wal_scan(o, from, fn, arg, report, &tail, err)) {
        vec_fini(&tail.files);
        return NULL;
    }
    self_add(SELF_WAL_DAMAGED, (int64_t)report->damaged_records);
    struct wal *w = wal_new(o);
    start_numbers(w, &tail);
    if (!o->stepped && pthread_create(&w->thread, NULL, committer, w) != 0) {
        wal_free(w);
        err_set(err, ERR_IO, "cannot start the WAL's thread");
        return NULL;
    }
    return w;
}

bool wal_read(const struct wal_options *o, uint64_t from,
              bool (*fn)(void *arg, const struct wal_record *r, struct err *err), void *arg,
              struct wal_recovery *report, struct err *err)
{
    struct disk_info info;
    *report = (struct wal_recovery){0};
    if (!o->env->disk->ops->stat(o->env->disk, o->dir, &info, err)) {
        bool missing = err->kind == ERR_NOT_FOUND;
        if (missing)
            err_clear(err);
        return missing;
    }
    return wal_scan(o, from, fn, arg, report, NULL, err);
}

/* Takes the oldest segment off the list when it is covered; the newest `keep` always stay. */
static bool take_covered(struct wal *w, uint64_t lsn, size_t keep, struct wal_segment_file *out)
{
    pthread_mutex_lock(&w->lock);
    bool ok = w->files.n > keep && w->files.at[0].next_lsn <= lsn;
    if (ok) {
        *out = w->files.at[0];
        memmove(w->files.at, w->files.at + 1, --w->files.n * sizeof w->files.at[0]);
    }
    pthread_mutex_unlock(&w->lock);
    return ok;
}

static void put_back(struct wal *w, struct wal_segment_file f)
{
    pthread_mutex_lock(&w->lock);
    vec_reserve(&w->files, 1);
    memmove(w->files.at + 1, w->files.at, w->files.n++ * sizeof w->files.at[0]);
    w->files.at[0] = f;
    pthread_mutex_unlock(&w->lock);
}

static bool trim(struct wal *w, uint64_t lsn, size_t keep, struct err *err)
{
    struct wal_segment_file f;
    char buf[WAL_PATH_MAX];
    while (take_covered(w, lsn, keep, &f)) {
        str path = wal_path(buf, str_from_z(w->dir), f.seq);
        if (!w->disk->ops->unlink(w->disk, path, err) && err->kind != ERR_NOT_FOUND) {
            put_back(w, f);
            return false;
        }
        err_clear(err);
    }
    return true;
}

bool wal_trim(struct wal *w, uint64_t lsn, struct err *err)
{
    pthread_mutex_lock(&w->lock);
    w->trimmed = lsn > w->trimmed ? lsn : w->trimmed;
    pthread_mutex_unlock(&w->lock);
    return trim(w, lsn, 1, err); /* records may still be on their way to the newest */
}

void wal_close(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_mutex_unlock(&w->lock);
    if (!w->o.stepped) {
        pthread_cond_signal(&w->wake);
        pthread_join(w->thread, NULL);
    }
    while (wal_step(w))
        ;
    sync_late(w);
    if (w->file)
        end_file(w);
    struct err ignored = {0};
    trim(w, w->trimmed, 0, &ignored); /* the newest too: the next start has less to read */
    wal_free(w);
}

void wal_stats(struct wal *w, struct wal_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    out->next_lsn = w->next_lsn;
    out->segments = w->files.n;
    out->bytes = 0;
    VEC_EACH (f, &w->files)
        out->bytes += f->bytes;
    pthread_mutex_unlock(&w->lock);
}
