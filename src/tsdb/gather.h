// SPDX-License-Identifier: Apache-2.0
/*
 * The samples of one series while they are brought together, from the head and from parts, as
 * columns in an arena: blocks are decoded right behind what is there, so what one block holds is
 * never copied. Whoever adds, adds older things first where it can; gather_settle puts the rest in
 * order.
 *
 * Owned by one thread, like its arena.
 */
#ifndef TSDB_GATHER_H
#define TSDB_GATHER_H

#include "base/arena.h"
#include "base/str.h"
#include "model/histogram.h"
#include "tsdb/starts.h"

struct gather {
    struct arena *arena;
    ts_ms start, end; /* what is wanted, both inclusive */
    ts_ms *t;
    double *v;
    size_t n, cap;
    bool unsorted; /* a time does not come after the one before */
    /* Of the first `told` samples; of the others there is none. NULL: nobody said anything. */
    const struct histogram **h;
    ts_ms *since; /* start timestamps */
    size_t told;
};

/* Empty, for samples with start <= t <= end. */
static inline struct gather gather_of(struct arena *a, ts_ms start, ts_ms end)
{
    return (struct gather){.arena = a, .start = start, .end = end};
}
/* Makes room for `extra` more behind the last: they are written to t + n and v + n. What can be
 * large looks afterwards whether that was too much for the arena. */
void gather_room(struct gather *g, size_t extra);
/* False with ERR_LIMIT when the arena has more than it may. */
bool gather_fits(const struct gather *g, struct err *err);
/* Counts the `extra` samples that were written there, in rising order of time, as far as they are
 * wanted. */
void gather_keep(struct gather *g, size_t extra);
/* The same of samples that are all wanted. */
void gather_count(struct gather *g, size_t extra);
/* One sample, if it is wanted. */
void gather_put(struct gather *g, ts_ms t, double v);
/* Takes out the samples from place `from` on with start <= t <= end. */
void gather_drop(struct gather *g, size_t from, ts_ms start, ts_ms end);
/* Sorts by time; of equal times the first that was added stays. `h` and `since` are NULL or of all
 * samples afterwards. */
void gather_settle(struct gather *g);

/* What samples have besides time and value, by their times; both rise and hold each time once. */
struct extra_view {
    const ts_ms *t;
    const struct histogram *const *h;
    size_t h_n;
    const struct start_span *starts;
    size_t starts_n;
};
/* Tells the samples from `from` on what they are. */
void gather_tell(struct gather *g, size_t from, const struct extra_view *x);

#endif
