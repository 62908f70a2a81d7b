// SPDX-License-Identifier: Apache-2.0
/* What the two halves of the codec of histograms share. */
#ifndef TSDB_HIST_BLOCK_INT_H
#define TSDB_HIST_BLOCK_INT_H

#include "store/enc.h"

/* Bits of a run's first byte. */
enum { RUN_INTEGRAL = 1, RUN_COUNT_DERIVED = 2, RUN_ONE_HINT = 4, RUN_BITS = 7 };

/* Runs of fewer samples are one row, sample after sample. */
enum { RUN_COLUMNS_MIN = 8 };

enum { THRESHOLD_USUAL = 0, THRESHOLD_WRITTEN = 1 };
/* What clients begin with. */
#define HIST_USUAL_THRESHOLD 0x1p-128

/* Rows behind each other, of DOUBLES_MAX doubles each but for the last. */
void put_doubles(struct enc *e, const double *v, size_t n);

#endif
