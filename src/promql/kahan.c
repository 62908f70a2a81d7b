// SPDX-License-Identifier: Apache-2.0
/* Arithmetic that aggregations and functions share. */
#include <math.h>
#include <stdlib.h>

#include "promql/eval_int.h"

/* NaN before every number, as upstream sorts. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return !isnan(x) - !isnan(y);
    return (x > y) - (x < y);
}

double quantile_of(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    qsort(v, n, sizeof *v, by_value);
    double rank = q * (double)(n - 1), low = fmax(0, floor(rank));
    double high = fmin((double)(n - 1), low + 1), weight = rank - floor(rank);
    return v[(size_t)low] * (1 - weight) + v[(size_t)high] * weight;
}

double go_max(double a, double b)
{
    if (isinf(a) > 0 || isinf(b) > 0)
        return INFINITY;
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == 0 && a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

double go_min(double a, double b)
{
    if ((isinf(a) && a < 0) || (isinf(b) && b < 0))
        return -INFINITY;
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == 0 && a == b)
        return signbit(a) ? a : b;
    return a < b ? a : b;
}
