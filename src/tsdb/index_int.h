// SPDX-License-Identifier: Apache-2.0
/* The loaded index, for index*.c. All of it is immutable and was checked when it was loaded. */
#ifndef TSDB_INDEX_INT_H
#define TSDB_INDEX_INT_H

#include "tsdb/index.h"

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
    uint64_t values_at;        /* of its first series, in index.values */
    const uint32_t *min, *max; /* of each label, over its series */
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
    uint32_t *values; /* of all series, in order of labels */
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
};

/* ERR_CORRUPT, naming the part. */
bool index_damaged(const struct index *x, const char *what, struct err *err);
const struct run *index_run_of(const struct index *x, uint32_t id);
/* False: no series has a label or value with this text. */
bool index_symbol(const struct index *x, str text, uint32_t *out);
/* The symbols of its values. */
static inline const uint32_t *run_values(const struct index *x, const struct run *r, uint32_t id)
{
    return &x->values[r->values_at + (uint64_t)(id - r->first) * x->schemas[r->schema].n];
}

/* Sections are frames behind each other: uvar bytes, uvar stored bytes, the bytes; compressed when
 * stored bytes are fewer. */
enum { FRAME_BYTES = 1 << 20 };
#define SECTION_BYTES_MAX (1ULL << 30)

#endif
