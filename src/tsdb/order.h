// SPDX-License-Identifier: Apache-2.0
/*
 * The series of the head in order of their labels, kept beside the shards so that no query sorts
 * labels: every series has a rank, a number that rises with its labels, and selections sort by it.
 * New series get ranks between their neighbours' when somebody asks (a tick or a selection), so
 * writing costs nothing; when there is no room between two, all are numbered anew.
 *
 * Locks: `update`, then a shard's (for reading); `lock` alone, and below everything else.
 */
#ifndef TSDB_ORDER_H
#define TSDB_ORDER_H

#include <pthread.h>
#include <stdint.h>

#include "base/vec.h"

struct head;
struct series;

struct order {
    pthread_mutex_t update;  /* one order_update at a time; guards `seen` */
    uint64_t seen;           /* head.added when it last looked */
    pthread_rwlock_t lock;   /* guards `at` and what series say of their place in it */
    VEC(struct series *) at; /* by labels */
};

void order_init(struct order *o);
void order_fini(struct order *o);
/* Ranks the series that were added since. The caller is inside head.reclaim. */
void order_update(struct head *h);
/* Before they are retired: these n series have no place any more. */
void order_forget(struct head *h, struct series *const *at, size_t n);

/* Of a selection: which of its series, and where it stands; 0: nowhere, it is gone. */
struct ranked {
    uint64_t rank;
    uint32_t i;
};
/* The ranks of n series as of one moment, sorted; those without come first. `room` for n more. */
void order_ranks(struct head *h, const struct series *const *at, size_t n, struct ranked *out,
                 struct ranked *room);

#endif
