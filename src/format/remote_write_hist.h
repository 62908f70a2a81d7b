// SPDX-License-Identifier: Apache-2.0
/*
 * The messages Histogram and Exemplar of remote write (prometheus/types.proto). Integer histograms
 * write buckets as differences, float histograms as they are; both come out as counts. A histogram
 * whose sum is the stale marker says that its series ended.
 *
 * Any thread; no state.
 */
#ifndef FORMAT_REMOTE_WRITE_HIST_H
#define FORMAT_REMOTE_WRITE_HIST_H

#include "base/strbuf.h"
#include "model/sink.h"

struct remote_write_histogram {
    ts_ms t, start;            /* start: of remote write 2.0; 0: not said */
    const struct histogram *h; /* in the arena; NULL: a stale marker */
};

/* ERR_INVALID, ERR_LIMIT: as histogram_check says, also when the buckets of an integer histogram do
 * not add up to its count. */
bool remote_write_read_histogram(bytes message, struct arena *a, struct remote_write_histogram *out,
                                 struct err *err);
/* Appends the message: with integers when all counts are whole. `h` NULL: a stale marker. */
void remote_write_put_histogram(struct strbuf *out, const struct remote_write_histogram *h);

enum { REMOTE_WRITE_EXEMPLAR_LABELS_MAX = 64 };

/* Labels sorted, text in the message; `series` is left alone. ERR_INVALID: no message, or labels
 * that are no UTF-8, have no name or come twice; ERR_LIMIT: too many. */
bool remote_write_read_exemplar(bytes message, struct arena *a, struct batch_exemplar *out,
                                struct err *err);
void remote_write_put_exemplar(struct strbuf *out, const struct batch_exemplar *x);

#endif
