// SPDX-License-Identifier: Apache-2.0
/*
 * Page: rows of several neighbouring series (or several rows of times) in three streams, each
 * compressed when that pays, under one checksum; docs/formats/part.md. Pages are what is read from
 * a part, checked and kept decoded. Decoded pages are immutable and counted.
 *
 * The cache is bounded in bytes, what was used least recently leaves first; any thread.
 */
#ifndef TSDB_PAGES_H
#define TSDB_PAGES_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "tsdb/rows.h"

enum {
    PAGE_RAW_BYTES = 64 << 10,     /* a page is ended when its streams have so many */
    PAGE_RAW_BYTES_MAX = 16 << 20, /* what a reader accepts */
    PAGE_TIMES_MAX = 16384,        /* times in a page of them, but for one long row */
};

/* What a page holds. */
enum page_kind { PAGE_VALUES, PAGE_TIMES };

/* Appends the page to `out` and empties the streams. */
void page_encode(struct row_streams *s, uint32_t entries, struct enc *out);
/* An entry of a page of values: uvar n and a row of values. n <= ROW_MAX. */
void page_put_values(struct row_streams *s, const double *v, size_t n);
void page_put_times(struct row_streams *s, const ts_ms *t, size_t n);

struct page_place {
    uint32_t ctl, low, high;
};

struct page {
    _Atomic unsigned refs;
    enum page_kind kind;
    uint32_t n;   /* entries */
    size_t bytes; /* of memory */
    struct row_streams streams;
    struct page_place *places; /* of each entry of values; NULL for times */
    ts_ms *t;                  /* times of all rows, behind each other; NULL for values */
    uint32_t *first;           /* n + 1 places in t */
};

/* NULL with ERR_CORRUPT. One count is the caller's. */
struct page *page_decode(bytes raw, enum page_kind kind, uint32_t entries, struct err *err);
void page_unref(struct page *p);
/* Entry i, which must have n values. */
bool page_values(const struct page *p, uint32_t i, double *v, size_t n, struct err *err);

struct page_key {
    uint64_t part;
    uint32_t no;
    enum page_kind kind;
};

struct page_cache;
struct page_cache *page_cache_new(uint64_t bytes_max);
void page_cache_free(struct page_cache *c);
/* With a count added, or NULL. */
struct page *page_cache_get(struct page_cache *c, struct page_key k);
/* Keeps a count of its own. */
void page_cache_add(struct page_cache *c, struct page_key k, struct page *p);

#endif
