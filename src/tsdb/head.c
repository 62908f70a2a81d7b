// SPDX-License-Identifier: Apache-2.0
/* What samples a series has in the head: append, freeze, capture. All under the gate. */
#include "tsdb/head.h"

#include <stdlib.h>

#include "model/sample.h"

static void count_memory(struct head *h, int64_t n)
{
    atomic_fetch_add_explicit(&h->memory, (uint64_t)n, memory_order_relaxed);
}

/* ---- chunks ---- */

static struct chunk *chunk_new(struct head *h, size_t cap)
{
    count_memory(h, (int64_t)chunk_bytes(cap));
    h->chunks++;
    return mem_alloc(chunk_bytes(cap));
}

static void chunk_retire(struct head *h, struct chunk *c)
{
    count_memory(h, -(int64_t)chunk_bytes(c->cap));
    h->chunks--;
    reclaim_retire(&h->reclaim, c);
}

/* Puts the open chunk before the closed ones. */
static void close_open(struct series *s)
{
    struct chunk *c = s->open;
    if (!c)
        return;
    c->max_t = s->end.t;
    c->len = s->end.len;
    c->n = s->end.n;
    c->next = s->sealed;
    s->sealed = c;
    s->open = NULL;
}

/* Chunks grow as samples come, so that short lives stay small: what is full is copied into the next
 * size, and behind the largest a new one begins, not of the smallest. */
static void make_room(struct head *h, struct series *s, ts_ms t)
{
    enum { SIZE_FIRST = 0, SIZE_LATER = 2 };
    unsigned size = s->end.size + 1U;
    if (s->open && s->end.n < CHUNK_SAMPLES_MAX && size < CHUNK_SIZES) {
        struct chunk *c = chunk_new(h, chunk_caps[size]);
        memcpy(c, s->open, chunk_bytes(s->end.len));
        c->cap = chunk_caps[size];
        s->end.size = size & 0xf;
        chunk_retire(h, s->open);
        s->open = c;
        return;
    }
    close_open(s);
    size = s->sealed ? SIZE_LATER : SIZE_FIRST;
    s->open = chunk_new(h, chunk_caps[size]);
    chunk_init(s->open, &s->end, size, t);
}

static void push(struct head *h, struct series *s, ts_ms t, double v)
{
    if (s->open && chunk_append(s->open, &s->end, t, v))
        return;
    do
        make_room(h, s, t);
    while (!chunk_append(s->open, &s->end, t, v));
}

/* ---- samples out of order ---- */

static size_t late_bytes(uint32_t cap)
{
    return sizeof(struct late) + cap * sizeof(struct sample);
}

static int sample_cmp(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

static void late_retire(struct head *h, struct series *s)
{
    count_memory(h, -(int64_t)late_bytes(s->late->cap));
    reclaim_retire(&h->reclaim, s->late);
    s->late = NULL;
}

/* Makes a closed chunk of them. */
static void seal_late(struct head *h, struct series *s)
{
    _Alignas(struct chunk)
        uint8_t room[sizeof(struct chunk) + CHUNK_LARGE_SAMPLES * CHUNK_SAMPLE_BYTES_MAX];
    struct chunk *all = (struct chunk *)room;
    struct sample sorted[LATE_MAX];
    struct chunk_end end = {0};
    if (!s->late)
        return;
    uint32_t n = s->late->n;
    memcpy(sorted, s->late->at, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, sample_cmp);
    chunk_init(all, &end, CHUNK_SIZE_LARGE, sorted[0].t);
    for (uint32_t i = 0; i < n; i++)
        if (!chunk_append(all, &end, sorted[i].t, sorted[i].v))
            abort(); /* there is room for any samples */
    all->cap = all->len = end.len;
    all->n = end.n;
    all->max_t = end.t;
    all->next = s->sealed;
    s->sealed = memcpy(chunk_new(h, end.len), all, chunk_bytes(end.len));
    late_retire(h, s);
}

static void push_late(struct head *h, struct series *s, ts_ms t, double v)
{
    struct late *l = s->late;
    if (l && l->n == LATE_MAX) {
        seal_late(h, s);
        l = NULL;
    }
    if (!l || l->n == l->cap) {
        uint32_t cap = l ? l->cap * 2 : 4;
        struct late *larger = mem_alloc(late_bytes(cap));
        *larger = (struct late){.n = l ? l->n : 0, .cap = cap};
        count_memory(h, (int64_t)late_bytes(cap));
        if (l) {
            memcpy(larger->at, l->at, l->n * sizeof *l->at);
            late_retire(h, s);
        }
        s->late = l = larger;
    }
    l->at[l->n++] = (struct sample){t, v};
}

/* ---- finding what is there ---- */

static bool find_in_late(const struct late *l, ts_ms t, double *v)
{
    for (uint32_t i = 0; l && i < l->n; i++)
        if (l->at[i].t == t) {
            *v = l->at[i].v;
            return true;
        }
    return false;
}

static bool find_in_chunk(const struct chunk *c, const struct chunk_end *e, ts_ms t, double *v)
{
    ts_ms ts[CHUNK_SAMPLES_MAX];
    double vs[CHUNK_SAMPLES_MAX];
    if (t < c->min_t || t > e->t)
        return false;
    chunk_read(c, e->len, e->n, ts, vs);
    for (size_t i = 0; i < e->n; i++)
        if (ts[i] == t) {
            *v = vs[i];
            return true;
        }
    return false;
}

static bool find_in_closed(const struct chunk *c, ts_ms t, double *v)
{
    for (; c; c = c->next)
        if (find_in_chunk(c, &(struct chunk_end){.t = c->max_t, .len = c->len, .n = c->n}, t, v))
            return true;
    return false;
}

static bool find_sample(const struct head *h, const struct series *s, ts_ms t, double *v)
{
    return (s->open && find_in_chunk(s->open, &s->end, t, v)) || find_in_late(s->late, t, v) ||
           find_in_closed(s->sealed, t, v) || (h->frozen_live && find_in_closed(s->frozen, t, v));
}

static enum append_result compare(double there, double v)
{
    return memcmp(&there, &v, sizeof v) == 0 ? APPEND_DUPLICATE : APPEND_CONFLICTING;
}

enum append_result head_append(struct head *h, struct series *s, ts_ms t, double v)
{
    double there;
    if (h->moments.first)
        moments_note(h, s);
    if (s->gen != h->gen)
        head_freeze(h, s);
    if (!s->has_last || t > s->end.t) {
        push(h, s, t, v);
        s->has_last = true;
    } else if (t == s->end.t) {
        return compare(s->end.v, v);
    } else if (find_sample(h, s, t, &there)) {
        return compare(there, v);
    } else {
        push_late(h, s, t, v);
        if (s->has_extra)
            extras_put(&h->extras, head_series_number(h, s), t, NULL, 0, INT64_MAX);
    }
    h->samples++;
    if (t < h->min_t)
        h->min_t = t;
    if (t > h->max_t)
        h->max_t = t;
    return APPEND_STORED;
}

/* What the counter was when it began. */
static void append_zero(struct head *h, struct series *s, ts_ms t, const struct histogram *like,
                        ts_ms start)
{
    enum { AGO_MAX_MS = 3600 * 1000 };
    if (start >= t || t - start > AGO_MAX_MS || (s->has_last && start <= s->end.t))
        return;
    struct histogram empty = {0};
    if (like)
        empty = (struct histogram){.schema = like->schema,
                                   .zero_threshold = like->zero_threshold,
                                   .custom = like->custom,
                                   .custom_n = like->custom_n};
    head_append_extra(h, s, start, 0, like ? &empty : NULL, 0);
}

enum append_result head_append_extra(struct head *h, struct series *s, ts_ms t, double v,
                                     const struct histogram *hist, ts_ms start)
{
    uint64_t number = head_series_number(h, s);
    if (h->start_zeros && start && !is_stale_nan(v))
        append_zero(h, s, t, hist, start);
    ts_ms before = s->has_last && s->end.t < t ? s->end.t : INT64_MAX;
    enum append_result r = head_append(h, s, t, hist ? histogram_mark() : v);
    if (r == APPEND_STORED && (hist || start)) {
        extras_put(&h->extras, number, t, hist, start, before);
        s->has_extra = true;
    }
    if (r == APPEND_DUPLICATE && hist && !extras_same(&h->extras, number, t, hist, h->frozen_live))
        r = APPEND_CONFLICTING;
    return r;
}

/* ---- generations ---- */

void head_freeze(struct head *h, struct series *s)
{
    if (s->gen == h->gen)
        return;
    bool is_new = s->gen == UINT32_MAX;
    s->gen = h->gen;
    if (is_new)
        return;
    close_open(s);
    seal_late(h, s);
    s->frozen = s->sealed;
    s->sealed = NULL;
    if (s->has_extra)
        extras_freeze(&h->extras, head_series_number(h, s));
}

void head_forget_last(const struct head *h, struct series *s)
{
    if (!s->open && !s->sealed && !s->late && !(h->frozen_live && s->frozen))
        s->has_last = false;
}

void head_drop_frozen(struct head *h, struct series *s)
{
    for (struct chunk *c = s->frozen, *next; c; c = next) {
        next = c->next;
        h->samples -= c->n;
        chunk_retire(h, c);
    }
    s->frozen = NULL;
    if (s->has_extra)
        extras_drop_frozen(&h->extras, head_series_number(h, s));
}

/* ---- reading ---- */

/* There is no chunk that is published and not frozen: a flush freezes every series before it
 * publishes. */
void head_capture(const struct head *h, const struct series *s, struct arena *a,
                  struct capture *out)
{
    *out = (struct capture){.sealed = s->sealed, .frozen = h->frozen_live ? s->frozen : NULL};
    if (s->open) {
        out->open = s->open;
        out->open_max_t = s->end.t;
        out->open_max_v = s->end.v;
        out->open_len = s->end.len;
        out->open_n = s->end.n;
    }
    if (s->late) {
        out->late = s->late;
        out->late_n = s->late->n;
    }
    if (s->has_extra)
        out->extra = extras_capture(&h->extras, head_series_number(h, s), h->frozen_live, a);
}

static bool late_overlaps(const struct late *l, uint32_t n, ts_ms start, ts_ms end)
{
    for (uint32_t i = 0; i < n; i++)
        if (l->at[i].t >= start && l->at[i].t <= end)
            return true;
    return false;
}

static bool closed_overlaps(const struct chunk *c, ts_ms start, ts_ms end)
{
    for (; c; c = c->next)
        if (c->min_t <= end && c->max_t >= start)
            return true;
    return false;
}

bool capture_overlaps(const struct capture *c, ts_ms start, ts_ms end)
{
    return (c->open && c->open->min_t <= end && c->open_max_t >= start) ||
           closed_overlaps(c->sealed, start, end) || closed_overlaps(c->frozen, start, end) ||
           late_overlaps(c->late, c->late_n, start, end);
}

static void add_chunk(struct gather *g, const struct chunk *c, size_t len, size_t n)
{
    gather_room(g, n);
    chunk_read(c, len, n, g->t + g->n, g->v + g->n);
    gather_keep(g, n);
}

/* Oldest first; the list goes from new to old. */
static void add_closed(struct gather *g, const struct chunk *c)
{
    VEC(const struct chunk *) some = {0};
    size_t samples = 0;
    for (; c; c = c->next)
        if (c->min_t <= g->end && c->max_t >= g->start) {
            vec_push(&some, c);
            samples += c->n;
        }
    if (samples)
        gather_room(g, samples);
    while (some.n > 0) {
        c = some.at[--some.n];
        add_chunk(g, c, c->len, c->n);
    }
    vec_fini(&some);
}

bool capture_read(const struct capture *c, struct gather *out, struct err *err)
{
    size_t frozen = out->n;
    add_closed(out, c->frozen);
    size_t now = out->n;
    if (c->extra)
        extra_capture_tell(c->extra, true, out, frozen);
    add_closed(out, c->sealed);
    if (c->open)
        add_chunk(out, c->open, c->open_len, c->open_n);
    for (uint32_t i = 0; i < c->late_n; i++)
        gather_put(out, c->late->at[i].t, c->late->at[i].v);
    if (c->extra)
        extra_capture_tell(c->extra, false, out, now);
    return true;
}
