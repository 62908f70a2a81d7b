// SPDX-License-Identifier: Apache-2.0
/*
 * Blocks of Prometheus: each becomes one part. A block's series lie in the order of their labels,
 * so index and chunk files are read once, from the front, through a window each; memory holds the
 * block's symbols and one series.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "cmd/db_import_int.h"
#include "format/prom_block.h"
#include "format/prom_chunk.h"
#include "sys/file.h"

enum { WINDOW_BYTES = 1 << 20, SMALL_FILE_BYTES_MAX = 256 << 20, ENCODINGS = 256 };

/* ---- files, seen through a window ---- */

struct window {
    struct disk *disk;
    struct disk_file *file; /* NULL: none is open */
    uint64_t size, off;
    uint8_t *buf;
    size_t n, cap;
};

static void window_close(struct window *w)
{
    if (w->file)
        w->disk->ops->close(w->file);
    w->file = NULL;
    w->n = 0;
}

static void window_fini(struct window *w)
{
    window_close(w);
    free(w->buf);
}
#define WINDOW_CLEANUP __attribute__((cleanup(window_fini)))

static bool window_open(struct window *w, struct disk *d, str path, struct err *err)
{
    window_close(w);
    w->disk = d;
    w->file = d->ops->open(d, path, DISK_READ, err);
    if (!w->file)
        return false;
    return d->ops->size(w->file, &w->size, err);
}

/* At most n bytes at `off`, fewer at the end of the file; valid until the next call. */
static bool window_view(struct window *w, uint64_t off, uint64_t n, bytes *out, struct err *err)
{
    uint64_t left = off < w->size ? w->size - off : 0;
    n = n < left ? n : left;
    if (n == 0 || (off >= w->off && off + n <= w->off + w->n)) {
        *out = (bytes){n ? w->buf + (off - w->off) : (const uint8_t *)"", (size_t)n};
        return true;
    }
    uint64_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
    want = want < left ? want : left;
    if (want > w->cap) {
        w->buf = mem_realloc(w->buf, want);
        w->cap = want;
    }
    w->n = 0;
    if (!w->disk->ops->read(w->file, off, w->buf, want, err))
        return false;
    w->off = off;
    w->n = want;
    *out = (bytes){w->buf, (size_t)n};
    return true;
}

/* ---- a block ---- */

struct block {
    str dir; /* below the disk; empty: the disk's root */
    struct prom_block_meta meta;
};

struct reading {
    struct importer *i;
    struct disk *disk;
    const struct block *block;
    struct arena arena; /* lives as long as the block is read */
    struct arena scratch;
    struct prom_index_toc toc;
    struct prom_symbols symbols;
    struct prom_tombstone *stones;
    size_t stones_n;
    struct window index, chunks;
    uint32_t chunks_no; /* of the open file + 1 */
    VEC(struct import_point) points;
    uint64_t *left_out; /* chunks by encoding */
};

static str path_in(struct arena *a, const struct block *b, const char *name)
{
    return b->dir.n ? arena_printf(a, "%.*s/%s", STR_ARG(b->dir), name)
                    : arena_dup(a, str_from_z(name));
}

static bool read_index_head(struct reading *r, struct err *err)
{
    bytes head, tail, b;
    uint8_t first[PROM_INDEX_HEAD_BYTES];
    struct window *w = &r->index;
    if (!window_open(w, r->disk, path_in(&r->arena, r->block, "index"), err) ||
        !window_view(w, 0, PROM_INDEX_HEAD_BYTES, &head, err))
        return false;
    if (w->size < PROM_INDEX_HEAD_BYTES + PROM_INDEX_TOC_BYTES)
        return err_set(err, ERR_CORRUPT, "index: the file is too short");
    memcpy(first, head.p, sizeof first);
    if (!window_view(w, w->size - PROM_INDEX_TOC_BYTES, PROM_INDEX_TOC_BYTES, &tail, err) ||
        !prom_index_toc_read((bytes){first, sizeof first}, tail, w->size, &r->toc, err) ||
        !window_view(w, r->toc.symbols, 4, &b, err))
        return false;
    uint64_t n = prom_symbols_size(b);
    if (n > PROM_INDEX_SYMBOLS_BYTES_MAX || n > w->size - r->toc.symbols)
        return err_set(err, ERR_CORRUPT, "index: the symbols claim %" PRIu64 " bytes", n);
    uint8_t *symbols = arena_alloc(&r->arena, n);
    return w->disk->ops->read(w->file, r->toc.symbols, symbols, n, err) &&
           prom_symbols_read((bytes){symbols, n}, &r->toc, &r->arena, &r->symbols, err);
}

static bool read_small(struct reading *r, const char *name, bytes *out, struct err *err)
{
    struct window w WINDOW_CLEANUP = {0};
    bytes b;
    if (!window_open(&w, r->disk, path_in(&r->arena, r->block, name), err))
        return false;
    if (w.size > SMALL_FILE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", name, SMALL_FILE_BYTES_MAX);
    if (!window_view(&w, 0, w.size, &b, err))
        return false;
    uint8_t *copy = arena_alloc(&r->arena, b.n + 1);
    memcpy(copy, b.p, b.n);
    *out = (bytes){copy, b.n};
    return true;
}

static bool read_tombstones(struct reading *r, struct err *err)
{
    bytes file;
    if (read_small(r, "tombstones", &file, err))
        return prom_tombstones_read(file, &r->arena, &r->stones, &r->stones_n, err);
    if (err->kind != ERR_NOT_FOUND)
        return false;
    err_clear(err);
    return true;
}

static const struct prom_tombstone *first_stone(const struct reading *r, uint64_t ref)
{
    size_t lo = 0, hi = r->stones_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->stones[mid].ref < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    return r->stones + lo;
}

static bool is_deleted(const struct reading *r, const struct prom_tombstone *s, uint64_t ref,
                       ts_ms t)
{
    for (; s && s < r->stones + r->stones_n && s->ref == ref; s++)
        if (t >= s->min_t && t <= s->max_t)
            return true;
    return false;
}

static bool open_chunks(struct reading *r, uint32_t no, struct err *err)
{
    char name[32];
    bytes head;
    if (r->chunks_no == no + 1)
        return true;
    snprintf(name, sizeof name, "chunks/%06" PRIu64, (uint64_t)no + 1);
    r->chunks_no = 0;
    if (!window_open(&r->chunks, r->disk, path_in(&r->arena, r->block, name), err) ||
        !window_view(&r->chunks, 0, PROM_CHUNK_FILE_HEAD_BYTES, &head, err))
        return false;
    if (!prom_chunk_file_check(head, err))
        return err_wrap(err, "%s", name);
    r->chunks_no = no + 1;
    return true;
}

static bool read_chunk(struct reading *r, const struct prom_chunk_ref *ref, struct prom_chunk *out,
                       struct err *err)
{
    bytes b;
    if (!open_chunks(r, ref->file, err) ||
        !window_view(&r->chunks, ref->off, PROM_CHUNK_HEAD_BYTES, &b, err))
        return false;
    uint64_t n = prom_chunk_size(b);
    if (n == 0 || n > r->chunks.size || ref->off > r->chunks.size - n)
        err_set(err, ERR_CORRUPT, "the file ends in the middle of a chunk");
    else if (window_view(&r->chunks, ref->off, n, &b, err) && prom_chunk_read(b, out, err))
        return true;
    return err_wrap(err, "chunks/%06" PRIu64 ", byte %" PRIu32, (uint64_t)ref->file + 1, ref->off);
}

static void add_point(struct reading *r, const struct prom_series *s,
                      const struct prom_tombstone *stones, struct import_point p)
{
    if (p.t < r->block->meta.min_t || p.t >= r->block->meta.max_t)
        return; /* nor would Prometheus show it */
    if (is_deleted(r, stones, s->ref, p.t))
        r->i->deleted++;
    else
        vec_push(&r->points, p);
}

static bool add_chunk(struct reading *r, const struct prom_series *s,
                      const struct prom_tombstone *stones, const struct prom_chunk *c,
                      struct err *err)
{
    struct prom_floats f = {0};
    struct prom_histograms h = {0};
    bool ok = true;
    if (c->encoding == PROM_CHUNK_XOR)
        ok = prom_chunk_floats(c->data, &r->scratch, &f, err);
    else if (c->encoding == PROM_CHUNK_HISTOGRAM || c->encoding == PROM_CHUNK_FLOAT_HISTOGRAM)
        ok = prom_chunk_histograms(c->encoding, c->data, &r->scratch, &h, err);
    else
        r->left_out[c->encoding]++;
    for (size_t k = 0; ok && k < f.n; k++)
        add_point(r, s, stones, (struct import_point){f.t[k], f.v[k], NULL});
    for (size_t k = 0; ok && k < h.n; k++)
        add_point(r, s, stones, (struct import_point){h.t[k], h.h[k] ? 0 : stale_nan(), h.h[k]});
    return ok;
}

static bool read_series(struct reading *r, const struct prom_series *s, struct err *err)
{
    const struct prom_tombstone *stones = first_stone(r, s->ref);
    struct prom_chunk chunk;
    vec_clear(&r->points);
    for (size_t k = 0; k < s->chunks_n; k++) {
        if (!read_chunk(r, &s->chunks[k], &chunk, err))
            return false;
        if (!add_chunk(r, s, stones, &chunk, err))
            return err_wrap(err, "chunks/%06" PRIu64 ", byte %" PRIu32,
                            (uint64_t)s->chunks[k].file + 1, s->chunks[k].off);
    }
    size_t n = import_settle(r->points.at, r->points.n);
    r->i->duplicates += r->points.n - n;
    return import_series(r->i, s->labels, r->points.at, n, err);
}

static bool read_entry(struct reading *r, uint64_t *off, struct err *err)
{
    struct prom_series s;
    bytes b;
    arena_reset(&r->scratch);
    if (!window_view(&r->index, *off, 10, &b, err))
        return false;
    uint64_t n = prom_series_size(b);
    if (n == 0 || n > r->toc.series_end - *off)
        return err_set(err, ERR_CORRUPT, "index: the series at byte %" PRIu64 " is cut short",
                       *off);
    if (!window_view(&r->index, *off, n, &b, err))
        return false;
    if (!prom_series_read(b, *off, &r->toc, &r->symbols, &r->scratch, &s, err))
        return err_wrap(err, "index");
    *off += n;
    return read_series(r, &s, err);
}

static bool read_entries(struct reading *r, size_t no, size_t of, struct err *err)
{
    char samples[DB_COUNT_MAX];
    for (uint64_t off = prom_series_place(&r->toc, r->toc.series); off < r->toc.series_end;
         off = prom_series_place(&r->toc, off)) {
        if (!read_entry(r, &off, err))
            return false;
        db_progress_say(&r->i->progress, "block %zu of %zu, %s samples", no + 1, of,
                        db_count(r->i->samples, samples));
    }
    return true;
}

static bool import_block(struct importer *i, struct disk *d, const struct block *b, size_t no,
                         size_t of, uint64_t left_out[ENCODINGS], struct err *err)
{
    struct reading r = {.i = i, .disk = d, .block = b, .left_out = left_out};
    arena_init(&r.arena, 0);
    arena_init(&r.scratch, 0);
    bool ok = tsdb_import_part(i->im, err) && read_index_head(&r, err) &&
              read_tombstones(&r, err) && read_entries(&r, no, of, err);
    i->parts += ok;
    window_fini(&r.index);
    window_fini(&r.chunks);
    vec_fini(&r.points);
    arena_fini(&r.scratch);
    arena_fini(&r.arena);
    return ok || err_wrap(err, "block %.*s", STR_ARG(b->meta.ulid));
}

/* ---- a directory of blocks ---- */

typedef VEC(struct block) blocks;

/* False with ERR_NOT_FOUND: there is no block. */
static bool add_block(struct disk *d, str dir, struct arena *a, blocks *out, struct err *err)
{
    struct reading r = {.disk = d};
    struct block b = {.dir = dir};
    bytes json;
    r.block = &b;
    arena_init(&r.arena, 0);
    bool ok = read_small(&r, "meta.json", &json, err);
    if (ok && !prom_block_meta_read(arena_dup(a, str_from_bytes(json)), a, &b.meta, err))
        ok = err_wrap(err, "%.*s/meta.json", STR_ARG(dir));
    if (ok)
        vec_push(out, b);
    arena_fini(&r.arena);
    return ok;
}

/* A ULID: 26 letters and digits. What is being written or deleted has a longer name. */
static bool is_block_name(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z')))
            return false;
    return s.n == 26;
}

static int block_cmp(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->meta.min_t != y->meta.min_t)
        return x->meta.min_t < y->meta.min_t ? -1 : 1;
    return str_cmp(x->meta.ulid, y->meta.ulid);
}

static bool find_blocks(struct disk *d, struct arena *a, blocks *out, struct err *err)
{
    str *names;
    size_t n;
    if (add_block(d, STR(""), a, out, err) || err->kind != ERR_NOT_FOUND)
        return out->n > 0;
    err_clear(err);
    if (!d->ops->list(d, STR("."), a, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_block_name(names[i]) && !add_block(d, names[i], a, out, err))
            return false;
    if (!out->n)
        return err_set(err, ERR_NOT_FOUND, "there is no block of Prometheus");
    qsort(out->at, out->n, sizeof out->at[0], block_cmp);
    return true;
}

/* Does wal/ hold something? Its first segment may be empty. */
static bool has_wal(struct disk *d, struct arena *a)
{
    struct err ignored = {0};
    struct disk_info info;
    str *names;
    size_t n;
    if (!d->ops->list(d, STR("wal"), a, &names, &n, &ignored))
        return false;
    for (size_t i = 0; i < n; i++) {
        str path = arena_printf(a, "wal/%.*s", STR_ARG(names[i]));
        if (d->ops->stat(d, path, &info, &ignored) && (info.is_dir || info.size_bytes))
            return true;
    }
    return false;
}

static bool check_wal(struct importer *i, struct disk *d, struct arena *a, struct err *err)
{
    if (!has_wal(d, a))
        return true;
    if (i->skip_wal) {
        strbuf_addz(&i->left_out,
                    "note: the newest samples, which are in wal/ only, were not imported\n");
        return true;
    }
    err_set(err, ERR_INVALID, "the newest samples are in wal/ only, which cannot be read");
    return err_hint(err, "let Prometheus write a snapshot (POST /api/v1/admin/tsdb/snapshot) and "
                         "import that, or give --skip-wal");
}

static void say_left_out(struct importer *i, const uint64_t left_out[ENCODINGS])
{
    for (unsigned e = 0; e < ENCODINGS; e++) {
        str name = prom_chunk_encoding_name((uint8_t)e);
        char count[DB_COUNT_MAX];
        if (left_out[e])
            strbuf_addf(&i->left_out,
                        "warning: %s chunks of encoding %u (%.*s) were left out: they cannot be "
                        "imported yet\n",
                        db_count(left_out[e], count), e, STR_ARG(name.n ? name : STR("unknown")));
    }
}

bool import_prometheus(struct importer *i, const char *path, struct err *err)
{
    ARENA_CLEANUP struct arena a;
    uint64_t left_out[ENCODINGS] = {0};
    blocks found = {0};
    str real;
    arena_init(&a, 0);
    if (!file_real(path, &a, &real, err))
        return false;
    struct disk *d = disk_system_open(real.p, err);
    if (!d)
        return false;
    bool ok = check_wal(i, d, &a, err) && find_blocks(d, &a, &found, err);
    for (size_t k = 0; ok && k < found.n; k++)
        ok = import_block(i, d, &found.at[k], k, found.n, left_out, err);
    vec_fini(&found);
    disk_system_close(d);
    say_left_out(i, left_out);
    return ok || err_wrap(err, "%s", path);
}
