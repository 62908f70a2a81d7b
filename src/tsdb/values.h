// SPDX-License-Identifier: Apache-2.0
/*
 * A row of doubles as a row of integers (rows.h). Metrics are decimals: values become mantissas of
 * one power of ten where that gives back every bit; the few that it does not (stale markers, NaN,
 * Inf, -0) stand apart. Where most are not decimals (noise), the bits of the doubles, ordered as
 * the doubles are, are the integers. Exact for every bit pattern.
 */
#ifndef TSDB_VALUES_H
#define TSDB_VALUES_H

#include "tsdb/rows.h"

/* How doubles became integers. */
struct values_form {
    uint8_t mode;                  /* VALUES_BITS, or VALUES_DECIMAL + decimals */
    uint16_t strange_n;            /* values that stand apart; none when the mode is VALUES_BITS */
    uint16_t strange[ROW_MAX / 2]; /* their places, rising */
};
enum { VALUES_BITS = 0, VALUES_DECIMAL = 1, VALUES_MODE_MAX = VALUES_DECIMAL + 15 };

/* n is at most ROW_MAX. */
void values_to_ints(const double *v, size_t n, int64_t *m, struct values_form *f);
/* In place; `mode` is at most VALUES_MODE_MAX. Strange values are the caller's. */
void values_from_ints(uint8_t mode, double *v, size_t n);
/* uvar places since the last and u64 bits for each; n of the values stand apart. */
void values_put_strange(struct enc *e, const double *v, const struct values_form *f);
void values_skip_strange(struct dec *d, uint64_t n);
void values_set_strange(struct dec *d, uint64_t strange_n, double *v, size_t n);

/* n is at most ROW_MAX. */
void values_encode(struct row_streams *s, const double *v, size_t n);
/* The cursor is bad afterwards when the bytes are no row of n values. */
void values_decode(struct row_cursor *c, double *v, size_t n);
void values_skip(struct row_cursor *c, size_t n);

#endif
