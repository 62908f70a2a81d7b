// SPDX-License-Identifier: Apache-2.0
/*
 * Parts: sections behind each other, then the footer, then a trailer of fixed size at the very end
 * that says where the footer is. Layout in docs/formats/part.md.
 *
 * Every section has one checksum over all of it. Sections that are read in pieces (samples) carry
 * their own checksums inside as well.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/enc.h"
#include "store/part.h"
#include "sys/pool.h"

enum {
    VERSION = 1,
    TRAILER_BYTES =
        32, /* magic 8, version 4, footer length 4, footer crc 4, zero 8, trailer crc 4 */
    BUFFER_BYTES = 256 << 10,
    SYNC_BYTES = 8 << 20, /* so that no sync is so long that others wait for the disk */
    HEAD_BYTES = 16,      /* magic 8, version 4, zero 4: what `file` and people see first */
};
#define MAGIC "nunchiPT"

/* ---- writing ---- */

struct part_writer {
    struct disk *disk;
    struct disk_file *file;
    str dir;
    uint64_t id;
    uint64_t off;    /* of the buffer's start in the file */
    uint64_t synced; /* bytes before this are on stable storage */
    struct enc buf;
    struct part_section sections[PART_SECTIONS_MAX];
    size_t sections_n;
    struct err err; /* the first failure */
    struct arena arena;
};

str part_path(struct arena *a, str dir, uint64_t id)
{
    return arena_printf(a, "%.*s/%016" PRIx64 ".part", STR_ARG(dir), id);
}

static str tmp_path(struct part_writer *w)
{
    str path = part_path(&w->arena, w->dir, w->id);
    return arena_printf(&w->arena, "%.*s.tmp", STR_ARG(path));
}

static void free_writer(struct part_writer *w)
{
    enc_fini(&w->buf);
    arena_fini(&w->arena);
    free(w);
}

struct part_writer *part_writer_open(struct disk *d, str dir, uint64_t id, struct err *err)
{
    struct part_writer *w = mem_new(struct part_writer);
    arena_init(&w->arena, 0);
    w->disk = d;
    w->id = id;
    w->dir = arena_dup(&w->arena, dir);
    struct err ignored = {0};
    d->ops->unlink(d, tmp_path(w), &ignored); /* left by a crash */
    w->file = d->ops->open(d, tmp_path(w), DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, err);
    if (!w->file) {
        free_writer(w);
        return NULL;
    }
    enc_bytes(&w->buf, MAGIC, 8);
    enc_u32(&w->buf, VERSION);
    enc_u32(&w->buf, 0);
    return w;
}

static void flush(struct part_writer *w)
{
    struct disk_iov iov = {w->buf.p, w->buf.n};
    if (w->err.kind == ERR_NONE && w->buf.n) {
        pool_block_begin();
        bool ok = w->disk->ops->write(w->file, w->off, &iov, 1, &w->err);
        if (ok && w->off - w->synced >= SYNC_BYTES && w->disk->ops->sync(w->file, &w->err))
            w->synced = w->off;
        pool_block_end();
    }
    w->off += w->buf.n;
    w->buf.n = 0;
}

void part_writer_section(struct part_writer *w, const char *name)
{
    assert(w->sections_n < PART_SECTIONS_MAX && strlen(name) <= PART_SECTION_NAME_MAX);
    struct part_section *s = &w->sections[w->sections_n++];
    *s = (struct part_section){.off = w->off + w->buf.n};
    memcpy(s->name, name, strlen(name));
}

void part_writer_add(struct part_writer *w, const void *p, size_t n)
{
    assert(w->sections_n > 0);
    struct part_section *s = &w->sections[w->sections_n - 1];
    s->crc = crc32c(s->crc, p, n);
    s->n += n;
    enc_bytes(&w->buf, p, n);
    if (w->buf.n >= BUFFER_BYTES)
        flush(w);
}

uint64_t part_writer_offset(const struct part_writer *w)
{
    return w->sections[w->sections_n - 1].n;
}

static void encode_footer(const struct part_writer *w, const struct part_info *i, struct enc *e)
{
    enc_u64(e, i->id);
    enc_u32(e, i->space);
    enc_u32(e, i->kind);
    enc_u32(e, i->level);
    enc_u32(e, (uint32_t)i->replaces_n);
    enc_u64(e, i->features);
    enc_u64(e, i->wal_from);
    enc_u64(e, i->wal_to);
    enc_u64(e, (uint64_t)i->min_t);
    enc_u64(e, (uint64_t)i->max_t);
    enc_u64(e, i->series);
    enc_u64(e, i->samples);
    for (size_t k = 0; k < i->replaces_n; k++)
        enc_u64(e, i->replaces[k]);
    if (i->features & PART_TIER) {
        enc_u64(e, (uint64_t)i->tier.step_ms);
        enc_u64(e, (uint64_t)i->tier.source_ms);
        enc_u64(e, (uint64_t)i->tier.until);
        enc_u64(e, i->tier.before);
    }
    enc_u32(e, (uint32_t)w->sections_n);
    for (size_t k = 0; k < w->sections_n; k++) {
        const struct part_section *s = &w->sections[k];
        enc_bytes(e, s->name, sizeof s->name);
        enc_u64(e, s->off);
        enc_u64(e, s->n);
        enc_u32(e, s->crc);
    }
}

static void add_footer(struct part_writer *w, const struct part_info *info)
{
    struct enc e = {0};
    encode_footer(w, info, &e);
    assert(e.n <= PART_FOOTER_BYTES_MAX - TRAILER_BYTES);
    uint32_t crc = crc32c(0, e.p, e.n);
    enc_bytes(&w->buf, e.p, e.n);
    size_t at = w->buf.n;
    enc_bytes(&w->buf, MAGIC, 8);
    enc_u32(&w->buf, VERSION);
    enc_u32(&w->buf, (uint32_t)e.n);
    enc_u32(&w->buf, crc);
    enc_u64(&w->buf, 0);
    enc_u32(&w->buf, crc32c(0, w->buf.p + at, TRAILER_BYTES - 4));
    enc_fini(&e);
    flush(w);
}

bool part_writer_finish(struct part_writer *w, const struct part_info *info, uint64_t *size,
                        struct err *err)
{
    struct disk *d = w->disk;
    assert(info->replaces_n <= PART_REPLACES_MAX && info->id == w->id);
    add_footer(w, info);
    str path = part_path(&w->arena, w->dir, w->id);
    pool_block_begin();
    bool ok = w->err.kind == ERR_NONE && d->ops->sync(w->file, &w->err) &&
              d->ops->rename(d, tmp_path(w), path, &w->err) && d->ops->sync_dir(d, w->dir, &w->err);
    pool_block_end();
    if (ok) {
        *size = w->off;
        d->ops->close(w->file);
        free_writer(w);
        return true;
    }
    *err = w->err;
    err_wrap(err, "writing part %016" PRIx64, w->id);
    struct err ignored = {0};
    d->ops->unlink(d, path, &ignored);
    part_writer_abort(w);
    return false;
}

void part_writer_abort(struct part_writer *w)
{
    struct err ignored = {0};
    w->disk->ops->close(w->file);
    w->disk->ops->unlink(w->disk, tmp_path(w), &ignored);
    free_writer(w);
}

/* ---- reading ---- */

struct part {
    struct blob *blob;
    struct arena arena;
    struct part_info info;
    struct part_section sections[PART_SECTIONS_MAX];
    size_t sections_n;
};

static void decode_tier(struct dec *d, struct part_tier *t)
{
    enum { STEP_MAX_MS = 24 * 3600 * 1000 };
    t->step_ms = (int64_t)dec_u64(d);
    t->source_ms = (int64_t)dec_u64(d);
    t->until = (ts_ms)dec_u64(d);
    t->before = dec_u64(d);
    if (t->step_ms < 1 || t->step_ms > STEP_MAX_MS || t->source_ms < 0 ||
        t->source_ms >= t->step_ms)
        d->bad = true;
}

static void decode_info(struct dec *d, struct arena *a, struct part_info *i)
{
    i->id = dec_u64(d);
    i->space = dec_u32(d);
    i->kind = dec_u32(d);
    i->level = dec_u32(d);
    i->replaces_n = dec_u32(d);
    i->features = dec_u64(d);
    i->wal_from = dec_u64(d);
    i->wal_to = dec_u64(d);
    i->min_t = (ts_ms)dec_u64(d);
    i->max_t = (ts_ms)dec_u64(d);
    i->series = dec_u64(d);
    i->samples = dec_u64(d);
    if (i->replaces_n > PART_REPLACES_MAX)
        d->bad = true;
    if (d->bad)
        i->replaces_n = 0;
    uint64_t *replaces = arena_array(a, uint64_t, i->replaces_n + 1);
    for (size_t k = 0; k < i->replaces_n; k++)
        replaces[k] = dec_u64(d);
    i->replaces = replaces;
    i->tier = (struct part_tier){0};
    if (i->features & PART_TIER)
        decode_tier(d, &i->tier);
}

static size_t decode_sections(struct dec *d, uint64_t end, struct part_section *out)
{
    uint32_t n = dec_u32(d);
    if (n > PART_SECTIONS_MAX)
        d->bad = true;
    for (uint32_t k = 0; k < n && !d->bad; k++) {
        const uint8_t *name = dec_take(d, PART_SECTION_NAME_MAX + 1);
        if (name)
            memcpy(out[k].name, name, PART_SECTION_NAME_MAX + 1);
        out[k].off = dec_u64(d);
        out[k].n = dec_u64(d);
        out[k].crc = dec_u32(d);
        if (!d->bad &&
            (out[k].name[PART_SECTION_NAME_MAX] || out[k].off > end || out[k].n > end - out[k].off))
            d->bad = true;
    }
    return d->bad ? 0 : n;
}

/* The footer's length, from the trailer. */
static bool decode_trailer(bytes tail, uint32_t *n, uint32_t *crc, struct err *err)
{
    if (tail.n < TRAILER_BYTES)
        return err_set(err, ERR_CORRUPT, "the file is too short for a part");
    struct dec d = dec_of((bytes){tail.p + tail.n - TRAILER_BYTES, TRAILER_BYTES});
    const uint8_t *p = d.p;
    uint32_t trailer_crc;
    memcpy(&trailer_crc, p + TRAILER_BYTES - 4, sizeof trailer_crc);
    if (memcmp(dec_take(&d, 8), MAGIC, 8) != 0 || trailer_crc != crc32c(0, p, TRAILER_BYTES - 4))
        return err_set(err, ERR_CORRUPT, "the file does not end as a part does");
    uint32_t version = dec_u32(&d);
    if (version != VERSION)
        return err_set(err, ERR_INVALID,
                       "a part of format version %" PRIu32 "; this program reads version %d",
                       version, VERSION);
    *n = dec_u32(&d);
    *crc = dec_u32(&d);
    if (*n > PART_FOOTER_BYTES_MAX - TRAILER_BYTES)
        return err_set(err, ERR_CORRUPT, "the part's footer claims %" PRIu32 " bytes", *n);
    return true;
}

bool part_footer_decode(bytes tail, uint64_t file_size, struct arena *a, struct part_info *info,
                        struct part_section *sections, size_t *sections_n, struct err *err)
{
    uint32_t n, crc;
    if (!decode_trailer(tail, &n, &crc, err))
        return false;
    if (n > tail.n - TRAILER_BYTES || tail.n > file_size)
        return err_set(err, ERR_CORRUPT, "the part's footer is longer than the file");
    const uint8_t *p = tail.p + tail.n - TRAILER_BYTES - n;
    if (crc32c(0, p, n) != crc)
        return err_set(err, ERR_CORRUPT, "the part's footer has a wrong checksum");
    struct dec d = dec_of((bytes){p, n});
    decode_info(&d, a, info);
    *sections_n = decode_sections(&d, file_size - TRAILER_BYTES - n, sections);
    if (d.bad || dec_left(&d) != 0)
        return err_set(err, ERR_CORRUPT, "the part's footer is malformed");
    if (info->features & ~PART_FEATURES_KNOWN)
        return err_set(err, ERR_INVALID, "the part uses features 0x%" PRIx64 " of a newer version",
                       info->features & ~PART_FEATURES_KNOWN);
    return true;
}

struct part *part_open(struct blob *b, struct err *err)
{
    uint8_t trailer[TRAILER_BYTES];
    uint32_t n, crc;
    struct part *p = mem_new(struct part);
    p->blob = b;
    arena_init(&p->arena, 0);
    struct blob_range r = {b->size - TRAILER_BYTES, TRAILER_BYTES, trailer};
    bool ok = b->size >= TRAILER_BYTES || err_set(err, ERR_CORRUPT, "the file is too short");
    ok = ok && blob_read(b, &r, 1, err) &&
         decode_trailer((bytes){trailer, TRAILER_BYTES}, &n, &crc, err);
    if (ok && n > b->size - TRAILER_BYTES)
        ok = err_set(err, ERR_CORRUPT, "the part's footer is longer than the file");
    if (ok) {
        uint8_t *tail MEM_CLEANUP = mem_alloc(n + TRAILER_BYTES);
        r = (struct blob_range){b->size - TRAILER_BYTES - n, n + TRAILER_BYTES, tail};
        ok = blob_read(b, &r, 1, err) &&
             part_footer_decode((bytes){tail, n + TRAILER_BYTES}, b->size, &p->arena, &p->info,
                                p->sections, &p->sections_n, err);
    }
    if (ok)
        return p;
    part_close(p);
    return NULL;
}

void part_close(struct part *p)
{
    blob_close(p->blob);
    arena_fini(&p->arena);
    free(p);
}

const struct part_info *part_info(const struct part *p)
{
    return &p->info;
}

struct blob *part_blob(struct part *p)
{
    return p->blob;
}

size_t part_sections(const struct part *p, const struct part_section **out)
{
    *out = p->sections;
    return p->sections_n;
}

const struct part_section *part_section(const struct part *p, const char *name)
{
    for (size_t i = 0; i < p->sections_n; i++)
        if (strcmp(p->sections[i].name, name) == 0)
            return &p->sections[i];
    return NULL;
}

bool part_read_sections(struct part *p, struct arena *a, const char *const *names, size_t n,
                        bytes *out, struct err *err)
{
    struct blob_range *ranges = arena_array(a, struct blob_range, n);
    const struct part_section **sections = arena_array(a, const struct part_section *, n);
    for (size_t i = 0; i < n; i++) {
        sections[i] = part_section(p, names[i]);
        if (!sections[i])
            return err_set(err, ERR_CORRUPT, "part %016" PRIx64 " has no section \"%s\"",
                           p->info.id, names[i]);
        ranges[i] =
            (struct blob_range){sections[i]->off, sections[i]->n, arena_alloc(a, sections[i]->n)};
    }
    if (!blob_read(p->blob, ranges, n, err))
        return err_wrap(err, "part %016" PRIx64, p->info.id);
    for (size_t i = 0; i < n; i++)
        if (crc32c(0, ranges[i].buf, ranges[i].n) != sections[i]->crc)
            return err_set(err, ERR_CORRUPT,
                           "section \"%s\" of part %016" PRIx64 " has a wrong checksum", names[i],
                           p->info.id);
    for (size_t i = 0; i < n; i++)
        out[i] = (bytes){ranges[i].buf, ranges[i].n};
    return true;
}
