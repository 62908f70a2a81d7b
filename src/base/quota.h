// SPDX-License-Identifier: Apache-2.0
/*
 * Quota: how much memory something may hold, and holds. Quotas form a tree: what a query's quota
 * has counts in the one that all queries share.
 *
 * Counting never fails, so that what was taken can always be told; whoever may grow asks first
 * (quota_fits) or afterwards, at its natural borders (quota_over), and fails its own request. Any
 * thread. All zero is a quota without a bound.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct quota {
    struct quota *parent; /* NULL: none */
    size_t max_bytes;     /* 0: no bound */
    _Atomic size_t used, peak;
    _Atomic bool refused; /* quota_fits said no because of this one, not of a parent */
};

void quota_add(struct quota *q, size_t bytes);
void quota_sub(struct quota *q, size_t bytes);
/* `*held` bytes that somebody has become `bytes`. `q` NULL: nobody counts. */
void quota_hold(struct quota *q, size_t *held, size_t bytes);

static inline size_t quota_used(const struct quota *q)
{
    return atomic_load_explicit(&q->used, memory_order_relaxed);
}
/* Whether more is held than this quota has, whatever its parents say. */
static inline bool quota_over(const struct quota *q)
{
    return q->max_bytes && quota_used(q) > q->max_bytes;
}
/* Whether so much more is within this quota and its parents. */
bool quota_fits(struct quota *q, size_t bytes);

#endif
