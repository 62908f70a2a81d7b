// SPDX-License-Identifier: Apache-2.0
/* Aggregations of the samples of one series inside its window. */
#include <math.h>

#include "base/finite.h"
#include "promql/histogram_int.h"

static bool window_sum(const struct window *w, double *out)
{
    double sum = 0, c = 0;
    for (size_t i = 0; i < w->n; i++)
        kahan_add(w->v[i], &sum, &c);
    *out = isinf(sum) ? sum : sum + c;
    return true;
}

/* The sum while it does not overflow, a running mean from there on. */
static bool window_avg(const struct window *w, double *out)
{
    double sum = w->v[0], c = 0, mean = 0;
    size_t i = 1;
    for (; i < w->n; i++) {
        double s = sum, low = c;
        kahan_add(w->v[i], &s, &low);
        if (isinf(s))
            break;
        sum = s, c = low;
    }
    if (i == w->n) {
        *out = sum / (double)i + c / (double)i;
        return true;
    }
    mean = sum / (double)i;
    c /= (double)i;
    for (; i < w->n; i++) {
        double count = (double)(i + 1), q = (double)i / count;
        mean *= q;
        c *= q;
        kahan_add(w->v[i] / count, &mean, &c);
    }
    *out = mean + c;
    return true;
}

static size_t extreme(const struct window *w, double sign, bool last)
{
    size_t at = 0;
    for (size_t i = 0; i < w->n; i++) {
        double x = sign * w->v[i], best = sign * w->v[at];
        if (isnan(w->v[at]) || x > best || (last && x == best))
            at = i;
    }
    return at;
}

/* Of two extremes, the first in time unless the other one is more so; NaN is none. */
static inline double pick(double earlier, double later, bool max, bool any_nan)
{
    bool wins = max ? later > earlier : later < earlier;
    return wins || (any_nan && isnan(earlier)) ? later : earlier;
}

/*
 * The same at every step of a row, at a cost that does not depend on the length of windows. `tail`
 * holds the extremes from each place of a window on up to `border`, where that window ended; later
 * windows have theirs from there and from what came behind the border, until they begin behind it.
 */
static inline __attribute__((always_inline)) void
sliding_extreme(const struct range_row *r, bool max, bool any_nan, double *out)
{
    double *tail = r->scratch, behind = NAN;
    size_t border = 0, seen = 0;
    for (size_t i = 0; i < r->steps; i++) {
        size_t lo = r->lo[i], hi = r->hi[i];
        if (lo == hi) {
            out[i] = absent();
            continue;
        }
        if (lo >= border) {
            border = seen = hi;
            tail[hi - 1] = r->v[hi - 1];
            for (size_t k = hi - 1; k > lo; k--)
                tail[k - 1] = pick(r->v[k - 1], tail[k], max, any_nan);
        } else if (seen < hi) {
            behind = seen == border ? r->v[seen] : pick(behind, r->v[seen], max, any_nan);
            while (++seen < hi)
                behind = pick(behind, r->v[seen], max, any_nan);
        }
        double v = seen > border ? pick(tail[lo], behind, max, any_nan) : tail[lo];
        out[i] = isnan(v) ? r->v[hi - 1] : v;
    }
}

static void row_max(const struct range_row *r, double *out)
{
    if (are_finite(r->v, r->n))
        sliding_extreme(r, true, false, out);
    else
        sliding_extreme(r, true, true, out);
}
static void row_min(const struct range_row *r, double *out)
{
    if (are_finite(r->v, r->n))
        sliding_extreme(r, false, false, out);
    else
        sliding_extreme(r, false, true, out);
}

static bool window_max(const struct window *w, double *out)
{
    return *out = w->v[extreme(w, 1, false)], true;
}
static bool window_min(const struct window *w, double *out)
{
    return *out = w->v[extreme(w, -1, false)], true;
}
static bool window_ts_of_max(const struct window *w, double *out)
{
    return *out = (double)w->t[extreme(w, 1, true)] / 1000, true;
}
static bool window_ts_of_min(const struct window *w, double *out)
{
    return *out = (double)w->t[extreme(w, -1, true)] / 1000, true;
}
static bool window_count(const struct window *w, double *out)
{
    return *out = (double)w->n, true;
}
static bool window_present(const struct window *w, double *out)
{
    (void)w;
    return *out = 1, true;
}
static bool window_last(const struct window *w, double *out)
{
    return *out = w->v[w->n - 1], true;
}
static bool window_first(const struct window *w, double *out)
{
    return *out = w->v[0], true;
}
static bool window_ts_of_last(const struct window *w, double *out)
{
    return *out = (double)w->t[w->n - 1] / 1000, true;
}
static bool window_ts_of_first(const struct window *w, double *out)
{
    return *out = (double)w->t[0] / 1000, true;
}

static double variance(const struct window *w)
{
    double mean = 0, mean_c = 0, aux = 0, aux_c = 0;
    for (size_t i = 0; i < w->n; i++) {
        double delta = w->v[i] - (mean + mean_c);
        kahan_add(delta / (double)(i + 1), &mean, &mean_c);
        kahan_add(delta * (w->v[i] - (mean + mean_c)), &aux, &aux_c);
    }
    return (aux + aux_c) / (double)w->n;
}

static bool window_stdvar(const struct window *w, double *out)
{
    return *out = variance(w), true;
}
static bool window_stddev(const struct window *w, double *out)
{
    return *out = sqrt(variance(w)), true;
}

static bool window_quantile(const struct window *w, double *out)
{
    memcpy(w->scratch, w->v, w->n * sizeof *w->v);
    *out = quantile_of(w->args[0], w->scratch, w->n);
    return true;
}

/* Median of the distances from the median. */
static bool window_mad(const struct window *w, double *out)
{
    *out = NAN;
    for (size_t i = 0; i < w->n; i++)
        if (isnan(w->v[i]))
            return true;
    memcpy(w->scratch, w->v, w->n * sizeof *w->v);
    double median = quantile_of(0.5, w->scratch, w->n);
    for (size_t i = 0; i < w->n; i++)
        w->scratch[i] = fabs(w->scratch[i] - median);
    *out = quantile_of(0.5, w->scratch, w->n);
    return true;
}

/* ---- windows with native histograms ---- */

/* Sums and means are of floats or of histograms, never of both. */
static bool mixed_fold(const struct mixed_window *m, bool average, struct mixed_value *out)
{
    struct histogram_fold f = {0};
    str metric = labels_metric_name(m->labels);
    if (m->floats_n && m->histograms_n) {
        note_mixed_floats(m->ev, m->arg, metric);
        return false;
    }
    for (size_t i = 0; i < m->w.n && !f.incompatible; i++)
        if (!histogram_fold_add(&f, m->h[i], average))
            note_mixed_buckets(m->ev, m->arg, metric);
    bool ok = !f.incompatible;
    if (ok && f.reset && f.no_reset)
        note_reset_collision(m->ev, m->arg, "aggregation");
    if (ok && f.reconciled)
        note_reconciled(m->ev, m->arg, "aggregation");
    if (ok)
        out->h = histogram_fold_finish(&f, average, m->arena);
    histogram_fold_fini(&f);
    return ok;
}

static bool mixed_sum(const struct mixed_window *m, struct mixed_value *out)
{
    return m->histograms_n ? mixed_fold(m, false, out) : window_sum(&m->w, &out->v);
}
static bool mixed_avg(const struct mixed_window *m, struct mixed_value *out)
{
    return m->histograms_n ? mixed_fold(m, true, out) : window_avg(&m->w, &out->v);
}
static bool mixed_count(const struct mixed_window *m, struct mixed_value *out)
{
    return window_count(&m->w, &out->v);
}
static bool mixed_present(const struct mixed_window *m, struct mixed_value *out)
{
    return window_present(&m->w, &out->v);
}
static bool mixed_at(const struct mixed_window *m, size_t i, struct mixed_value *out)
{
    out->v = m->w.v[i];
    out->h = m->h ? m->h[i] : NULL;
    return true;
}
static bool mixed_last(const struct mixed_window *m, struct mixed_value *out)
{
    return mixed_at(m, m->w.n - 1, out);
}
static bool mixed_first(const struct mixed_window *m, struct mixed_value *out)
{
    return mixed_at(m, 0, out);
}
static bool mixed_ts_of_last(const struct mixed_window *m, struct mixed_value *out)
{
    return window_ts_of_last(&m->w, &out->v);
}
static bool mixed_ts_of_first(const struct mixed_window *m, struct mixed_value *out)
{
    return window_ts_of_first(&m->w, &out->v);
}

#define OVER_TIME(id, fn, on_rows, bits, text)                                                     \
    {                                                                                              \
        .name = STR_INIT(id), .args = {PROMQL_MATRIX}, .args_n = 1, .returns = PROMQL_VECTOR,      \
        .flags = (bits), .window = (fn), .tier = (on_rows), .help = STR_INIT(text)                 \
    }

/* The same, and faster for all steps of a series at once. */
#define OVER_ROW(id, what, on_rows, text)                                                          \
    {                                                                                              \
        .name = STR_INIT(id), .args = {PROMQL_MATRIX}, .args_n = 1, .returns = PROMQL_VECTOR,      \
        .window = window_##what, .row = row_##what, .tier = (on_rows), .help = STR_INIT(text)      \
    }

/* The same, and another function for windows that are more than floats. */
#define OVER_ALL(id, fn, on_rows, bits, text)                                                      \
    {                                                                                              \
        .name = STR_INIT(id), .args = {PROMQL_MATRIX}, .args_n = 1, .returns = PROMQL_VECTOR,      \
        .flags = (bits), .window = window_##fn, .mixed = mixed_##fn, .tier = (on_rows),            \
        .help = STR_INIT(text)                                                                     \
    }

static const struct function rows[] = {
    OVER_ALL("sum_over_time", sum, TIER_SUM, 0, "Sum of the values in the window."),
    OVER_ALL("avg_over_time", avg, TIER_AVG, 0, "Mean of the values in the window."),
    OVER_ROW("min_over_time", min, TIER_MIN, "Smallest value in the window."),
    OVER_ROW("max_over_time", max, TIER_MAX, "Largest value in the window."),
    OVER_ALL("count_over_time", count, TIER_COUNT, 0, "Number of samples in the window."),
    OVER_ALL("present_over_time", present, TIER_PRESENT, 0, "1 for every series with a sample."),
    OVER_ALL("last_over_time", last, TIER_LAST, FN_KEEP_NAME, "Newest value in the window."),
    OVER_ALL("first_over_time", first, TIER_FIRST, FN_KEEP_NAME, "Oldest value in the window."),
    OVER_TIME("stddev_over_time", window_stddev, TIER_NEEDS_SAMPLES, 0,
              "Population standard deviation."),
    OVER_TIME("stdvar_over_time", window_stdvar, TIER_NEEDS_SAMPLES, 0, "Population variance."),
    OVER_TIME("mad_over_time", window_mad, TIER_NEEDS_SAMPLES, FN_EXPERIMENTAL,
              "Median absolute deviation."),
    OVER_ALL("ts_of_first_over_time", ts_of_first, TIER_TIME_OF_FIRST, FN_EXPERIMENTAL,
             "Time of the oldest sample in the window."),
    OVER_ALL("ts_of_last_over_time", ts_of_last, TIER_TIME_OF_LAST, FN_EXPERIMENTAL,
             "Time of the newest sample in the window."),
    OVER_TIME("ts_of_max_over_time", window_ts_of_max, TIER_NEEDS_SAMPLES, FN_EXPERIMENTAL,
              "Time of the last sample with the largest value."),
    OVER_TIME("ts_of_min_over_time", window_ts_of_min, TIER_NEEDS_SAMPLES, FN_EXPERIMENTAL,
              "Time of the last sample with the smallest value."),
    {.name = STR_INIT("quantile_over_time"),
     .args = {PROMQL_SCALAR, PROMQL_MATRIX},
     .args_n = 2,
     .returns = PROMQL_VECTOR,
     .window = window_quantile,
     .help = STR_INIT("Quantile of the values in the window.")},
};

const struct function_family family_over_time = {rows, sizeof rows / sizeof *rows};
