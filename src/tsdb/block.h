// SPDX-License-Identifier: Apache-2.0
/*
 * Block: samples of one series as few bytes, immutable. Times and values are columns of integers
 * (ints.h). Metrics are decimals: values become mantissas of one power of ten where that gives back
 * every bit; the few that it does not (stale markers, NaN, Inf, -0) stand apart. Where most are not
 * decimals (noise), the bits of the doubles are the integers. Exact for every bit pattern.
 *
 *     uvar n | ints times | u8 mode | BITS: ints of ordered bits
 *                                   | DECIMAL + decimals: uvar exceptions, for each: uvar places
 * since the last, u64 bits; ints mantissas
 */
#ifndef TSDB_BLOCK_H
#define TSDB_BLOCK_H

#include "base/err.h"
#include "tsdb/ints.h"

enum { BLOCK_SAMPLES_MAX = 4096 };

/* Appends the block; 1 <= n <= BLOCK_SAMPLES_MAX, times strictly rising. */
void block_encode(struct enc *e, const ts_ms *t, const double *v, size_t n);
/* The number of samples; 0 when the bytes are no block. */
size_t block_count(bytes b);
/* Decodes into t and v, which have room for block_count. ERR_CORRUPT. */
bool block_decode(bytes b, ts_ms *t, double *v, struct err *err);

#endif
