// SPDX-License-Identifier: Apache-2.0
#include "tsdb/gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tsdb/block.h"

void gather_room(struct gather *g, size_t extra)
{
    size_t need = g->n + extra;
    if (need <= g->cap)
        return;
    size_t cap = g->cap ? g->cap * 2 : extra;
    cap = cap < need ? need : cap;
    ts_ms *t = arena_alloc(g->arena, cap * sizeof *t);
    double *v = arena_alloc(g->arena, cap * sizeof *v);
    if (g->n) {
        memcpy(t, g->t, g->n * sizeof *t);
        memcpy(v, g->v, g->n * sizeof *v);
    }
    g->t = t;
    g->v = v;
    g->cap = cap;
}

void gather_keep(struct gather *g, size_t extra)
{
    ts_ms *t = g->t + g->n;
    double *v = g->v + g->n;
    size_t skip = 0;
    while (extra > 0 && t[extra - 1] > g->end)
        extra--;
    while (skip < extra && t[skip] < g->start)
        skip++;
    if (skip) {
        memmove(t, t + skip, (extra - skip) * sizeof *t);
        memmove(v, v + skip, (extra - skip) * sizeof *v);
    }
    g->n += extra - skip;
}

void gather_put(struct gather *g, ts_ms t, double v)
{
    if (t < g->start || t > g->end)
        return;
    gather_room(g, 1);
    g->t[g->n] = t;
    g->v[g->n++] = v;
}

bool gather_block(struct gather *g, bytes block, struct err *err)
{
    size_t n = block_count(block);
    if (n == 0)
        return err_set(err, ERR_CORRUPT, "a block of samples is malformed");
    gather_room(g, n);
    if (!block_decode(block, g->t + g->n, g->v + g->n, err))
        return false;
    bool falls = false;
    for (size_t i = 1; i < n; i++)
        falls |= g->t[g->n + i - 1] >= g->t[g->n + i];
    if (falls)
        return err_set(err, ERR_CORRUPT, "a block of samples is not in order of time");
    gather_keep(g, n);
    return true;
}

struct ranked {
    ts_ms t;
    double v;
    size_t rank;
};

static int ranked_cmp(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

void gather_settle(struct gather *g)
{
    size_t i = 1;
    while (i < g->n && g->t[i - 1] < g->t[i])
        i++;
    if (i >= g->n)
        return;
    struct ranked *r MEM_CLEANUP = mem_array(g->n, sizeof *r);
    for (i = 0; i < g->n; i++)
        r[i] = (struct ranked){g->t[i], g->v[i], i};
    qsort(r, g->n, sizeof *r, ranked_cmp);
    size_t n = 0;
    for (i = 0; i < g->n; i++) {
        if (n > 0 && g->t[n - 1] == r[i].t)
            continue;
        g->t[n] = r[i].t;
        g->v[n++] = r[i].v;
    }
    g->n = n;
}
