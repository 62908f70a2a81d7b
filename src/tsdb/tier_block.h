// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of a downsampling tier (model/tier.h) of one series as few bytes, docs/formats/part.md
 * "Block of rows".
 *
 * Column by column. What says nothing is left out: a row usually has its whole window, no fall, and
 * in a counter the smallest value is the first and the largest the last. Exact for every bit.
 */
#ifndef TSDB_TIER_BLOCK_H
#define TSDB_TIER_BLOCK_H

#include "base/err.h"
#include "model/tier.h"
#include "store/enc.h"

enum { TIER_BLOCK_ROWS_MAX = 1024 };

/*
 * Appends a block of the first rows and returns how many they are: at least one, fewer than n when
 * it would be too large, or where rows with histograms end or begin. n >= 1. Windows rise, and the
 * histograms pass histogram_check, but that those of `lost` may have any counts.
 */
size_t tier_block_encode(struct enc *e, int64_t step_ms, const struct tier_row *rows, size_t n);
/* The number of rows; 0 when the bytes are no block. */
size_t tier_block_count(bytes b);
/* Appends the rows, in the arena of `out`. *step_ms: as it was given. ERR_CORRUPT. */
bool tier_block_decode(bytes b, struct tier_rows *out, int64_t *step_ms, struct err *err);

#endif
