// SPDX-License-Identifier: Apache-2.0
/*
 * Quantiles and shares. Classic histograms: series that differ only in `le` are the buckets of one.
 * The buckets are put in order once; at each step those that have a value are made monotonic and
 * then asked. Native histograms are asked as they are; where a native and a classic one have the
 * same labels at a step, neither is.
 */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "promql/functions/mixed_int.h"

enum { QUANTILES_MAX = 64 }; /* values of one argument of histogram_quantiles */

/* Differences of this relative size come from rounding, not from broken data. */
static const double small_delta = 1e-12;

struct bucket {
    double bound;
    size_t group;
    double *v; /* cumulative count per step */
};

struct native {
    struct labels labels;
    size_t group; /* of classic buckets with the same labels */
    const struct histogram **h;
};

struct point {
    double bound, count;
};

struct buckets {
    struct label_table groups; /* labels without le */
    VEC(struct bucket) v;      /* by group, then by bound */
    VEC(struct native) natives;
    struct point *points; /* room for the largest group */
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

static bool any_float(const struct row *r, size_t steps)
{
    for (size_t i = 0; i < steps; i++)
        if (!is_absent(r->v[i]))
            return true;
    return false;
}

/* At steps where classic buckets and a native histogram have the same labels, both go. */
static void drop_conflicts(struct eval *ev, const struct node *vector, struct buckets *b,
                           const struct native *n, size_t steps)
{
    size_t from = 0, to;
    while (from < b->v.n && b->v.at[from].group != n->group)
        from++;
    for (to = from; to < b->v.n && b->v.at[to].group == n->group;)
        to++;
    for (size_t step = 0; step < steps && from < to; step++) {
        bool both = false;
        for (size_t i = from; i < to && n->h[step]; i++) {
            both |= !is_absent(b->v.at[i].v[step]);
            b->v.at[i].v[step] = absent();
        }
        if (!both)
            continue;
        n->h[step] = NULL;
        str name = ev->delayed_names ? labels_metric_name(n->labels) : STR("");
        note_named(ev, vector, true, "vector contains a mix of classic and native histograms",
                   name);
    }
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
        if (r->h)
            vec_push(&b->natives,
                     (struct native){r->labels, label_table_add(&b->groups, r->labels), r->h});
        if (r->h && !any_float(r, g->n))
            continue;
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
    VEC_EACH (n, &b->natives)
        drop_conflicts(ev, vector, b, n, g->n);
    b->points = arena_array(&ev->arena, struct point, b->v.n);
    eval_count_outside(ev, b->v.cap * sizeof *b->v.at + b->natives.cap * sizeof *b->natives.at);
    return eval_memory(ev, err);
}

static void buckets_fini(struct buckets *b)
{
    label_table_fini(&b->groups);
    vec_fini(&b->v);
    vec_fini(&b->natives);
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
    const struct node *call;
    const struct node *vector;
    const double *quantile, *lower, *upper;
    str label;   /* of histogram_quantiles; empty: none */
    double only; /* with a label: the quantile that rows are made for */
};

static bool asked(const struct question *q, size_t step)
{
    return !q->label.n || q->quantile[step] == q->only ||
           (isnan(q->quantile[step]) && isnan(q->only));
}

static double answer_native(struct eval *ev, const struct question *q, size_t step,
                            struct labels ls, const struct histogram *h)
{
    enum histogram_nan nan;
    str name = ev->delayed_names ? labels_metric_name(ls) : STR("");
    double v;
    if (!q->quantile) {
        v = histogram_fraction(h, q->lower[step], q->upper[step], &nan);
        if (nan)
            note_named(ev, q->vector, false,
                       "input to histogram_fraction has NaN observations, which are excluded from "
                       "all fractions",
                       name);
        return v;
    }
    v = histogram_quantile(h, q->quantile[step], &nan);
    if (nan)
        note_named(ev, q->vector, false,
                   nan == HISTOGRAM_NAN_RESULT
                       ? "input to histogram_quantile has NaN observations, result is NaN"
                       : "input to histogram_quantile has NaN observations, result is skewed "
                         "higher",
                   name);
    return v;
}

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

/* A number as OpenMetrics writes label values: whole ones get ".0". */
static str quantile_label(struct eval *ev, double q)
{
    char text[F64_TEXT_MAX];
    size_t n = f64_format_g(q, text);
    bool whole = isfinite(q) && !memchr(text, '.', n) && !memchr(text, 'e', n);
    return arena_printf(&ev->arena, "%s%s", text, whole ? ".0" : "");
}

static bool put_answer(struct eval *ev, const struct question *q, struct labels ls, double *out,
                       const struct row_sink *sink, struct err *err)
{
    struct row r = {ls, false, out, NULL};
    row_drop_name(ev, q->call, &r);
    if (q->label.n) {
        struct labels_builder lb;
        labels_builder_init(&lb, r.labels);
        labels_builder_set(&lb, q->label, quantile_label(ev, q->only));
        r.labels = labels_builder_take(&lb, &ev->arena);
        labels_builder_fini(&lb);
    }
    return budget_use(ev->q->budget, 0, err) && sink->put(sink->ctx, &r, err);
}

static bool answer_group(struct eval *ev, struct buckets *b, size_t from, size_t to,
                         const struct question *q, const struct grid *g, double *out,
                         const struct row_sink *sink, struct err *err)
{
    struct labels ls = b->groups.at[b->v.at[from].group];
    for (size_t step = 0; step < g->n; step++) {
        size_t n = asked(q, step) ? points_at(b, from, to, step) : 0;
        out[step] = n ? answer(ev, q, g, step, ls, b->points, n) : absent();
    }
    return put_answer(ev, q, ls, out, sink, err);
}

static bool answer_all(struct eval *ev, struct buckets *b, const struct question *q,
                       const struct grid *g, const struct row_sink *sink, struct err *err)
{
    double *out = eval_row_new(ev, g->n, err);
    if (!out)
        return false;
    VEC_EACH (n, &b->natives) {
        for (size_t step = 0; step < g->n; step++)
            out[step] = n->h[step] && asked(q, step)
                            ? answer_native(ev, q, step, n->labels, n->h[step])
                            : absent();
        if (!put_answer(ev, q, n->labels, out, sink, err))
            return false;
    }
    for (size_t from = 0, to; from < b->v.n; from = to) {
        for (to = from; to < b->v.n && b->v.at[to].group == b->v.at[from].group;)
            to++;
        if (!answer_group(ev, b, from, to, q, g, out, sink, err))
            return false;
    }
    return true;
}

/* Several histograms may be one without their names. */
static bool ask(struct eval *ev, const struct question *q, size_t n, const struct grid *g,
                const struct row_sink *sink, struct err *err)
{
    struct buckets b = {.groups = {.quota = eval_quota(ev)}};
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    bool ok = n == 0 || collect_buckets(ev, q->vector, g, &b, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = answer_all(ev, &b, &q[i], g, &merged, err);
    ok = ok && merger_flush(&m, sink, err);
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
    struct question q = {
        .call = n, .vector = n->call.args[1], .quantile = scalar_arg(ev, n, 0, g, err)};
    if (!q.quantile)
        return false;
    for (size_t i = 0; i < g->n; i++)
        note_quantile(ev, n->call.args[0], q.quantile[i]);
    return ask(ev, &q, 1, g, sink, err);
}

static bool call_fraction(struct eval *ev, const struct node *n, const struct grid *g,
                          const struct row_sink *sink, struct err *err)
{
    struct question q = {.call = n, .vector = n->call.args[2]};
    q.lower = scalar_arg(ev, n, 0, g, err);
    q.upper = q.lower ? scalar_arg(ev, n, 1, g, err) : NULL;
    return q.upper && ask(ev, &q, 1, g, sink, err);
}

typedef VEC(struct question) question_vec;

/* One question for each value that the quantile has over the steps. */
static bool add_questions(struct question q, const struct grid *g, question_vec *out,
                          struct err *err)
{
    size_t first = out->n;
    for (size_t step = 0; step < g->n; step++) {
        bool known = false;
        q.only = q.quantile[step];
        for (size_t i = first; i < out->n && !known; i++)
            known = asked(&out->at[i], step);
        if (known)
            continue;
        if (out->n - first == QUANTILES_MAX)
            return err_set(err, ERR_LIMIT,
                           "a quantile of histogram_quantiles() has more than %d values",
                           QUANTILES_MAX);
        vec_push(out, q);
    }
    return true;
}

static bool call_quantiles(struct eval *ev, const struct node *n, const struct grid *g,
                           const struct row_sink *sink, struct err *err)
{
    question_vec v = {0};
    bool ok = true;
    for (size_t i = 2; ok && i < n->call.args_n; i++) {
        struct question q = {.call = n,
                             .vector = n->call.args[0],
                             .quantile = scalar_arg(ev, n, i, g, err),
                             .label = node_bare(n->call.args[1])->string};
        ok = q.quantile && add_questions(q, g, &v, err);
        for (size_t k = 0; ok && k < g->n; k++)
            note_quantile(ev, n->call.args[i], q.quantile[k]);
    }
    ok = ok && ask(ev, v.at, v.n, g, sink, err);
    vec_fini(&v);
    return ok;
}

/* ---- a number of each native histogram ---- */

struct reader {
    struct eval *ev;
    const struct node *n;
    size_t steps;
    double (*read)(const struct histogram *h);
    const struct row_sink *sink;
};

static bool read_put(void *ctx, struct row *r, struct err *err)
{
    struct reader *rd = ctx;
    if (!r->h)
        return true;
    for (size_t i = 0; i < rd->steps; i++)
        r->v[i] = r->h[i] ? rd->read(r->h[i]) : absent();
    r->h = NULL;
    row_drop_name(rd->ev, rd->n, r);
    return rd->sink->put(rd->sink->ctx, r, err);
}

static bool read_each(struct eval *ev, const struct node *n, const struct grid *g,
                      double (*read)(const struct histogram *h), const struct row_sink *sink,
                      struct err *err)
{
    bool merge = !ev->delayed_names && node_names_vary(ev, n->call.args[0]);
    struct merger m;
    merger_init(&m, ev, g->n);
    struct row_sink merged = {merger_put, &m};
    struct reader rd = {ev, n, g->n, read, merge ? &merged : sink};
    bool ok = eval_rows(ev, n->call.args[0], g, &(struct row_sink){read_put, &rd}, err) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    return ok;
}

static double read_count(const struct histogram *h)
{
    return h->count;
}
static double read_sum(const struct histogram *h)
{
    return h->sum;
}
static double read_avg(const struct histogram *h)
{
    return h->sum / h->count;
}
static double read_stddev(const struct histogram *h)
{
    return sqrt(histogram_variance(h));
}

#define READER(fn, read)                                                                           \
    static bool call_##fn(struct eval *ev, const struct node *n, const struct grid *g,             \
                          const struct row_sink *sink, struct err *err)                            \
    {                                                                                              \
        return read_each(ev, n, g, read, sink, err);                                               \
    }

READER(avg, read_avg)
READER(count, read_count)
READER(sum, read_sum)
READER(stddev, read_stddev)
READER(stdvar, histogram_variance)

#define NATIVE(fn, text)                                                                           \
    {                                                                                              \
        .name = STR_INIT("histogram_" #fn), .args = {PROMQL_VECTOR}, .args_n = 1,                  \
        .returns = PROMQL_VECTOR, .call = call_##fn, .help = STR_INIT(text)                        \
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
    NATIVE(avg, "Mean of each native histogram."),
    NATIVE(count, "Number of observations of each native histogram."),
    NATIVE(sum, "Sum of the observations of each native histogram."),
    NATIVE(stddev, "Estimated standard deviation of each native histogram."),
    NATIVE(stdvar, "Estimated variance of each native histogram."),
};

const struct function_family family_histogram = {rows, sizeof rows / sizeof *rows};
