// SPDX-License-Identifier: Apache-2.0
/*
 * Mutations of the syntax tree, for fuzzing: nodes of a type change places, are wrapped, taken out
 * or grown anew; numbers, windows, offsets, operators, groupings, matching and functions change in
 * place. What comes out is an expression that parses.
 */
#ifndef PROMQL_FUZZ_MUTATE_H
#define PROMQL_FUZZ_MUTATE_H

#include "promql/promql.h"

/* The features that all texts of the fuzz targets are parsed with. */
extern const struct promql_parse_options fuzz_features;

/*
 * Writes a mutation of `text` to `out`, at most `max` bytes; nodes may come from `other`, which may
 * be empty. What does not parse is replaced by something grown. The state alone decides.
 */
void fuzz_mutate(uint64_t *state, str text, str other, size_t max, struct strbuf *out);

#endif
