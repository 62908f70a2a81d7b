// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregations that fold: every row of the operand is added to its group's columns and forgotten,
 * so memory grows with groups, not with series. What needs all values of a group at once is in
 * topk.c.
 */
#include <assert.h>
#include <math.h>

#include "promql/group_int.h"
#include "promql/histogram_int.h"

void grouper_init(struct grouper *gr, struct eval *ev, const struct node *n)
{
    *gr = (struct grouper){.ev = ev,
                           .table = {.quota = eval_quota(ev)},
                           .by = names_sorted(&ev->arena, &n->aggregate.by),
                           .without = n->aggregate.without};
}

void grouper_fini(struct grouper *gr)
{
    label_table_fini(&gr->table);
    vec_fini(&gr->scratch);
}

static bool grouped_by(const struct grouper *gr, str name)
{
    for (size_t i = 0; i < gr->by.n; i++)
        if (str_eq(gr->by.at[i], name))
            return true;
    return false;
}

size_t grouper_find(struct grouper *gr, struct labels ls)
{
    vec_clear(&gr->scratch);
    for (size_t i = 0; i < ls.n && (gr->without || gr->by.n); i++)
        if (grouped_by(gr, ls.at[i].name) != gr->without &&
            !(gr->without && str_eq(ls.at[i].name, LABEL_NAME)))
            vec_push(&gr->scratch, ls.at[i]);
    struct labels key = {gr->scratch.at, gr->scratch.n};
    size_t known = gr->table.n, i = label_table_add(&gr->table, key);
    if (i == known) {
        struct label *at = arena_array(&gr->ev->arena, struct label, key.n);
        if (key.n)
            memcpy(at, key.at, key.n * sizeof *at);
        gr->table.at[i] = (struct labels){at, key.n};
    }
    return i;
}

/* Columns of one group, one entry per step; what b and c hold is the operation's affair. */
struct fold_group {
    double *a; /* absent until a value came */
    double *b, *c;
    struct histogram_fold **h; /* NULL until a histogram came; per step, NULL: none */
    bool drop_name;
};

/* What an operation does with native histograms. */
enum fold_histograms { IGNORE, COUNT, ADD };

struct fold_op {
    enum token_kind op;
    int columns;
    enum fold_histograms histograms;
    void (*fold)(struct fold_group *g, const double *v, size_t n);
    void (*finish)(struct fold_group *g, size_t n);
};

static void sum_some(struct fold_group *g, const double *v, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (is_absent(v[i]))
            continue;
        if (is_absent(g->a[i]))
            g->a[i] = v[i], g->b[i] = 0;
        else
            kahan_add(v[i], &g->a[i], &g->b[i]);
    }
}

/* What is absent is not finite, so it is not added as lanes. */
static void sum_fold(struct fold_group *g, const double *v, size_t n)
{
    size_t i = 0;
    for (; i + KAHAN_LANES <= n; i += KAHAN_LANES)
        if (!kahan_add_lanes(v + i, g->a + i, g->b + i))
            sum_some(g, v, i, i + KAHAN_LANES);
    sum_some(g, v, i, n);
}

static void sum_finish(struct fold_group *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(g->a[i]))
            g->a[i] += g->b[i];
}

/* a: sum, or the mean once the sum overflowed; b: low part; c: count, negative with a mean. */
static void avg_add(double x, double *a, double *b, double *c)
{
    double count = fabs(*c) + 1;
    if (*c > 0) {
        double sum = *a, low = *b;
        kahan_add(x, &sum, &low);
        if (!isinf(sum)) {
            *a = sum, *b = low, *c = count;
            return;
        }
        *a /= count - 1;
        *b /= count - 1;
    }
    double q = (count - 1) / count, mean = q * *a, low = q * *b;
    kahan_add(x / count, &mean, &low);
    *a = mean, *b = low, *c = -count;
}

static void avg_some(struct fold_group *g, const double *v, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (is_absent(v[i]))
            continue;
        if (is_absent(g->a[i]))
            g->a[i] = v[i], g->b[i] = 0, g->c[i] = 1;
        else
            avg_add(v[i], &g->a[i], &g->b[i], &g->c[i]);
    }
}

static bool are_sums(const double *c)
{
    return c[0] > 0 && c[1] > 0 && c[2] > 0 && c[3] > 0;
}
static_assert(KAHAN_LANES == 4, "are_sums looks at all lanes");

static void avg_fold(struct fold_group *g, const double *v, size_t n)
{
    size_t i = 0;
    for (; i + KAHAN_LANES <= n; i += KAHAN_LANES) {
        if (!are_sums(g->c + i) || !kahan_add_lanes(v + i, g->a + i, g->b + i)) {
            avg_some(g, v, i, i + KAHAN_LANES);
            continue;
        }
        for (size_t k = i; k < i + KAHAN_LANES; k++)
            g->c[k] += 1;
    }
    avg_some(g, v, i, n);
}

static void avg_finish(struct fold_group *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(g->a[i]))
            g->a[i] = g->c[i] < 0 ? g->a[i] + g->b[i] : g->a[i] / g->c[i] + g->b[i] / g->c[i];
}

static void min_fold(struct fold_group *g, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(v[i]) && (isnan(g->a[i]) || g->a[i] > v[i]))
            g->a[i] = v[i];
}

static void max_fold(struct fold_group *g, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(v[i]) && (isnan(g->a[i]) || g->a[i] < v[i]))
            g->a[i] = v[i];
}

static void count_fold(struct fold_group *g, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(v[i]))
            g->a[i] = is_absent(g->a[i]) ? 1 : g->a[i] + 1;
}

static void group_fold(struct fold_group *g, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(v[i]))
            g->a[i] = 1;
}

/* Welford: a: sum of squared differences, b: mean, c: count. */
static void variance_fold(struct fold_group *g, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_absent(v[i]))
            continue;
        if (is_absent(g->a[i])) {
            g->a[i] = isfinite(v[i]) ? 0 : NAN;
            g->b[i] = v[i], g->c[i] = 1;
            continue;
        }
        double delta = v[i] - g->b[i];
        g->c[i] += 1;
        g->b[i] += delta / g->c[i];
        g->a[i] += delta * (v[i] - g->b[i]);
    }
}

static void stdvar_finish(struct fold_group *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(g->a[i]))
            g->a[i] /= g->c[i];
}

static void stddev_finish(struct fold_group *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_absent(g->a[i]))
            g->a[i] = sqrt(g->a[i] / g->c[i]);
}

static const struct fold_op fold_ops[] = {
    {TOK_SUM, 2, ADD, sum_fold, sum_finish},
    {TOK_AVG, 3, ADD, avg_fold, avg_finish},
    {TOK_MIN, 1, IGNORE, min_fold, NULL},
    {TOK_MAX, 1, IGNORE, max_fold, NULL},
    {TOK_COUNT, 1, COUNT, count_fold, NULL},
    {TOK_GROUP, 1, COUNT, group_fold, NULL},
    {TOK_STDVAR, 3, IGNORE, variance_fold, stdvar_finish},
    {TOK_STDDEV, 3, IGNORE, variance_fold, stddev_finish},
};

struct folder {
    struct grouper grouper;
    const struct fold_op *op;
    const struct node *operand;
    size_t steps;
    VEC(struct fold_group) groups;
};

static bool any_histogram(const struct row *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (r->h[i])
            return true;
    return false;
}

static void add_histogram(struct folder *f, struct histogram_fold **at, const struct row *r,
                          size_t step)
{
    struct eval *ev = f->grouper.ev;
    if (!*at) {
        *at = mem_new(struct histogram_fold);
        size_t cells = histogram_list_max(r->h[step]);
        eval_count_outside(ev, sizeof **at + 2 * cells * sizeof(struct histogram_cell));
    }
    struct histogram_fold *fold = *at;
    bool reconciled = fold->reconciled;
    if (!histogram_fold_add(fold, r->h[step], f->op->op == TOK_AVG))
        note_mixed_buckets(ev, f->operand, labels_metric_name(r->labels));
    if (fold->reconciled && !reconciled)
        note_reconciled(ev, f->operand, "aggregation");
}

static bool fold_histograms(struct folder *f, struct fold_group *g, const struct row *r,
                            struct err *err)
{
    struct eval *ev = f->grouper.ev;
    if (!any_histogram(r, f->steps))
        return true;
    if (f->op->histograms == IGNORE) {
        note_ignored_in_aggregation(ev, f->operand, token_text(f->op->op).p);
        return true;
    }
    if (f->op->histograms == COUNT) {
        double *v = eval_row_new(ev, f->steps, err);
        for (size_t i = 0; v && i < f->steps; i++)
            v[i] = r->h[i] ? 1 : absent();
        if (v)
            f->op->fold(g, v, f->steps);
        return v != NULL;
    }
    if (!g->h) {
        g->h = (struct histogram_fold **)eval_row_new(ev, f->steps, err);
        if (!g->h)
            return false;
        memset(g->h, 0, f->steps * sizeof *g->h);
    }
    for (size_t i = 0; i < f->steps; i++) {
        if (!r->h[i])
            continue;
        add_histogram(f, &g->h[i], r, i);
        if (!eval_memory(ev, err))
            return false;
    }
    return true;
}

/* The histograms of a group's row, NULL where floats came too or buckets did not fit. */
static const struct histogram **finish_histograms(struct folder *f, struct fold_group *g,
                                                  struct err *err)
{
    struct eval *ev = f->grouper.ev;
    const struct histogram **out = eval_histograms_new(ev, f->steps, err);
    for (size_t i = 0; out && i < f->steps; i++) {
        struct histogram_fold *fold = g->h[i];
        if (!fold)
            continue;
        if (!is_absent(g->a[i])) {
            note_warning(ev, f->operand,
                         "encountered a mix of histograms and floats for aggregation");
            g->a[i] = absent();
        } else if (!fold->incompatible) {
            out[i] = histogram_fold_finish(fold, f->op->op == TOK_AVG, &ev->arena);
            if (fold->reset && fold->no_reset)
                note_reset_collision(ev, f->operand, "aggregation");
            if (!eval_memory(ev, err))
                return NULL;
        }
    }
    return out;
}

static void folder_fini(struct folder *f)
{
    VEC_EACH (g, &f->groups) {
        for (size_t i = 0; g->h && i < f->steps; i++) {
            if (g->h[i])
                histogram_fold_fini(g->h[i]);
            free(g->h[i]);
        }
    }
    vec_fini(&f->groups);
    grouper_fini(&f->grouper);
}

static bool new_group(struct folder *f, struct err *err)
{
    struct eval *ev = f->grouper.ev;
    struct fold_group g = {0};
    double **columns[] = {&g.a, &g.b, &g.c};
    for (int i = 0; i < f->op->columns; i++)
        if (!(*columns[i] = eval_row_new(ev, f->steps, err)))
            return false;
    for (size_t i = 0; i < f->steps; i++)
        g.a[i] = absent();
    if (g.c)
        memset(g.c, 0, f->steps * sizeof *g.c);
    vec_push(&f->groups, g);
    eval_count_outside(ev, sizeof g);
    return true;
}

static bool fold_put(void *ctx, struct row *r, struct err *err)
{
    struct folder *f = ctx;
    size_t i = grouper_find(&f->grouper, r->labels);
    if (i == f->groups.n && !new_group(f, err))
        return false;
    f->op->fold(&f->groups.at[i], r->v, f->steps);
    f->groups.at[i].drop_name |= r->drop_name;
    return !r->h || fold_histograms(f, &f->groups.at[i], r, err);
}

static bool fold_flush(struct folder *f, const struct row_sink *sink, struct err *err)
{
    for (size_t i = 0; i < f->groups.n; i++) {
        struct fold_group *g = &f->groups.at[i];
        if (f->op->finish)
            f->op->finish(g, f->steps);
        struct row r = {f->grouper.table.at[i], g->drop_name, g->a, NULL};
        if (g->h && !(r.h = finish_histograms(f, g, err)))
            return false;
        if (!sink->put(sink->ctx, &r, err))
            return false;
    }
    return true;
}

bool eval_aggregate(struct eval *ev, const struct node *n, const struct grid *g,
                    const struct row_sink *sink, struct err *err)
{
    switch (n->aggregate.op) {
    case TOK_TOPK:
    case TOK_BOTTOMK:
    case TOK_LIMITK:
    case TOK_LIMIT_RATIO:
        return eval_topk(ev, n, g, sink, err);
    case TOK_QUANTILE:
        return eval_quantile(ev, n, g, sink, err);
    case TOK_COUNT_VALUES:
        return eval_count_values(ev, n, g, sink, err);
    default:
        break;
    }
    struct folder f = {.steps = g->n, .operand = n->aggregate.expr};
    for (size_t i = 0; i < sizeof fold_ops / sizeof *fold_ops; i++)
        if (fold_ops[i].op == n->aggregate.op)
            f.op = &fold_ops[i];
    grouper_init(&f.grouper, ev, n);
    bool ok = eval_rows(ev, n->aggregate.expr, g, &(struct row_sink){fold_put, &f}, err) &&
              fold_flush(&f, sink, err);
    folder_fini(&f);
    return ok;
}
