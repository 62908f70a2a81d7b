// SPDX-License-Identifier: Apache-2.0
/* The loaded index, for index*.c. All of it is immutable and was checked when it was loaded. */
#ifndef TSDB_INDEX_INT_H
#define TSDB_INDEX_INT_H

#include "store/enc.h"
#include "tsdb/index.h"
#include "tsdb/index_postings.h"

/* What a block holds. A reader refuses an index with kinds that it does not know. */
enum block_kind { BLOCK_FLOATS = 0, BLOCK_KINDS };

/* The label names of series, as symbols. */
struct schema {
    uint32_t n;
    const uint32_t *names;
};

/* The series [first, first of the next) have one schema and one first value. */
struct run {
    uint32_t first, schema;
    uint32_t stride;                  /* bytes of a series in `rows` */
    const struct run_column *columns; /* of each label */
    const uint8_t *rows;
};

/* The values of one label in a run: symbols from min to max, as their distances to min, which
 * mostly fit in a byte and in none when all are the same. */
struct run_column {
    uint32_t min, max;
    uint16_t at;   /* in a row */
    uint8_t width; /* bytes: 0, 1, 2, 4 */
};

struct time_row {
    ts_ms min_t, max_t;
    uint32_t n, page, at; /* entry `at` of page of times `page` */
};

struct page_at {
    uint64_t off; /* in the section */
    uint32_t size, entries;
    uint32_t first; /* number of its first entry in the section */
};

/* A block of histograms. */
struct hist_at {
    ts_ms min_t, max_t;
    uint64_t off; /* in the section */
    uint32_t size, n;
};

/* What few series have: theirs are at[first[i]] up to at[first[i + 1]], i the place of the series'
 * id in `ids`, which rise. */
struct few {
    uint32_t *ids, *first; /* ids_n; ids_n + 1 */
    uint32_t ids_n;
};

struct index {
    struct part *part;
    struct arena arena;
    size_t heap_bytes;
    str *symbols; /* sorted */
    uint32_t symbols_n;
    struct schema *schemas;
    uint32_t schemas_n;
    struct run *runs; /* runs_n + 1: the last one is empty */
    uint32_t runs_n;
    uint64_t values_n; /* labels of all series */
    struct postings_dir postings;
    uint32_t series_n;
    uint32_t *first_block; /* series_n + 1 */
    uint32_t *block_row;   /* time row of each block */
    uint32_t blocks_n;
    struct time_row *rows;
    uint32_t rows_n;
    struct page_at *pages, *time_pages;
    uint32_t pages_n, time_pages_n;
    const struct part_section *values_section, *times_section;
    bytes metadata;
    struct few hist, starts;
    struct hist_at *hists;
    struct start_span *start_spans;
    const struct part_section *hist_section; /* NULL: there are no histograms */
};

/* ERR_CORRUPT, naming the part. */
bool index_damaged(const struct index *x, const char *what, struct err *err);
const struct run *index_run_of(const struct index *x, uint32_t id);
/* False: no series has a label or value with this text. */
bool index_symbol(const struct index *x, str text, uint32_t *out);
/* The symbol of its value of label k of the run's schema. */
static inline uint32_t run_value(const struct run *r, uint32_t id, uint32_t k)
{
    const struct run_column *c = &r->columns[k];
    const uint8_t *p = r->rows + (uint64_t)(id - r->first) * r->stride + c->at;
    uint32_t v = 0;
    if (c->width == 1)
        v = *p;
    else if (c->width)
        memcpy(&v, p, c->width == 2 ? 2 : 4);
    return c->min + v;
}

/* ---- index_extras.c: histograms, start timestamps, exemplars ---- */

/* Features of a part, in its footer. */
enum { PART_HISTOGRAMS = 1, PART_STARTS = 2, PART_EXEMPLARS = 4 };

/* What a writer collects of them. */
struct few_out {
    struct enc e;
    uint32_t series_n, last_id;
    uint64_t t, start; /* the last ones written */
};
struct extras_out {
    struct enc blocks, exemplars;
    struct few_out hist, starts;
};
void extras_out_series(struct extras_out *x, uint32_t id, const ts_ms *t,
                       const struct histogram *const *h, const ts_ms *start, size_t n);
void extras_out_fini(struct extras_out *x);
/* Gives the sections that are not empty, and their feature bits. */
uint64_t extras_out_write(struct extras_out *x, struct part_writer *w,
                          void (*section)(void *arg, const char *name, struct enc *e), void *arg);

/* Loads what the part has; the sections named so are unpacked already. */
bool index_load_extras(struct index *x, struct err *err);
/* Reads what the samples of series ids[i] are, which are out[i] from from[i] on. */
bool index_tell(const struct index *x, const uint32_t *ids, size_t n, struct gather *const *out,
                const size_t *from, struct err *err);
size_t index_hist_blocks_n(const struct index *x);
bool index_check_hist_block(const struct index *x, size_t no, uint64_t *size, struct err *err);

/* A whole section, unpacked; false: its frames are malformed. */
bool index_unpack(bytes raw, struct enc *out);

/* Sections are frames behind each other: uvar bytes, uvar stored bytes, the bytes; compressed when
 * stored bytes are fewer. */
enum { FRAME_BYTES = 1 << 20 };
#define SECTION_BYTES_MAX (1ULL << 30)

#endif
