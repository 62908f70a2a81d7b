// SPDX-License-Identifier: Apache-2.0
/* The order of an instant vector. Range queries are ordered by labels whatever these say. */
#include <math.h>
#include <stdlib.h>

#include "promql/eval_int.h"

/* What a comparison sorts by; qsort_r hands it through. */
struct order {
    const struct node *n; /* labels of sort_by_label */
    int sign;
};

static int by_value(const void *a, const void *b, void *ctx)
{
    const struct order *o = ctx;
    double x = ((const struct row *)a)->v[0], y = ((const struct row *)b)->v[0];
    if (isnan(x) || isnan(y))
        return !!isnan(x) - !!isnan(y);
    return o->sign * ((x > y) - (x < y));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The run of digits or of other bytes at the start. */
static str chunk(str s)
{
    size_t n = 0;
    while (n < s.n && is_digit(s.p[n]) == is_digit(s.p[0]))
        n++;
    return str_sub(s, 0, n);
}

static int compare_numbers(str a, str b)
{
    while (a.n > 1 && a.p[0] == '0')
        a = str_sub(a, 1, a.n);
    while (b.n > 1 && b.p[0] == '0')
        b = str_sub(b, 1, b.n);
    return a.n != b.n ? (a.n > b.n) - (a.n < b.n) : str_cmp(a, b);
}

/* Natural order: runs of digits are compared as numbers. */
static int compare_natural(str a, str b)
{
    while (a.n && b.n) {
        str x = chunk(a), y = chunk(b);
        bool numbers = is_digit(x.p[0]) && is_digit(y.p[0]);
        int c = numbers ? compare_numbers(x, y) : str_cmp(x, y);
        if (c)
            return c;
        a = str_sub(a, x.n, a.n);
        b = str_sub(b, y.n, b.n);
    }
    return (a.n > 0) - (b.n > 0);
}

static int by_label(const void *a, const void *b, void *ctx)
{
    const struct order *o = ctx;
    const struct row *x = a, *y = b;
    for (size_t i = 1; i < o->n->call.args_n; i++) {
        str name = node_bare(o->n->call.args[i])->string;
        int c = compare_natural(labels_get(x->labels, name), labels_get(y->labels, name));
        if (c)
            return o->sign * c;
    }
    return o->sign * labels_cmp(x->labels, y->labels);
}

/* Histograms have no order among values. */
static void drop_histograms(struct rows *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (!is_absent(rows->at[i].v[0]))
            rows->at[n++] = rows->at[i];
    rows->n = n;
}

static bool floats_put(void *ctx, struct row *r, struct err *err)
{
    const struct row_sink *sink = ctx;
    r->h = NULL;
    return sink->put(sink->ctx, r, err);
}

static bool sorted(struct eval *ev, const struct node *n, const struct grid *g,
                   int (*cmp)(const void *, const void *, void *), int sign,
                   const struct row_sink *sink, struct err *err)
{
    if (g->n > 1) {
        note_warning(ev, n,
                     "sort is ineffective for range queries since results are always "
                     "ordered by labels");
        struct row_sink floats = {floats_put, &(struct row_sink){sink->put, sink->ctx}};
        return eval_rows(ev, n->call.args[0], g, cmp == by_value ? &floats : sink, err);
    }
    struct rows rows;
    struct order o = {n, sign};
    if (!eval_collect(ev, n->call.args[0], g, &rows, err))
        return false;
    if (cmp == by_value)
        drop_histograms(&rows);
    if (rows.n > 1)
        qsort_r(rows.at, rows.n, sizeof *rows.at, cmp, &o);
    for (size_t i = 0; i < rows.n; i++)
        if (!sink->put(sink->ctx, &rows.at[i], err))
            return false;
    return true;
}

static bool call_sort(struct eval *ev, const struct node *n, const struct grid *g,
                      const struct row_sink *sink, struct err *err)
{
    return sorted(ev, n, g, by_value, 1, sink, err);
}
static bool call_sort_desc(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    return sorted(ev, n, g, by_value, -1, sink, err);
}
static bool call_sort_by_label(struct eval *ev, const struct node *n, const struct grid *g,
                               const struct row_sink *sink, struct err *err)
{
    return sorted(ev, n, g, by_label, 1, sink, err);
}
static bool call_sort_by_label_desc(struct eval *ev, const struct node *n, const struct grid *g,
                                    const struct row_sink *sink, struct err *err)
{
    return sorted(ev, n, g, by_label, -1, sink, err);
}

static const struct function rows[] = {
    {.name = STR_INIT("sort"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .call = call_sort,
     .help = STR_INIT("Elements by value, smallest first.")},
    {.name = STR_INIT("sort_desc"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .call = call_sort_desc,
     .help = STR_INIT("Elements by value, largest first.")},
    {.name = STR_INIT("sort_by_label"),
     .args = {PROMQL_VECTOR, PROMQL_STRING},
     .args_n = 2,
     .variadic = -1,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL,
     .call = call_sort_by_label,
     .help = STR_INIT("Elements by labels in natural order, ascending.")},
    {.name = STR_INIT("sort_by_label_desc"),
     .args = {PROMQL_VECTOR, PROMQL_STRING},
     .args_n = 2,
     .variadic = -1,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL,
     .call = call_sort_by_label_desc,
     .help = STR_INIT("Elements by labels in natural order, descending.")},
};

const struct function_family family_order = {rows, sizeof rows / sizeof *rows};
