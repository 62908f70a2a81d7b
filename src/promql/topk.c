// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregations that need all values of a group at a step: topk, bottomk, limitk, limit_ratio,
 * quantile and count_values. Rows are collected, put in order of their group, and looked at step by
 * step.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "promql/group_int.h"
#include "promql/histogram_int.h"

/* Collected rows with their groups: members [start[g], start[g + 1]) of `order` belong to group g.
 */
struct members {
    struct rows rows;
    struct labels *labels; /* of the groups */
    bool *drop_name;       /* any member's */
    size_t groups_n;
    uint32_t *order, *start;
    double *param;  /* per step; NULL without parameter */
    double *offset; /* of each row, for limit_ratio */
};

static bool collect_members(struct eval *ev, const struct node *n, const struct grid *g,
                            struct members *m, struct err *err)
{
    struct grouper gr;
    if (n->aggregate.param && n->aggregate.param->type == PROMQL_SCALAR) {
        m->param = eval_row_new(ev, g->n, err);
        if (!m->param || !eval_scalar(ev, n->aggregate.param, g, m->param, err))
            return false;
    }
    if (!eval_collect(ev, n->aggregate.expr, g, &m->rows, err))
        return false;
    grouper_init(&gr, ev, n);
    uint32_t *group = arena_array(&ev->arena, uint32_t, m->rows.n);
    for (size_t i = 0; i < m->rows.n; i++)
        group[i] = (uint32_t)grouper_find(&gr, m->rows.at[i].labels);
    m->groups_n = gr.table.n;
    m->labels = arena_array(&ev->arena, struct labels, m->groups_n);
    m->drop_name = arena_array(&ev->arena, bool, m->groups_n);
    m->order = arena_array(&ev->arena, uint32_t, m->rows.n);
    m->start = arena_array(&ev->arena, uint32_t, m->groups_n + 1);
    if (m->groups_n)
        memcpy(m->labels, gr.table.at, m->groups_n * sizeof *m->labels);
    grouper_fini(&gr);
    for (size_t i = 0; i < m->rows.n; i++) {
        m->start[group[i] + 1]++;
        m->drop_name[group[i]] |= m->rows.at[i].drop_name;
    }
    for (size_t i = 0; i < m->groups_n; i++)
        m->start[i + 1] += m->start[i];
    uint32_t *next = arena_array(&ev->arena, uint32_t, m->groups_n + 1);
    memcpy(next, m->start, (m->groups_n + 1) * sizeof *next);
    for (size_t i = 0; i < m->rows.n; i++)
        m->order[next[group[i]]++] = (uint32_t)i;
    return eval_memory(ev, err);
}

/* ---- topk, bottomk, limitk, limit_ratio ---- */

struct candidate {
    double v;
    uint32_t row, at; /* at: order of arrival */
};

static int arrival(const struct candidate *x, const struct candidate *y)
{
    return (x->at > y->at) - (x->at < y->at);
}

/* NaN is last in both orders. */
static int descending(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (isnan(x->v) || isnan(y->v))
        return isnan(x->v) - isnan(y->v) ? isnan(x->v) - isnan(y->v) : arrival(x, y);
    return x->v < y->v ? 1 : x->v > y->v ? -1 : arrival(x, y);
}

static int ascending(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (isnan(x->v) || isnan(y->v))
        return isnan(x->v) - isnan(y->v) ? isnan(x->v) - isnan(y->v) : arrival(x, y);
    return x->v > y->v ? 1 : x->v < y->v ? -1 : arrival(x, y);
}

static bool check_k(const double *k, size_t steps, bool *none, struct err *err)
{
    double max = -DBL_MAX, min = DBL_MAX;
    bool any_nan = false;
    for (size_t i = 0; i < steps; i++) {
        any_nan |= isnan(k[i]);
        max = k[i] > max ? k[i] : max;
        min = k[i] < min ? k[i] : min;
    }
    *none = !any_nan && max < 1;
    if (*none)
        return true;
    if (any_nan)
        return err_set(err, ERR_EXEC, "Parameter value is NaN");
    char text[F64_TEXT_MAX];
    if (min <= -9223372036854775808.0)
        return f64_format_g(min, text),
               err_set(err, ERR_EXEC, "Scalar value %s underflows int64", text);
    if (max >= 9223372036854775807.0)
        return f64_format_g(max, text),
               err_set(err, ERR_EXEC, "Scalar value %s overflows int64", text);
    return true;
}

static bool check_ratio(struct eval *ev, const struct node *n, const double *r, size_t steps,
                        bool *none, struct err *err)
{
    double max = 0, min = 0;
    char text[F64_TEXT_MAX];
    for (size_t i = 0; i < steps; i++) {
        if (isnan(r[i]))
            return err_set(err, ERR_EXEC, "Ratio value is NaN");
        max = fmax(max, r[i]);
        min = fmin(min, r[i]);
    }
    *none = max == 0 && min == 0;
    if (max > 1) {
        f64_format_g(max, text);
        note_warning(ev, n->aggregate.param,
                     "ratio value should be between -1 and 1, got %s, capping to 1", text);
    }
    if (min < -1) {
        f64_format_g(min, text);
        note_warning(ev, n->aggregate.param,
                     "ratio value should be between -1 and 1, got %s, capping to -1", text);
    }
    return true;
}

/* A length in front of its text, as Prometheus keeps labels in memory. */
static void add_sized(str s, struct strbuf *out)
{
    if (s.n < 255) {
        strbuf_addc(out, (char)s.n);
    } else {
        char size[] = {(char)255, (char)s.n, (char)(s.n >> 8), (char)(s.n >> 16)};
        strbuf_add(out, str_of(size, sizeof size));
    }
    strbuf_add(out, s);
}

/* Where a series stands between 0 and 1: by upstream's hash of its labels, so that both choose the
 * same series. */
static double ratio_offset(struct labels ls)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    for (size_t i = 0; i < ls.n; i++) {
        add_sized(ls.at[i].name, &b);
        add_sized(ls.at[i].value, &b);
    }
    return (double)hash_xxh64(b.p, b.n) / 18446744073709551616.0;
}

static void find_offsets(struct eval *ev, struct members *m)
{
    m->offset = arena_array(&ev->arena, double, m->rows.n);
    for (size_t i = 0; i < m->rows.n; i++)
        m->offset[i] = ratio_offset(m->rows.at[i].labels);
}

/* Whether a series is in the sample of this ratio: always the same ones for the same labels. */
static bool in_ratio(double offset, double ratio)
{
    ratio = ratio < -1 ? -1 : ratio > 1 ? 1 : ratio;
    return ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
}

/* The chosen ones of one group at one step are at the front of `c`; how many. */
static size_t choose(const struct members *m, enum token_kind op, size_t group, size_t step,
                     struct candidate *c)
{
    size_t n = 0, limit = m->rows.n;
    double p = m->param[step];
    bool ranks = op == TOK_TOPK || op == TOK_BOTTOMK;
    if (op != TOK_LIMIT_RATIO)
        limit = p < 1 ? 0 : p < (double)limit ? (size_t)p : limit;
    for (uint32_t k = m->start[group]; k < m->start[group + 1]; k++) {
        const struct row *r = &m->rows.at[m->order[k]];
        bool there = ranks ? !is_absent(r->v[step]) : row_has(r, step);
        if (!there || (op == TOK_LIMIT_RATIO && !in_ratio(m->offset[m->order[k]], p)))
            continue;
        c[n] = (struct candidate){r->v[step], m->order[k], (uint32_t)n};
        n++;
    }
    if (ranks)
        qsort(c, n, sizeof *c, op == TOK_TOPK ? descending : ascending);
    return n < limit ? n : limit;
}

/* An instant query shows the chosen in their order. */
static bool emit_instant(const struct members *m, enum token_kind op, struct candidate *c,
                         const struct row_sink *sink, struct err *err)
{
    for (size_t g = 0; g < m->groups_n; g++) {
        size_t n = choose(m, op, g, 0, c);
        for (size_t i = 0; i < n; i++)
            if (!sink->put(sink->ctx, &m->rows.at[c[i].row], err))
                return false;
    }
    return true;
}

static void clear_step(struct row *r, size_t step)
{
    r->v[step] = absent();
    if (r->h)
        r->h[step] = NULL;
}

static bool emit_steps(struct eval *ev, const struct members *m, enum token_kind op,
                       const struct grid *g, struct candidate *c, const struct row_sink *sink,
                       struct err *err)
{
    bool *chosen = arena_array(&ev->arena, bool, m->rows.n);
    for (size_t step = 0; step < g->n; step++) {
        memset(chosen, 0, m->rows.n);
        for (size_t group = 0; group < m->groups_n; group++) {
            size_t n = choose(m, op, group, step, c);
            for (size_t i = 0; i < n; i++)
                chosen[c[i].row] = true;
        }
        for (size_t i = 0; i < m->rows.n; i++)
            if (!chosen[i])
                clear_step(&m->rows.at[i], step);
        if (!budget_use(ev->q->budget, 0, err))
            return false;
    }
    for (size_t i = 0; i < m->rows.n; i++)
        if (!sink->put(sink->ctx, &m->rows.at[i], err))
            return false;
    return true;
}

/* Operations over floats say so when there are histograms. */
static void note_histograms(struct eval *ev, const struct members *m, const struct node *at,
                            enum token_kind op, size_t steps)
{
    for (size_t i = 0; i < m->rows.n; i++)
        for (size_t k = 0; m->rows.at[i].h && k < steps; k++)
            if (m->rows.at[i].h[k]) {
                note_ignored_in_aggregation(ev, at, token_text(op).p);
                return;
            }
}

bool eval_topk(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err)
{
    struct members m = {0};
    enum token_kind op = n->aggregate.op;
    bool none;
    if (!collect_members(ev, n, g, &m, err))
        return false;
    if (op == TOK_LIMIT_RATIO ? !check_ratio(ev, n, m.param, g->n, &none, err)
                              : !check_k(m.param, g->n, &none, err))
        return false;
    if (none || m.rows.n == 0)
        return true;
    if (op == TOK_TOPK || op == TOK_BOTTOMK)
        note_histograms(ev, &m, n, op, g->n);
    if (op == TOK_LIMIT_RATIO)
        find_offsets(ev, &m);
    struct candidate *c = arena_array(&ev->arena, struct candidate, m.rows.n);
    if (g->n == 1)
        return emit_instant(&m, op, c, sink, err);
    return emit_steps(ev, &m, op, g, c, sink, err);
}

/* ---- quantile ---- */

bool eval_quantile(struct eval *ev, const struct node *n, const struct grid *g,
                   const struct row_sink *sink, struct err *err)
{
    struct members m = {0};
    if (!collect_members(ev, n, g, &m, err))
        return false;
    note_histograms(ev, &m, n->aggregate.expr, TOK_QUANTILE, g->n);
    for (size_t i = 0; i < g->n && m.rows.n; i++)
        note_quantile(ev, n->aggregate.param, m.param[i]);
    double *values = eval_row_new(ev, m.rows.n, err), *out = eval_row_new(ev, g->n, err);
    if (!values || !out)
        return false;
    for (size_t group = 0; group < m.groups_n; group++) {
        for (size_t step = 0; step < g->n; step++) {
            size_t count = 0;
            if (!budget_use(ev->q->budget, 0, err))
                return false;
            for (uint32_t k = m.start[group]; k < m.start[group + 1]; k++) {
                double v = m.rows.at[m.order[k]].v[step];
                if (!is_absent(v))
                    values[count++] = v;
            }
            out[step] = count ? quantile_of(m.param[step], values, count) : absent();
        }
        struct row r = {m.labels[group], m.drop_name[group], out, NULL};
        if (!sink->put(sink->ctx, &r, err))
            return false;
    }
    return true;
}

/* ---- count_values ---- */

struct counter {
    struct eval *ev;
    size_t steps;
    struct names by;
    bool without;
    str label;
    struct label_table table;
    VEC(double *) counts;
    struct labels_builder builder;
};

/* The labels that rows with this value are counted under. */
static struct labels counted_labels(struct counter *c, struct labels ls, str value)
{
    struct arena *a = &c->ev->arena;
    labels_builder_reset(&c->builder, ls);
    labels_builder_set(&c->builder, c->label, value);
    struct labels all = labels_builder_take(&c->builder, a);
    return c->without ? labels_without(a, all, &c->by, false) : labels_keep(a, all, &c->by);
}

static bool count_value(struct counter *c, const struct row *r, size_t step, struct err *err)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    char digits[F64_TEXT_MAX];
    size_t known = c->table.n;
    if (r->h && r->h[step])
        histogram_format(r->h[step], &text);
    else
        strbuf_add(&text, str_of(digits, f64_format(r->v[step], digits)));
    struct labels ls = counted_labels(c, r->labels, arena_dup(&c->ev->arena, strbuf_str(&text)));
    size_t i = label_table_add(&c->table, ls);
    if (i == known) {
        double *counts = eval_row_new(c->ev, c->steps, err);
        if (!counts)
            return false;
        for (size_t k = 0; k < c->steps; k++)
            counts[k] = absent();
        vec_push(&c->counts, counts);
    }
    double *count = &c->counts.at[i][step];
    *count = is_absent(*count) ? 1 : *count + 1;
    return true;
}

static bool count_put(void *ctx, struct row *r, struct err *err)
{
    struct counter *c = ctx;
    for (size_t i = 0; i < c->steps; i++)
        if (row_has(r, i) && !count_value(c, r, i, err))
            return false;
    return eval_memory(c->ev, err);
}

static bool invalid_label(str name, struct err *err)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    string_quote(name, &b);
    return err_set(err, ERR_EXEC, "invalid label name %s", b.p);
}

bool eval_count_values(struct eval *ev, const struct node *n, const struct grid *g,
                       const struct row_sink *sink, struct err *err)
{
    struct counter c = {.ev = ev,
                        .table = {.quota = eval_quota(ev)},
                        .steps = g->n,
                        .without = n->aggregate.without,
                        .label = node_bare(n->aggregate.param)->string};
    if (c.label.n == 0 || !str_utf8_valid(c.label))
        return invalid_label(c.label, err);
    struct names by = n->aggregate.by;
    if (!c.without) {
        by = (struct names){arena_array(&ev->arena, str, by.n + 1), by.n + 1};
        if (by.n > 1)
            memcpy(by.at, n->aggregate.by.at, (by.n - 1) * sizeof *by.at);
        by.at[by.n - 1] = c.label;
    }
    c.by = names_sorted(&ev->arena, &by);
    labels_builder_init(&c.builder, (struct labels){0});
    bool ok = eval_rows(ev, n->aggregate.expr, g, &(struct row_sink){count_put, &c}, err);
    for (size_t i = 0; ok && i < c.counts.n; i++) {
        struct row r = {c.table.at[i], false, c.counts.at[i], NULL};
        ok = sink->put(sink->ctx, &r, err);
    }
    labels_builder_fini(&c.builder);
    label_table_fini(&c.table);
    vec_fini(&c.counts);
    return ok;
}
