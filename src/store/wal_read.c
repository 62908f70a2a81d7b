// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the WAL at start. The headers of all segments come first: each bounds its predecessor.
 * Inside a segment records follow each other; where one does not check out, the next is looked for
 * at every aligned place, and the gap in lsn tells how many were lost. Behind the last record of a
 * segment that has no bound (the process died) lies what was never acknowledged, or nothing.
 *
 * Memory: one window of a segment, grown for a record that is larger than it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/catalog.h"
#include "store/wal_int.h"

enum { WINDOW_BYTES = 1 << 20 };

struct segment {
    uint64_t seq, size;
    bool has_header, has_salt;
    uint32_t salt;
    struct wal_header h;
    uint64_t bound;     /* acknowledged up to here; 0: unknown */
    uint64_t bound_lsn; /* lsn after the last acknowledged */
    bool has_hole;      /* something before the current record could not be read */
};

struct scan {
    const struct wal_options *o;
    struct disk *disk;
    uint64_t from;
    wal_fn fn;
    void *arg;
    struct wal_recovery *report;
    struct err *err;
    bool read_only;
    VEC(struct segment) segments;
    /* The segment being read. */
    struct disk_file *file;
    uint64_t limit;
    uint8_t *window;
    uint64_t window_off;
    size_t window_n, window_cap;
};

/* Beside a server a segment that ended loses what was reserved behind its last record: zeros. */
static bool read_shortened(struct scan *s, uint64_t off, uint8_t *to, size_t n)
{
    struct err ignored = {0};
    uint64_t size;
    if (!s->read_only || !s->disk->ops->size(s->file, &size, &ignored) || size >= off + n)
        return false;
    size_t have = size > off ? (size_t)(size - off) : 0;
    err_clear(s->err);
    if (have && !s->disk->ops->read(s->file, off, to, have, s->err))
        return false;
    memset(to + have, 0, n - have);
    return true;
}

/* n bytes at `off` (the caller knows that they are before `limit`), or NULL with err set. */
static const uint8_t *view(struct scan *s, uint64_t off, size_t n)
{
    if (off >= s->window_off && off + n <= s->window_off + s->window_n)
        return s->window + (off - s->window_off);
    size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
    if (want > s->limit - off)
        want = (size_t)(s->limit - off);
    if (want > s->window_cap) {
        s->window = mem_realloc(s->window, want);
        s->window_cap = want;
    }
    s->window_n = 0;
    if (!s->disk->ops->read(s->file, off, s->window, want, s->err) &&
        !read_shortened(s, off, s->window, want))
        return NULL;
    s->window_off = off;
    s->window_n = want;
    return s->window;
}

enum found { FOUND, FOUND_NOTHING, FOUND_ERROR };

static void find(const struct scan *s, const struct segment *g, uint64_t off, const char *what)
{
    char buf[WAL_PATH_MAX];
    if (s->o->finding)
        s->o->finding(s->o->finding_arg, wal_path(buf, s->o->dir, g->seq), off, what);
}

/* A whole, valid record at `off`? */
static enum found record_at(struct scan *s, struct segment *g, uint64_t off, struct wal_frame *f,
                            const uint8_t **payload)
{
    if (s->limit < WAL_FRAME_BYTES || off > s->limit - WAL_FRAME_BYTES)
        return FOUND_NOTHING;
    const uint8_t *p = view(s, off, WAL_FRAME_BYTES);
    if (!p)
        return FOUND_ERROR;
    if (!wal_frame_decode(p, f) || (g->has_salt && f->salt != g->salt) ||
        f->n > s->limit - off - WAL_FRAME_BYTES)
        return FOUND_NOTHING;
    p = view(s, off, WAL_FRAME_BYTES + f->n);
    if (!p)
        return FOUND_ERROR;
    *payload = p + WAL_FRAME_BYTES;
    return crc32c(0, *payload, f->n) == f->payload_crc ? FOUND : FOUND_NOTHING;
}

/* The next valid record behind `*off`, which it moves there. */
static enum found look_for(struct scan *s, struct segment *g, uint64_t *off, struct wal_frame *f,
                           const uint8_t **payload)
{
    for (uint64_t at = *off + WAL_ALIGN; at + WAL_FRAME_BYTES <= s->limit; at += WAL_ALIGN) {
        const uint8_t *p = view(s, at, WAL_FRAME_BYTES);
        if (!p)
            return FOUND_ERROR;
        uint32_t mark;
        memcpy(&mark, p, sizeof mark);
        if (mark != WAL_MARK)
            continue;
        enum found r = record_at(s, g, at, f, payload);
        if (r == FOUND)
            *off = at;
        if (r != FOUND_NOTHING)
            return r;
    }
    return FOUND_NOTHING;
}

/* True when something that is not zero lies in [off, limit): a write that a crash cut short. */
static bool has_torn_tail(struct scan *s, uint64_t off, bool *torn)
{
    *torn = false;
    while (off < s->limit && !*torn) {
        size_t n = s->limit - off > WINDOW_BYTES ? WINDOW_BYTES : (size_t)(s->limit - off);
        const uint8_t *p = view(s, off, n);
        if (!p)
            return false;
        for (size_t i = 0; i < n && !*torn; i++)
            *torn = p[i] != 0;
        off += n;
    }
    return true;
}

static bool deliver(struct scan *s, const struct segment *g, const struct wal_frame *f,
                    const uint8_t *payload)
{
    struct wal_record r = {.lsn = f->lsn,
                           .segment = g->seq,
                           .epoch = g->has_header ? g->h.epoch : g->seq | 1ULL << 63,
                           .type = f->type,
                           .doubtful = g->has_hole && !g->bound,
                           .payload = {payload, f->n}};
    s->report->records++;
    s->report->bytes += wal_frame_span(f->n);
    return s->fn(s->arg, &r, s->err);
}

/* Counts what is missing between the last record and the known end. */
static bool end_of_segment(struct scan *s, const struct segment *g, uint64_t off, uint64_t lsn)
{
    if (g->bound) {
        if (off < g->bound) {
            s->report->damaged_places++;
            find(s, g, off, "no valid record here, but acknowledged ones should follow");
        }
        if (lsn && g->bound_lsn > lsn)
            s->report->damaged_records += g->bound_lsn - lsn;
        return true;
    }
    bool torn;
    if (!has_torn_tail(s, off, &torn))
        return false;
    s->report->torn_tails += torn;
    return true;
}

/* Reads the records of one segment; `end` and `lsn` are where they ended. */
static bool read_records(struct scan *s, struct segment *g, uint64_t *end, uint64_t *lsn)
{
    struct wal_frame f;
    const uint8_t *payload;
    uint64_t off = WAL_RECORDS_AT;
    *lsn = g->has_header ? g->h.first_lsn : 0;
    for (*end = off;;) {
        enum found r = record_at(s, g, off, &f, &payload);
        if (r == FOUND_NOTHING) {
            uint64_t hole = off;
            r = look_for(s, g, &off, &f, &payload);
            if (r == FOUND) {
                s->report->damaged_places++;
                find(s, g, hole, "no valid record here, but others follow");
            }
            g->has_hole = true;
        }
        if (r == FOUND_ERROR)
            return false;
        if (r == FOUND_NOTHING)
            break;
        g->has_salt = true; /* without a header the first record tells it */
        g->salt = f.salt;
        if (*lsn && f.lsn < *lsn) { /* a stray copy: never goes back */
            off += WAL_ALIGN;
            continue;
        }
        if (*lsn)
            s->report->damaged_records += f.lsn - *lsn;
        *lsn = f.lsn + 1;
        if (!deliver(s, g, &f, payload))
            return false;
        *end = off += wal_frame_span(f.n);
    }
    return end_of_segment(s, g, *end, *lsn);
}

static bool open_segment(struct scan *s, const struct segment *g)
{
    char buf[WAL_PATH_MAX];
    s->file = s->disk->ops->open(s->disk, wal_path(buf, s->o->dir, g->seq), DISK_READ, s->err);
    s->window_n = 0;
    s->limit = g->size;
    return s->file != NULL;
}

static void close_segment(struct scan *s)
{
    s->disk->ops->close(s->file);
    s->file = NULL;
}

/* Either copy of the header; false only for errors of the disk and for newer versions. */
static bool read_header(struct scan *s, struct segment *g)
{
    static const uint64_t copies[] = {0, WAL_HEADER_COPY_AT};
    bool bad[2] = {0};
    /* Whoever wants to know of everything has the second copy looked at as well. */
    for (size_t i = 0; i < 2 && !(g->has_header && !s->o->finding); i++) {
        if (copies[i] + WAL_HEADER_BYTES > g->size)
            continue;
        const uint8_t *p = view(s, copies[i], WAL_HEADER_BYTES);
        if (!p)
            return false;
        struct err err = {0};
        struct wal_header h;
        bad[i] = !wal_header_decode(p, &h, &err) || h.seq != g->seq;
        if (bad[i] && err.kind == ERR_INVALID) {
            *s->err = err;
            return err_wrap(s->err, "%.*s/%016" PRIx64 ".wal", STR_ARG(s->o->dir), g->seq);
        }
        if (bad[i] || g->has_header)
            continue;
        g->h = h;
        g->has_header = g->has_salt = true;
        g->salt = h.salt;
    }
    for (size_t i = 0; i < 2; i++)
        if (bad[i] && g->has_header)
            find(s, g, copies[i], "this copy of the segment's header is damaged");
    return true;
}

static bool seq_of(str name, uint64_t *seq)
{
    if (name.n != 20 || !str_ends(name, STR(".wal")))
        return false;
    *seq = 0;
    for (size_t i = 0; i < 16; i++) {
        char c = name.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *seq = *seq << 4 | (unsigned)digit;
    }
    return *seq > 0 && *seq < 1ULL << 62;
}

static bool read_headers(struct scan *s)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    str *names;
    size_t n;
    if (!s->disk->ops->list(s->disk, s->o->dir, &a, &names, &n, s->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct segment g = {0};
        if (!seq_of(names[i], &g.seq))
            continue;
        if (!open_segment(s, &g))
            return false;
        bool ok = s->disk->ops->size(s->file, &g.size, s->err);
        s->limit = g.size;
        ok = ok && read_header(s, &g);
        close_segment(s);
        if (!ok)
            return false;
        vec_push(&s->segments, g);
    }
    return true;
}

static void set_bounds(struct scan *s)
{
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *after = &s->segments.at[i];
        if (!after->has_header || !after->h.prev_seq)
            continue;
        bool found = false;
        for (size_t k = 0; k < i; k++) {
            struct segment *g = &s->segments.at[k];
            if (g->seq != after->h.prev_seq)
                continue;
            found = true;
            g->bound = after->h.prev_end;
            g->bound_lsn = after->h.prev_lsn;
        }
        if (!found && after->h.prev_lsn > s->from)
            find(s, after, 0, "the segment before this one is missing");
    }
}

/* A file without header and records: empty when its maker died before it was used, else put away.
 */
static bool settle_unusable(struct scan *s, const struct segment *g, bool has_content)
{
    char buf[WAL_PATH_MAX];
    str path = wal_path(buf, s->o->dir, g->seq);
    if (has_content)
        find(s, g, 0, "no readable segment header and no readable record");
    if (s->read_only)
        return true;
    if (!has_content)
        return s->disk->ops->unlink(s->disk, path, s->err);
    s->report->quarantined++;
    return quarantine_move(s->disk, path, s->o->quarantine,
                           STR("no readable segment header and no readable record"), s->err);
}

static void note_end(struct wal_tail *tail, const struct segment *g, uint64_t end, uint64_t lsn)
{
    vec_push(&tail->files, (struct wal_segment_file){g->seq, end, lsn});
    if (lsn > tail->next_lsn)
        tail->next_lsn = lsn;
    tail->prev_seq = g->seq;
    tail->prev_end = end;
}

static bool read_segment(struct scan *s, struct segment *g, struct wal_tail *tail)
{
    uint64_t end, lsn, records = s->report->records;
    bool torn = false;
    if (!open_segment(s, g))
        return false;
    if (g->bound && g->bound < s->limit)
        s->limit = g->bound;
    bool ok = read_records(s, g, &end, &lsn);
    bool unusable = ok && !g->has_header && s->report->records == records;
    if (unusable)
        ok = has_torn_tail(s, 0, &torn);
    close_segment(s);
    s->report->segments++;
    if (unusable && ok)
        return settle_unusable(s, g, torn);
    if (g->bound_lsn > lsn)
        lsn = g->bound_lsn;
    if (ok)
        note_end(tail, g, g->bound ? g->bound : end, lsn);
    return ok;
}

/* True when the segment after this one says that all of this one's records are below `from`. */
static bool is_covered(const struct scan *s, size_t i)
{
    const struct segment *g = &s->segments.at[i];
    if (!g->has_header || !g->bound_lsn)
        return false;
    return g->bound_lsn <= s->from;
}

static bool scan_all(struct scan *s, struct wal_tail *tail)
{
    if (!read_headers(s))
        return false;
    set_bounds(s);
    for (size_t i = 0; i < s->segments.n; i++) {
        struct segment *g = &s->segments.at[i];
        tail->next_seq = g->seq + 1;
        if (g->has_header && g->h.first_lsn > tail->next_lsn)
            tail->next_lsn = g->h.first_lsn;
        if (is_covered(s, i))
            note_end(tail, g, g->bound, g->bound_lsn);
        else if (!read_segment(s, g, tail))
            return false;
    }
    return true;
}

bool wal_scan(const struct wal_options *o, uint64_t from, wal_fn fn, void *arg,
              struct wal_recovery *report, struct wal_tail *tail, struct err *err)
{
    struct scan s = {.o = o,
                     .disk = o->env->disk,
                     .from = from,
                     .fn = fn,
                     .arg = arg,
                     .report = report,
                     .err = err};
    struct wal_tail unused = {0};
    s.read_only = tail == NULL;
    tail = tail ? tail : &unused;
    tail->next_seq = 1;
    tail->next_lsn = from > 1 ? from : 1;
    bool ok = scan_all(&s, tail);
    vec_fini(&unused.files);
    vec_fini(&s.segments);
    free(s.window);
    return ok;
}
