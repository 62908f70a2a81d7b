// SPDX-License-Identifier: Apache-2.0
/*
 * A scan: the series of one selection, read and looked at in their order.
 *
 * Reading is cut into morsels of neighbours. The thread of the query takes what is read in the
 * order of the series, whoever read it, so a result does not depend on how many threads there were.
 * It reads itself what nobody has begun; other threads of its pool, while they are free, read a few
 * morsels ahead. What is true of one series alone (the window functions, the lookup) is made where
 * it is read.
 */
#ifndef PROMQL_SCAN_INT_H
#define PROMQL_SCAN_INT_H

#include "promql/eval_int.h"

/* A series that was read. */
struct scanned {
    struct columns c;
    /* What `prepare` made of it. */
    bool ready;
    double *v;          /* a row, in the morsel's arena */
    bool any;           /* it has a value at some step */
    uint64_t looked_at; /* samples, for the statistics */
    /* A selection that has tiers: their rows of this series, and where in `c` the samples behind
     * them begin; NULL: it has none. Such a selection is read by the query's thread alone. */
    const struct tiered *tiered;
    size_t raw_from;
};

/* What `prepare` likes to remember from one series to the next, whatever morsel they are in: NULL
 * at first, with an arena of its own. */
struct scan_memo {
    void *at;
    struct arena arena;
};

/* Only for the thread that has it: memory that stays until all of the morsel was put. */
struct scan_room {
    struct arena *arena;
    struct scan_memo *memo;
};

struct scan {
    struct eval *ev;
    const struct node *selector;
    const struct select_hints *hints;
    size_t steps; /* that each series is looked at for */
    bool drop_stale;
    /* On any thread, several at once; may be NULL. Touches nothing that changes meanwhile. */
    void (*prepare)(void *ctx, struct scanned *s, struct scan_room *room);
    /* On the thread of the query, in order. What `s` has may be changed and is gone afterwards. */
    bool (*put)(void *ctx, struct labels ls, struct scanned *s, struct err *err);
    void *ctx;
};

bool scan_run(const struct scan *s, struct err *err);

/* Removes stale markers; false when there is no memory for it. */
bool columns_drop_stale(struct columns *c, struct arena *scratch);

#endif
