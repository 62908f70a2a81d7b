// SPDX-License-Identifier: Apache-2.0
#include "promql/frames_int.h"

#include "base/hash.h"

enum {
    BYTES_MAX = 8 << 20, /* of all frames of a table; one that is full is emptied */
    SLOTS_MIN = 16,
};

struct frames {
    struct frame **slots;
    size_t slots_n, n; /* slots_n is a power of two, at least twice n */
};

uint64_t find_windows(const struct windows *w, const ts_ms *t, size_t n, struct bounds b)
{
    uint64_t looked_at = 0;
    size_t lo = 0, hi = 0;
    for (size_t i = 0; i < w->n; i++) {
        ts_ms end = w->end[i] + w->after_ms, start = w->end[i] - w->range_ms - w->before_ms;
        while (hi < n && t[hi] <= end)
            hi++;
        while (lo < hi && t[lo] <= start)
            lo++;
        b.lo[i] = (uint32_t)lo;
        b.hi[i] = (uint32_t)hi;
        looked_at += hi - lo;
    }
    return looked_at;
}

static struct frame *frame_new(struct arena *a, const struct windows *w, const struct function *fn,
                               const ts_ms *t, size_t n)
{
    size_t step = 2 * sizeof(uint32_t) + fn->shape_n * sizeof(double);
    struct frame *f = arena_alloc(a, sizeof *f + n * sizeof *t + w->n * step);
    double *shape = (double *)&f->t[n];
    uint32_t *bounds = (uint32_t *)(shape + w->n * fn->shape_n);
    *f = (struct frame){.at = {bounds, bounds + w->n}, .n = n};
    memcpy(f->t, t, n * sizeof *t);
    f->looked_at = find_windows(w, t, n, f->at);
    return f;
}

/* Not for the first series, which may be the only one with these times. */
static void make_shape(struct frame *f, const struct windows *w, const struct function *fn)
{
    if (f->shape || !fn->shape)
        return;
    struct range_row r = {.t = f->t,
                          .n = f->n,
                          .steps = w->n,
                          .lo = f->at.lo,
                          .hi = f->at.hi,
                          .end = w->end,
                          .range_ms = w->range_ms};
    f->shape = (double *)&f->t[f->n];
    fn->shape(&r, f->shape);
}

/* Its place, or the free one where it belongs. */
static struct frame **find(const struct frames *fs, uint64_t hash, const ts_ms *t, size_t n)
{
    for (size_t i = hash;; i++) {
        struct frame **at = &fs->slots[i & (fs->slots_n - 1)], *f = *at;
        if (!f || (f->hash == hash && f->n == n && memcmp(f->t, t, n * sizeof *t) == 0))
            return at;
    }
}

static struct frames *frames_new(struct arena *a)
{
    arena_reset(a);
    struct frames *fs = arena_new(a, struct frames);
    fs->slots_n = SLOTS_MIN;
    fs->slots = arena_array(a, struct frame *, fs->slots_n);
    return fs;
}

static void grow(struct frames *fs, struct arena *a)
{
    struct frames old = *fs;
    fs->slots_n *= 2;
    fs->slots = arena_array(a, struct frame *, fs->slots_n);
    for (size_t i = 0; i < old.slots_n; i++)
        if (old.slots[i])
            *find(fs, old.slots[i]->hash, old.slots[i]->t, old.slots[i]->n) = old.slots[i];
}

const struct frame *frames_get(struct frames **table, struct arena *a, const struct windows *w,
                               const struct function *fn, const ts_ms *t, size_t n)
{
    uint64_t hash = hash_mix(hash_mix((uint64_t)t[0], (uint64_t)t[n - 1]), n);
    struct frame **at = *table ? find(*table, hash, t, n) : NULL;
    if (at && *at) {
        make_shape(*at, w, fn);
        return *at;
    }
    if (!*table || a->used > BYTES_MAX)
        *table = frames_new(a);
    struct frames *fs = *table;
    if (fs->n++ * 2 >= fs->slots_n)
        grow(fs, a);
    at = find(fs, hash, t, n);
    *at = frame_new(a, w, fn, t, n);
    (*at)->hash = hash;
    return *at;
}
