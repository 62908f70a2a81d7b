// SPDX-License-Identifier: Apache-2.0
/* Sums that keep what doubles round away. */
#ifndef BASE_KAHAN_H
#define BASE_KAHAN_H

/* Neumaier's compensated sum: *sum += x, the lost low part goes to *c. */
static inline void kahan_add(double x, double *sum, double *c)
{
    double t = *sum + x;
    double as = *sum < 0 ? -*sum : *sum, ax = x < 0 ? -x : x;
    if (t - t != 0) /* infinite or NaN: there is no low part any more */
        *c = 0;
    else if (as >= ax)
        *c += (*sum - t) + x;
    else
        *c += (x - t) + *sum;
    *sum = t;
}

#endif
