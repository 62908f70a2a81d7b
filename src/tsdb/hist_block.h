// SPDX-License-Identifier: Apache-2.0
/*
 * Native histograms of one series as few bytes, docs/formats/part.md "Block of histograms".
 *
 * A block is cut into runs of one layout: schema, zero threshold, custom bounds, and the buckets
 * that any sample of the run has; buckets that a sample has not are zeros in it. So a bucket that
 * appears makes a column longer, not a new run. Whole counts are rows of integers, one a bucket,
 * where the differences of differences are small; other counts and the sums are rows of doubles.
 * The count of a run is left out where it is the sum of the buckets.
 *
 * What comes back is histogram_equal to what went in, under one array of spans for all samples of a
 * run. Runs of few samples (and one histogram alone, in the WAL) are one row instead of many.
 */
#ifndef TSDB_HIST_BLOCK_H
#define TSDB_HIST_BLOCK_H

#include "model/histogram.h"
#include "store/enc.h"

enum {
    HIST_BLOCK_SAMPLES_MAX = 2048,
    HIST_BLOCK_CELLS_MAX = 1 << 17, /* samples x buckets, of all runs */
};

/*
 * Appends a block of the first samples and returns how many they are: at least one, fewer than n
 * when it would be too large. n >= 1, times strictly rising, every histogram passes
 * histogram_check.
 */
size_t hist_block_encode(struct enc *e, const ts_ms *t, const struct histogram *const *h, size_t n);
/* The number of samples; 0 when the bytes are no block. */
size_t hist_block_count(bytes b);
/* Decodes into t and h, which have room for hist_block_count; the histograms live in the arena and
 * pass histogram_check. ERR_CORRUPT. */
bool hist_block_decode(bytes b, struct arena *a, ts_ms *t, const struct histogram **h,
                       struct err *err);

/* One alone. NULL: malformed (d->bad is set). */
void hist_encode(struct enc *e, const struct histogram *h);
const struct histogram *hist_decode(struct dec *d, struct arena *a);

#endif
