// SPDX-License-Identifier: Apache-2.0
#include "tsdb/ask.h"

#include <stdlib.h>

static int text_cmp(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sorted, without the empty one and without repetitions. */
static size_t settle(str *at, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(at, n, sizeof *at, text_cmp);
    for (size_t i = 0; i < n; i++)
        if (at[i].n && (kept == 0 || !str_eq(at[kept - 1], at[i])))
            at[kept++] = at[i];
    return kept;
}

static void init_regex(struct ask *q, const struct matcher *m, struct arena *a)
{
    str *texts;
    size_t n;
    /* The dot matches a newline, so these two are about all texts. */
    q->every = str_eq(m->value, STR(".*")) || str_eq(m->value, STR(".+"));
    if (q->every)
        return;
    q->is_set = regex_literals(m->re, a, &texts, &n);
    if (q->is_set) {
        q->texts_n = settle(texts, n);
        q->texts = texts;
    }
    q->prefix = regex_prefix(m->re);
}

void ask_init(struct ask *q, const struct matcher *m, struct arena *a)
{
    *q = (struct ask){.m = m, .absent = matcher_test_absent(m)};
    switch (m->op) {
    case MATCH_EQ:
        q->is_set = true;
        q->texts = &m->value;
        q->texts_n = m->value.n > 0;
        break;
    case MATCH_NE:
        q->every = m->value.n == 0;
        break;
    case MATCH_RE:
        init_regex(q, m, a);
        break;
    case MATCH_NRE:
        break;
    }
}
