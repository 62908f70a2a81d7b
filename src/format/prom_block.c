// SPDX-License-Identifier: Apache-2.0
#include "format/prom_block.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "codec/json.h"
#include "format/prom_int.h"

#define INDEX_MAGIC 0xBAAAD700U
#define TOMBSTONES_MAGIC 0x0130BA30U

enum {
    CRC_BYTES = 4,
    SERIES_ALIGN = 16,
    LABELS_MAX = 1024,
};

static bool corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s", what);
}

static uint32_t u32_at(const uint8_t *p)
{
    struct prom_dec d = prom_dec((bytes){p, 4});
    return prom_u32(&d);
}

/* ---- meta.json ---- */

static uint64_t stat_of(const struct json_value *root, str name)
{
    int64_t v = 0;
    json_as_i64(json_get(json_get(root, STR("stats")), name), &v);
    return v > 0 ? (uint64_t)v : 0;
}

bool prom_block_meta_read(str json, struct arena *a, struct prom_block_meta *out, struct err *err)
{
    struct json_value *root;
    struct prom_block_meta m = {0};
    int64_t version;
    if (!json_parse(json, a, &root, err))
        return false;
    if (!json_as_i64(json_get(root, STR("version")), &version) || version != 1)
        return err_set(err, ERR_INVALID, "no meta.json of version 1");
    if (!json_as_i64(json_get(root, STR("minTime")), &m.min_t) ||
        !json_as_i64(json_get(root, STR("maxTime")), &m.max_t) ||
        !json_as_str(json_get(root, STR("ulid")), &m.ulid))
        return err_set(err, ERR_INVALID, "meta.json lacks ulid, minTime or maxTime");
    m.samples = stat_of(root, STR("numSamples"));
    m.series = stat_of(root, STR("numSeries"));
    m.chunks = stat_of(root, STR("numChunks"));
    *out = m;
    return true;
}

/* ---- index ---- */

bool prom_index_toc_read(bytes head, bytes tail, uint64_t size, struct prom_index_toc *out,
                         struct err *err)
{
    struct prom_dec d = prom_dec(head), t = prom_dec(tail);
    uint64_t at[6];
    if (head.n < PROM_INDEX_HEAD_BYTES || tail.n < PROM_INDEX_TOC_BYTES ||
        prom_u32(&d) != INDEX_MAGIC)
        return corrupt(err, "this is no index of Prometheus");
    struct prom_index_toc toc = {.version = prom_u8(&d)};
    if (toc.version != 1 && toc.version != 2)
        return err_set(err, ERR_INVALID, "index of version %u, only 1 and 2 are known",
                       toc.version);
    for (int i = 0; i < 6; i++)
        at[i] = prom_u64(&t);
    if (prom_u32(&t) != crc32c(0, tail.p, PROM_INDEX_TOC_BYTES - CRC_BYTES))
        return corrupt(err, "the index' table of contents has a wrong checksum");
    toc.symbols = at[0];
    toc.series = at[1];
    toc.series_end = size - PROM_INDEX_TOC_BYTES;
    for (int i = 2; i < 6; i++)
        if (at[i] >= toc.series && at[i] && at[i] < toc.series_end)
            toc.series_end = at[i];
    if (toc.symbols < PROM_INDEX_HEAD_BYTES || toc.symbols > size || toc.series > toc.series_end ||
        toc.series < toc.symbols)
        return corrupt(err, "the index' table of contents is malformed");
    *out = toc;
    return true;
}

uint64_t prom_symbols_size(bytes b)
{
    return b.n < 4 ? 0 : 4 + (uint64_t)u32_at(b.p) + CRC_BYTES;
}

bool prom_symbols_read(bytes section, const struct prom_index_toc *toc, struct arena *a,
                       struct prom_symbols *out, struct err *err)
{
    struct prom_dec d = prom_dec(section);
    uint32_t len = prom_u32(&d);
    const uint8_t *p = prom_take(&d, len);
    uint32_t crc = prom_u32(&d);
    if (d.bad || len < 4)
        return corrupt(err, "the index' symbols are cut short");
    if (crc32c(0, p, len) != crc)
        return corrupt(err, "the index' symbols have a wrong checksum");
    d = prom_dec((bytes){p, len});
    uint32_t n = prom_u32(&d);
    if (n > len)
        return corrupt(err, "the index' symbols are malformed");
    struct prom_symbols s = {.at = arena_array(a, str, n + 1), .n = n};
    if (toc->version == 1)
        s.off = arena_array(a, uint32_t, n + 1);
    for (uint32_t i = 0; i < n && !d.bad; i++) {
        if (s.off)
            s.off[i] = (uint32_t)(toc->symbols + (uint64_t)(d.p - section.p));
        uint64_t text = prom_uvar(&d);
        const uint8_t *at = prom_take(&d, text);
        s.at[i] = at ? (str){(const char *)at, text} : (str){"", 0};
    }
    if (d.bad)
        return corrupt(err, "the index' symbols are malformed");
    *out = s;
    return true;
}

/* By number in version 2, by place in the file in version 1. */
static bool symbol(const struct prom_symbols *s, uint64_t ref, str *out)
{
    size_t lo = 0, hi = s->n;
    if (!s->off) {
        *out = ref < s->n ? s->at[ref] : STR("");
        return ref < s->n;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->off[mid] < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = lo < s->n && s->off[lo] == ref;
    *out = found ? s->at[lo] : STR("");
    return found;
}

uint64_t prom_series_size(bytes b)
{
    struct prom_dec d = prom_dec(b);
    uint64_t n = prom_uvar(&d);
    if (d.bad || n > PROM_INDEX_SERIES_BYTES_MAX)
        return 0;
    return (uint64_t)(d.p - b.p) + n + CRC_BYTES;
}

uint64_t prom_series_place(const struct prom_index_toc *toc, uint64_t off)
{
    return toc->version == 2 ? (off + SERIES_ALIGN - 1) / SERIES_ALIGN * SERIES_ALIGN : off;
}

static bool read_labels(struct prom_dec *d, const struct prom_symbols *symbols, struct arena *a,
                        struct labels *out)
{
    uint64_t n = prom_uvar(d);
    if (d->bad || n > LABELS_MAX)
        return false;
    struct label *at = arena_array(a, struct label, n + 1);
    for (uint64_t i = 0; i < n; i++) {
        if (!symbol(symbols, prom_uvar(d), &at[i].name) ||
            !symbol(symbols, prom_uvar(d), &at[i].value))
            return false;
        if (!at[i].name.n || !at[i].value.n || (i > 0 && str_cmp(at[i - 1].name, at[i].name) >= 0))
            return false;
    }
    *out = (struct labels){at, n};
    return true;
}

static bool read_chunks(struct prom_dec *d, struct arena *a, struct prom_series *out)
{
    uint64_t n = prom_uvar(d), t = 0, ref = 0;
    /* Each takes at least three bytes. */
    if (d->bad || n > (uint64_t)(d->end - d->p) / 3)
        return false;
    out->chunks = arena_array(a, struct prom_chunk_ref, n + 1);
    out->chunks_n = n;
    for (uint64_t i = 0; i < n; i++) {
        struct prom_chunk_ref *c = &out->chunks[i];
        t = i == 0 ? (uint64_t)prom_svar(d) : t + prom_uvar(d);
        c->min_t = (ts_ms)t;
        t += prom_uvar(d);
        c->max_t = (ts_ms)t;
        ref = i == 0 ? prom_uvar(d) : ref + (uint64_t)prom_svar(d);
        c->file = (uint32_t)(ref >> 32);
        c->off = (uint32_t)ref;
    }
    return !d->bad;
}

bool prom_series_read(bytes b, uint64_t off, const struct prom_index_toc *toc,
                      const struct prom_symbols *symbols, struct arena *a, struct prom_series *out,
                      struct err *err)
{
    struct prom_dec d = prom_dec(b);
    uint64_t n = prom_uvar(&d);
    const uint8_t *p = n <= PROM_INDEX_SERIES_BYTES_MAX ? prom_take(&d, n) : NULL;
    uint32_t crc = prom_u32(&d);
    struct prom_series s = {.ref = toc->version == 2 ? off / SERIES_ALIGN : off};
    if (!p || d.bad)
        return err_set(err, ERR_CORRUPT, "the series at byte %" PRIu64 " is cut short", off);
    if (crc32c(0, p, n) != crc)
        return err_set(err, ERR_CORRUPT, "the series at byte %" PRIu64 " has a wrong checksum",
                       off);
    d = prom_dec((bytes){p, n});
    if (!read_labels(&d, symbols, a, &s.labels) || !read_chunks(&d, a, &s) || d.p != d.end)
        return err_set(err, ERR_CORRUPT, "the series at byte %" PRIu64 " is malformed", off);
    *out = s;
    return true;
}

/* ---- tombstones ---- */

static int tombstone_cmp(const void *a, const void *b)
{
    const struct prom_tombstone *x = a, *y = b;
    return (x->ref > y->ref) - (x->ref < y->ref);
}

bool prom_tombstones_read(bytes file, struct arena *a, struct prom_tombstone **out, size_t *n,
                          struct err *err)
{
    enum { HEAD_BYTES = 5, ENTRY_BYTES_MIN = 3 };
    if (file.n < HEAD_BYTES + CRC_BYTES || u32_at(file.p) != TOMBSTONES_MAGIC)
        return corrupt(err, "this is no tombstones file of Prometheus");
    if (file.p[4] != 1)
        return err_set(err, ERR_INVALID, "tombstones of version %u, only 1 is known", file.p[4]);
    bytes body = {file.p + HEAD_BYTES, file.n - HEAD_BYTES - CRC_BYTES};
    if (crc32c(0, body.p, body.n) != u32_at(body.p + body.n))
        return corrupt(err, "the tombstones have a wrong checksum");
    struct prom_dec d = prom_dec(body);
    struct prom_tombstone *at = arena_array(a, struct prom_tombstone, body.n / ENTRY_BYTES_MIN + 1);
    size_t found = 0;
    while (d.p < d.end && !d.bad) {
        at[found].ref = prom_uvar(&d);
        at[found].min_t = prom_svar(&d);
        at[found++].max_t = prom_svar(&d);
    }
    if (d.bad)
        return corrupt(err, "the tombstones are malformed");
    if (found)
        qsort(at, found, sizeof *at, tombstone_cmp);
    *out = at;
    *n = found;
    return true;
}
