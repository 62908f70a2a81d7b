// SPDX-License-Identifier: Apache-2.0
#include "promql/frames_int.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    BYTES_MAX = 4 << 20, /* of all frames of a table; one that is full is emptied */
    SLOTS_MIN = 16,
};

struct frames {
    struct frame **slots;
    size_t slots_n; /* power of two, at least twice n */
    size_t n, bytes;
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

static size_t frame_bytes(const struct windows *w, const struct function *fn, size_t times)
{
    size_t step = 2 * sizeof(uint32_t) + fn->shape_n * sizeof(double);
    return sizeof(struct frame) + times * sizeof(ts_ms) + w->n * step;
}

static struct frame *frame_new(const struct windows *w, const struct function *fn, const ts_ms *t,
                               size_t n)
{
    struct frame *f = mem_alloc(frame_bytes(w, fn, n));
    double *shape = (double *)&f->t[n];
    uint32_t *bounds = (uint32_t *)(shape + w->n * fn->shape_n);
    *f = (struct frame){.at = {bounds, bounds + w->n}, .n = n};
    memcpy(f->t, t, n * sizeof *t);
    f->looked_at = find_windows(w, t, n, f->at);
    if (!fn->shape)
        return f;
    f->shape = shape;
    struct range_row r = {.t = t,
                          .n = n,
                          .steps = w->n,
                          .lo = f->at.lo,
                          .hi = f->at.hi,
                          .end = w->end,
                          .range_ms = w->range_ms};
    fn->shape(&r, shape);
    return f;
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

static void make_room(struct frames *fs)
{
    struct frames old = *fs;
    if (old.bytes > BYTES_MAX) {
        for (size_t i = 0; i < old.slots_n; i++) {
            free(old.slots[i]);
            fs->slots[i] = NULL;
        }
        fs->n = fs->bytes = 0;
    } else if (old.n * 2 >= old.slots_n) {
        fs->slots_n = old.slots_n ? old.slots_n * 2 : SLOTS_MIN;
        fs->slots = mem_zalloc(fs->slots_n * sizeof(struct frame *));
        for (size_t i = 0; i < old.slots_n; i++)
            if (old.slots[i])
                *find(fs, old.slots[i]->hash, old.slots[i]->t, old.slots[i]->n) = old.slots[i];
        free(old.slots);
    }
}

const struct frame *frames_get(struct frames **table, const struct windows *w,
                               const struct function *fn, const ts_ms *t, size_t n)
{
    struct frames *fs = *table = *table ? *table : mem_new(struct frames);
    uint64_t hash = hash_mix(hash_mix((uint64_t)t[0], (uint64_t)t[n - 1]), n);
    struct frame **at = fs->n ? find(fs, hash, t, n) : NULL;
    if (at && *at)
        return *at;
    make_room(fs);
    at = find(fs, hash, t, n);
    *at = frame_new(w, fn, t, n);
    (*at)->hash = hash;
    fs->n++;
    fs->bytes += frame_bytes(w, fn, n);
    return *at;
}

void frames_free(struct frames *fs)
{
    for (size_t i = 0; fs && i < fs->slots_n; i++)
        free(fs->slots[i]);
    if (fs)
        free(fs->slots);
    free(fs);
}
