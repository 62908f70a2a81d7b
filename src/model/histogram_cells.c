// SPDX-License-Identifier: Apache-2.0
/* The buckets of one side as a list, without empty ones: merged, made coarser, put under other
 * bounds, swallowed by the zero bucket. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kahan.h"
#include "base/mem.h"
#include "model/histogram_int.h"

static void reserve(struct histogram_cells *c, size_t n)
{
    if (n <= c->cap)
        return;
    c->cap = n + n / 2;
    c->at = mem_realloc(c->at, c->cap * sizeof *c->at);
}

void histogram_cells_fini(struct histogram_cells *c)
{
    free(c->at);
    *c = (struct histogram_cells){0};
}

void histogram_cells_copy(struct histogram_cells *to, const struct histogram_cells *from)
{
    reserve(to, from->n);
    if (from->n)
        memcpy(to->at, from->at, from->n * sizeof *to->at);
    to->n = from->n;
}

void histogram_cells_read(struct histogram_cells *c, const struct histogram_buckets *b)
{
    struct histogram_walk w = histogram_walk_of(b);
    reserve(c, b->counts_n);
    c->n = 0;
    while (histogram_walk_next(&w))
        if (w.count != 0)
            c->at[c->n++] = (struct histogram_cell){(int32_t)w.index, w.count, 0};
}

void histogram_cells_scale(struct histogram_cells *c, double factor)
{
    for (size_t i = 0; i < c->n; i++) {
        c->at[i].count *= factor;
        c->at[i].low = isfinite(factor) ? c->at[i].low * factor : 0;
    }
}

static void add_cell(struct histogram_cell *to, const struct histogram_cell *from, double factor)
{
    kahan_add(from->count * factor, &to->count, &to->low);
    if (from->low != 0)
        kahan_add(from->low * factor, &to->count, &to->low);
}

void histogram_cells_add(struct histogram_cells *to, const struct histogram_cells *from,
                         double factor, struct histogram_cells *room)
{
    size_t i = 0, k = 0, n = 0;
    reserve(room, to->n + from->n);
    while (i < to->n || k < from->n) {
        bool mine = k == from->n || (i < to->n && to->at[i].index <= from->at[k].index);
        struct histogram_cell c =
            mine ? to->at[i++] : (struct histogram_cell){from->at[k].index, 0, 0};
        if (k < from->n && from->at[k].index == c.index)
            add_cell(&c, &from->at[k++], factor);
        room->at[n++] = c;
    }
    room->n = n;
    struct histogram_cells merged = *room;
    *room = *to;
    *to = merged;
}

/* Puts a cell under a new index, which is that of the last kept one or higher. */
static void keep(struct histogram_cells *c, size_t *n, int32_t index, struct histogram_cell cell)
{
    if (*n && c->at[*n - 1].index == index) {
        add_cell(&c->at[*n - 1], &cell, 1);
        return;
    }
    cell.index = index;
    c->at[(*n)++] = cell;
}

void histogram_cells_reduce(struct histogram_cells *c, int by)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n && by > 0; i++)
        keep(c, &n, histogram_coarser(c->at[i].index, by), c->at[i]);
    if (by > 0)
        c->n = n;
}

size_t histogram_common_bounds(const double *a, size_t a_n, const double *b, size_t b_n,
                               double *out)
{
    size_t n = 0;
    for (size_t i = 0, k = 0; i < a_n && k < b_n;) {
        if (a[i] == b[k]) {
            out[n++] = a[i++];
            k++;
        } else if (a[i] < b[k]) {
            i++;
        } else {
            k++;
        }
    }
    return n;
}

void histogram_cells_rebound(struct histogram_cells *c, const double *old, size_t old_n,
                             const double *bounds, size_t bounds_n)
{
    size_t n = 0, to = 0;
    for (size_t i = 0; i < c->n; i++) {
        size_t from = (size_t)c->at[i].index;
        while (to < bounds_n && (from >= old_n || bounds[to] < old[from]))
            to++;
        keep(c, &n, (int32_t)to, c->at[i]);
    }
    c->n = n;
}

/* Adds the cells that begin below the threshold; true when the last of them goes beyond it, which
 * then is the new threshold. */
static bool swallow(const struct histogram_cells *c, const struct histogram_scale *s,
                    double *threshold, struct histogram_zero *z)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct histogram_cell *cell = &c->at[i];
        if (!(histogram_bound(s, (int64_t)cell->index - 1) < *threshold))
            return false;
        kahan_add(cell->count, &z->count, &z->low);
        kahan_add(cell->low, &z->count, &z->low);
        double upper = histogram_bound(s, cell->index);
        if (upper > *threshold) {
            *threshold = upper;
            return true;
        }
    }
    return false;
}

static void drop_below(struct histogram_cells *c, const struct histogram_scale *s, double threshold)
{
    size_t i = 0;
    while (i < c->n && histogram_bound(s, (int64_t)c->at[i].index - 1) < threshold)
        i++;
    if (i)
        memmove(c->at, c->at + i, (c->n - i) * sizeof *c->at);
    c->n -= i;
}

void histogram_zero_widen(const struct histogram_sides *s, double threshold)
{
    struct histogram_zero z;
    do {
        z = *s->zero;
        swallow(s->positive, &s->scale, &threshold, &z);
    } while (swallow(s->negative, &s->scale, &threshold, &z));
    z.threshold = threshold;
    *s->zero = z;
    drop_below(s->positive, &s->scale, threshold);
    drop_below(s->negative, &s->scale, threshold);
}
