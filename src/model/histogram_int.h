// SPDX-License-Identifier: Apache-2.0
/* What the files of the native histogram share. */
#ifndef MODEL_HISTOGRAM_INT_H
#define MODEL_HISTOGRAM_INT_H

#include "model/histogram_math.h"

/* 2^(i / 256 - 1) */
extern const double histogram_fractions[256];

/* Borders of the buckets of a side. */
struct histogram_scale {
    const double *custom; /* of HISTOGRAM_CUSTOM */
    size_t custom_n;
    int8_t schema;
};

/* Upper border of bucket `index`; of a negative bucket the distance of its lower one from 0. */
double histogram_bound(const struct histogram_scale *s, int64_t index);

/* Index in a schema that is `by` lower. */
static inline int32_t histogram_coarser(int64_t index, int by)
{
    return (int32_t)(((index - 1) >> by) + 1);
}

/* The share of a bucket at or below v, which is inside it. */
double histogram_share(double lower, double upper, double v, bool linear);

/* ---- cells: histogram_cells.c ---- */

void histogram_cells_fini(struct histogram_cells *c);
void histogram_cells_copy(struct histogram_cells *to, const struct histogram_cells *from);
/* Those that are not empty. */
void histogram_cells_read(struct histogram_cells *c, const struct histogram_buckets *b);
void histogram_cells_scale(struct histogram_cells *c, double factor);
/* to += from * factor, with `room` to merge in. */
void histogram_cells_add(struct histogram_cells *to, const struct histogram_cells *from,
                         double factor, struct histogram_cells *room);
void histogram_cells_reduce(struct histogram_cells *c, int by);
/* Cells of custom buckets put into those of fewer bounds, all of which are among the old ones. */
void histogram_cells_rebound(struct histogram_cells *c, const double *old, size_t old_n,
                             const double *bounds, size_t bounds_n);

/* One side or histogram with the borders of its buckets. */
struct histogram_sides {
    struct histogram_cells *positive, *negative;
    struct histogram_scale scale;
    struct histogram_zero *zero;
};
/* Widens the zero bucket to `threshold`, and on to the border of a bucket that it cuts. */
void histogram_zero_widen(const struct histogram_sides *s, double threshold);
/* Common bounds of both into `out`, which has room for the smaller number. */
size_t histogram_common_bounds(const double *a, size_t a_n, const double *b, size_t b_n,
                               double *out);

#endif
