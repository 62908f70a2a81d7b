// SPDX-License-Identifier: Apache-2.0
/* What the files of `nunchi db import` share. */
#ifndef CMD_DB_IMPORT_INT_H
#define CMD_DB_IMPORT_INT_H

#include "cmd/db_int.h"
#include "tsdb/import.h"

struct importer {
    struct tsdb_import *im;
    struct db_progress progress;
    bool skip_wal;
    uint64_t samples, series, parts;
    uint64_t duplicates;    /* samples with the time of an earlier one of their series */
    uint64_t deleted;       /* by tombstones of the source */
    struct strbuf left_out; /* a line for each kind of thing that could not be imported */
};

/* One for each --from. Reads all of `path` into parts of the import. */
bool import_prometheus(struct importer *i, const char *path, struct err *err);
bool import_openmetrics(struct importer *i, const char *path, struct err *err);
bool import_victoriametrics(struct importer *i, const char *path, struct err *err);

struct import_point {
    ts_ms t;
    double v;
    const struct histogram *h; /* NULL: a float */
};
/* Sorts by time; of equal times the first stays. Returns how many are left. */
size_t import_settle(struct import_point *at, size_t n);
/* Writes one series into the part at hand. The points are settled. */
bool import_series(struct importer *i, struct labels ls, const struct import_point *at, size_t n,
                   struct err *err);

/*
 * For sources whose samples are in no order: keeps them by series, and writes them as a part when
 * memory for them is used up. One thread.
 */
struct import_buffer;
struct import_buffer *import_buffer_new(struct importer *i);
void import_buffer_free(struct import_buffer *b);
/* The series that was added under this key since the last part; -1: none was. */
ssize_t import_buffer_find(const struct import_buffer *b, str key);
/* Copies key and labels. */
size_t import_buffer_add(struct import_buffer *b, str key, struct labels ls);
void import_buffer_push(struct import_buffer *b, size_t series, ts_ms t, double v);
/* True when memory is used up. */
bool import_buffer_full(const struct import_buffer *b);
/* Writes what there is as a part, and begins anew: no series is known any more. */
bool import_buffer_flush(struct import_buffer *b, struct err *err);

#endif
