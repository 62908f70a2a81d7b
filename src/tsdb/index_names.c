// SPDX-License-Identifier: Apache-2.0
/*
 * Label names and values: of all series from the postings, of some run by run, where most of a run
 * is one value. And whether postings and columns say the same.
 */
#include "tsdb/index_int.h"

struct seeing {
    const struct index *x;
    bool names;
    uint32_t name;
    uint8_t *marks; /* per symbol */
};

/* The place of the name in the run's schema; its length: it is not there. */
static uint32_t columdict(const struct seeing *s, const struct run *r)
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
    uint32_t at = columdict(s, r);
    if (at == s->x->schemas[r->schema].n)
        return;
    if (r->columns[at].width == 0) {
        s->marks[r->columns[at].min] = 1;
        return;
    }
    for (size_t i = 0; i < n; i++)
        s->marks[run_value(r, ids[i], at)] = 1;
}

/* Of all series: what the postings are of. */
static void see_all(const struct index *x, str name, void (*fn)(void *arg, str text), void *arg)
{
    const struct postings_dir *d = &x->postings;
    uint32_t symbol;
    for (uint32_t i = 0; i < d->names_n && name.n == 0; i++)
        fn(arg, x->symbols[d->names[i].name]);
    if (name.n == 0 || !index_symbol(x, name, &symbol))
        return;
    const struct posting_name *n = postings_name(d, symbol);
    for (uint32_t i = n ? n->first : 0; n && i < n[1].first; i++)
        fn(arg, x->symbols[d->at[i].value]);
}

static bool meets(const struct postings_dir *d, const struct posting *p, const uint64_t *bits)
{
    struct posting_cursor c = posting_read(d, p);
    struct posting_span s;
    while (posting_next(&c, p->n, &s))
        for (uint32_t i = 0, id = s.first; i < s.times; i++, id += s.gap)
            if (bits[id / 64] >> id % 64 & 1)
                return true;
    return false;
}

/* Values of some series, by asking each value whether one of them has it. */
static void see_values(const struct index *x, const struct posting_name *n,
                       const struct id_list *ids, struct arena *a, void (*fn)(void *arg, str text),
                       void *arg)
{
    uint64_t *bits = arena_zalloc(a, (x->series_n / 64 + 1) * sizeof *bits);
    for (size_t i = 0; i < ids->n; i++)
        bits[ids->at[i] / 64] |= 1ULL << ids->at[i] % 64;
    for (uint32_t i = n->first; i < n[1].first; i++)
        if (meets(&x->postings, &x->postings.at[i], bits))
            fn(arg, x->symbols[x->postings.at[i].value]);
}

enum { VALUE_COST = 16 };

void index_see(const struct index *x, str name, const struct id_list *ids, struct arena *a,
               void (*fn)(void *arg, str text), void *arg)
{
    struct seeing s = {.x = x, .names = name.n == 0};
    if (!ids)
        see_all(x, name, fn, arg);
    if (!ids || (!s.names && !index_symbol(x, name, &s.name)))
        return;
    const struct posting_name *dict = s.names ? NULL : postings_name(&x->postings, s.name);
    if (dict && (dict[1].first - dict->first) * (uint64_t)VALUE_COST < ids->n) {
        see_values(x, dict, ids, a, fn, arg);
        return;
    }
    s.marks = arena_zalloc(a, x->symbols_n + 1UL);
    for (size_t k = 0, n; k < ids->n; k += n) {
        const struct run *r = index_run_of(x, ids->at[k]);
        for (n = 1; k + n < ids->n && ids->at[k + n] < r[1].first;)
            n++;
        mark_ids(&s, r, ids->at + k, n);
    }
    for (uint32_t i = 0; i < x->symbols_n; i++)
        if (s.marks[i])
            fn(arg, x->symbols[i]);
}

/* ---- both ways ---- */

static bool has_label(const struct index *x, const struct run *r, uint32_t id, uint32_t name,
                      uint32_t value)
{
    const struct schema *s = &x->schemas[r->schema];
    for (uint32_t i = 0; i < s->n; i++)
        if (s->names[i] == name)
            return run_value(r, id, i) == value;
    return false;
}

bool index_check_postings(const struct index *x, struct err *err)
{
    const struct postings_dir *d = &x->postings;
    for (uint32_t i = 0; i < d->names_n; i++)
        for (uint32_t k = d->names[i].first; k < d->names[i + 1].first; k++) {
            struct posting_cursor c = posting_read(d, &d->at[k]);
            struct posting_span s;
            while (posting_next(&c, d->at[k].n, &s))
                for (uint32_t j = 0, id = s.first; j < s.times; j++, id += s.gap)
                    if (!has_label(x, index_run_of(x, id), id, d->names[i].name, d->at[k].value))
                        return index_damaged(x, "section \"postings\" of other series: it", err);
        }
    return true;
}
