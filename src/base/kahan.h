// SPDX-License-Identifier: Apache-2.0
/* Sums that keep what doubles round away. */
#ifndef BASE_KAHAN_H
#define BASE_KAHAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/*
 * kahan_add of KAHAN_LANES sums at once, the same bits: what an addition rounds away is found
 * without a comparison (Knuth's TwoSum), and is exactly what kahan_add finds. False when a new sum
 * is not finite or near the end of the range; nothing was added then.
 */
enum { KAHAN_LANES = 4 };

static inline bool kahan_add_lanes(const double *x, double *sum, double *c)
{
    typedef double pair __attribute__((vector_size(2 * sizeof(double))));
    enum { PAIRS = KAHAN_LANES / 2 };
    pair s[PAIRS], v[PAIRS], low[PAIRS], t[PAIRS];
    memcpy(s, sum, sizeof s);
    memcpy(v, x, sizeof v);
    pair odd = {0, 0}; /* or NaN */
    for (int i = 0; i < PAIRS; i++) {
        t[i] = s[i] + v[i];
        odd += 4 * t[i] - 4 * t[i];
    }
    if (odd[0] + odd[1] != 0)
        return false;
    memcpy(low, c, sizeof low);
    for (int i = 0; i < PAIRS; i++) {
        pair added = t[i] - s[i];
        low[i] += (s[i] - (t[i] - added)) + (v[i] - added);
    }
    memcpy(c, low, sizeof low);
    memcpy(sum, t, sizeof t);
    return true;
}

#endif
