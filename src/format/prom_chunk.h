// SPDX-License-Identifier: Apache-2.0
/*
 * Chunks of Prometheus' blocks: what a few hours of one series come to, as its storage compresses
 * them (tsdb/docs/format/chunks.md, tsdb/chunkenc). Any thread; no state.
 */
#ifndef FORMAT_PROM_CHUNK_H
#define FORMAT_PROM_CHUNK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "model/histogram.h"
#include "model/sample.h"

enum prom_chunk_encoding {
    PROM_CHUNK_XOR = 1,
    PROM_CHUNK_HISTOGRAM = 2,
    PROM_CHUNK_FLOAT_HISTOGRAM = 3,
};

/* "XOR", "histogram", ...; empty: unknown. */
str prom_chunk_encoding_name(uint8_t encoding);

/* A decoded XOR chunk; arrays in the arena. Times are as they come, rising in a whole chunk. */
struct prom_floats {
    ts_ms *t;
    double *v;
    size_t n;
};

/* Decodes the data of an XOR chunk. ERR_CORRUPT: it is none. */
bool prom_chunk_floats(bytes data, struct arena *a, struct prom_floats *out, struct err *err);
/* A decoded chunk of native histograms; all of it in the arena. */
struct prom_histograms {
    ts_ms *t;
    const struct histogram **h; /* NULL: a stale marker */
    size_t n;
};
/* `encoding` is PROM_CHUNK_HISTOGRAM or PROM_CHUNK_FLOAT_HISTOGRAM. ERR_CORRUPT: it is none, or one
 * of them is no histogram as histogram_check wants it. */
bool prom_chunk_histograms(uint8_t encoding, bytes data, struct arena *a,
                           struct prom_histograms *out, struct err *err);
/* Appends the data of an XOR chunk; 1 <= n <= PROM_CHUNK_SAMPLES_MAX. */
enum { PROM_CHUNK_SAMPLES_MAX = UINT16_MAX };
void prom_chunk_put_floats(const ts_ms *t, const double *v, size_t n, struct strbuf *out);
/* Appends the data of a chunk of histograms, of the first h[0..n) as far as they share schema,
 * threshold and bounds, and no counter was reset between them; how many. None of those is NULL. */
size_t prom_chunk_put_histograms(const ts_ms *t, const struct histogram *const *h, size_t n,
                                 uint8_t *encoding, struct strbuf *out);

/*
 * The chunk that begins at `b`, as it lies in a chunk file: its encoding and data, checksum
 * checked. ERR_CORRUPT when it is damaged. When `b` may end too early, ask prom_chunk_size first.
 */
struct prom_chunk {
    uint8_t encoding;
    bytes data;
};
bool prom_chunk_read(bytes b, struct prom_chunk *out, struct err *err);
/* Bytes of the chunk that begins at `b`, with its length and checksum; 0: `b` does not say (at
 * least PROM_CHUNK_HEAD_BYTES do). */
enum { PROM_CHUNK_HEAD_BYTES = 6, PROM_CHUNK_BYTES_MAX = 16 << 20 };
uint64_t prom_chunk_size(bytes b);

/* The first bytes of a chunk file. */
enum { PROM_CHUNK_FILE_HEAD_BYTES = 8 };
bool prom_chunk_file_check(bytes head, struct err *err);

#endif
