// SPDX-License-Identifier: Apache-2.0
/*
 * What a part of the metrics engine holds, docs/formats/part.md: sections "values" (pages of
 * values), "times" (pages of rows of times, each distinct row once: the series of one scrape share
 * theirs), "symbols", "series" (labels, column by column), "blocks" (where a series' blocks are),
 * "metadata".
 *
 * Writing takes series in order of their labels. Reading loads everything but the pages at once,
 * into an index that many readers share; looking for series then costs no read, and the samples of
 * a series are one batch of ranges.
 *
 * Labels are there twice. By series, in columns of symbols: series stand in runs, neighbours with
 * the same label names and the same first value (mostly the metric's name). And by label: for each
 * name and value the ids of the series that have it (index_postings.h).
 */
#ifndef TSDB_INDEX_H
#define TSDB_INDEX_H

#include "model/matcher.h"
#include "model/sample.h"
#include "store/part.h"
#include "tsdb/head.h"
#include "tsdb/pages.h"

/* ---- writing ---- */

enum { INDEX_BLOCK_SAMPLES = 2048 };

struct index_writer;
/* Takes `w`, which gets its sections and is finished by index_writer_finish. */
struct index_writer *index_writer_new(struct part_writer *w);
/* For series whose samples say little: the caller writes sections of its own to `w` until
 * index_writer_finish. */
struct index_writer *index_writer_new_beside(struct part_writer *w);
/* Labels are larger than those before; samples rise in time, at least one. */
void index_writer_series(struct index_writer *x, struct labels ls, const ts_ms *t, const double *v,
                         size_t n);
/* What the samples of the series written last are besides: histograms (NULL: none) and starts
 * (NULL: none), of each of its samples. */
void index_writer_extras(struct index_writer *x, const ts_ms *t, const struct histogram *const *h,
                         const ts_ms *start, size_t n);
void index_writer_metadata(struct index_writer *x, const struct metadata *m);
/* A list as exemplars_encode makes it; takes what it has. */
void index_writer_exemplars(struct index_writer *x, struct enc *e);
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
void index_match(const struct index *x, const struct matcher *m, size_t m_n, struct arena *a,
                 struct id_list *out);
/* Labels of one, array in the arena, text in the index. */
struct labels index_labels(const struct index *x, uint32_t id, struct arena *a);
enum { INDEX_PAIR_LABELS = 16, INDEX_PAIR_TEXTS = 16 };

/* A series on a walk over rising ids. */
struct index_place {
    const struct index *x;
    uint32_t part, id; /* part: tells indexes apart, 1 or more */
    /* index_cmp's own, all zero at first: where the series was lately, and what it found to be the
     * same in other parts. */
    uint32_t run;
    const void *schemas[2];
    struct index_pair {
        uint32_t a, b, part;
    } (*pairs)[INDEX_PAIR_TEXTS]; /* INDEX_PAIR_LABELS rows of them */
};
/* Order of the labels of series of two parts; p->pairs is there. */
int index_cmp(struct index_place *p, struct index_place *q);
/* Calls fn with every label name (`name` empty), or every value of that label, of the series `ids`,
 * which rise; NULL: of all. Each once, in order; text in the index, the rest in the arena. */
void index_see(const struct index *x, str name, const struct id_list *ids, struct arena *a,
               void (*fn)(void *arg, str text), void *arg);
/* ERR_CORRUPT when the postings are not those of the series' labels. Loading saw that they have as
 * many, so each that is right says that none is missing. */
bool index_check_postings(const struct index *x, struct err *err);
/* True when it has a block in the range. */
bool index_overlaps(const struct index *x, uint32_t id, ts_ms start, ts_ms end);
/* The same; narrows the range to the times of its blocks. */
bool index_span(const struct index *x, uint32_t id, ts_ms *start, ts_ms *end);
/* How many samples it has, and the times of the first and the last; 0: none. */
uint64_t index_extent(const struct index *x, uint32_t id, ts_ms *first, ts_ms *last);
/* How many samples its blocks in the range have, also outside of it: room that reading needs. */
size_t index_samples(const struct index *x, uint32_t id, ts_ms start, ts_ms end);
/* Adds the samples of series ids[i] that out[i] wants, for n series whose ids rise, and tells what
 * they are besides. What the cache does not have is one batch of ranges; histograms are another. */
bool index_read(const struct index *x, struct page_cache *c, const uint32_t *ids, size_t n,
                struct gather *const *out, struct err *err);
/* Calls fn for all metadata; text in the index. */
void index_metadata(const struct index *x, void (*fn)(void *arg, const struct metadata *m),
                    void *arg);
/* The list of exemplars of the part, unpacked; empty when it has none. Frees nothing on failure. */
bool index_exemplars(const struct index *x, struct enc *out, struct err *err);
/* Reads and checks page `no` of those there are (values first, then times, then blocks of
 * histograms); for scrubbing. */
size_t index_pages_n(const struct index *x);
bool index_check_page(const struct index *x, size_t no, uint64_t *size, struct err *err);

#endif
