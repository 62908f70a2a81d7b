// SPDX-License-Identifier: Apache-2.0
/*
 * What a part of the metrics engine holds, docs/formats/part.md: sections "samples" (blocks),
 * "symbols", "series" (labels and block directory, sorted by labels), "postings", "metadata".
 *
 * Writing takes series in order of their labels. Reading loads everything but the samples at once,
 * into an index that many readers share; looking for series then costs no read, and the samples of
 * a series are one batch of ranges.
 */
#ifndef TSDB_INDEX_H
#define TSDB_INDEX_H

#include "model/matcher.h"
#include "model/sample.h"
#include "store/part.h"
#include "tsdb/head.h"

/* ---- writing ---- */

enum { INDEX_BLOCK_SAMPLES = 2048 };

struct index_writer;
/* Takes `w`, which gets its sections and is finished by index_writer_finish. */
struct index_writer *index_writer_new(struct part_writer *w);
/* Labels are larger than those before; samples rise in time, at least one. */
void index_writer_series(struct index_writer *x, struct labels ls, const ts_ms *t, const double *v,
                         size_t n);
void index_writer_metadata(struct index_writer *x, const struct metadata *m);
/* Fills in what the writer knows (times, counts), finishes the part and frees all. */
bool index_writer_finish(struct index_writer *x, struct part_info *info, uint64_t *size,
                         struct err *err);
void index_writer_abort(struct index_writer *x);
uint64_t index_writer_samples(const struct index_writer *x);

/* ---- reading ---- */

struct index;

/* Reads and checks the sections. The index refers to `p`. */
struct index *index_load(struct part *p, struct err *err);
void index_free(struct index *x);
size_t index_bytes(const struct index *x);
size_t index_series_n(const struct index *x);
/* Ids of series, by rank of labels; those that match all. */
bool index_match(const struct index *x, const struct matcher *m, size_t m_n, struct arena *a,
                 struct id_list *out, struct err *err);
/* Labels of one, array in the arena, text in the index. False: damaged. */
bool index_labels(const struct index *x, uint32_t id, struct arena *a, struct labels *out,
                  struct err *err);
/* True when it has a block in the range. */
bool index_overlaps(const struct index *x, uint32_t id, ts_ms start, ts_ms end);
/* Adds the samples of series ids[i] that out[i] wants, for n series whose ids rise. All of them are
 * one batch of ranges. */
bool index_read(const struct index *x, const uint32_t *ids, size_t n, struct gather *const *out,
                struct err *err);
/* Calls fn for all metadata; text in the index. */
void index_metadata(const struct index *x, void (*fn)(void *arg, const struct metadata *m),
                    void *arg);

#endif
