// SPDX-License-Identifier: Apache-2.0
/* Which group of an aggregation a series belongs to. */
#ifndef PROMQL_GROUP_INT_H
#define PROMQL_GROUP_INT_H

#include "promql/eval_int.h"

struct grouper {
    struct eval *ev;
    struct names by;
    bool without;
    struct label_table table; /* labels of the groups, in order of appearance */
    VEC(struct label) scratch;
};

void grouper_init(struct grouper *gr, struct eval *ev, const struct node *aggregate);
void grouper_fini(struct grouper *gr);
/* Number of the group; table.n grows by one when it is new. */
size_t grouper_find(struct grouper *gr, struct labels ls);

#endif
