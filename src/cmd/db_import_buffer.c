// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"
#include "cmd/db_import_int.h"

enum { BUFFER_BYTES_MAX = 192 << 20 };

struct buffered {
    struct labels labels;
    VEC(struct import_point) points;
};

struct import_buffer {
    struct importer *i;
    struct arena arena; /* keys and labels */
    struct map keys;    /* key -> place in series + 1 */
    VEC(struct buffered) series;
    size_t points_bytes;
};

/* ---- settling ---- */

struct ordered {
    struct import_point p;
    size_t order;
};

static int ordered_cmp(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->p.t != y->p.t)
        return x->p.t < y->p.t ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void sort_points(struct import_point *at, size_t n)
{
    struct ordered *o MEM_CLEANUP = mem_array(n, sizeof *o);
    for (size_t i = 0; i < n; i++)
        o[i] = (struct ordered){at[i], i};
    qsort(o, n, sizeof *o, ordered_cmp);
    for (size_t i = 0; i < n; i++)
        at[i] = o[i].p;
}

size_t import_settle(struct import_point *at, size_t n)
{
    size_t kept = n ? 1 : 0;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = at[i - 1].t <= at[i].t;
    if (!sorted)
        sort_points(at, n);
    for (size_t i = 1; i < n; i++)
        if (at[i].t != at[kept - 1].t)
            at[kept++] = at[i];
    return kept;
}

bool import_series(struct importer *i, struct labels ls, const struct import_point *at, size_t n,
                   struct err *err)
{
    ts_ms *t MEM_CLEANUP = mem_array(n + 1, sizeof *t);
    double *v MEM_CLEANUP = mem_array(n + 1, sizeof *v);
    const struct histogram **h MEM_CLEANUP = mem_array(n + 1, sizeof *h);
    bool any = false;
    for (size_t k = 0; k < n; k++) {
        t[k] = at[k].t;
        v[k] = at[k].v;
        h[k] = at[k].h;
        any = any || h[k];
    }
    i->samples += n;
    i->series += n > 0;
    struct columns c = {.n = n, .t = t, .v = v, .h = any ? h : NULL};
    return tsdb_import_series(i->im, ls, &c, err);
}

/* ---- the buffer ---- */

struct import_buffer *import_buffer_new(struct importer *i)
{
    struct import_buffer *b = mem_new(struct import_buffer);
    b->i = i;
    arena_init(&b->arena, 0);
    return b;
}

static void clear(struct import_buffer *b)
{
    VEC_EACH (s, &b->series)
        vec_fini(&s->points);
    vec_clear(&b->series);
    map_fini(&b->keys);
    b->keys = (struct map){0};
    arena_fini(&b->arena);
    arena_init(&b->arena, 0);
    b->points_bytes = 0;
}

void import_buffer_free(struct import_buffer *b)
{
    clear(b);
    vec_fini(&b->series);
    arena_fini(&b->arena);
    free(b);
}

ssize_t import_buffer_find(const struct import_buffer *b, str key)
{
    return (ssize_t)(uintptr_t)map_get(&b->keys, key) - 1;
}

size_t import_buffer_add(struct import_buffer *b, str key, struct labels ls)
{
    vec_push(&b->series, (struct buffered){.labels = labels_dup(&b->arena, ls)});
    map_put(&b->keys, arena_dup(&b->arena, key), (void *)(uintptr_t)b->series.n);
    return b->series.n - 1;
}

void import_buffer_push(struct import_buffer *b, size_t series, ts_ms t, double v)
{
    struct buffered *s = &b->series.at[series];
    size_t cap = s->points.cap;
    vec_push(&s->points, (struct import_point){t, v, NULL});
    b->points_bytes += (s->points.cap - cap) * sizeof(struct import_point);
}

bool import_buffer_full(const struct import_buffer *b)
{
    size_t tables = b->series.cap * sizeof(struct buffered) + b->keys.cap * 64;
    return b->arena.used + tables + b->points_bytes > BUFFER_BYTES_MAX;
}

static int by_labels(const void *a, const void *b)
{
    struct buffered *const *x = a, *const *y = b;
    int c = labels_cmp((*x)->labels, (*y)->labels);
    /* The same series written in two ways: in the order in which they came. */
    return c ? c : (*x > *y) - (*x < *y);
}

/* The series at `at[0..n)` have the same labels. */
static bool write_series(struct import_buffer *b, struct buffered **at, size_t n, struct err *err)
{
    struct buffered *all = at[0];
    for (size_t i = 1; i < n; i++)
        VEC_EACH (p, &at[i]->points)
            vec_push(&all->points, *p);
    size_t left = import_settle(all->points.at, all->points.n);
    b->i->duplicates += all->points.n - left;
    bool ok = import_series(b->i, all->labels, all->points.at, left, err);
    for (size_t i = 0; i < n; i++) { /* the next ones may need the memory */
        vec_fini(&at[i]->points);
    }
    return ok;
}

bool import_buffer_flush(struct import_buffer *b, struct err *err)
{
    size_t n = b->series.n;
    if (n == 0)
        return true;
    struct buffered **order MEM_CLEANUP = mem_array(n, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = &b->series.at[i];
    qsort(order, n, sizeof *order, by_labels);
    bool ok = tsdb_import_part(b->i->im, err);
    b->i->parts++;
    for (size_t i = 0, end; ok && i < n; i = end) {
        for (end = i + 1; end < n && labels_eq(order[i]->labels, order[end]->labels);)
            end++;
        ok = write_series(b, order + i, end - i, err);
    }
    clear(b);
    return ok;
}
