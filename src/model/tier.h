// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of a downsampling tier: what is left of the samples of one series when the samples are gone.
 *
 * A tier has a step. A row stands for the samples with start < t <= end; the window is left-open as
 * those of PromQL are, and its borders are multiples of the step but for rows that end early: at a
 * stale marker (`stale`, the marker was at `end`), or where the series changed between numbers,
 * exponential and custom histograms. What follows in the same window is a row of its own. A marker
 * that ends no row of its window is a row without samples.
 *
 * Rows of one series are in order of time, and their windows do not overlap. Joining neighbours
 * gives what the samples of both would have given: exactly, but that sums are rounded once a row.
 *
 * Everything here is pure; rows and what they refer to live in an arena.
 */
#ifndef MODEL_TIER_H
#define MODEL_TIER_H

#include "base/arena.h"
#include "model/histogram.h"
#include "model/sample.h"

struct columns;

/* Steps a tier may have. */
enum { TIER_STEP_MIN_MS = 1000, TIER_STEP_MAX_MS = 24 * 3600 * 1000 };

/* First and last histogram of a row. */
struct tier_hist {
    const struct histogram *first, *last;
    const struct histogram *lost; /* sum of those before each reset; NULL: there was none */
};

struct tier_row {
    ts_ms start, end;
    ts_ms first_t, last_t; /* of the first and last sample; `end` when there is none */
    uint64_t count;        /* of samples; 0 only in a row that is stale */
    double first, last, min, max, sum;
    double lost; /* sum of the values before each fall: increase = last - first + lost */
    const struct tier_hist *hist; /* NULL: the numbers above count */
    bool stale;
};

struct tier_rows {
    struct arena *arena;
    struct tier_row *at;
    size_t n, cap;
};

/* Zeroed room for n more rows behind the last, which are then counted with `out->n +=`. */
struct tier_row *tier_rows_room(struct tier_rows *out, size_t n);

/* Start of the window (k * step, (k + 1) * step] that holds t. */
ts_ms tier_window_start(ts_ms t, int64_t step_ms);

/* Appends rows of the samples (oldest first, stale markers included). */
void tier_of_samples(struct tier_rows *out, int64_t step_ms, const struct columns *c);
/* Appends coarser rows made of finer ones, whose step divides this one. */
void tier_of_rows(struct tier_rows *out, int64_t step_ms, const struct tier_row *rows, size_t n);
/*
 * Appends the rows of two lists of one step: samples that came late became rows of their own. Rows
 * that share a window become one, of which everything but `lost` is exact when the samples
 * interleave, and all of it when they do not. Markers that the other list has samples around are
 * gone. Rows of two kinds do not interleave: what the later has among the samples of the earlier is
 * left out.
 */
void tier_merge(struct tier_rows *out, int64_t step_ms, const struct tier_row *a, size_t a_n,
                const struct tier_row *b, size_t b_n);

/* A sum of rows and samples that follow each other. */
struct tier_fold {
    struct tier_row r;
    double sum_low; /* what rounding took from r.sum */
};
/* All zero is empty. Only rows and samples without histogram. */
void tier_fold_row(struct tier_fold *f, const struct tier_row *r);
void tier_fold_samples(struct tier_fold *f, const ts_ms *t, const double *v, size_t n);
/* `next` is later than f. */
void tier_fold_join(struct tier_fold *f, const struct tier_fold *next);
static inline double tier_fold_sum(const struct tier_fold *f)
{
    return f->r.sum - f->r.sum == 0 ? f->r.sum + f->sum_low : f->r.sum;
}

#endif
