// SPDX-License-Identifier: Apache-2.0
/* Every piece of a Prometheus block. The first byte says which; chunks that were read are written
 * and read again. */
#include "format/prom_block.h"
#include "format/prom_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void chunk(bytes b, struct arena *a)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    struct prom_floats one, two;
    struct err err;
    if (!prom_chunk_floats(b, a, &one, &err) || !one.n)
        return;
    prom_chunk_put_floats(one.t, one.v, one.n, &out);
    if (!prom_chunk_floats(bytes_from_str(strbuf_str(&out)), a, &two, &err) || one.n != two.n ||
        memcmp(one.t, two.t, one.n * sizeof *one.t) != 0 ||
        memcmp(one.v, two.v, one.n * sizeof *one.v) != 0)
        __builtin_trap();
}

static void histograms(uint8_t encoding, bytes b, struct arena *a)
{
    struct prom_histograms h;
    struct err err;
    if (!prom_chunk_histograms(encoding, b, a, &h, &err))
        return;
    for (size_t i = 0; i < h.n; i++)
        if (h.h[i] && !histogram_check(h.h[i], &err))
            __builtin_trap();
}

static void chunk_file(bytes b)
{
    struct prom_chunk c;
    struct err err;
    prom_chunk_file_check(b, &err);
    uint64_t size = prom_chunk_size(b);
    if (prom_chunk_read(b, &c, &err) && (size == 0 || size > b.n))
        __builtin_trap();
    prom_chunk_encoding_name(b.n ? b.p[0] : 0);
}

/* A whole index, walked as an importer walks it. */
static void index_file(bytes b, struct arena *a)
{
    struct prom_index_toc toc;
    struct prom_symbols symbols;
    struct prom_series series;
    struct err err;
    bytes tail = {b.p + (b.n > PROM_INDEX_TOC_BYTES ? b.n - PROM_INDEX_TOC_BYTES : 0),
                  b.n > PROM_INDEX_TOC_BYTES ? PROM_INDEX_TOC_BYTES : b.n};
    if (!prom_index_toc_read(b, tail, b.n, &toc, &err) ||
        !prom_symbols_read((bytes){b.p + toc.symbols, b.n - toc.symbols}, &toc, a, &symbols, &err))
        return;
    for (uint64_t off = prom_series_place(&toc, toc.series); off < toc.series_end;
         off = prom_series_place(&toc, off)) {
        bytes entry = {b.p + off, toc.series_end - off};
        uint64_t size = prom_series_size(entry);
        if (size == 0 || size > entry.n ||
            !prom_series_read(entry, off, &toc, &symbols, a, &series, &err))
            return;
        off += size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ARENA_CLEANUP struct arena a;
    struct prom_block_meta meta;
    struct prom_tombstone *stones;
    struct err err;
    size_t stones_n;
    if (!n)
        return 0;
    arena_init(&a, 0);
    bytes b = {data + 1, n - 1};
    switch (data[0]) {
    case 'x':
        chunk(b, &a);
        break;
    case 'h':
    case 'f':
        histograms(data[0] == 'h' ? PROM_CHUNK_HISTOGRAM : PROM_CHUNK_FLOAT_HISTOGRAM, b, &a);
        break;
    case 'c':
        chunk_file(b);
        break;
    case 'i':
        index_file(b, &a);
        break;
    case 't':
        prom_tombstones_read(b, &a, &stones, &stones_n, &err);
        break;
    default:
        prom_block_meta_read(str_from_bytes(b), &a, &meta, &err);
    }
    return 0;
}
