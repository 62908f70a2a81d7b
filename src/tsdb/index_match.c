// SPDX-License-Identifier: Apache-2.0
/*
 * Series that match. The postings of the cheapest matcher are where to begin: an equality, a set,
 * the values with a prefix, those that an expression takes (each value is asked once). The others
 * are asked of what it found only, by the columns of labels, so that a selection costs what its
 * smallest matcher does and long lists are not walked to be intersected. Without a matcher that
 * asks for a label all series are there but those that the others exclude.
 */
#include "tsdb/ask.h"
#include "tsdb/index_int.h"

enum answer { UNKNOWN, YES, NO };
#define COLUMN_UNKNOWN UINT16_MAX
static_assert(SERIES_LABELS_MAX < COLUMN_UNKNOWN, "columns have 16 bits");

struct test {
    struct ask ask;
    uint32_t name;                   /* symbol */
    const struct posting_name *dict; /* its values */
    uint32_t from, to;               /* those that may match, places in postings */
    uint64_t cost;                   /* series that its values have, if `known` */
    bool known;                      /* which values match: answers are right */
    uint32_t only;                   /* it is this symbol alone, UINT32_MAX: see answers */
    const struct posting **found;    /* of a set of texts: its values that are there */
    size_t found_n;
    uint8_t *answers;  /* per symbol; NULL: not asked yet */
    uint16_t *columns; /* per schema: 1 + place of the name, 0: it has none */
};

/* A test on the series of one run: of column `at` of its values. */
struct column_test {
    struct test *t;
    uint32_t at;
};

struct match {
    const struct index *x;
    struct arena *a;
    struct test *tests;
    size_t n;
};

bool index_symbol(const struct index *x, str text, uint32_t *out)
{
    uint32_t lo = 0, hi = x->symbols_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(x->symbols[mid], text);
        *out = mid;
        if (c == 0)
            return true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* ---- which values match ---- */

static void need_answers(const struct match *k, struct test *t)
{
    if (!t->answers)
        t->answers = arena_zalloc(k->a, k->x->symbols_n + 1UL);
}

static bool holds(const struct match *k, struct test *t, uint32_t value)
{
    if (t->only != UINT32_MAX)
        return (value == t->only) != (t->ask.m->op == MATCH_NE);
    if (t->ask.every)
        return true;
    need_answers(k, t);
    if (t->answers[value] == UNKNOWN)
        t->answers[value] = !t->known && matcher_test(t->ask.m, k->x->symbols[value]) ? YES : NO;
    return t->answers[value] == YES;
}

/* The first value of the name that is not below the prefix, or that is above all that have it. */
static uint32_t find_prefix(const struct index *x, const struct posting_name *n, str prefix,
                            bool above)
{
    uint32_t lo = n->first, hi = n[1].first;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        str text = x->symbols[x->postings.at[mid].value];
        if (str_cmp(text, prefix) < 0 || (above && str_starts(text, prefix)))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void look_up_texts(const struct match *k, struct test *t)
{
    t->known = true;
    t->found = arena_alloc(k->a, (t->ask.texts_n + 1) * sizeof(struct posting *));
    for (size_t i = 0; i < t->ask.texts_n; i++) {
        uint32_t symbol;
        const struct posting *p = index_symbol(k->x, t->ask.texts[i], &symbol)
                                      ? postings_find(&k->x->postings, t->dict, symbol)
                                      : NULL;
        if (!p)
            continue;
        t->found[t->found_n++] = p;
        t->cost += p->n;
    }
    if (t->found_n == 1)
        t->only = t->found[0]->value;
    else if (t->found_n)
        need_answers(k, t);
    for (size_t i = 0; i < t->found_n && t->found_n > 1; i++)
        t->answers[t->found[i]->value] = YES;
}

/* Asks all values that may match. */
static void ask_values(const struct match *k, struct test *t)
{
    const struct postings_dir *d = &k->x->postings;
    for (uint32_t i = t->from; i < t->to; i++)
        if (holds(k, t, d->at[i].value))
            t->cost += d->at[i].n;
    t->known = true;
}

/* False: no series matches. `t->dict` NULL: all do. */
static bool test_init(const struct match *k, struct test *t, const struct matcher *m)
{
    const struct index *x = k->x;
    *t = (struct test){.only = UINT32_MAX};
    ask_init(&t->ask, m, k->a);
    if (t->ask.every && t->ask.absent)
        return true;
    if (index_symbol(x, m->name, &t->name))
        t->dict = postings_name(&x->postings, t->name);
    if (!t->dict)
        return t->ask.absent;
    t->from = t->dict->first;
    t->to = t->dict[1].first;
    t->columns = arena_alloc(k->a, (x->schemas_n + 1) * sizeof *t->columns);
    memset(t->columns, 0xff, (x->schemas_n + 1) * sizeof *t->columns);
    if (t->ask.every) {
        t->cost = t->dict->series;
        t->known = true;
    } else if (t->ask.is_set) {
        look_up_texts(k, t);
    } else if (m->op == MATCH_NE) {
        uint32_t symbol;
        t->only = index_symbol(x, m->value, &symbol) ? symbol : x->symbols_n;
    } else if (t->ask.prefix.n) {
        t->from = find_prefix(x, t->dict, t->ask.prefix, false);
        t->to = find_prefix(x, t->dict, t->ask.prefix, true);
    }
    return t->ask.absent || !t->known || t->cost > 0;
}

/* The matcher that asks for a label and whose series are the fewest. What it costs is known of some
 * at once; others are asked when that costs less than looking at the series found otherwise. */
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
        uint64_t values = t->to - t->from;
        if (t->ask.absent || t->known || (best && values * ASK_COST > best->cost))
            continue;
        ask_values(k, t);
        if (!best || t->cost < best->cost)
            best = t;
    }
    return best;
}

/* ---- where to begin ---- */

static void list_bits(const uint64_t *bits, size_t words, struct id_list *out)
{
    for (size_t w = 0; w < words; w++)
        for (uint64_t left = bits[w]; left; left &= left - 1)
            out->at[out->n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(left));
}

/* The series with a value that matches. */
static void begin(const struct match *k, struct test *t, struct id_list *out)
{
    const struct postings_dir *d = &k->x->postings;
    size_t words = k->x->series_n / 64 + 1;
    out->at = arena_alloc(k->a, (t->cost + 1) * sizeof *out->at);
    if (t->found_n == 1) {
        posting_ids(d, t->found[0], out->at);
        out->n = t->found[0]->n;
        return;
    }
    uint64_t *bits = arena_zalloc(k->a, words * sizeof *bits);
    for (size_t i = 0; i < t->found_n; i++)
        posting_set(d, t->found[i], bits);
    for (uint32_t i = t->from; i < t->to && !t->ask.is_set; i++)
        if (holds(k, t, d->at[i].value))
            posting_set(d, &d->at[i], bits);
    list_bits(bits, words, out);
}

/* All series but those with a value that does not match. */
static void begin_with_all(const struct match *k, struct id_list *out)
{
    const struct postings_dir *d = &k->x->postings;
    uint32_t n = k->x->series_n;
    size_t words = n / 64 + 1;
    uint64_t *bits = arena_alloc(k->a, words * sizeof *bits);
    memset(bits, 0xff, words * sizeof *bits);
    bits[words - 1] = (1ULL << n % 64) - 1;
    for (size_t i = 0; i < k->n; i++) {
        struct test *t = &k->tests[i];
        for (uint32_t p = t->dict->first; p < t->dict[1].first; p++)
            if (!holds(k, t, d->at[p].value))
                posting_clear(d, &d->at[p], bits);
    }
    out->at = arena_alloc(k->a, (n + 1ULL) * sizeof *out->at);
    list_bits(bits, words, out);
}

/* ---- the others ---- */

/* 1 + the place of the name in the schema; 0: it is not there. */
static uint32_t column_of(const struct index *x, struct test *t, uint32_t schema)
{
    if (t->columns[schema] == COLUMN_UNKNOWN) {
        const struct schema *s = &x->schemas[schema];
        uint32_t at = 0;
        while (at < s->n && s->names[at] < t->name)
            at++;
        t->columns[schema] = at < s->n && s->names[at] == t->name ? (uint16_t)(at + 1) : 0;
    }
    return t->columns[schema];
}

/* False: no series of the run matches. Else the tests that its series still need. */
static bool test_run(const struct match *k, const struct run *r, const struct test *but,
                     struct column_test *open, size_t *open_n)
{
    *open_n = 0;
    for (size_t i = 0; i < k->n; i++) {
        struct test *t = &k->tests[i];
        if (t == but)
            continue;
        uint32_t at = column_of(k->x, t, r->schema);
        if (at-- == 0) {
            if (!t->ask.absent)
                return false;
        } else if (r->columns[at].width) {
            open[(*open_n)++] = (struct column_test){t, at};
        } else if (!holds(k, t, r->columns[at].min)) {
            return false;
        }
    }
    return true;
}

static bool test_series(const struct match *k, const struct run *r, uint32_t id,
                        const struct column_test *open, size_t open_n)
{
    for (size_t i = 0; i < open_n; i++)
        if (!holds(k, open[i].t, run_value(r, id, open[i].at)))
            return false;
    return true;
}

/* The run of `id`, which is behind those of `r`. */
static const struct run *next_run(const struct index *x, const struct run *r, uint32_t id)
{
    return id < r[2].first ? r + 1 : index_run_of(x, id);
}

/* Keeps what the other tests hold of. */
static void filter(const struct match *k, const struct test *but, struct id_list *l)
{
    struct column_test *open = arena_alloc(k->a, (k->n + 1) * sizeof *open);
    const struct run *r = NULL;
    size_t open_n = 0, n = 0;
    bool any = false;
    for (size_t i = 0; i < l->n; i++) {
        uint32_t id = l->at[i];
        if (!r || id >= r[1].first) {
            r = r ? next_run(k->x, r, id) : index_run_of(k->x, id);
            any = test_run(k, r, but, open, &open_n);
        }
        if (any && test_series(k, r, id, open, open_n))
            l->at[n++] = id;
    }
    l->n = n;
}

void index_match(const struct index *x, const struct matcher *m, size_t m_n, struct arena *a,
                 struct id_list *out)
{
    struct match k = {.x = x, .a = a, .tests = arena_alloc(a, (m_n + 1) * sizeof(struct test))};
    *out = (struct id_list){0};
    for (size_t i = 0; i < m_n; i++) {
        if (!test_init(&k, &k.tests[k.n], &m[i]))
            return;
        k.n += k.tests[k.n].dict != NULL;
    }
    struct test *first = cheapest(&k);
    if (!first) {
        begin_with_all(&k, out);
        return;
    }
    if (first->cost == 0)
        return;
    begin(&k, first, out);
    if (k.n > 1)
        filter(&k, first, out);
}
