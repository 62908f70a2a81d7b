// SPDX-License-Identifier: Apache-2.0
/* Rows of doubles in which there is nothing special: looked at faster than value by value. */
#ifndef BASE_FINITE_H
#define BASE_FINITE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* True when none of n values is NaN or infinite. */
static inline bool are_finite(const double *v, size_t n)
{
    typedef double pair __attribute__((vector_size(2 * sizeof(double))));
    pair x[2], odd[2] = {{0, 0}, {0, 0}}; /* or NaN */
    double rest = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        memcpy(x, v + i, sizeof x);
        odd[0] += x[0] - x[0];
        odd[1] += x[1] - x[1];
    }
    for (; i < n; i++)
        rest += v[i] - v[i];
    odd[0] += odd[1];
    return odd[0][0] + odd[0][1] + rest == 0;
}

#endif
