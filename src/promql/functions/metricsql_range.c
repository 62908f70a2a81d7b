// SPDX-License-Identifier: Apache-2.0
/*
 * Functions of MetricsQL that look at all steps of a query at once: of each series one number for
 * every step, or its values seen against the rest of them. A gap and NaN are no value here.
 */
#include <math.h>
#include <stdlib.h>

#include "promql/eval_int.h"

/* One series. */
struct across {
    const struct grid *grid;
    double *v;   /* per step, absent where there is none */
    double *num; /* the values without gaps, in order of time; may be changed */
    size_t n;    /* of them, never 0 */
    double arg;  /* the scalar argument */
};

typedef void across_fn(const struct across *x);

struct across_put {
    struct eval *ev;
    const struct node *n;
    across_fn *apply;
    bool drop_name;
    struct across x;
    const struct row_sink *sink;
};

static bool put_row(void *ctx, struct row *r, struct err *err)
{
    struct across_put *p = ctx;
    struct across *x = &p->x;
    x->v = r->v;
    x->n = 0;
    for (size_t k = 0; k < x->grid->n; k++) {
        if (isnan(r->v[k]))
            r->v[k] = absent();
        else
            x->num[x->n++] = r->v[k];
    }
    r->h = NULL;
    if (r->drop_name)
        r->labels = labels_nameless(&p->ev->arena, r->labels);
    r->drop_name = false;
    if (x->n == 0)
        return true;
    p->apply(x);
    if (p->drop_name)
        row_drop_name(p->ev, p->n, r);
    return p->sink->put(p->sink->ctx, r, err);
}

/* Over argument `vector`; a scalar argument is taken at the first step. */
static bool run(struct across_put *p, const struct node *vector, const struct grid *g,
                const struct row_sink *sink, struct err *err)
{
    struct merger m;
    bool merge = p->drop_name && !p->ev->delayed_names;
    p->x.grid = g;
    p->x.num = eval_row_new(p->ev, g->n, err);
    if (!p->x.num)
        return false;
    merger_init(&m, p->ev, g->n);
    struct row_sink merged = {merger_put, &m};
    p->sink = merge ? &merged : sink;
    bool ok = eval_rows(p->ev, vector, g, &(struct row_sink){put_row, p}, err) &&
              (!merge || merger_flush(&m, sink, err));
    merger_fini(&m);
    return ok;
}

static bool with_arg(struct eval *ev, const struct node *n, const struct grid *g, across_fn *apply,
                     const struct row_sink *sink, struct err *err)
{
    struct across_put p = {.ev = ev, .n = n, .apply = apply};
    double *v = eval_row_new(ev, g->n, err);
    if (!v || !eval_scalar(ev, n->call.args[0], g, v, err))
        return false;
    p.x.arg = v[0];
    return run(&p, n->call.args[1], g, sink, err);
}

/* ---- numbers ---- */

static void set_all(const struct across *x, double v)
{
    for (size_t k = 0; k < x->grid->n; k++)
        x->v[k] = v;
}

static double sum(const struct across *x)
{
    double s = 0, c = 0;
    for (size_t i = 0; i < x->n; i++)
        kahan_add(x->num[i], &s, &c);
    return s + c;
}

static double mean(const struct across *x)
{
    return sum(x) / (double)x->n;
}

static double variance(const struct across *x)
{
    double m = mean(x), s = 0, c = 0;
    for (size_t i = 0; i < x->n; i++)
        kahan_add((x->num[i] - m) * (x->num[i] - m), &s, &c);
    return (s + c) / (double)x->n;
}

/* Sorts the numbers. */
static double quantile(const struct across *x, double q)
{
    return quantile_of(q, x->num, x->n);
}

/* Median distance from the median. */
static double median_deviation(const struct across *x, double median)
{
    for (size_t i = 0; i < x->n; i++)
        x->num[i] = fabs(x->num[i] - median);
    return quantile(x, 0.5);
}

/* ---- one number for all steps ---- */

static void apply_sum(const struct across *x)
{
    set_all(x, sum(x));
}

static void apply_avg(const struct across *x)
{
    set_all(x, mean(x));
}

static void apply_min(const struct across *x)
{
    set_all(x, quantile(x, 0));
}

static void apply_max(const struct across *x)
{
    set_all(x, quantile(x, 1));
}

static void apply_first(const struct across *x)
{
    set_all(x, x->num[0]);
}

static void apply_last(const struct across *x)
{
    set_all(x, x->num[x->n - 1]);
}

static void apply_median(const struct across *x)
{
    set_all(x, quantile(x, 0.5));
}

static void apply_quantile(const struct across *x)
{
    set_all(x, quantile(x, x->arg));
}

static void apply_stdvar(const struct across *x)
{
    set_all(x, variance(x));
}

static void apply_stddev(const struct across *x)
{
    set_all(x, sqrt(variance(x)));
}

static void apply_mad(const struct across *x)
{
    set_all(x, median_deviation(x, quantile(x, 0.5)));
}

/* ---- each value seen against the others ---- */

static void apply_zscore(const struct across *x)
{
    double m = mean(x), d = sqrt(variance(x));
    for (size_t k = 0; k < x->grid->n; k++)
        if (!is_absent(x->v[k]))
            x->v[k] = (x->v[k] - m) / d;
}

static void apply_normalize(const struct across *x)
{
    double low = quantile(x, 0), high = quantile(x, 1);
    for (size_t k = 0; k < x->grid->n; k++)
        if (!is_absent(x->v[k]))
            x->v[k] = (x->v[k] - low) / (high - low);
}

/* Values that are not within [low, high] go. */
static void trim(const struct across *x, double low, double high)
{
    for (size_t k = 0; k < x->grid->n; k++)
        if (x->v[k] < low || x->v[k] > high)
            x->v[k] = absent();
}

static void apply_trim_zscore(const struct across *x)
{
    double m = mean(x), d = sqrt(variance(x)), z = fabs(x->arg);
    for (size_t k = 0; k < x->grid->n; k++)
        if (fabs(x->v[k] - m) / d > z)
            x->v[k] = absent();
}

static void apply_trim_outliers(const struct across *x)
{
    double median = quantile(x, 0.5), far = x->arg * median_deviation(x, median);
    trim(x, median - far, median + far);
}

/* So large a part of the values goes, half of it at each end. */
static void apply_trim_spikes(const struct across *x)
{
    trim(x, quantile(x, x->arg / 2), quantile(x, 1 - x->arg / 2));
}

/* Least squares, in seconds from the first step; the line goes through gaps too. */
static void apply_linear_regression(const struct across *x)
{
    double n = (double)x->n, mt = 0, mv = mean(x), up = 0, down = 0;
    for (size_t k = 0; k < x->grid->n; k++)
        if (!is_absent(x->v[k]))
            mt += (double)((int64_t)k * x->grid->step_ms) / 1e3 / n;
    for (size_t k = 0; k < x->grid->n; k++) {
        double t = (double)((int64_t)k * x->grid->step_ms) / 1e3 - mt;
        if (is_absent(x->v[k]))
            continue;
        up += t * (x->v[k] - mv);
        down += t * t;
    }
    double slope = down > 0 ? up / down : 0;
    for (size_t k = 0; k < x->grid->n; k++)
        x->v[k] = mv + slope * ((double)((int64_t)k * x->grid->step_ms) / 1e3 - mt);
}

/* ---- from step to step ---- */

/* What the values up to each step make together; a gap has what was before it. `n`: of them, with
 * this one. */
static void along(const struct across *x, double (*add)(double so_far, double v, double n))
{
    double so_far = absent(), n = 0;
    for (size_t k = 0; k < x->grid->n; k++) {
        if (!is_absent(x->v[k]))
            so_far = ++n > 1 ? add(so_far, x->v[k], n) : x->v[k];
        x->v[k] = so_far;
    }
}

static double add_sum(double so_far, double v, double n)
{
    (void)n;
    return so_far + v;
}

static double add_avg(double so_far, double v, double n)
{
    return so_far + (v - so_far) / n;
}

static double add_min(double so_far, double v, double n)
{
    (void)n;
    return v < so_far ? v : so_far;
}

static double add_max(double so_far, double v, double n)
{
    (void)n;
    return v > so_far ? v : so_far;
}

static double add_last(double so_far, double v, double n)
{
    (void)so_far;
    (void)n;
    return v;
}

static void apply_running_sum(const struct across *x)
{
    along(x, add_sum);
}

static void apply_running_avg(const struct across *x)
{
    along(x, add_avg);
}

static void apply_running_min(const struct across *x)
{
    along(x, add_min);
}

static void apply_running_max(const struct across *x)
{
    along(x, add_max);
}

static void apply_keep_last(const struct across *x)
{
    along(x, add_last);
}

static void apply_keep_next(const struct across *x)
{
    double next = absent();
    for (size_t k = x->grid->n; k-- > 0;) {
        if (!is_absent(x->v[k]))
            next = x->v[k];
        x->v[k] = next;
    }
}

/* Gaps between two values become the straight line between them. */
static void apply_interpolate(const struct across *x)
{
    size_t before = SIZE_MAX;
    for (size_t k = 0; k < x->grid->n; k++) {
        if (is_absent(x->v[k]))
            continue;
        for (size_t i = before + 1; before != SIZE_MAX && i < k; i++)
            x->v[i] = x->v[before] +
                      (x->v[k] - x->v[before]) * (double)(i - before) / (double)(k - before);
        before = k;
    }
}

/* ---- calls ---- */

#define CALL_OF(fn)                                                                                \
    static bool call_##fn(struct eval *ev, const struct node *n, const struct grid *g,             \
                          const struct row_sink *sink, struct err *err)
#define PLAIN(fn, drop)                                                                            \
    CALL_OF(fn)                                                                                    \
    {                                                                                              \
        struct across_put p = {.ev = ev, .n = n, .apply = apply_##fn, .drop_name = drop};          \
        return run(&p, n->call.args[0], g, sink, err);                                             \
    }
#define WITH_ARG(fn)                                                                               \
    CALL_OF(fn)                                                                                    \
    {                                                                                              \
        return with_arg(ev, n, g, apply_##fn, sink, err);                                          \
    }

PLAIN(sum, true)
PLAIN(avg, true)
PLAIN(min, true)
PLAIN(max, true)
PLAIN(first, false)
PLAIN(last, false)
PLAIN(median, false)
PLAIN(stddev, false)
PLAIN(stdvar, false)
PLAIN(mad, false)
PLAIN(zscore, false)
PLAIN(linear_regression, false)
PLAIN(running_sum, true)
PLAIN(running_avg, true)
PLAIN(running_min, true)
PLAIN(running_max, true)
PLAIN(keep_last, false)
PLAIN(keep_next, false)
PLAIN(interpolate, false)
WITH_ARG(quantile)
WITH_ARG(trim_zscore)
WITH_ARG(trim_outliers)
WITH_ARG(trim_spikes)

/* Takes several vectors, for their series to be drawn together. */
CALL_OF(normalize)
{
    struct merger m;
    bool ok = true;
    merger_init(&m, ev, g->n);
    for (size_t i = 0; ok && i < n->call.args_n; i++) {
        struct across_put p = {.ev = ev, .n = n, .apply = apply_normalize};
        ok = run(&p, n->call.args[i], g, &(struct row_sink){merger_put, &m}, err);
    }
    ok = ok && merger_flush(&m, sink, err);
    merger_fini(&m);
    return ok;
}

#define NAMED(text_name, fn, text)                                                                 \
    {                                                                                              \
        .name = STR_INIT(text_name), .args = {PROMQL_VECTOR}, .args_n = 1,                         \
        .returns = PROMQL_VECTOR, .flags = FN_METRICSQL | FN_STEP_DEPENDENT, .call = call_##fn,    \
        .help = STR_INIT(text)                                                                     \
    }
#define ROW(fn, text) NAMED("range_" #fn, fn, text)
#define ROW_ARG(fn, text)                                                                          \
    {                                                                                              \
        .name = STR_INIT("range_" #fn), .args = {PROMQL_SCALAR, PROMQL_VECTOR}, .args_n = 2,       \
        .returns = PROMQL_VECTOR, .flags = FN_METRICSQL | FN_STEP_DEPENDENT, .call = call_##fn,    \
        .help = STR_INIT(text)                                                                     \
    }

static const struct function rows[] = {
    ROW(sum, "Sum of the values of each series over all steps."),
    ROW(avg, "Mean of the values of each series over all steps."),
    ROW(min, "Smallest value of each series over all steps."),
    ROW(max, "Largest value of each series over all steps."),
    ROW(first, "First value of each series."),
    ROW(last, "Last value of each series."),
    ROW(median, "Median of the values of each series over all steps."),
    ROW(stddev, "Standard deviation of the values of each series over all steps."),
    ROW(stdvar, "Variance of the values of each series over all steps."),
    ROW(mad, "Median distance of the values of each series from their median."),
    ROW(zscore, "Values as distances from their mean, in standard deviations."),
    ROW(linear_regression, "The straight line nearest to the values of each series."),
    NAMED("running_sum", running_sum, "Sum of the values of each series up to each step."),
    NAMED("running_avg", running_avg, "Mean of the values of each series up to each step."),
    NAMED("running_min", running_min, "Smallest value of each series up to each step."),
    NAMED("running_max", running_max, "Largest value of each series up to each step."),
    NAMED("keep_last_value", keep_last, "Gaps have the value before them."),
    NAMED("keep_next_value", keep_next, "Gaps have the value behind them."),
    NAMED("interpolate", interpolate, "Gaps between two values are the line between them."),
    ROW_ARG(quantile, "Quantile of the values of each series over all steps."),
    ROW_ARG(trim_zscore, "Without values further than so many standard deviations off."),
    ROW_ARG(trim_outliers, "Without values further than so many median distances off."),
    ROW_ARG(trim_spikes, "Without that part of the values which is largest and smallest."),
    {.name = STR_INIT("range_normalize"),
     .args = {PROMQL_VECTOR},
     .args_n = 1,
     .variadic = -1,
     .returns = PROMQL_VECTOR,
     .flags = FN_METRICSQL | FN_STEP_DEPENDENT,
     .call = call_normalize,
     .help = STR_INIT("Values between 0, the smallest of the series, and 1, the largest.")},
};

const struct function_family family_metricsql_range = {rows, sizeof rows / sizeof *rows};
