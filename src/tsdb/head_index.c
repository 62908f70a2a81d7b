// SPDX-License-Identifier: Apache-2.0
/* What head_index.h says; head_match.c asks it. */
#include "tsdb/head_index.h"

#include "tsdb/head.h"

static uint64_t pair_key(uint32_t name, uint32_t value)
{
    return (uint64_t)name << 32 | value;
}

const struct postings *head_index_find(const struct head_index *x, uint32_t name, uint32_t value)
{
    const uint32_t *i = numbers_get(&x->pairs, pair_key(name, value));
    return i ? &x->postings.at[*i] : NULL;
}

void head_index_fini(struct head_index *x)
{
    VEC_EACH (p, &x->postings)
        if (p->cap)
            free(p->at);
    VEC_EACH (n, &x->names)
        vec_fini(&n->postings);
    vec_fini(&x->postings);
    vec_fini(&x->unused);
    vec_fini(&x->dirty);
    vec_fini(&x->names);
    numbers_fini(&x->pairs);
    numbers_fini(&x->by_name);
}

/* ---- adding ---- */

static void postings_resize(struct postings *p, uint32_t cap)
{
    uint32_t *at = mem_array(cap, sizeof *at);
    memcpy(at, postings_ids(p), p->n * sizeof *at);
    if (p->cap)
        free(p->at);
    p->at = at;
    p->cap = cap & INT32_MAX;
}

static void postings_push(struct postings *p, uint32_t id)
{
    if (p->n == 0 && p->cap == 0) {
        p->one = id;
    } else {
        if (p->cap == 0 || p->n == p->cap)
            postings_resize(p, p->cap ? p->cap + p->cap / 2 + 2 : 4);
        p->at[p->n] = id;
    }
    p->n++;
}

static struct label_values *values_of(struct head_index *x, uint32_t name)
{
    const uint32_t *i = numbers_get(&x->by_name, name);
    if (i)
        return &x->names.at[*i];
    numbers_put(&x->by_name, name, (uint32_t)x->names.n);
    vec_push(&x->names, (struct label_values){.name = name});
    return &vec_last(&x->names);
}

static uint32_t new_postings(struct head_index *x, uint32_t name, uint32_t value)
{
    uint32_t i = (uint32_t)x->postings.n;
    if (x->unused.n)
        i = x->unused.at[--x->unused.n];
    else
        vec_push(&x->postings, (struct postings){0});
    x->postings.at[i] = (struct postings){.name = name, .value = value};
    numbers_put(&x->pairs, pair_key(name, value), i);
    return i;
}

void head_index_add(struct head_index *x, const struct series *s)
{
    for (size_t k = 0; k < s->labels_n; k++) {
        uint32_t name = s->labels[2 * k], value = s->labels[2 * k + 1];
        struct label_values *lv = values_of(x, name);
        const uint32_t *there = numbers_get(&x->pairs, pair_key(name, value));
        uint32_t i = there ? *there : new_postings(x, name, value);
        if (!there)
            vec_push(&lv->postings, i);
        postings_push(&x->postings.at[i], s->id);
        lv->series++;
    }
}

/* ---- taking out ---- */

void head_index_leave(struct head_index *x, const struct series *s)
{
    x->stale = true;
    for (size_t k = 0; k < s->labels_n; k++) {
        const uint32_t *i =
            numbers_get(&x->pairs, pair_key(s->labels[2 * k], s->labels[2 * k + 1]));
        if (x->postings.at[*i].dirty)
            continue;
        x->postings.at[*i].dirty = 1;
        vec_push(&x->dirty, *i);
    }
}

static void clean_postings(struct head_index *x, const struct series_table *t, struct postings *p)
{
    struct label_values *lv = values_of(x, p->name);
    uint32_t n = 0, one = p->one, *at = p->cap ? p->at : &one;
    for (uint32_t i = 0; i < p->n; i++)
        if (series_table_get(t, at[i]))
            at[n++] = at[i];
    lv->series -= p->n - n;
    p->n = n;
    p->dirty = 0;
    if (n == 0) {
        if (p->cap)
            free(p->at);
        p->cap = 0;
        lv->dirty = true;
        numbers_remove(&x->pairs, pair_key(p->name, p->value));
    } else if (p->cap > 8 && n < p->cap / 4) {
        postings_resize(p, n + n / 2);
    }
}

static void drop_name(struct head_index *x, size_t i)
{
    numbers_remove(&x->by_name, x->names.at[i].name);
    vec_fini(&x->names.at[i].postings);
    x->names.at[i] = vec_last(&x->names);
    x->names.n--;
    if (i < x->names.n)
        numbers_put(&x->by_name, x->names.at[i].name, (uint32_t)i);
}

/* Postings without series leave their names, and names without postings. */
static void clean_names(struct head_index *x)
{
    for (size_t k = x->names.n; k-- > 0;) {
        struct label_values *lv = &x->names.at[k];
        size_t n = 0;
        if (!lv->dirty)
            continue;
        lv->dirty = false;
        VEC_EACH (i, &lv->postings)
            if (x->postings.at[*i].n)
                lv->postings.at[n++] = *i;
            else
                vec_push(&x->unused, *i);
        lv->postings.n = n;
        if (n == 0)
            drop_name(x, k);
    }
}

bool head_index_clean(struct head_index *x, const struct series_table *t, size_t ids_max)
{
    for (size_t ids = 0; x->dirty.n && ids < ids_max;) {
        struct postings *p = &x->postings.at[x->dirty.at[--x->dirty.n]];
        ids += p->n;
        clean_postings(x, t, p);
    }
    clean_names(x);
    x->stale = x->dirty.n > 0;
    return !x->stale;
}
