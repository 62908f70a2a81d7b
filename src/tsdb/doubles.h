// SPDX-License-Identifier: Apache-2.0
/*
 * A row of doubles as few bytes. Metrics are decimals: values become mantissas of one power of ten
 * where that gives back every bit; the few that it does not (stale markers, NaN, Inf, -0) stand
 * apart. Where most are not decimals (noise), the bits of the doubles are the integers (ints.h).
 * Exact for every bit pattern.
 *
 *     u8 mode | BITS: ints of ordered bits
 *             | DECIMAL + decimals: uvar exceptions, for each: uvar places since the last, u64
 * bits; ints mantissas
 */
#ifndef TSDB_DOUBLES_H
#define TSDB_DOUBLES_H

#include "store/enc.h"

enum { DOUBLES_MAX = 4096 };

/* n is at most DOUBLES_MAX. */
void doubles_encode(struct enc *e, const double *v, size_t n);
/* Sets d->bad when the bytes are no row of n doubles. */
void doubles_decode(struct dec *d, double *v, size_t n);

#endif
