// SPDX-License-Identifier: Apache-2.0
#include "scrape/scrape_int.h"

ts_ms schedule_first(ts_ms now, int64_t interval_ms, uint64_t hash)
{
    int64_t offset = (int64_t)(hash % (uint64_t)interval_ms);
    int64_t at = now - now % interval_ms + offset;
    return at >= now ? at : at + interval_ms;
}

ts_ms schedule_next(ts_ms now, ts_ms due, int64_t interval_ms, uint64_t *skipped)
{
    int64_t next = due + interval_ms;
    if (next < now) {
        int64_t missed = (now - next + interval_ms - 1) / interval_ms;
        *skipped += (uint64_t)missed;
        next += missed * interval_ms;
    }
    return next > now + interval_ms ? now + interval_ms : next; /* the clock went back */
}

ts_ms schedule_align(ts_ms now, ts_ms due, int64_t interval_ms)
{
    int64_t tolerance = interval_ms / 100 < 2 ? interval_ms / 100 : 2;
    return now - due <= tolerance && due - now <= tolerance ? due : now;
}
