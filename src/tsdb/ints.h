// SPDX-License-Identifier: Apache-2.0
/*
 * A row of 64-bit integers as few bytes: differences of order 0, 1 or 2, a base taken off, the low
 * bits packed at one width, and the few values that do not fit written apart. Every row comes back
 * as it was; arithmetic wraps.
 *
 *     u8 kind (order | 4 when differences are zigzag) | u8 width | seeds, one svar per order |
 *     svar base | uvar exceptions | for each: uvar places since the last, uvar high bits |
 *     packed low bits, first value in the lowest bits
 */
#ifndef TSDB_INTS_H
#define TSDB_INTS_H

#include "store/enc.h"

enum { INTS_MAX = 8192 };

/* n is at most INTS_MAX. */
void ints_encode(struct enc *e, const int64_t *x, size_t n);
/* Sets d->bad when the bytes are no row of n integers. */
void ints_decode(struct dec *d, int64_t *x, size_t n);

#endif
