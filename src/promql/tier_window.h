// SPDX-License-Identifier: Apache-2.0
/*
 * Windows and lookups of series of which the older samples are gone and rows of a tier
 * (model/tier.h) stand for them.
 *
 * A row whose samples are all inside a window, or all outside, counts as its samples would. So
 * where the borders of a window are borders of rows the result is what the samples would have
 * given, with sums rounded once a row. A row whose samples lie on both sides of a border is *cut*.
 * Let S be the window without its cut rows and G the window grown by all of them: min and max are
 * those of G; sum, count, increase, rate and delta are taken of both and put between them in
 * proportion to the lengths of S, the window and G; avg is the sum over the count. What S has too
 * few samples for is 0 there. Increase, rate and delta extrapolate as they always do, each with the
 * first and last sample, number of samples and borders of S or G.
 *
 * Of a cut row only the first and last sample are known: first and last are the oldest and newest
 * known sample in the window, and the first of a row that reaches over both borders.
 *
 * A lookup gives the newest known sample, within the lookback as always; inside the span of a row's
 * samples it is the first of the row, however long ago.
 */
#ifndef PROMQL_TIER_WINDOW_H
#define PROMQL_TIER_WINDOW_H

#include "model/tier.h"

enum tier_function {
    TIER_NEEDS_SAMPLES, /* works on first and last sample of each row, with a warning */
    TIER_SUM,
    TIER_AVG,
    TIER_MIN,
    TIER_MAX,
    TIER_COUNT,
    TIER_PRESENT,
    TIER_FIRST,
    TIER_LAST,
    TIER_TIME_OF_FIRST,
    TIER_TIME_OF_LAST,
    TIER_RATE,
    TIER_INCREASE,
    TIER_DELTA,
};

struct tier_series {
    const struct tier_row *rows;
    size_t rows_n;
    const ts_ms *t; /* samples behind the rows, no markers */
    const double *v;
    size_t n;
};

/* The value of `fn` over (start, end]; false when there is none. Rows of histograms are not seen.
 */
bool tier_window(enum tier_function fn, const struct tier_series *s, ts_ms start, ts_ms end,
                 double *out);

/* S or G of a window, whatever the samples are. */
struct tier_extent {
    ts_ms start, end;
    uint64_t count;
};
struct tier_cut {
    const struct tier_row *left, *right; /* cut at the start, at the end; NULL: none is */
    struct tier_extent inside, grown;    /* S, G */
    double share;                        /* where the window is between them: 0 S, 1 G */
};
void tier_window_cut(const struct tier_series *s, ts_ms start, ts_ms end, struct tier_cut *out);

/* The first row that has samples behind t, or n. */
size_t tier_rows_behind(const struct tier_row *rows, size_t n, ts_ms t);

/* The row whose first and last sample are at or before and after t, or NULL: what a lookup at t
 * cannot see from known samples alone. */
const struct tier_row *tier_row_around(const struct tier_row *rows, size_t n, ts_ms t);

#endif
