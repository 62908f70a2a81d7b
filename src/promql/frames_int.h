// SPDX-License-Identifier: Apache-2.0
/*
 * Frames: where the windows of a query lie over a row of times, and what a function makes of times
 * alone. All series of one scrape have the same times, so each distinct row is looked at once and
 * its frame serves every series that has it, whether they are neighbours or not.
 *
 * A table belongs to one thread and has its arena for itself. It is bounded; one that is full
 * begins again.
 */
#ifndef PROMQL_FRAMES_INT_H
#define PROMQL_FRAMES_INT_H

#include "promql/eval_int.h"

/* The samples [lo, hi) of every window. */
struct bounds {
    uint32_t *lo, *hi;
};

struct frame {
    struct bounds at;
    uint64_t looked_at; /* samples in all windows together */
    double *shape;      /* what fn->shape made; NULL: it has none, or nothing yet */
    /* The table's own. */
    uint64_t hash;
    size_t n;
    ts_ms t[];
};

/* Finds the windows, which are left-open: a sample at its very start is outside. Returns how many
 * samples all of them have together. */
uint64_t find_windows(const struct windows *w, const ts_ms *t, size_t n, struct bounds b);

struct frames;

/* The frame of n >= 1 rising times under windows that rise too, for `fn`; good until the next call.
 * The table is made when *f is NULL, and is for these windows and this function alone. */
const struct frame *frames_get(struct frames **f, struct arena *a, const struct windows *w,
                               const struct function *fn, const ts_ms *t, size_t n);

#endif
