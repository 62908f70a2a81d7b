// SPDX-License-Identifier: Apache-2.0
#include "tsdb/gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/sample.h"

/* The first n of an array in one of the capacity. */
static void *grown(struct gather *g, const void *old, size_t each)
{
    void *p = arena_alloc(g->arena, g->cap * each);
    memcpy(p, old, g->told * each);
    return p;
}

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
    if (g->h)
        g->h = grown(g, g->h, sizeof *g->h);
    if (g->since)
        g->since = grown(g, g->since, sizeof *g->since);
}

bool gather_fits(const struct gather *g, struct err *err)
{
    return !arena_over(g->arena) ||
           err_set(err, ERR_LIMIT, "the samples of one read need more memory than there is for it");
}

/* Nothing is said of the samples behind `told`. */
static void tell_nothing(struct gather *g)
{
    size_t more = g->n - g->told;
    if (g->h && more)
        memset(g->h + g->told, 0, more * sizeof *g->h);
    if (g->since && more)
        memset(g->since + g->told, 0, more * sizeof *g->since);
    g->told = g->n;
}

/* Places of the samples from `from` on; those before are of others. */
static void tell_room(struct gather *g, size_t from, bool h, bool since)
{
    if (h && !g->h) {
        g->h = arena_alloc(g->arena, g->cap * sizeof *g->h);
        memset(g->h, 0, from * sizeof *g->h);
    }
    if (since && !g->since) {
        g->since = arena_alloc(g->arena, g->cap * sizeof *g->since);
        memset(g->since, 0, from * sizeof *g->since);
    }
    tell_nothing(g);
}

static const struct histogram *histogram_at(const struct extra_view *x, ts_ms t)
{
    size_t lo = 0, hi = x->h_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->t[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < x->h_n && x->t[lo] == t ? x->h[lo] : NULL;
}

void gather_tell(struct gather *g, size_t from, const struct extra_view *x)
{
    if (from == g->n || (!x->h_n && !x->starts_n))
        return;
    tell_room(g, from, x->h_n > 0, x->starts_n > 0);
    for (size_t i = from; i < g->n && x->h_n; i++)
        if (is_histogram_mark(g->v[i]))
            g->h[i] = histogram_at(x, g->t[i]);
    for (size_t i = from; i < g->n && x->starts_n; i++)
        g->since[i] = starts_get(x->starts, x->starts_n, g->t[i]);
}

void gather_count(struct gather *g, size_t extra)
{
    g->unsorted |= extra && g->n && g->t[g->n] <= g->t[g->n - 1];
    g->n += extra;
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
    gather_count(g, extra - skip);
}

void gather_put(struct gather *g, ts_ms t, double v)
{
    if (t < g->start || t > g->end)
        return;
    gather_room(g, 1);
    g->t[g->n] = t;
    g->v[g->n] = v;
    gather_count(g, 1);
}

void gather_drop(struct gather *g, size_t from, ts_ms start, ts_ms end)
{
    size_t n = from, told = g->told;
    for (size_t i = from; i < g->n; i++) {
        bool is_told = i < told;
        if (g->t[i] >= start && g->t[i] <= end) {
            g->told -= is_told;
            continue;
        }
        g->t[n] = g->t[i];
        g->v[n] = g->v[i];
        if (is_told && g->h)
            g->h[n] = g->h[i];
        if (is_told && g->since)
            g->since[n] = g->since[i];
        n++;
    }
    g->n = n;
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

/* Puts what is told of the samples in the order of r, where each time is once. */
static void move_told(struct gather *g, const struct ranked *r, size_t n)
{
    const struct histogram **h = g->h ? arena_alloc(g->arena, n * sizeof *h) : NULL;
    ts_ms *since = g->since ? arena_alloc(g->arena, n * sizeof *since) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (h)
            h[i] = g->h[r[i].rank];
        if (since)
            since[i] = g->since[r[i].rank];
    }
    g->h = h;
    g->since = since;
    g->told = n;
}

static void sort(struct gather *g)
{
    struct ranked *r MEM_CLEANUP = mem_array(g->n, sizeof *r);
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        r[i] = (struct ranked){g->t[i], g->v[i], i};
    qsort(r, g->n, sizeof *r, ranked_cmp);
    for (size_t i = 0; i < g->n; i++)
        if (n == 0 || r[n - 1].t != r[i].t)
            r[n++] = r[i];
    for (size_t i = 0; i < n; i++) {
        g->t[i] = r[i].t;
        g->v[i] = r[i].v;
    }
    if (g->h || g->since)
        move_told(g, r, n);
    g->n = n;
    g->unsorted = false;
    g->cap = n; /* the other columns have room for no more */
}

void gather_settle(struct gather *g)
{
    tell_nothing(g);
    if (g->unsorted)
        sort(g);
}
