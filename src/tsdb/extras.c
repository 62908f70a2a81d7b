// SPDX-License-Identifier: Apache-2.0
#include "tsdb/extras.h"

#include <stdlib.h>

#include "tsdb/hist_block.h"

/* Open runs end at so many histograms, or at so many bytes. */
enum { OPEN_MAX = 32, OPEN_BYTES_MAX = 32 << 10, OPEN_CAP_MIN = 256 };

static void count_memory(struct extras *x, int64_t n)
{
    atomic_fetch_add_explicit(x->memory, (uint64_t)n, memory_order_relaxed);
}

void extras_init(struct extras *x, struct reclaim *r, _Atomic uint64_t *memory)
{
    *x = (struct extras){.reclaim = r, .memory = memory};
}

static struct extra *find(const struct extras *x, uint64_t series)
{
    const uint32_t *place = numbers_get(&x->places, series);
    return place ? x->at.at[*place] : NULL;
}

static struct extra *get(struct extras *x, uint64_t series)
{
    struct extra *e = find(x, series);
    if (e)
        return e;
    e = mem_new(struct extra);
    e->series = series;
    numbers_put(&x->places, series, (uint32_t)x->at.n);
    vec_push(&x->at, e);
    count_memory(x, sizeof *e);
    return e;
}

/* ---- runs ---- */

static size_t run_size(size_t cap)
{
    return sizeof(struct hist_run) + cap;
}

static struct hist_run *run_new(struct extras *x, size_t cap)
{
    struct hist_run *r = mem_alloc(run_size(cap));
    *r = (struct hist_run){.cap = (uint32_t)cap, .min_t = INT64_MAX, .max_t = INT64_MIN};
    count_memory(x, (int64_t)run_size(cap));
    return r;
}

static void run_retire(struct extras *x, struct hist_run *r)
{
    count_memory(x, -(int64_t)run_size(r->cap));
    reclaim_retire(x->reclaim, r);
}

static void runs_retire(struct extras *x, struct hist_run *r)
{
    for (struct hist_run *next; r; r = next) {
        next = r->next;
        run_retire(x, r);
    }
}

struct timed {
    ts_ms t;
    const struct histogram *h;
};
typedef VEC(struct timed) timed_list;

/* What is here was encoded by this process, in memory: it decodes. */
static void read_open(const struct hist_run *r, uint32_t len, uint32_t n, struct arena *a,
                      timed_list *out)
{
    struct dec d = dec_of(bytes_of(r->data, len));
    for (uint32_t i = 0; i < n; i++) {
        ts_ms t = dec_svar(&d);
        const struct histogram *h = hist_decode(&d, a);
        assert(h);
        vec_push(out, (struct timed){t, h});
    }
}

static void read_block(const struct hist_run *r, struct arena *a, timed_list *out)
{
    struct err err;
    ts_ms *t = arena_alloc(a, r->n * sizeof *t);
    const struct histogram **h = arena_alloc(a, r->n * sizeof *h);
    bool ok = hist_block_decode(bytes_of(r->data, r->len), a, t, h, &err);
    assert(ok);
    for (uint32_t i = 0; ok && i < r->n; i++)
        vec_push(out, (struct timed){t[i], h[i]});
}

static int timed_cmp(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

static void sort(timed_list *l)
{
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, timed_cmp);
}

static void seal_some(struct extras *x, struct extra *e, const ts_ms *t,
                      const struct histogram *const *h, size_t n)
{
    struct enc out = {0};
    for (size_t at = 0, taken; at < n; at += taken) {
        out.n = 0;
        taken = hist_block_encode(&out, t + at, h + at, n - at);
        struct hist_run *r = run_new(x, out.n);
        memcpy(r->data, out.p, out.n);
        r->min_t = t[at];
        r->max_t = t[at + taken - 1];
        r->n = (uint32_t)taken;
        r->len = (uint32_t)out.n;
        r->next = e->sealed;
        e->sealed = r;
    }
    enc_fini(&out);
}

/* Makes blocks of the open run. */
static void seal(struct extras *x, struct extra *e)
{
    struct arena a ARENA_CLEANUP;
    timed_list l = {0};
    arena_init(&a, 0);
    if (!e->open)
        return;
    read_open(e->open, e->open->len, e->open->n, &a, &l);
    sort(&l);
    ts_ms *t = arena_alloc(&a, l.n * sizeof *t);
    const struct histogram **h = arena_alloc(&a, l.n * sizeof *h);
    for (size_t i = 0; i < l.n; i++) {
        t[i] = l.at[i].t;
        h[i] = l.at[i].h;
    }
    seal_some(x, e, t, h, l.n);
    run_retire(x, e->open);
    e->open = NULL;
    vec_fini(&l);
}

/* A gauge stays one, a reset that the writer saw stays; that there was none is true only beside the
 * sample that was before it there, so it is not kept. */
static void encode(struct enc *out, ts_ms t, const struct histogram *h)
{
    struct histogram kept = *h;
    if (kept.reset == HISTOGRAM_RESET_NO)
        kept.reset = HISTOGRAM_RESET_UNKNOWN;
    enc_svar(out, t);
    hist_encode(out, &kept);
}

static void make_room(struct extras *x, struct extra *e, size_t n)
{
    struct hist_run *old = e->open;
    if (old && (old->n >= OPEN_MAX || old->len + n > OPEN_BYTES_MAX)) {
        seal(x, e);
        old = NULL;
    }
    if (old && old->cap - old->len >= n)
        return;
    size_t cap = old ? 2 * (size_t)old->cap : OPEN_CAP_MIN, need = n + (old ? old->len : 0);
    struct hist_run *r = run_new(x, cap < need ? need : cap);
    if (old) {
        memcpy(r->data, old->data, old->len);
        r->n = old->n;
        r->len = old->len;
        r->min_t = old->min_t;
        r->max_t = old->max_t;
        run_retire(x, old);
    }
    e->open = r;
}

static void put_histogram(struct extras *x, struct extra *e, ts_ms t, const struct histogram *h)
{
    struct enc out = {0};
    encode(&out, t, h);
    make_room(x, e, out.n);
    struct hist_run *r = e->open;
    memcpy(r->data + r->len, out.p, out.n);
    r->len += (uint32_t)out.n;
    r->n++;
    r->min_t = t < r->min_t ? t : r->min_t;
    r->max_t = t > r->max_t ? t : r->max_t;
    enc_fini(&out);
}

void extras_put(struct extras *x, uint64_t series, ts_ms t, const struct histogram *h, ts_ms start,
                ts_ms before)
{
    struct extra *e = get(x, series);
    size_t cap = e->starts.cap;
    if (h)
        put_histogram(x, e, t, h);
    starts_set(&e->starts, t, start, before);
    count_memory(x, (int64_t)((e->starts.cap - cap) * sizeof *e->starts.at));
}

/* ---- finding ---- */

static bool same_in(const timed_list *l, ts_ms t, const struct histogram *h)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].t == t && histogram_same_sample(l->at[i].h, h))
            return true;
    return false;
}

static bool same_in_blocks(const struct hist_run *r, ts_ms t, const struct histogram *h)
{
    for (; r; r = r->next) {
        struct arena a ARENA_CLEANUP;
        timed_list l = {0};
        arena_init(&a, 0);
        if (t >= r->min_t && t <= r->max_t)
            read_block(r, &a, &l);
        bool same = same_in(&l, t, h);
        vec_fini(&l);
        if (same)
            return true;
    }
    return false;
}

static bool same_in_open(const struct hist_run *r, ts_ms t, const struct histogram *h)
{
    struct arena a ARENA_CLEANUP;
    timed_list l = {0};
    arena_init(&a, 0);
    if (r && t >= r->min_t && t <= r->max_t)
        read_open(r, r->len, r->n, &a, &l);
    bool same = same_in(&l, t, h);
    vec_fini(&l);
    return same;
}

bool extras_same(const struct extras *x, uint64_t series, ts_ms t, const struct histogram *h,
                 bool frozen_live)
{
    const struct extra *e = find(x, series);
    return e && (same_in_open(e->open, t, h) || same_in_blocks(e->sealed, t, h) ||
                 (frozen_live && same_in_blocks(e->frozen, t, h)));
}

/* ---- generations ---- */

static void starts_fini(struct extras *x, struct start_list *l)
{
    count_memory(x, -(int64_t)(l->cap * sizeof *l->at));
    vec_fini(l);
}

void extras_freeze(struct extras *x, uint64_t series)
{
    struct extra *e = find(x, series);
    if (!e)
        return;
    seal(x, e);
    e->frozen = e->sealed;
    e->sealed = NULL;
    starts_fini(x, &e->frozen_starts);
    e->frozen_starts = e->starts;
    e->starts = (struct start_list){0};
}

void extras_drop_frozen(struct extras *x, uint64_t series)
{
    struct extra *e = find(x, series);
    if (!e)
        return;
    runs_retire(x, e->frozen);
    e->frozen = NULL;
    starts_fini(x, &e->frozen_starts);
}

void extras_remove(struct extras *x, uint64_t series)
{
    const uint32_t *there = numbers_get(&x->places, series);
    if (!there)
        return;
    uint32_t place = *there;
    struct extra *e = x->at.at[place], *last = vec_last(&x->at);
    runs_retire(x, e->open);
    runs_retire(x, e->sealed);
    runs_retire(x, e->frozen);
    starts_fini(x, &e->starts);
    starts_fini(x, &e->frozen_starts);
    count_memory(x, -(int64_t)sizeof *e);
    /* The last one takes its place. */
    x->at.at[place] = last;
    numbers_put(&x->places, last->series, place);
    numbers_remove(&x->places, series);
    x->at.n--;
    free(e);
}

static void runs_free(struct hist_run *r)
{
    for (struct hist_run *next; r; r = next) {
        next = r->next;
        free(r);
    }
}

/* Nobody reads any more. */
void extras_fini(struct extras *x)
{
    VEC_EACH (p, &x->at) {
        struct extra *e = *p;
        runs_free(e->open);
        runs_free(e->sealed);
        runs_free(e->frozen);
        vec_fini(&e->starts);
        vec_fini(&e->frozen_starts);
        free(e);
    }
    vec_fini(&x->at);
    numbers_fini(&x->places);
}

/* ---- reading ---- */

static const struct start_span *copy_starts(const struct start_list *l, struct arena *a)
{
    struct start_span *at = arena_alloc(a, l->n * sizeof *at);
    if (l->n)
        memcpy(at, l->at, l->n * sizeof *at);
    return at;
}

const struct extra_capture *extras_capture(const struct extras *x, uint64_t series,
                                           bool frozen_live, struct arena *a)
{
    const struct extra *e = find(x, series);
    if (!e)
        return NULL;
    struct extra_capture *c = arena_new(a, struct extra_capture);
    c->open = e->open;
    c->open_len = e->open ? e->open->len : 0;
    c->open_n = e->open ? e->open->n : 0;
    c->sealed = e->sealed;
    c->starts = copy_starts(&e->starts, a);
    c->starts_n = e->starts.n;
    if (frozen_live) {
        c->frozen = e->frozen;
        c->frozen_starts = copy_starts(&e->frozen_starts, a);
        c->frozen_starts_n = e->frozen_starts.n;
    }
    return c;
}

static void read_blocks(const struct hist_run *r, const struct gather *g, timed_list *out)
{
    for (; r; r = r->next)
        if (r->min_t <= g->end && r->max_t >= g->start)
            read_block(r, g->arena, out);
}

static void tell(struct gather *g, size_t from, timed_list *l, const struct start_span *starts,
                 size_t starts_n)
{
    sort(l);
    ts_ms *t = mem_array(l->n + 1, sizeof *t);
    const struct histogram **h = mem_array(l->n + 1, sizeof *h);
    for (size_t i = 0; i < l->n; i++) {
        t[i] = l->at[i].t;
        h[i] = l->at[i].h;
    }
    gather_tell(g, from, &(struct extra_view){t, h, l->n, starts, starts_n});
    free(t);
    free(h);
}

void extra_capture_tell(const struct extra_capture *c, bool frozen, struct gather *g, size_t from)
{
    timed_list l = {0};
    if (from == g->n)
        return;
    if (frozen) {
        read_blocks(c->frozen, g, &l);
        tell(g, from, &l, c->frozen_starts, c->frozen_starts_n);
    } else {
        read_blocks(c->sealed, g, &l);
        if (c->open)
            read_open(c->open, c->open_len, c->open_n, g->arena, &l);
        tell(g, from, &l, c->starts, c->starts_n);
    }
    vec_fini(&l);
}
