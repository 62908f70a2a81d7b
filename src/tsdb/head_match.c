// SPDX-License-Identifier: Apache-2.0
/*
 * Series of a shard that match. As in parts (index_match.c) the cheapest matcher that asks for a
 * label is where to begin; here series lie all over the memory, so what can be told from lists of
 * ids is told from them, and series are looked at last.
 */
#include <stdlib.h>

#include "tsdb/ask.h"
#include "tsdb/head.h"

enum {
    NO = 1,
    YES,
    LOOK_COST = 16, /* looking at a series costs as much as passing so many ids of a list */
    FEW = 64,
};

struct test {
    struct ask ask;
    uint32_t name;
    const struct label_values *dict;
    bool known;                    /* `found` and `cost` are right */
    const struct postings **found; /* values that match; of a negative one that do not */
    size_t found_n;
    uint64_t cost; /* series in them */
};

struct match {
    struct head *h;
    const struct shard *sh;
    struct arena *a;
    struct test *tests;
    size_t n;
};

static void add_found(struct test *t, const struct postings *p)
{
    t->found[t->found_n++] = p;
    t->cost += p->n;
}

static void look_up_texts(const struct match *k, struct test *t)
{
    t->found = arena_array(k->a, const struct postings *, t->ask.texts_n + 1);
    for (size_t i = 0; i < t->ask.texts_n; i++) {
        uint32_t value = symbols_find(&k->h->symbols, t->ask.texts[i]);
        const struct postings *p = value ? head_index_find(&k->sh->index, t->name, value) : NULL;
        if (p)
            add_found(t, p);
    }
    t->known = true;
}

/* Asks every value: those that match, or of a negative matcher those that do not. */
static void ask_values(const struct match *k, struct test *t)
{
    t->found = arena_array(k->a, const struct postings *, t->dict->postings.n + 1);
    VEC_EACH (i, &t->dict->postings) {
        const struct postings *p = &k->sh->index.postings.at[*i];
        str text = symbols_text(&k->h->symbols, p->value);
        bool matches =
            t->ask.every || (str_starts(text, t->ask.prefix) && matcher_test(t->ask.m, text));
        if (matches != t->ask.absent)
            add_found(t, p);
    }
    t->known = true;
}

/* False: no series matches. `t->dict` NULL: all do. */
static bool test_init(const struct match *k, struct test *t, const struct matcher *m)
{
    const struct head_index *x = &k->sh->index;
    *t = (struct test){.name = symbols_find(&k->h->symbols, m->name)};
    ask_init(&t->ask, m, k->a);
    if (t->ask.every && t->ask.absent)
        return true;
    const uint32_t *i = t->name ? numbers_get(&x->by_name, t->name) : NULL;
    if (!i)
        return t->ask.absent;
    t->dict = &x->names.at[*i];
    if (t->ask.is_set && !t->ask.absent)
        look_up_texts(k, t);
    if (m->op == MATCH_NE && m->value.n) {
        t->ask.texts = &m->value;
        t->ask.texts_n = 1;
        look_up_texts(k, t);
    }
    return t->ask.absent || !t->known || t->cost > 0;
}

static struct test *cheapest(const struct match *k)
{
    struct test *best = NULL;
    for (size_t i = 0; i < k->n; i++) {
        struct test *t = &k->tests[i];
        if (!t->ask.absent && t->known && (!best || t->cost < best->cost))
            best = t;
    }
    for (size_t i = 0; i < k->n; i++) {
        struct test *t = &k->tests[i];
        uint64_t values = t->dict->postings.n;
        if (t->known || (best && values * ASK_COST > best->cost * LOOK_COST))
            continue;
        if (t->ask.absent && !best)
            continue;
        ask_values(k, t);
        if (!t->ask.absent && (!best || t->cost < best->cost))
            best = t;
    }
    return best;
}

/* ---- lists ---- */

static int id_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_ids(uint32_t *at, size_t n, struct arena *a)
{
    enum { BITS = 11, DIGITS = 1 << BITS };
    uint32_t *from = at, *to = arena_array(a, uint32_t, n + 1);
    if (n < DIGITS / 4) {
        qsort(at, n, sizeof *at, id_cmp);
        return;
    }
    for (unsigned shift = 0; shift < 32; shift += BITS) {
        uint32_t count[DIGITS] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            count[from[i] >> shift & (DIGITS - 1)]++;
        for (size_t i = 0; i < DIGITS; i++) {
            uint32_t here = count[i];
            count[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[count[from[i] >> shift & (DIGITS - 1)]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    memcpy(at, from, n * sizeof *at);
}

/* Ids of the lists, none in two of them, in order: as bits, or sorted when they are few among all
 * ids that were ever given. */
static void unite(const struct match *k, const struct test *t, struct id_list *out)
{
    size_t words = series_table_end(&k->sh->table) / 64 + 1UL;
    *out = (struct id_list){arena_alloc(k->a, (t->cost + 1) * sizeof(uint32_t)), 0};
    if (t->found_n == 1 || t->cost <= FEW || words > 2 * t->cost) {
        for (size_t i = 0; i < t->found_n; i++) {
            const struct postings *p = t->found[i];
            memcpy(out->at + out->n, postings_ids(p), p->n * sizeof *out->at);
            out->n += p->n;
        }
        if (t->found_n > 1)
            sort_ids(out->at, out->n, k->a);
        return;
    }
    uint64_t *bits = arena_zalloc(k->a, words * sizeof *bits);
    for (size_t i = 0; i < t->found_n; i++) {
        const uint32_t *ids = postings_ids(t->found[i]);
        for (uint32_t j = 0; j < t->found[i]->n; j++)
            bits[ids[j] / 64] |= 1ULL << ids[j] % 64;
    }
    for (size_t w = 0; w < words; w++)
        for (uint64_t left = bits[w]; left; left &= left - 1)
            out->at[out->n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(left));
}

static void all_ids(const struct match *k, struct id_list *out)
{
    *out = (struct id_list){arena_alloc(k->a, (k->sh->live + 1) * sizeof(uint32_t)), 0};
    for (uint32_t id = 0; series_table_next(&k->sh->table, &id); id++)
        out->at[out->n++] = id;
}

/* The first place from `k` on whose id is not below; looks ahead by doubling steps. */
static size_t seek(const uint32_t *ids, size_t n, size_t k, uint32_t id)
{
    size_t step = 1, end;
    while (k + step < n && ids[k + step] < id) {
        k += step;
        step *= 2;
    }
    end = k + step < n ? k + step : n;
    while (k < end && ids[k] < id) {
        size_t half = k + (end - k) / 2;
        if (ids[half] < id)
            k = half + 1;
        else
            end = half;
    }
    return k;
}

bool ids_meet(const uint32_t *x, size_t x_n, const uint32_t *y, size_t y_n)
{
    for (size_t i = 0, k = 0; i < x_n; i = seek(x, x_n, i, y[k])) {
        k = seek(y, y_n, k, x[i]);
        if (k == y_n)
            return false;
        if (y[k] == x[i])
            return true;
    }
    return false;
}

/* Keeps in `l` what is in the list, or what is not. Both rise. */
static void keep(struct id_list *l, const uint32_t *ids, size_t ids_n, bool in)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < l->n; i++) {
        k = seek(ids, ids_n, k, l->at[i]);
        if ((k < ids_n && ids[k] == l->at[i]) == in)
            l->at[n++] = l->at[i];
    }
    l->n = n;
}

/* Lists may have ids of series that are gone. */
static void keep_live(const struct match *k, struct id_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (series_table_get(&k->sh->table, l->at[i]))
            l->at[n++] = l->at[i];
    l->n = n;
}

/* ---- looking at series ---- */

/* The value of a label, 0: it is not there. */
static uint32_t value_of(const struct series *s, uint32_t name)
{
    for (size_t i = 0; i < s->labels_n; i++)
        if (s->labels[2 * i] == name)
            return s->labels[2 * i + 1];
    return 0;
}

enum { AHEAD = 8 };

static void look_ahead(const struct match *k, const struct id_list *l, size_t i)
{
    if (i + AHEAD < l->n) {
        const char *s = (const char *)series_table_get(&k->sh->table, l->at[i + AHEAD]);
        __builtin_prefetch(s + offsetof(struct series, labels_n));
        __builtin_prefetch(s + offsetof(struct series, labels));
    }
}

static bool ask_value(const struct match *k, const struct test *t, uint32_t value,
                      struct numbers *answers)
{
    const uint32_t *told = numbers_get(answers, value);
    if (told)
        return *told == YES;
    bool is = matcher_test(t->ask.m, symbols_text(&k->h->symbols, value));
    numbers_put(answers, value, is ? YES : NO);
    return is;
}

/* Keeps the series of `l` that match; each value is asked once. */
static void filter(const struct match *k, const struct test *t, struct id_list *l)
{
    struct numbers answers = {0};
    uint32_t before = 0;
    bool is = false;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        look_ahead(k, l, i);
        uint32_t value = value_of(series_table_get(&k->sh->table, l->at[i]), t->name);
        if (value && value != before)
            is = ask_value(k, t, value, &answers);
        before = value ? value : before;
        if (value ? is : t->ask.absent)
            l->at[n++] = l->at[i];
    }
    l->n = n;
    numbers_fini(&answers);
}

/* From lists where that is cheaper. */
static void apply(const struct match *k, struct test *t, struct id_list *l)
{
    struct id_list with;
    if (!t->known || (t->found_n > 1 && t->cost > (uint64_t)l->n * LOOK_COST)) {
        filter(k, t, l);
        return;
    }
    if (t->found_n == 1) {
        keep(l, postings_ids(t->found[0]), t->found[0]->n, !t->ask.absent);
        return;
    }
    unite(k, t, &with);
    keep(l, with.at, with.n, !t->ask.absent);
}

/* All series but those that have what some matcher excludes. */
static void match_negative(const struct match *k, struct id_list *out)
{
    all_ids(k, out);
    for (size_t i = 0; i < k->n && out->n; i++) {
        struct test *t = &k->tests[i];
        if (!t->known && t->dict->postings.n * (uint64_t)ASK_COST <= out->n * (uint64_t)LOOK_COST)
            ask_values(k, t);
        apply(k, t, out);
    }
}

struct id_list shard_match(struct head *h, struct shard *sh, const struct matcher *m, size_t m_n,
                           struct arena *a)
{
    struct match k = {h, sh, a, arena_array(a, struct test, m_n + 1), 0};
    struct id_list out = {0};
    for (size_t i = 0; i < m_n; i++) {
        if (!test_init(&k, &k.tests[k.n], &m[i]))
            return out;
        k.n += k.tests[k.n].dict != NULL;
    }
    struct test *first = cheapest(&k);
    if (!first) {
        match_negative(&k, &out);
        return out;
    }
    unite(&k, first, &out);
    if (sh->index.stale)
        keep_live(&k, &out);
    for (int lists = 1; lists >= 0; lists--) /* then what series must be looked at for */
        for (size_t i = 0; i < k.n && out.n; i++)
            if (&k.tests[i] != first && k.tests[i].known == (lists == 1))
                apply(&k, &k.tests[i], &out);
    return out;
}
