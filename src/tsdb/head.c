// SPDX-License-Identifier: Apache-2.0
/* What samples a series has in the head: append, seal, freeze, capture. All under the gate. */
#include "tsdb/head.h"

#include <stdlib.h>

#include "tsdb/block.h"

static void count_memory(struct head *h, int64_t n)
{
    atomic_fetch_add_explicit(&h->memory, (uint64_t)n, memory_order_relaxed);
}

static size_t chunk_bytes(uint32_t cap)
{
    return sizeof(struct open_chunk) + cap * sizeof(struct sample);
}

/* ---- sealing ---- */

static int sample_cmp(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

static struct sealed *sealed_new(const struct sample *at, uint32_t n)
{
    ts_ms t[OPEN_CHUNK_MAX];
    double v[OPEN_CHUNK_MAX];
    struct enc e = {0};
    for (uint32_t i = 0; i < n; i++) {
        t[i] = at[i].t;
        v[i] = at[i].v;
    }
    block_encode(&e, t, v, n);
    struct sealed *c = mem_alloc(sizeof *c + e.n);
    *c = (struct sealed){.min_t = t[0], .max_t = t[n - 1], .n = n, .len = (uint32_t)e.n};
    memcpy(c->data, e.p, e.n);
    enc_fini(&e);
    return c;
}

/* Makes a sealed chunk of an open one, which is retired. */
static void seal(struct head *h, struct series *s, struct open_chunk **open, bool sort)
{
    struct open_chunk *c = *open;
    *open = NULL;
    if (!c)
        return;
    if (c->n > 0) {
        struct sample sorted[OPEN_CHUNK_MAX];
        memcpy(sorted, c->at, c->n * sizeof *sorted);
        if (sort)
            qsort(sorted, c->n, sizeof *sorted, sample_cmp);
        struct sealed *k = sealed_new(sorted, c->n);
        k->next = s->sealed;
        s->sealed = k;
        count_memory(h, (int64_t)(sizeof *k + k->len));
    }
    count_memory(h, -(int64_t)chunk_bytes(c->cap));
    reclaim_retire(&h->reclaim, c);
}

static struct open_chunk *chunk_new(struct head *h, uint32_t cap)
{
    struct open_chunk *c = mem_alloc(chunk_bytes(cap));
    c->n = 0;
    c->cap = cap;
    count_memory(h, (int64_t)chunk_bytes(cap));
    return c;
}

static void push(struct head *h, struct series *s, struct open_chunk **open, struct sample x)
{
    struct open_chunk *c = *open;
    if (!c) {
        c = *open = chunk_new(h, OPEN_CHUNK_MIN);
        h->chunks++;
    } else if (c->n == OPEN_CHUNK_MAX) {
        seal(h, s, open, open == &s->ooo);
        c = *open = chunk_new(h, OPEN_CHUNK_MAX);
        h->chunks++;
    } else if (c->n == c->cap) {
        struct open_chunk *larger = chunk_new(h, c->cap * 2);
        memcpy(larger->at, c->at, c->n * sizeof c->at[0]);
        larger->n = c->n;
        count_memory(h, -(int64_t)chunk_bytes(c->cap));
        reclaim_retire(&h->reclaim, c);
        c = *open = larger;
    }
    c->at[c->n++] = x;
}

/* ---- finding what is there ---- */

static bool find_in_open(const struct open_chunk *c, ts_ms t, double *v)
{
    for (uint32_t i = 0; c && i < c->n; i++)
        if (c->at[i].t == t) {
            *v = c->at[i].v;
            return true;
        }
    return false;
}

static bool find_in_sealed(const struct sealed *c, ts_ms t, double *v)
{
    ts_ms ts[OPEN_CHUNK_MAX];
    double vs[OPEN_CHUNK_MAX];
    struct err err;
    for (; c; c = c->next) {
        if (t < c->min_t || t > c->max_t)
            continue;
        if (!block_decode((bytes){c->data, c->len}, ts, vs, &err))
            abort(); /* made by us, in memory, a moment ago */
        for (uint32_t i = 0; i < c->n; i++)
            if (ts[i] == t) {
                *v = vs[i];
                return true;
            }
    }
    return false;
}

static bool find_sample(const struct head *h, const struct series *s, ts_ms t, double *v)
{
    return find_in_open(s->open, t, v) || find_in_open(s->ooo, t, v) ||
           find_in_sealed(s->sealed, t, v) || (h->frozen_live && find_in_sealed(s->frozen, t, v));
}

static enum append_result compare(double there, double v)
{
    return memcmp(&there, &v, sizeof v) == 0 ? APPEND_DUPLICATE : APPEND_CONFLICTING;
}

enum append_result head_append(struct head *h, struct series *s, ts_ms t, double v)
{
    double there;
    if (s->gen != h->gen)
        head_freeze(h, s);
    if (!s->has_last || t > s->last_t) {
        push(h, s, &s->open, (struct sample){t, v});
        s->last_t = t;
        s->last_v = v;
        s->has_last = true;
    } else if (t == s->last_t) {
        return compare(s->last_v, v);
    } else if (find_sample(h, s, t, &there)) {
        return compare(there, v);
    } else {
        push(h, s, &s->ooo, (struct sample){t, v});
    }
    h->samples++;
    if (t < h->min_t)
        h->min_t = t;
    if (t > h->max_t)
        h->max_t = t;
    return APPEND_STORED;
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
    seal(h, s, &s->open, false);
    seal(h, s, &s->ooo, true);
    s->frozen = s->sealed;
    s->sealed = NULL;
}

void head_drop_frozen(struct head *h, struct series *s)
{
    for (struct sealed *c = s->frozen, *next; c; c = next) {
        next = c->next;
        h->samples -= c->n;
        h->chunks--;
        count_memory(h, -(int64_t)(sizeof *c + c->len));
        reclaim_retire(&h->reclaim, c);
    }
    s->frozen = NULL;
}

/* ---- reading ---- */

/* There is no chunk that is published and not frozen: a flush freezes every series before it
 * publishes. */
void head_capture(const struct head *h, const struct series *s, struct capture *out)
{
    *out = (struct capture){.open = s->open,
                            .ooo = s->ooo,
                            .open_n = s->open ? s->open->n : 0,
                            .ooo_n = s->ooo ? s->ooo->n : 0,
                            .sealed = s->sealed,
                            .frozen = h->frozen_live ? s->frozen : NULL};
}

static bool open_overlaps(const struct open_chunk *c, uint32_t n, ts_ms start, ts_ms end)
{
    for (uint32_t i = 0; i < n; i++)
        if (c->at[i].t >= start && c->at[i].t <= end)
            return true;
    return false;
}

static bool sealed_overlaps(const struct sealed *c, ts_ms start, ts_ms end)
{
    for (; c; c = c->next)
        if (c->min_t <= end && c->max_t >= start)
            return true;
    return false;
}

bool capture_overlaps(const struct capture *c, ts_ms start, ts_ms end)
{
    return open_overlaps(c->open, c->open_n, start, end) ||
           sealed_overlaps(c->sealed, start, end) || sealed_overlaps(c->frozen, start, end) ||
           open_overlaps(c->ooo, c->ooo_n, start, end);
}

static void add_open(struct gather *g, const struct open_chunk *c, uint32_t n)
{
    if (n)
        gather_room(g, n);
    for (uint32_t i = 0; i < n; i++)
        gather_put(g, c->at[i].t, c->at[i].v);
}

/* Oldest first; the list goes from new to old. */
static bool add_sealed(struct gather *g, const struct sealed *c, struct err *err)
{
    VEC(const struct sealed *) some = {0};
    size_t samples = 0;
    bool ok = true;
    for (; c; c = c->next)
        if (c->min_t <= g->end && c->max_t >= g->start) {
            vec_push(&some, c);
            samples += c->n;
        }
    if (samples)
        gather_room(g, samples);
    while (ok && some.n > 0) {
        c = some.at[--some.n];
        ok = gather_block(g, (bytes){c->data, c->len}, err);
    }
    vec_fini(&some);
    return ok;
}

bool capture_read(const struct capture *c, struct gather *out, struct err *err)
{
    if (!add_sealed(out, c->frozen, err) || !add_sealed(out, c->sealed, err))
        return false;
    add_open(out, c->open, c->open_n);
    add_open(out, c->ooo, c->ooo_n);
    return true;
}
