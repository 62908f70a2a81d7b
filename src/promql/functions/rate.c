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

/*
 * What the times alone say, three rows of numbers. `flat`: by what a gain is multiplied when the
 * zero of the counter is not near; `near`: how near it must be. A counter that began at `first` and
 * gained `gain` was at zero so long before the window's first sample: sampled * first / gain. That
 * limits the extrapolation when it is less than `to_start`, which it surely is not while first >
 * near * gain: the margin of `near` is much above what rounding does, and near_least above what
 * happens to the smallest of numbers. So most windows need no division. `still`: the result for a
 * series that does not move.
 */
enum { SHAPE_FLAT, SHAPE_NEAR, SHAPE_STILL, SHAPE_N };
static const double near_margin = 1 + 1e-9, near_least = 1e-300;

static inline double factor_of(const struct range_row *r, size_t i, double share, bool per_second)
{
    size_t lo = r->lo[i], hi = r->hi[i];
    double factor =
        extrapolate(r->t[lo], r->t[hi - 1], hi - lo, r->end[i] - r->range_ms, r->end[i], share);
    return per_second ? factor / ((double)r->range_ms / 1000) : factor;
}

static double near_of(const struct range_row *r, size_t i)
{
    double to_start = (double)(r->t[r->lo[i]] - (r->end[i] - r->range_ms)) / 1000;
    double sampled = (double)(r->t[r->hi[i] - 1] - r->t[r->lo[i]]) / 1000;
    return to_start / sampled * near_margin;
}

static void shapes(const struct range_row *r, bool per_second, double *out)
{
    double *flat = out + SHAPE_FLAT * r->steps, *near = out + SHAPE_NEAR * r->steps;
    double *still = out + SHAPE_STILL * r->steps;
    for (size_t i = 0; i < r->steps; i++) {
        bool is_window = r->hi[i] - r->lo[i] >= 2;
        flat[i] = is_window ? factor_of(r, i, -1, per_second) : 0;
        near[i] = is_window ? near_of(r, i) : 0;
        still[i] = is_window ? 0 : absent();
    }
}

static void shape_rate(const struct range_row *r, double *out)
{
    shapes(r, true, out);
}
static void shape_increase(const struct range_row *r, double *out)
{
    shapes(r, false, out);
}

/* What was lost in the falls inside [lo, hi), added to `gain`; `fall` is the first fall behind lo
 * that is known of. */
static double with_losses(const struct range_row *r, size_t lo, size_t hi, size_t *fall,
                          double gain)
{
    if (*fall <= lo)
        *fall = next_fall(r->v, lo + 1, r->n);
    for (size_t k = *fall; k < hi; k++)
        if (r->v[k] < r->v[k - 1])
            gain += r->v[k - 1];
    return gain;
}

/* A row of the same finite bits gains 0 in each of its windows. */
static bool is_still(const double *v, size_t n)
{
    return isfinite(v[0]) && memcmp(v, v + 1, (n - 1) * sizeof *v) == 0;
}

static inline __attribute__((always_inline)) void
extrapolated(const struct range_row *r, bool counter, bool per_second, double *out)
{
    const double *flat = r->shape, *near = flat ? flat + SHAPE_NEAR * r->steps : NULL;
    const double *v = r->v;
    const uint32_t *from = r->lo, *to = r->hi;
    size_t fall = 0, steps = r->steps;
    if (flat && is_still(r->v, r->n)) {
        memcpy(out, flat + SHAPE_STILL * r->steps, r->steps * sizeof *out);
        return;
    }
    for (size_t i = 0; i < steps; i++) {
        size_t lo = from[i], hi = to[i];
        if (hi - lo < 2) {
            out[i] = absent();
            continue;
        }
        double first = v[lo], gain = v[hi - 1] - first;
        if (counter && fall < hi)
            gain = with_losses(r, lo, hi, &fall, gain);
        bool may_limit = counter && gain > 0 && first >= 0;
        if (flat && !(may_limit && !(first > near[i] * gain + near_least)))
            out[i] = gain * flat[i];
        else
            out[i] = gain * factor_of(r, i, may_limit ? first / gain : -1, per_second);
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
     .flags = FN_TWO_SAMPLES | FN_COUNTER | FN_START_TIMES | FN_ANCHORED | FN_SMOOTHED,
     .row = row_rate,
     .shape = shape_rate,
     .shape_n = SHAPE_N,
     .mixed = mixed_rate,
     .tier = TIER_RATE,
     .help = STR_INIT("Per-second average increase of a counter over the window.")},
    {.name = STR_INIT("increase"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES | FN_COUNTER | FN_START_TIMES | FN_ANCHORED | FN_SMOOTHED,
     .row = row_increase,
     .shape = shape_increase,
     .shape_n = SHAPE_N,
     .mixed = mixed_increase,
     .tier = TIER_INCREASE,
     .help = STR_INIT("Increase of a counter over the window.")},
    {.name = STR_INIT("delta"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES | FN_ANCHORED | FN_SMOOTHED,
     .row = row_delta,
     .shape = shape_increase,
     .shape_n = SHAPE_N,
     .mixed = mixed_delta,
     .tier = TIER_DELTA,
     .help = STR_INIT("Difference between the last and first value of a gauge in the window.")},
    {.name = STR_INIT("irate"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES | FN_START_TIMES,
     .window = window_irate,
     .mixed = mixed_irate,
     .help = STR_INIT("Per-second increase of a counter between its last two samples.")},
    {.name = STR_INIT("idelta"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES,
     .window = window_idelta,
     .mixed = mixed_idelta,
     .help = STR_INIT("Difference between the last two samples of a gauge.")},
    {.name = STR_INIT("resets"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES | FN_START_TIMES | FN_ANCHORED,
     .window = window_resets,
     .mixed = mixed_resets,
     .help = STR_INIT("How often a counter fell in the window.")},
    {.name = STR_INIT("changes"),
     RANGE_ONLY,
     .flags = FN_TWO_SAMPLES | FN_ANCHORED,
     .window = window_changes,
     .mixed = mixed_changes,
     .help = STR_INIT("How often the value changed in the window.")},
};

const struct function_family family_rate = {rows, sizeof rows / sizeof *rows};
