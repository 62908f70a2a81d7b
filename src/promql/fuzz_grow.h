// SPDX-License-Identifier: Apache-2.0
/* Random expressions with valid types over the series of fuzz_source.h. */
#ifndef PROMQL_FUZZ_GROW_H
#define PROMQL_FUZZ_GROW_H

#include "promql/promql.h"

/* A number below n; the state alone decides which. n is not 0. */
size_t fuzz_pick(uint64_t *state, size_t n);

/* Appends an expression of a type: SCALAR, VECTOR or MATRIX, at most `depth` deep. */
void fuzz_grow(uint64_t *state, enum promql_type type, int depth, struct strbuf *out);

#endif
