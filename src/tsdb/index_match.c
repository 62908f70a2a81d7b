// SPDX-License-Identifier: Apache-2.0
/*
 * Series that match. A run is tested as a whole where it can be: a matcher of a name that its
 * series do not have, of a value outside of what they have, of a value that is the same for all.
 * What is left is looked at series by series: a comparison of numbers, or for other matchers an
 * answer that is asked for once per symbol.
 */
#include "tsdb/index_int.h"

enum answer { UNKNOWN, YES, NO };

struct test {
    const struct matcher *m;
    bool has_name;  /* some series has this label */
    bool has_value; /* MATCH_EQ, MATCH_NE: some series has this value, with this or another name */
    uint32_t name, value;
    uint8_t *answers; /* per symbol */
};

/* A test on the series of one run: of column `at` of its values. */
struct column_test {
    struct test *t;
    uint32_t at;
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

static void test_init(struct test *t, const struct index *x, const struct matcher *m,
                      struct arena *a)
{
    *t = (struct test){.m = m};
    t->has_name = index_symbol(x, m->name, &t->name);
    if (m->op == MATCH_EQ || m->op == MATCH_NE)
        t->has_value = index_symbol(x, m->value, &t->value);
    else if (t->has_name)
        t->answers = arena_zalloc(a, x->symbols_n);
}

static bool holds(const struct index *x, struct test *t, uint32_t value)
{
    if (t->m->op == MATCH_EQ)
        return t->has_value && value == t->value;
    if (t->m->op == MATCH_NE)
        return !t->has_value || value != t->value;
    if (t->answers[value] == UNKNOWN)
        t->answers[value] = matcher_test(t->m, x->symbols[value]) ? YES : NO;
    return t->answers[value] == YES;
}

/* False: no series of the run matches. Else the tests that its series still need. */
static bool test_run(const struct index *x, const struct run *r, struct test *tests, size_t n,
                     struct column_test *open, size_t *open_n)
{
    const struct schema *s = &x->schemas[r->schema];
    *open_n = 0;
    for (size_t i = 0; i < n; i++) {
        struct test *t = &tests[i];
        uint32_t at = 0;
        while (t->has_name && at < s->n && s->names[at] < t->name)
            at++;
        if (!t->has_name || at == s->n || s->names[at] != t->name) {
            if (!matcher_test_absent(t->m))
                return false;
            continue;
        }
        if (t->m->op == MATCH_EQ &&
            (!t->has_value || t->value < r->min[at] || t->value > r->max[at]))
            return false;
        if (r->min[at] != r->max[at])
            open[(*open_n)++] = (struct column_test){t, at};
        else if (!holds(x, t, r->min[at]))
            return false;
    }
    return true;
}

static void test_series(const struct index *x, const struct run *r, const struct column_test *open,
                        size_t open_n, struct id_list *out)
{
    uint32_t labels = x->schemas[r->schema].n;
    const uint32_t *v = &x->values[r->values_at];
    for (uint32_t id = r->first; id < r[1].first; id++, v += labels) {
        bool all = true;
        for (size_t i = 0; i < open_n && all; i++)
            all = holds(x, open[i].t, v[open[i].at]);
        if (all)
            out->at[out->n++] = id;
    }
}

void index_match(const struct index *x, const struct matcher *m, size_t m_n, struct arena *a,
                 struct id_list *out)
{
    struct test *tests = arena_alloc(a, (m_n + 1) * sizeof *tests);
    struct column_test *open = arena_alloc(a, (m_n + 1) * sizeof *open);
    size_t open_n;
    for (size_t i = 0; i < m_n; i++)
        test_init(&tests[i], x, &m[i], a);
    *out = (struct id_list){arena_alloc(a, (x->series_n + 1ULL) * sizeof *out->at), 0};
    for (uint32_t i = 0; i < x->runs_n; i++)
        if (test_run(x, &x->runs[i], tests, m_n, open, &open_n))
            test_series(x, &x->runs[i], open, open_n, out);
}
