// SPDX-License-Identifier: Apache-2.0
#include "model/source.h"

#include <inttypes.h>

bool budget_use(struct budget *b, uint64_t samples, struct err *err)
{
    /* Relaxed is enough: neither the flag nor the count publishes other memory. */
    if (atomic_load_explicit(&b->canceled, memory_order_relaxed))
        return err_set(err, ERR_CANCELED, "query was canceled");
    if (b->deadline_mono_ns && b->mono_ns(b->clock) >= b->deadline_mono_ns)
        return err_set(err, ERR_TIMEOUT, "query took longer than --query.timeout allows");

    uint64_t before = atomic_fetch_add_explicit(&b->samples, samples, memory_order_relaxed);
    uint64_t total = before + samples < before ? UINT64_MAX : before + samples;
    if (b->samples_max && total > b->samples_max)
        return err_set(err, ERR_LIMIT,
                       "query needs more than the %" PRIu64
                       " samples that --query.max-samples allows",
                       b->samples_max);
    return true;
}
