// SPDX-License-Identifier: Apache-2.0
/* Counters only, and no other memory is published by them: relaxed order is enough. */
#include "base/quota.h"

static void raise_peak(struct quota *q, size_t used)
{
    size_t peak = atomic_load_explicit(&q->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &q->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        ;
}

void quota_add(struct quota *q, size_t bytes)
{
    for (; q; q = q->parent)
        raise_peak(q, atomic_fetch_add_explicit(&q->used, bytes, memory_order_relaxed) + bytes);
}

void quota_sub(struct quota *q, size_t bytes)
{
    for (; q; q = q->parent)
        atomic_fetch_sub_explicit(&q->used, bytes, memory_order_relaxed);
}

void quota_hold(struct quota *q, size_t *held, size_t bytes)
{
    if (bytes > *held)
        quota_add(q, bytes - *held);
    else
        quota_sub(q, *held - bytes);
    *held = bytes;
}

bool quota_fits(struct quota *q, size_t bytes)
{
    for (; q; q = q->parent) {
        size_t used = quota_used(q);
        if (!q->max_bytes || (used <= q->max_bytes && bytes <= q->max_bytes - used))
            continue;
        atomic_store_explicit(&q->refused, true, memory_order_relaxed);
        return false;
    }
    return true;
}
