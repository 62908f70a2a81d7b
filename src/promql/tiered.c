// SPDX-License-Identifier: Apache-2.0
/*
 * Selections of which a part is rows of tiers. What is known of single samples (first and last of
 * each row, markers) stands before the samples that are still there, so everything that takes
 * samples works; functions that have a `tier` then get the rows for windows that touch them.
 */
#include "promql/eval_int.h"

struct tiered tiered_of(struct selection_ref from, struct arena *scratch)
{
    struct tiered t = {.from = from, .rows = {.arena = scratch}};
    if (from.ops->tiers)
        t.n = from.ops->tiers(from.sel, t.spans);
    return t;
}

/* Known samples while they are put together. */
struct known {
    ts_ms start, end;
    ts_ms *t;
    double *v;
    const struct histogram **h; /* NULL: floats only */
    size_t n;
};

static void add_known(struct known *k, ts_ms t, double v, const struct histogram *h)
{
    if (t < k->start || t > k->end || (k->n && t <= k->t[k->n - 1]))
        return;
    k->t[k->n] = t;
    k->v[k->n] = v;
    if (k->h)
        k->h[k->n] = h;
    k->n++;
}

/* Between the first and last sample of a row others are gone, so the hint of the last says nothing
 * about the first. */
static const struct histogram *last_of(const struct tier_row *r, struct arena *a)
{
    const struct histogram *h = r->hist->last;
    if (r->count <= 2 || h->reset == HISTOGRAM_GAUGE || h->reset == HISTOGRAM_RESET_UNKNOWN)
        return h;
    struct histogram *copy = arena_new(a, struct histogram);
    *copy = *h;
    copy->reset = HISTOGRAM_RESET_UNKNOWN;
    return copy;
}

static void add_row(struct known *k, const struct tier_row *r, struct arena *a)
{
    if (r->count > 0)
        add_known(k, r->first_t, r->first, r->hist ? r->hist->first : NULL);
    if (r->count > 1)
        add_known(k, r->last_t, r->last, r->hist ? last_of(r, a) : NULL);
    if (r->stale)
        add_known(k, r->end, stale_nan(), NULL);
}

static bool any_histogram(const struct tier_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].hist)
            return true;
    return false;
}

/* `c` becomes what is known of the rows and its own samples. */
static bool put_before(struct tiered *t, const struct select_hints *h, struct columns *c,
                       size_t *raw_from)
{
    struct arena *a = t->rows.arena;
    size_t room = 3 * t->rows.n + c->n;
    struct known k = {.start = h->start, .end = h->end};
    k.t = arena_try(a, room, sizeof *k.t);
    k.v = arena_try(a, room, sizeof *k.v);
    bool mixed = c->h || any_histogram(&t->rows);
    if (mixed)
        k.h = arena_try(a, room, sizeof *k.h);
    if (!k.t || !k.v || (mixed && !k.h))
        return false;
    for (size_t i = 0; i < t->rows.n; i++)
        add_row(&k, &t->rows.at[i], a);
    *raw_from = k.n;
    for (size_t i = 0; i < c->n; i++)
        add_known(&k, c->t[i], c->v[i], c->h ? c->h[i] : NULL);
    *c = (struct columns){.n = k.n, .t = k.t, .v = k.v, .h = k.h};
    return true;
}

static void mark_used(struct tiered *t)
{
    for (size_t s = 0, i = 0; s < t->n; s++)
        for (; i < t->rows.n && t->rows.at[i].end <= t->spans[s].end; i++)
            t->used[s] = true;
}

bool tiered_read(struct eval *ev, struct tiered *t, size_t i, const struct select_hints *h,
                 struct columns *c, size_t *raw_from, struct err *err)
{
    t->rows = (struct tier_rows){.arena = t->rows.arena};
    if (!t->from.ops->read_tier(t->from.sel, i, h->start, h->end, &t->rows, err))
        return false;
    mark_used(t);
    return put_before(t, h, c, raw_from) || eval_over_memory(ev, err);
}

bool tiered_look_up(const struct tiered *t, const ts_ms *at, size_t n, enum lookup what,
                    struct row *r)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const struct tier_row *x =
            row_has(r, i) ? NULL : tier_row_around(t->rows.at, t->rows.n, at[i]);
        if (!x || x->count == 0)
            continue;
        if (what == LOOKUP_TIME)
            r->v[i] = (double)x->first_t / 1000;
        else if (what == LOOKUP_START)
            r->v[i] = 0;
        else if (!x->hist)
            r->v[i] = x->first;
        else if (r->h)
            r->h[i] = x->hist->first;
        any |= row_has(r, i);
    }
    return any;
}

ts_ms tiered_end(const struct tiered *t, const struct select_hints *h)
{
    ts_ms end = t->n ? t->spans[t->n - 1].end : INT64_MIN;
    return end < h->end ? end : h->end;
}

void tiered_note(struct eval *ev, const struct tiered *t, const struct node *at,
                 const struct select_hints *h)
{
    for (size_t s = 0; s < t->n; s++) {
        ts_ms start = t->spans[s].start > h->start - 1 ? t->spans[s].start : h->start - 1;
        ts_ms end = t->spans[s].end < h->end ? t->spans[s].end : h->end;
        if (t->used[s])
            note_tier(ev, at, t->spans[s].step_ms, start, end);
    }
}
