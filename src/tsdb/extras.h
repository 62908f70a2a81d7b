// SPDX-License-Identifier: Apache-2.0
/*
 * What some samples of the head have besides time and value: native histograms and start
 * timestamps. The chunks of a series hold the mark (sample.h) where a sample is a histogram, so
 * order, duplicates, generations and counts are those of floats; the histogram itself is here, by
 * its time. A series that never had either has nothing here and costs a flag.
 *
 * Histograms are appended to an open run of encoded ones; full runs become blocks (hist_block.h).
 * As with chunks, a reader that noted a length keeps an immutable prefix, and what is replaced is
 * retired. All calls are under the gate, for writing unless they say something else.
 */
#ifndef TSDB_EXTRAS_H
#define TSDB_EXTRAS_H

#include <stdatomic.h>

#include "tsdb/gather.h"
#include "tsdb/numbers.h"
#include "tsdb/reclaim.h"

/* Histograms of one series: a block, or (open) each as svar time and hist_encode. */
struct hist_run {
    struct hist_run *next; /* older */
    ts_ms min_t, max_t;
    uint32_t n, len, cap;
    uint8_t data[];
};

struct extra {
    uint64_t series;
    struct hist_run *open, *sealed, *frozen;
    struct start_list starts, frozen_starts;
};

struct extras {
    struct numbers places; /* number of the series -> place in `at` */
    VEC(struct extra *) at;
    struct reclaim *reclaim;
    _Atomic uint64_t *memory; /* bytes are counted here */
};

void extras_init(struct extras *x, struct reclaim *r, _Atomic uint64_t *memory);
void extras_fini(struct extras *x);

/* A sample was stored: its histogram (NULL: it is a float) and its start (0: none). `before` as
 * starts_set has it. */
void extras_put(struct extras *x, uint64_t series, ts_ms t, const struct histogram *h, ts_ms start,
                ts_ms before);
/* True when the histogram at `t` is the same sample as h. Gate for reading is enough. */
bool extras_same(const struct extras *x, uint64_t series, ts_ms t, const struct histogram *h,
                 bool frozen_live);
void extras_freeze(struct extras *x, uint64_t series);
void extras_drop_frozen(struct extras *x, uint64_t series);
/* The series goes. */
void extras_remove(struct extras *x, uint64_t series);

/* What a reader copies. */
struct extra_capture {
    const struct hist_run *open, *sealed, *frozen;
    uint32_t open_len, open_n;
    const struct start_span *starts, *frozen_starts;
    size_t starts_n, frozen_starts_n;
};
/* In the arena. Gate for reading is enough. NULL: there is nothing. */
const struct extra_capture *extras_capture(const struct extras *x, uint64_t series,
                                           bool frozen_live, struct arena *a);
/* Tells the samples from `from` on, which are of the frozen generation or of this one. Without
 * lock. */
void extra_capture_tell(const struct extra_capture *c, bool frozen, struct gather *g, size_t from);

#endif
