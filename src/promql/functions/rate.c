// SPDX-License-Identifier: Apache-2.0
/*
 * Rates of counters and gauges, with upstream's extrapolation: towards a border of the window by as
 * much as the average distance of samples suggests, and never past the zero of a counter.
 *
 * A row is worked on at once: the places where a counter fell are found in one pass over the
 * series, and a window adds what was lost at those inside it. So a window costs as much as it has
 * resets.
 */
#include <math.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "promql/functions/mixed_int.h"

static inline double extrapolate(ts_ms first, ts_ms last, size_t n, ts_ms start, ts_ms end,
                                 double zero_share)
{
    double to_start = (double)(first - start) / 1000;
    double to_end = (double)(end - last) / 1000;
    double sampled = (double)(last - first) / 1000, average = sampled / (double)(n - 1);
    double threshold = average * 1.1;
    if (to_start >= threshold)
        to_start = average / 2;
    if (zero_share >= 0) {
        double to_zero = sampled * zero_share;
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = average / 2;
    return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
}

double extrapolation(ts_ms first, ts_ms last, size_t n, ts_ms start, ts_ms end, double zero_share)
{
    return extrapolate(first, last, n, start, end, zero_share);
}

/* The first place from `at` on where a value is smaller than the one before it; n: none. */
static size_t next_fall(const double *v, size_t at, size_t n)
{
#ifdef __SSE2__
    /* Eight at a time: most counters never fall. */
    for (; at + 8 <= n; at += 8) {
        __m128d any = _mm_setzero_pd();
        for (size_t k = at; k < at + 8; k += 2)
            any = _mm_or_pd(any, _mm_cmplt_pd(_mm_loadu_pd(v + k), _mm_loadu_pd(v + k - 1)));
        if (_mm_movemask_pd(any))
            break;
    }
#endif
    while (at < n && !(v[at] < v[at - 1]))
        at++;
    return at;
}

static void extrapolated(const struct range_row *r, bool counter, bool per_second, double *out)
{
    size_t reset = 1; /* first place >= lo + 1 where the counter fell; r->n: none */
    for (size_t i = 0; i < r->steps; i++) {
        size_t lo = r->lo[i], hi = r->hi[i];
        out[i] = absent();
        if (hi - lo < 2)
            continue;
        double v = r->v[hi - 1] - r->v[lo];
        if (counter) {
            reset = reset > lo ? reset : lo + 1;
            if (reset < hi)
                reset = next_fall(r->v, reset, r->n);
            for (size_t k = reset; k < hi; k++)
                if (r->v[k] < r->v[k - 1])
                    v += r->v[k - 1];
        }
        double share = counter && v > 0 && r->v[lo] >= 0 ? r->v[lo] / v : -1;
        double factor =
            extrapolate(r->t[lo], r->t[hi - 1], hi - lo, r->end[i] - r->range_ms, r->end[i], share);
        if (per_second)
            factor /= (double)r->range_ms / 1000;
        out[i] = v * factor;
    }
}

static void row_rate(const struct range_row *r, double *out)
{
    extrapolated(r, true, true, out);
}
static void row_increase(const struct range_row *r, double *out)
{
    extrapolated(r, true, false, out);
}
static void row_delta(const struct range_row *r, double *out)
{
    extrapolated(r, false, false, out);
}

/* The last two samples; a counter that fell started at zero. */
static bool window_irate(const struct window *w, double *out)
{
    if (w->n < 2)
        return false;
    double a = w->v[w->n - 2], b = w->v[w->n - 1];
    int64_t ms = w->t[w->n - 1] - w->t[w->n - 2];
    *out = (b < a ? b : b - a) / ((double)ms / 1000);
    return true;
}

static bool window_idelta(const struct window *w, double *out)
{
    if (w->n < 2)
        return false;
    *out = w->v[w->n - 1] - w->v[w->n - 2];
    return true;
}

static bool window_resets(const struct window *w, double *out)
{
    size_t n = 0;
    for (size_t i = 1; i < w->n; i++)
        n += w->v[i] < w->v[i - 1];
    *out = (double)n;
    return true;
}

static bool window_changes(const struct window *w, double *out)
{
    size_t n = 0;
    for (size_t i = 1; i < w->n; i++)
        n += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    *out = (double)n;
    return true;
}

#define RANGE_ONLY .args = {PROMQL_MATRIX}, .args_n = 1, .returns = PROMQL_VECTOR

static const struct function rows[] = {
    {.name = STR_INIT("rate"),
     RANGE_ONLY,
     .flags = FN_COUNTER | FN_START_TIMES | FN_ANCHORED | FN_SMOOTHED,
     .row = row_rate,
     .mixed = mixed_rate,
     .tier = TIER_RATE,
     .help = STR_INIT("Per-second average increase of a counter over the window.")},
    {.name = STR_INIT("increase"),
     RANGE_ONLY,
     .flags = FN_COUNTER | FN_START_TIMES | FN_ANCHORED | FN_SMOOTHED,
     .row = row_increase,
     .mixed = mixed_increase,
     .tier = TIER_INCREASE,
     .help = STR_INIT("Increase of a counter over the window.")},
    {.name = STR_INIT("delta"),
     RANGE_ONLY,
     .flags = FN_ANCHORED | FN_SMOOTHED,
     .row = row_delta,
     .mixed = mixed_delta,
     .tier = TIER_DELTA,
     .help = STR_INIT("Difference between the last and first value of a gauge in the window.")},
    {.name = STR_INIT("irate"),
     RANGE_ONLY,
     .flags = FN_START_TIMES,
     .window = window_irate,
     .mixed = mixed_irate,
     .help = STR_INIT("Per-second increase of a counter between its last two samples.")},
    {.name = STR_INIT("idelta"),
     RANGE_ONLY,
     .window = window_idelta,
     .mixed = mixed_idelta,
     .help = STR_INIT("Difference between the last two samples of a gauge.")},
    {.name = STR_INIT("resets"),
     RANGE_ONLY,
     .flags = FN_START_TIMES | FN_ANCHORED,
     .window = window_resets,
     .mixed = mixed_resets,
     .help = STR_INIT("How often a counter fell in the window.")},
    {.name = STR_INIT("changes"),
     RANGE_ONLY,
     .flags = FN_ANCHORED,
     .window = window_changes,
     .mixed = mixed_changes,
     .help = STR_INIT("How often the value changed in the window.")},
};

const struct function_family family_rate = {rows, sizeof rows / sizeof *rows};
