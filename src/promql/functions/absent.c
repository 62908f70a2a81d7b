// SPDX-License-Identifier: Apache-2.0
/* What is not there: 1 at the steps where a selector finds nothing. */
#include "promql/eval_int.h"

struct presence {
    size_t steps;
    bool *seen;
    const struct windows *windows;
};

static bool seen_row(void *ctx, struct row *r, struct err *err)
{
    struct presence *p = ctx;
    (void)err;
    for (size_t i = 0; i < p->steps; i++)
        p->seen[i] |= row_has(r, i);
    return true;
}

static bool seen_range(void *ctx, const struct range_series *s, struct err *err)
{
    struct presence *p = ctx;
    (void)err;
    for (size_t i = 0, k = 0; i < p->steps; i++) {
        ts_ms end = p->windows->end[i];
        while (k < s->n && s->t[k] <= end)
            k++;
        p->seen[i] |= k > 0 && s->t[k - 1] > end - p->windows->range_ms;
        p->seen[i] |= s->rows_n && tier_row_around(s->rows, s->rows_n, end);
    }
    return true;
}

/* The labels that a selector fixes by equality, each by one matcher only. */
static struct labels fixed_labels(struct eval *ev, const struct node *n)
{
    n = node_bare(n);
    if (n->kind == NODE_RANGE)
        n = n->range.selector;
    if (n->kind != NODE_SELECTOR || n->selector.ors_n)
        return (struct labels){0};
    struct labels_builder b;
    struct names done = {arena_array(&ev->arena, str, n->selector.matchers_n), 0};
    labels_builder_init(&b, (struct labels){0});
    for (size_t i = 0; i < n->selector.matchers_n; i++) {
        const struct matcher *m = &n->selector.matchers[i];
        bool again = false;
        for (size_t k = 0; k < done.n; k++)
            again |= str_eq(done.at[k], m->name);
        if (str_eq(m->name, LABEL_NAME))
            continue;
        bool keep = m->op == MATCH_EQ && !again;
        labels_builder_set(&b, m->name, keep ? m->value : STR(""));
        if (keep)
            done.at[done.n++] = m->name;
    }
    struct labels out = labels_builder_take(&b, &ev->arena);
    labels_builder_fini(&b);
    return out;
}

static bool put_absent(struct eval *ev, const struct node *n, const struct presence *p,
                       const struct row_sink *sink, struct err *err)
{
    double *v = eval_row_new(ev, p->steps, err);
    bool any = false;
    if (!v)
        return false;
    for (size_t i = 0; i < p->steps; i++) {
        v[i] = p->seen[i] ? absent() : 1;
        any |= !p->seen[i];
    }
    struct row r = {fixed_labels(ev, n->call.args[0]), false, v, NULL};
    return !any || sink->put(sink->ctx, &r, err);
}

static bool seen_new(struct eval *ev, const struct grid *g, struct presence *p, struct err *err)
{
    p->steps = g->n;
    p->seen = (bool *)eval_row_new(ev, g->n, err);
    if (p->seen)
        memset(p->seen, 0, g->n * sizeof *p->seen);
    return p->seen != NULL;
}

static bool call_absent(struct eval *ev, const struct node *n, const struct grid *g,
                        const struct row_sink *sink, struct err *err)
{
    struct presence p = {0};
    return seen_new(ev, g, &p, err) &&
           eval_rows(ev, n->call.args[0], g, &(struct row_sink){seen_row, &p}, err) &&
           put_absent(ev, n, &p, sink, err);
}

static bool call_absent_over_time(struct eval *ev, const struct node *n, const struct grid *g,
                                  const struct row_sink *sink, struct err *err)
{
    struct presence p = {0};
    struct windows w;
    const struct node *range = node_bare(n->call.args[0]);
    p.windows = &w;
    return seen_new(ev, g, &p, err) && eval_windows(ev, range, g, &w, err) &&
           eval_range(ev, range, &w, &(struct range_sink){seen_range, &p}, err) &&
           put_absent(ev, n, &p, sink, err);
}

static const struct function rows[] = {
    {.name = STR_INIT("absent"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .call = call_absent,
     .help = STR_INIT("1 when the vector has no elements.")},
    {.name = STR_INIT("absent_over_time"),
     .args = {PROMQL_MATRIX},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .call = call_absent_over_time,
     .help = STR_INIT("1 when no series has a sample in the window.")},
};

const struct function_family family_absent = {rows, sizeof rows / sizeof *rows};
