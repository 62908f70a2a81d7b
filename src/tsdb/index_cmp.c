// SPDX-License-Identifier: Apache-2.0
/*
 * Series of two parts side by side. Both are walked in order and mostly have the same series, so
 * the same few texts meet again and again: once two were found equal, their numbers say so.
 */
#include "tsdb/index_int.h"

static const struct run *run_of(struct index_place *p)
{
    const struct run *r = &p->x->runs[p->run];
    if (p->id < r->first || p->id >= r[1].first) {
        r = index_run_of(p->x, p->id);
        p->run = (uint32_t)(r - p->x->runs);
    }
    return r;
}

/* Symbols of label k. */
static inline int text_cmp(struct index_place *p, uint32_t a, const struct index_place *q,
                           uint32_t b, uint32_t k)
{
    struct index_pair *known = &p->pairs[k % INDEX_PAIR_LABELS][a % INDEX_PAIR_TEXTS];
    if (known->a == a && known->b == b && known->part == q->part)
        return 0;
    int c = str_cmp(p->x->symbols[a], q->x->symbols[b]);
    if (!c)
        *known = (struct index_pair){a, b, q->part};
    return c;
}

int index_cmp(struct index_place *p, struct index_place *q)
{
    const struct run *r = run_of(p), *s = run_of(q);
    const struct schema *ps = &p->x->schemas[r->schema], *qs = &q->x->schemas[s->schema];
    bool same_names = p->schemas[0] == ps && p->schemas[1] == qs;
    uint32_t n = ps->n < qs->n ? ps->n : qs->n;
    for (uint32_t k = 0; k < n; k++) {
        int c = same_names ? 0 : str_cmp(p->x->symbols[ps->names[k]], q->x->symbols[qs->names[k]]);
        if (!c)
            c = text_cmp(p, run_value(r, p->id, k), q, run_value(s, q->id, k), k);
        if (c)
            return c;
    }
    if (ps->n == qs->n) {
        p->schemas[0] = ps;
        p->schemas[1] = qs;
    }
    return (ps->n > qs->n) - (ps->n < qs->n);
}
