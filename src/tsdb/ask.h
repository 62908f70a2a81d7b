// SPDX-License-Identifier: Apache-2.0
/*
 * What a matcher asks of an index of values, told before any value is looked at: which texts can
 * match at all, or which prefix they have, and what of a series without the label. Head and parts
 * plan by it where to begin: an index answers equalities and sets by look-ups, prefixes by a range
 * of its values, and everything else by asking each value once, never each series.
 */
#ifndef TSDB_ASK_H
#define TSDB_ASK_H

#include "model/matcher.h"

struct ask {
    const struct matcher *m;
    bool absent;      /* a series without the label matches */
    bool every;       /* all values match; with `absent`: all series do */
    bool is_set;      /* the values that match are `texts`, and no other */
    const str *texts; /* none of them empty, each once */
    size_t texts_n;
    str prefix; /* of all values that match; empty: unknown. Never of a negative matcher */
};

/* Refers to the matcher; what it makes is in the arena. */
void ask_init(struct ask *q, const struct matcher *m, struct arena *a);

/* Asking a value costs about as much as looking at this many series. */
enum { ASK_COST = 4 };

#endif
