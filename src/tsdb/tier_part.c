// SPDX-License-Identifier: Apache-2.0
/*
 * Section "rows": per series its blocks (tier_block.h), each u32 CRC of the rest, then the block.
 * Section "row_blocks": uvar series; of each uvar blocks; of each block uvar bytes.
 */
#include "tsdb/tier_part.h"

#include <inttypes.h>

#include "base/hash.h"

enum { CRC_BYTES = 4, SERIES_MAX = 1 << 28, BLOCK_BYTES_MAX = 64 << 20 };

struct tier_writer {
    struct part_writer *w;
    struct index_writer *x;
    int64_t step_ms;
    struct enc counts, sizes; /* blocks of each series, bytes of each block */
    uint64_t series_n;
};

struct tier_writer *tier_writer_new(struct part_writer *w, int64_t step_ms)
{
    struct tier_writer *x = mem_new(struct tier_writer);
    x->w = w;
    x->step_ms = step_ms;
    part_writer_section(w, "rows");
    x->x = index_writer_new_beside(w);
    return x;
}

static void tier_writer_free(struct tier_writer *x)
{
    enc_fini(&x->counts);
    enc_fini(&x->sizes);
    free(x);
}

static size_t put_block(struct tier_writer *x, const struct tier_row *rows, size_t n)
{
    struct enc e = {0};
    enc_u32(&e, 0);
    size_t taken = tier_block_encode(&e, x->step_ms, rows, n);
    uint32_t crc = crc32c(0, e.p + CRC_BYTES, e.n - CRC_BYTES);
    memcpy(e.p, &crc, sizeof crc);
    part_writer_add(x->w, e.p, e.n);
    enc_uvar(&x->sizes, e.n);
    enc_fini(&e);
    return taken;
}

/* The series as other readers see it; rows may end at one time, samples may not. */
static void put_index(struct tier_writer *x, struct labels ls, const struct tier_row *rows,
                      size_t n)
{
    ts_ms *t = mem_array(n, sizeof *t);
    double *v = mem_zalloc(n * sizeof *v);
    for (size_t i = 0; i < n; i++)
        t[i] = rows[i].end;
    index_writer_series(x->x, ls, t, v, n);
    free(t);
    free(v);
}

void tier_writer_series(struct tier_writer *x, struct labels ls, const struct tier_row *rows,
                        size_t n)
{
    size_t blocks = 0;
    put_index(x, ls, rows, n);
    for (size_t done = 0; done < n; blocks++)
        done += put_block(x, rows + done, n - done);
    enc_uvar(&x->counts, blocks);
    x->series_n++;
}

void tier_writer_metadata(struct tier_writer *x, const struct metadata *m)
{
    index_writer_metadata(x->x, m);
}

bool tier_writer_finish(struct tier_writer *x, struct part_info *info, uint64_t *size,
                        struct err *err)
{
    struct enc n = {0};
    enc_uvar(&n, x->series_n);
    part_writer_section(x->w, "row_blocks");
    part_writer_add(x->w, n.p, n.n);
    part_writer_add(x->w, x->counts.p, x->counts.n);
    part_writer_add(x->w, x->sizes.p, x->sizes.n);
    enc_fini(&n);
    info->features = PART_TIER;
    bool ok = index_writer_finish(x->x, info, size, err);
    tier_writer_free(x);
    return ok;
}

void tier_writer_abort(struct tier_writer *x)
{
    index_writer_abort(x->x);
    tier_writer_free(x);
}

/* ---- reading ---- */

struct tier_dir {
    struct part *p;
    uint64_t off; /* of the section "rows" */
    size_t n;
    uint32_t *first; /* block of each series; one more ends the last */
    uint64_t *at;    /* of each block in the section; one more ends the last */
};

void tier_dir_free(struct tier_dir *d)
{
    if (!d)
        return;
    free(d->first);
    free(d->at);
    free(d);
}

/* A section of so many bytes has at most so many series and blocks. */
static bool decode_dir(struct tier_dir *d, bytes b, uint64_t rows_bytes)
{
    struct dec in = dec_of(b);
    uint64_t n = dec_uvar(&in), blocks = 0, at = 0;
    if (in.bad || n > dec_left(&in) || n > SERIES_MAX)
        return false;
    d->n = n;
    d->first = mem_array(n + 1, sizeof *d->first);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = dec_uvar(&in);
        d->first[i] = (uint32_t)blocks;
        if (in.bad || k > SERIES_MAX - blocks)
            return false;
        blocks += k;
    }
    d->first[n] = (uint32_t)blocks;
    if (blocks > dec_left(&in))
        return false;
    d->at = mem_array(blocks + 1, sizeof *d->at);
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t k = dec_uvar(&in);
        d->at[i] = at;
        if (in.bad || k <= CRC_BYTES || k > BLOCK_BYTES_MAX || k > rows_bytes - at)
            return false;
        at += k;
    }
    d->at[blocks] = at;
    return !in.bad && dec_left(&in) == 0;
}

struct tier_dir *tier_dir_load(struct part *p, struct err *err)
{
    static const char *const names[] = {"row_blocks"};
    struct arena a ARENA_CLEANUP;
    bytes b;
    arena_init(&a, 0);
    const struct part_section *rows = part_section(p, "rows");
    if (!rows)
        return err_set(err, ERR_CORRUPT, "part %016" PRIx64 " has no section \"rows\"",
                       part_info(p)->id),
               NULL;
    if (!part_read_sections(p, &a, names, 1, &b, err))
        return NULL;
    struct tier_dir *d = mem_new(struct tier_dir);
    d->p = p;
    d->off = rows->off;
    if (decode_dir(d, b, rows->n) && d->n == part_info(p)->series)
        return d;
    tier_dir_free(d);
    err_set(err, ERR_CORRUPT, "section \"row_blocks\" of part %016" PRIx64 " is malformed",
            part_info(p)->id);
    return NULL;
}

static bool take_block(const struct tier_dir *d, bytes b, struct tier_rows *out, struct err *err)
{
    uint32_t crc;
    int64_t step;
    memcpy(&crc, b.p, sizeof crc);
    if (crc != crc32c(0, b.p + CRC_BYTES, b.n - CRC_BYTES))
        return err_set(err, ERR_CORRUPT, "rows of part %016" PRIx64 " have a wrong checksum",
                       part_info(d->p)->id);
    return tier_block_decode((bytes){b.p + CRC_BYTES, b.n - CRC_BYTES}, out, &step, err);
}

bool tier_dir_read(const struct tier_dir *d, uint32_t id, struct tier_rows *out, struct err *err)
{
    if (id >= d->n)
        return err_set(err, ERR_CORRUPT, "part %016" PRIx64 " has no rows of series %" PRIu32,
                       part_info(d->p)->id, id);
    uint32_t first = d->first[id], last = d->first[id + 1];
    size_t n = d->at[last] - d->at[first];
    uint8_t *buf MEM_CLEANUP = mem_alloc(n + 1);
    struct blob_range r = {d->off + d->at[first], n, buf};
    if (n > 0 && !blob_read(part_blob(d->p), &r, 1, err))
        return err_wrap(err, "part %016" PRIx64, part_info(d->p)->id);
    for (uint32_t i = first; i < last; i++)
        if (!take_block(d, (bytes){buf + d->at[i] - d->at[first], d->at[i + 1] - d->at[i]}, out,
                        err))
            return false;
    return true;
}
