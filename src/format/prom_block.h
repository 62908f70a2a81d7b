// SPDX-License-Identifier: Apache-2.0
/*
 * A block of Prometheus' storage: meta.json, index (versions 1 and 2) and tombstones
 * (tsdb/docs/format/). Pieces of files in, values out; whoever reads the files decides how much of
 * them is in memory. Any thread; no state.
 *
 *     index file: head | symbols | series ... | ... | table of contents
 *
 * Series lie behind each other in order of their labels, so that one walk over them reads a block
 * without looking anything up.
 */
#ifndef FORMAT_PROM_BLOCK_H
#define FORMAT_PROM_BLOCK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/labels.h"

struct prom_block_meta {
    str ulid;           /* text in the arena */
    ts_ms min_t, max_t; /* min_t <= t < max_t */
    uint64_t samples, series, chunks;
};
/* meta.json. ERR_INVALID: a version that is not 1, or no such file. */
bool prom_block_meta_read(str json, struct arena *a, struct prom_block_meta *out, struct err *err);

/* ---- index ---- */

enum {
    PROM_INDEX_HEAD_BYTES = 5,
    PROM_INDEX_TOC_BYTES = 52,
    PROM_INDEX_SYMBOLS_BYTES_MAX = 1 << 30,
    PROM_INDEX_SERIES_BYTES_MAX = 64 << 20, /* one entry */
};

struct prom_index_toc {
    uint8_t version;          /* 1 or 2 */
    uint64_t symbols, series; /* offsets in the file */
    uint64_t series_end;
};
/* `head` are the first and `tail` the last bytes of a file of `size` bytes. */
bool prom_index_toc_read(bytes head, bytes tail, uint64_t size, struct prom_index_toc *out,
                         struct err *err);

/* Label names and values. Text is in the section. */
struct prom_symbols {
    str *at;       /* rising */
    uint32_t *off; /* version 1: where in the file each begins; NULL in version 2 */
    size_t n;
};
/* Bytes of the section that begins at `b` (4 of them are enough), with length and checksum. */
uint64_t prom_symbols_size(bytes b);
bool prom_symbols_read(bytes section, const struct prom_index_toc *toc, struct arena *a,
                       struct prom_symbols *out, struct err *err);

struct prom_chunk_ref {
    ts_ms min_t, max_t;
    uint32_t file; /* 0 is chunks/000001 */
    uint32_t off;  /* in the file */
};
struct prom_series {
    uint64_t ref; /* what tombstones call it */
    struct labels labels;
    struct prom_chunk_ref *chunks;
    size_t chunks_n;
};
/* Bytes of the entry that begins at `b`, with its length and checksum; 0: `b` does not say (10
 * bytes always do) or it is larger than allowed. */
uint64_t prom_series_size(bytes b);
/* Where the entry at or behind `off` begins: they are aligned in version 2. */
uint64_t prom_series_place(const struct prom_index_toc *toc, uint64_t off);
/* The entry that begins at offset `off` of the file. Arrays in the arena, text in the symbols. */
bool prom_series_read(bytes b, uint64_t off, const struct prom_index_toc *toc,
                      const struct prom_symbols *symbols, struct arena *a, struct prom_series *out,
                      struct err *err);

/* ---- tombstones ---- */

struct prom_tombstone {
    uint64_t ref;
    ts_ms min_t, max_t; /* deleted, both inclusive */
};
/* The whole file, sorted by series, in the arena. */
bool prom_tombstones_read(bytes file, struct arena *a, struct prom_tombstone **out, size_t *n,
                          struct err *err);

#endif
