// SPDX-License-Identifier: Apache-2.0
/* Label names and values of some series: run by run, where most of a run is one value. */
#include "tsdb/index_int.h"

struct seeing {
    const struct index *x;
    bool names;
    uint32_t name;
    uint8_t *marks; /* per symbol */
};

/* The place of the name in the run's schema; its length: it is not there. */
static uint32_t column_of(const struct seeing *s, const struct run *r)
{
    const struct schema *sc = &s->x->schemas[r->schema];
    uint32_t at = 0;
    while (at < sc->n && sc->names[at] != s->name)
        at++;
    return at;
}

static void mark_names(const struct seeing *s, const struct run *r)
{
    const struct schema *sc = &s->x->schemas[r->schema];
    for (uint32_t i = 0; i < sc->n; i++)
        s->marks[sc->names[i]] = 1;
}

/* Marks what n series of a run have. */
static void mark_ids(const struct seeing *s, const struct run *r, const uint32_t *ids, size_t n)
{
    if (s->names) {
        mark_names(s, r);
        return;
    }
    uint32_t at = column_of(s, r);
    if (at == s->x->schemas[r->schema].n)
        return;
    if (r->min[at] == r->max[at]) {
        s->marks[r->min[at]] = 1;
        return;
    }
    for (size_t i = 0; i < n; i++)
        s->marks[run_values(s->x, r, ids ? ids[i] : r->first + (uint32_t)i)[at]] = 1;
}

void index_see(const struct index *x, str name, const struct id_list *ids, struct arena *a,
               void (*fn)(void *arg, str text), void *arg)
{
    struct seeing s = {.x = x, .names = name.n == 0};
    if (!s.names && !index_symbol(x, name, &s.name))
        return;
    s.marks = arena_zalloc(a, x->symbols_n + 1UL);
    for (uint32_t i = 0; i < x->runs_n && !ids; i++)
        mark_ids(&s, &x->runs[i], NULL, x->runs[i + 1].first - x->runs[i].first);
    for (size_t k = 0, n; ids && k < ids->n; k += n) {
        const struct run *r = index_run_of(x, ids->at[k]);
        for (n = 1; k + n < ids->n && ids->at[k + n] < r[1].first;)
            n++;
        mark_ids(&s, r, ids->at + k, n);
    }
    for (uint32_t i = 0; i < x->symbols_n; i++)
        if (s.marks[i])
            fn(arg, x->symbols[i]);
}
