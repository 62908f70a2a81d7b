// SPDX-License-Identifier: Apache-2.0
/*
 * Block: samples of one series as few bytes, immutable: the times as a row of integers (ints.h),
 * the values as a row of doubles (doubles.h). Exact for every bit pattern.
 *
 *     uvar n | ints times | doubles values
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
