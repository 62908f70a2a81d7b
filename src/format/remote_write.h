// SPDX-License-Identifier: Apache-2.0
/*
 * Remote write 1.0: prometheus.WriteRequest as protobuf, already out of its snappy block.
 *
 * Decoding walks the message by hand into a batch. Series have keys (model/sink.h), the bytes of
 * their labels, and the labels are read when the batch's labeller is asked. As Prometheus' receiver
 * it sorts labels and takes samples in any order; a series that breaks the specification (no name,
 * a name twice, text that is no UTF-8, an empty label name) refuses the whole request and is named:
 * LABELS_FAIL with ERR_INVALID or ERR_LIMIT. Empty label values
 * are dropped. So is a native histogram that is none (remote_write_hist.h). An exemplar whose
 * labels are wrong is left out, counted in nunchi_remote_write_skipped_total and told to the
 * caller.
 *
 * Any thread; no state.
 */
#ifndef FORMAT_REMOTE_WRITE_H
#define FORMAT_REMOTE_WRITE_H

#include "base/strbuf.h"
#include "model/sink.h"

struct remote_write_limits {
    size_t series_max, samples_max, metadata_max; /* of one request */
    size_t labels_max;                            /* of one series */
    size_t label_name_bytes_max, label_value_bytes_max;
};

/* 200,000 series, 2 M samples, 100,000 metadata; 64 labels, 512 B names, 8 KiB values. */
extern const struct remote_write_limits remote_write_default_limits;

struct remote_write_skipped {
    size_t exemplars;
};

/*
 * Fills `b`, which must be new. Labels and metadata point into `body`: it must be in b's arena, or
 * live as long as the batch. ERR_INVALID: not a message; ERR_LIMIT: names the limit. Then the batch
 * holds nothing to write.
 */
bool remote_write_decode(bytes body, const struct remote_write_limits *limits, struct batch *b,
                         struct remote_write_skipped *skipped, struct err *err);

/* Appends the message that decodes to the batch, whose series have labels. */
void remote_write_encode(const struct batch *b, struct strbuf *out);

#endif
