// SPDX-License-Identifier: Apache-2.0
#include "tsdb/starts.h"

#include <string.h>

#include "base/vec.h"

/* The first span that ends at t or later. */
static size_t find(const struct start_span *at, size_t n, ts_ms t)
{
    size_t lo = 0;
    while (lo < n) {
        size_t mid = lo + (n - lo) / 2;
        if (at[mid].to < t)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

ts_ms starts_get(const struct start_span *at, size_t n, ts_ms t)
{
    size_t i = find(at, n, t);
    return i < n && at[i].from <= t ? at[i].start : 0;
}

static void insert(struct start_list *l, size_t i, struct start_span s)
{
    vec_reserve(l, 1);
    memmove(l->at + i + 1, l->at + i, (l->n - i) * sizeof *l->at);
    l->at[i] = s;
    l->n++;
}

/* Takes t out of span i, which has it. Gives the place where a span of t alone belongs. */
static size_t cut(struct start_list *l, size_t i, ts_ms t)
{
    struct start_span s = l->at[i];
    if (s.from == t && s.to == t) {
        memmove(l->at + i, l->at + i + 1, (l->n - i - 1) * sizeof *l->at);
        l->n--;
        return i;
    }
    if (s.from == t) {
        l->at[i].from = t + 1;
        return i;
    }
    l->at[i].to = t - 1;
    if (s.to != t)
        insert(l, i + 1, (struct start_span){t + 1, s.to, s.start});
    return i + 1;
}

void starts_set(struct start_list *l, ts_ms t, ts_ms start, ts_ms before)
{
    size_t i = find(l->at, l->n, t);
    bool inside = i < l->n && l->at[i].from <= t;
    if (inside && l->at[i].start == start)
        return;
    if (inside)
        i = cut(l, i, t);
    if (start == 0)
        return;
    /* A span may grow only over times at which no sample is. */
    if (i > 0 && i == l->n && l->at[i - 1].start == start && l->at[i - 1].to == before)
        l->at[i - 1].to = t;
    else
        insert(l, i, (struct start_span){t, t, start});
}
