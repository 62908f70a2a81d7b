// SPDX-License-Identifier: Apache-2.0
/* Lines and smoothing through the samples of a window. */
#include <math.h>

#include "promql/eval_int.h"

/* Least squares; `intercept` is the line's value at time `at`. */
static void regression(const struct window *w, ts_ms at, double *slope, double *intercept)
{
    double x = 0, y = 0, xy = 0, xx = 0, cx = 0, cy = 0, cxy = 0, cxx = 0;
    bool constant = true;
    for (size_t i = 0; i < w->n; i++) {
        double dt = (double)(w->t[i] - at) / 1e3;
        constant &= i == 0 || w->v[i] == w->v[0];
        kahan_add(dt, &x, &cx);
        kahan_add(w->v[i], &y, &cy);
        kahan_add(dt * w->v[i], &xy, &cxy);
        kahan_add(dt * dt, &xx, &cxx);
    }
    if (constant) {
        *slope = isinf(w->v[0]) ? NAN : 0;
        *intercept = isinf(w->v[0]) ? NAN : w->v[0];
        return;
    }
    x += cx, y += cy, xy += cxy, xx += cxx;
    double n = (double)w->n;
    *slope = (xy - x * y / n) / (xx - x * x / n);
    *intercept = y / n - *slope * x / n;
}

static bool window_deriv(const struct window *w, double *out)
{
    double intercept;
    if (w->n < 2)
        return false;
    regression(w, w->t[0], out, &intercept);
    return true;
}

static bool window_predict(const struct window *w, double *out)
{
    double slope, intercept;
    if (w->n < 2)
        return false;
    regression(w, w->step, &slope, &intercept);
    *out = slope * w->args[0] + intercept;
    return true;
}

static bool check_smoothing(const double *const *args, size_t steps, struct err *err)
{
    static const char *const names[] = {"smoothing", "trend"}, *const letters[] = {"sf", "tf"};
    for (size_t i = 0; i < steps; i++)
        for (int k = 0; k < 2; k++)
            if (args[k][i] <= 0 || args[k][i] >= 1)
                return err_set(err, ERR_EXEC, "invalid %s factor. Expected: 0 < %s < 1, got: %f",
                               names[k], letters[k], args[k][i]);
    return true;
}

static bool window_smoothing(const struct window *w, double *out)
{
    double smooth = w->args[0], trend = w->args[1];
    if (w->n < 2)
        return false;
    double before = 0, level = w->v[0], slope = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        if (i > 1)
            slope = trend * (level - before) + (1 - trend) * slope;
        before = level;
        level = smooth * w->v[i] + (1 - smooth) * (before + slope);
    }
    *out = level;
    return true;
}

static const struct function rows[] = {
    {.name = STR_INIT("deriv"),
     .args = {PROMQL_MATRIX},
     .args_n = 1,
     .returns = PROMQL_VECTOR,
     .flags = FN_TWO_SAMPLES,
     .window = window_deriv,
     .help = STR_INIT("Per-second slope of a gauge, by linear regression.")},
    {.name = STR_INIT("predict_linear"),
     .args = {PROMQL_MATRIX, PROMQL_SCALAR},
     .args_n = 2,
     .returns = PROMQL_VECTOR,
     .flags = FN_STEP_DEPENDENT | FN_TWO_SAMPLES,
     .window = window_predict,
     .help = STR_INIT("Value of a gauge so many seconds from now, by linear regression.")},
    {.name = STR_INIT("double_exponential_smoothing"),
     .args = {PROMQL_MATRIX, PROMQL_SCALAR, PROMQL_SCALAR},
     .args_n = 3,
     .returns = PROMQL_VECTOR,
     .flags = FN_EXPERIMENTAL | FN_TWO_SAMPLES,
     .window = window_smoothing,
     .check = check_smoothing,
     .help = STR_INIT("Smoothed value of a gauge, with a smoothing and a trend factor.")},
};

const struct function_family family_trend = {rows, sizeof rows / sizeof *rows};
