// SPDX-License-Identifier: Apache-2.0
/*
 * Classic histograms: series that differ only in `le` are the buckets of one. The buckets are put
 * in order once; at each step those that have a value are made monotonic and then asked for a
 * quantile or a share.
 */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "promql/eval_int.h"

/* Differences of this relative size come from rounding, not from broken data. */
static const double small_delta = 1e-12;

struct bucket {
    double bound;
    size_t group;
    const double *v; /* cumulative count per step */
};

struct point {
    double bound, count;
};

struct buckets {
    struct label_table groups; /* labels without le */
    VEC(struct bucket) v;      /* by group, then by bound */
    struct point *points;      /* room for the largest group */
};

static int by_group(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;
    if (x->group != y->group)
        return x->group > y->group ? 1 : -1;
    return (x->bound > y->bound) - (x->bound < y->bound);
}

static void bad_le(struct eval *ev, const struct node *vector, struct labels ls, str le)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    str name = ev->delayed_names ? labels_metric_name(ls) : STR("");
    string_quote(le, &b);
    if (name.n) {
        strbuf_addz(&b, " for metric name ");
        string_quote(name, &b);
    }
    note_warning(ev, vector, "bucket label \"le\" is missing or has a malformed value of %s", b.p);
}

static bool collect_buckets(struct eval *ev, const struct node *vector, const struct grid *g,
                            struct buckets *b, struct err *err)
{
    struct rows rows;
    struct names le = {&(str)STR_INIT("le"), 1};
    if (!eval_collect(ev, vector, g, &rows, err))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        const struct row *r = &rows.at[i];
        str text = labels_get(r->labels, STR("le"));
        struct bucket k = {.v = r->v};
        if (!f64_parse(text, &k.bound)) {
            bad_le(ev, vector, r->labels, text);
            continue;
        }
        k.group = label_table_add(&b->groups, labels_without(&ev->arena, r->labels, &le, true));
        vec_push(&b->v, k);
    }
    if (b->v.n)
        qsort(b->v.at, b->v.n, sizeof *b->v.at, by_group);
    b->points = arena_array(&ev->arena, struct point, b->v.n);
    return eval_memory(ev, err);
}

static void buckets_fini(struct buckets *b)
{
    label_table_fini(&b->groups);
    vec_fini(&b->v);
}

/* The buckets [from, to) that have a value at this step; equal bounds are added up. */
static size_t points_at(struct buckets *b, size_t from, size_t to, size_t step)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        const struct bucket *k = &b->v.at[i];
        if (is_absent(k->v[step]))
            continue;
        if (n && b->points[n - 1].bound == k->bound)
            b->points[n - 1].count += k->v[step];
        else
            b->points[n++] = (struct point){k->bound, k->v[step]};
    }
    return n;
}

struct repair {
    bool forced;
    double min, max, diff;
};

static bool almost_equal(double a, double b)
{
    double diff = fabs(a - b), sum = fabs(a) + fabs(b);
    if (a == b)
        return true;
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308)
        return diff < small_delta * 2.2250738585072014e-308;
    return diff / fmin(sum, 1.7976931348623157e308) < small_delta;
}

static struct repair make_monotonic(struct point *p, size_t n)
{
    struct repair r = {.min = INFINITY, .max = -INFINITY};
    double before = p[0].count;
    for (size_t i = 1; i < n; i++) {
        double now = p[i].count;
        if (now == before)
            continue;
        if (almost_equal(before, now)) {
            p[i].count = before;
        } else if (now < before) {
            p[i].count = before;
            r.forced = true;
            r.min = fmin(r.min, p[i].bound);
            r.max = fmax(r.max, p[i].bound);
            r.diff = fmax(r.diff, before - now);
        } else {
            before = now;
        }
    }
    return r;
}

/* n >= 1 points in order of their bound; `r` says what had to be repaired. */
static double bucket_quantile(double q, struct point *p, size_t n, struct repair *r)
{
    if (isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    if (p[n - 1].bound != INFINITY)
        return NAN;
    *r = make_monotonic(p, n);
    double all = p[n - 1].count;
    if (n < 2 || all == 0)
        return NAN;
    double rank = q * all;
    size_t i = 0;
    while (i < n - 1 && !(p[i].count >= rank))
        i++;
    if (i == n - 1)
        return p[n - 2].bound;
    if (i == 0 && p[0].bound <= 0)
        return p[0].bound;
    double start = i ? p[i - 1].bound : 0, below = i ? p[i - 1].count : 0;
    return start + (p[i].bound - start) * ((rank - below) / (p[i].count - below));
}

/* The rank at which `v` stands: how many observations are below, interpolated inside its bucket. */
static double rank_of(double v, const struct point *p, size_t n)
{
    double rank = 0, low = p[0].bound <= 0 ? -INFINITY : 0;
    for (size_t i = 0; i < n; i++) {
        if (i)
            low = p[i - 1].bound;
        if (low >= v)
            return rank;
        if (p[i].bound > v)
            return low == -INFINITY ? p[i].count
                                    : rank + (p[i].count - rank) * (v - low) / (p[i].bound - low);
        rank = p[i].count;
    }
    return p[n - 1].count;
}

static double bucket_fraction(double lower, double upper, const struct point *p, size_t n)
{
    double all = p[n - 1].count;
    if (p[n - 1].bound != INFINITY || all == 0 || isnan(all) || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    return (fmin(rank_of(upper, p, n), all) - fmin(rank_of(lower, p, n), all)) / all;
}

/* What is asked of the buckets: a quantile per step, or the share between two values. */
struct question {
    const struct node *vector;
    const double *quantile, *lower, *upper;
    str label, label_value; /* of histogram_quantiles; empty: none */
};

static double answer(struct eval *ev, const struct question *q, const struct grid *g, size_t step,
                     struct labels ls, struct point *p, size_t n)
{
    struct repair r = {0};
    if (!q->quantile)
        return bucket_fraction(q->lower[step], q->upper[step], p, n);
    double v = bucket_quantile(q->quantile[step], p, n, &r);
    if (r.forced)
        note_monotonicity(ev, q->vector, ev->delayed_names ? labels_metric_name(ls) : STR(""),
                          grid_at(g, step), r.min, r.max, r.diff);
    return v;
}

static bool answer_group(struct eval *ev, struct buckets *b, size_t from, size_t to,
                         const struct question *q, const struct grid *g, double *out,
                         const struct row_sink *sink, struct err *err)
{
    struct row r = {b->groups.at[b->v.at[from].group], false, out};
    for (size_t step = 0; step < g->n; step++) {
        size_t n = points_at(b, from, to, step);
        out[step] = n ? answer(ev, q, g, step, r.labels, b->points, n) : absent();
    }
    row_drop_name(ev, &r);
    if (q->label.n) {
        struct labels_builder lb;
        labels_builder_init(&lb, r.labels);
        labels_builder_set(&lb, q->label, q->label_value);
        r.labels = labels_builder_take(&lb, &ev->arena);
        labels_builder_fini(&lb);
    }
    return budget_use(ev->q->budget, 0, err) && sink->put(sink->ctx, &r, err);
}

static bool answer_all(struct eval *ev, struct buckets *b, const struct question *q,
                       const struct grid *g, const struct row_sink *sink, struct err *err)
{
    double *out = eval_row_new(ev, g->n, err);
    if (!out)
        return false;
    for (size_t from = 0, to; from < b->v.n; from = to) {
        for (to = from; to < b->v.n && b->v.at[to].group == b->v.at[from].group;)
            to++;
        if (!answer_group(ev, b, from, to, q, g, out, sink, err))
            return false;
    }
    return true;
}

/* Several histograms may be one without their names. */
static bool ask(struct eval *ev, const struct question *q, const struct grid *g,
                const struct row_sink *sink, struct err *err)
{
    struct buckets b = {0};
    struct merger m;
    merger_init(&m, ev, g->n);
    bool merge = !ev->delayed_names;
    struct row_sink merged = {merger_put, &m};
    bool ok = collect_buckets(ev, q->vector, g, &b, err) &&
              answer_all(ev, &b, q, g, merge ? &merged : sink, err) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    buckets_fini(&b);
    return ok;
}

static double *scalar_arg(struct eval *ev, const struct node *n, size_t i, const struct grid *g,
                          struct err *err)
{
    double *v = eval_row_new(ev, g->n, err);
    return v && eval_scalar(ev, n->call.args[i], g, v, err) ? v : NULL;
}

static bool call_quantile(struct eval *ev, const struct node *n, const struct grid *g,
                          const struct row_sink *sink, struct err *err)
{
    struct question q = {.vector = n->call.args[1], .quantile = scalar_arg(ev, n, 0, g, err)};
    if (!q.quantile)
        return false;
    for (size_t i = 0; i < g->n; i++)
        note_quantile(ev, n->call.args[0], q.quantile[i]);
    return ask(ev, &q, g, sink, err);
}

static bool call_fraction(struct eval *ev, const struct node *n, const struct grid *g,
                          const struct row_sink *sink, struct err *err)
{
    struct question q = {.vector = n->call.args[2]};
    q.lower = scalar_arg(ev, n, 0, g, err);
    q.upper = q.lower ? scalar_arg(ev, n, 1, g, err) : NULL;
    return q.upper && ask(ev, &q, g, sink, err);
}

/* A number as OpenMetrics writes label values: whole ones get ".0". */
static str quantile_label(struct eval *ev, double q)
{
    char text[F64_TEXT_MAX];
    size_t n = f64_format_g(q, text);
    bool whole = isfinite(q) && !memchr(text, '.', n) && !memchr(text, 'e', n);
    return arena_printf(&ev->arena, "%s%s", text, whole ? ".0" : "");
}

static bool call_quantiles(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    for (size_t i = 2; i < n->call.args_n; i++) {
        struct question q = {.vector = n->call.args[0],
                             .quantile = scalar_arg(ev, n, i, g, err),
                             .label = node_bare(n->call.args[1])->string};
        if (!q.quantile)
            return false;
        q.label_value = quantile_label(ev, q.quantile[0]);
        for (size_t k = 0; k < g->n; k++) {
            note_quantile(ev, n->call.args[i], q.quantile[k]);
            if (!(q.quantile[k] == q.quantile[0]))
                return err_set(err, ERR_EXEC,
                               "not supported yet: quantiles that change from step "
                               "to step in histogram_quantiles()");
        }
        if (!ask(ev, &q, g, sink, err))
            return false;
    }
    return true;
}

#define NATIVE(id, text)                                                                           \
    {                                                                                              \
        .name = STR_INIT(id), .args = {PROMQL_VECTOR}, .args_n = 1, .returns = PROMQL_VECTOR,      \
        .help = STR_INIT(text)                                                                     \
    }

static const struct function rows[] = {
    {.name = STR_INIT("histogram_quantile"),
     .args = {PROMQL_SCALAR, PROMQL_VECTOR},
     .args_n = 2,
     .returns = PROMQL_VECTOR,
     .call = call_quantile,
     .help = STR_INIT("Quantile of each histogram.")},
    {.name = STR_INIT("histogram_quantiles"),
     .args = {PROMQL_VECTOR, PROMQL_STRING, PROMQL_SCALAR, PROMQL_SCALAR},
     .args_n = 4,
     .variadic = 9,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL,
     .call = call_quantiles,
     .help = STR_INIT("Several quantiles of each histogram, told apart by a label.")},
    {.name = STR_INIT("histogram_fraction"),
     .args = {PROMQL_SCALAR, PROMQL_SCALAR, PROMQL_VECTOR},
     .args_n = 3,
     .returns = PROMQL_VECTOR,
     .call = call_fraction,
     .help = STR_INIT("Share of the observations between two values.")},
    NATIVE("histogram_avg", "Mean of each native histogram."),
    NATIVE("histogram_count", "Number of observations of each native histogram."),
    NATIVE("histogram_sum", "Sum of the observations of each native histogram."),
    NATIVE("histogram_stddev", "Estimated standard deviation of each native histogram."),
    NATIVE("histogram_stdvar", "Estimated variance of each native histogram."),
};

const struct function_family family_histogram = {rows, sizeof rows / sizeof *rows};
