// SPDX-License-Identifier: Apache-2.0
/*
 * Remote write 2.0: io.prometheus.write.v2.Request as protobuf, already out of its snappy block.
 *
 * Texts stand once, in a table of symbols, which labels, metadata and exemplars refer to. As
 * Prometheus' receiver, a series that breaks the specification (no name, a name twice or empty,
 * text that is no UTF-8, samples and histograms in one) is left out and the first such one named,
 * and the others are stored; a message that does not hold together is refused whole.
 *
 * Any thread; no state.
 */
#ifndef FORMAT_REMOTE_WRITE2_H
#define FORMAT_REMOTE_WRITE2_H

#include "format/remote_write.h"

/* What a request holds; of series that are left out, in `left_out`. */
struct remote_write2_counts {
    size_t samples, histograms, exemplars;
    size_t left_out;  /* samples, histograms and exemplars of series out of specification */
    struct err first; /* why the first of them was; kind NONE: all are fine */
};

/*
 * Fills `b`, which must be new. Text points into `body`: it must be in b's arena, or live as long
 * as the batch. ERR_INVALID: not a message; ERR_LIMIT: names the limit. Then the batch holds
 * nothing to write.
 */
bool remote_write2_decode(bytes body, const struct remote_write_limits *limits, struct batch *b,
                          struct remote_write2_counts *counts, struct err *err);

#endif
