// SPDX-License-Identifier: Apache-2.0
/* Functions over windows that have native histograms, start times or extended borders; the tables
 * of rate.c and over_time.c name them. */
#ifndef PROMQL_FUNCTIONS_MIXED_INT_H
#define PROMQL_FUNCTIONS_MIXED_INT_H

#include "promql/histogram_int.h"

/* ---- mixed_rate.c ---- */

bool mixed_rate(const struct mixed_window *m, struct mixed_value *out);
bool mixed_increase(const struct mixed_window *m, struct mixed_value *out);
bool mixed_delta(const struct mixed_window *m, struct mixed_value *out);
bool mixed_irate(const struct mixed_window *m, struct mixed_value *out);
bool mixed_idelta(const struct mixed_window *m, struct mixed_value *out);
bool mixed_resets(const struct mixed_window *m, struct mixed_value *out);
bool mixed_changes(const struct mixed_window *m, struct mixed_value *out);

/* Adds h * factor, with upstream's notes; false when buckets do not fit. */
bool mixed_add(const struct mixed_window *m, struct histogram_work *w, const struct histogram *h,
               double factor);

/* By how much samples from `first` to `last` (n of them) stand for more than the span they cover:
 * upstream's extrapolation towards the borders of the window. `zero_share`: the first value over
 * the increase, which says when a counter was zero; negative when that is not to be asked. */
double extrapolation(ts_ms first, ts_ms last, size_t n, ts_ms start, ts_ms end, double zero_share);

/* ---- extended.c ---- */

enum rate_kind { RATE_DELTA, RATE_INCREASE, RATE_PER_SECOND };

bool extended_rate(const struct mixed_window *m, enum rate_kind kind, struct mixed_value *out);

/* ---- info.c ---- */

bool call_info(struct eval *ev, const struct node *n, const struct grid *g,
               const struct row_sink *sink, struct err *err);

#endif
