// SPDX-License-Identifier: Apache-2.0
/*
 * Reader of Prometheus' protobuf exposition: io.prometheus.client.MetricFamily messages, each with
 * its length in front (application/vnd.google.protobuf, encoding=delimited). The events are those
 * of expfmt.h; what a sample has more is a native histogram, a start timestamp, exemplars.
 *
 * A family gives TYPE, HELP and UNIT (those it has), then its samples. As upstream, a histogram
 * with native buckets comes as one sample under the family's name, or as the classic series _count,
 * _sum and _bucket, or both; `le` and `quantile` are written as OpenMetrics writes them.
 *
 * Owned by one thread; the body must outlive it.
 */
#ifndef FORMAT_EXPFMT_PROTO_H
#define FORMAT_EXPFMT_PROTO_H

#include "base/vec.h"
#include "format/expfmt.h"
#include "model/exemplar.h"
#include "model/histogram.h"

struct expfmt_proto_options {
    bool native;  /* read native histograms where there are some */
    bool classic; /* and their classic buckets too; without `native` they always are */
};

/* What one metric comes to, before labels. */
struct expfmt_proto_sample {
    const char *suffix;
    double value, bound;
    enum { BOUND_NONE, BOUND_LE, BOUND_QUANTILE } label;
    const struct histogram *histogram;
    bytes exemplar; /* of a counter or bucket; empty: none */
};

struct expfmt_proto {
    /* Set by expfmt_proto_next. */
    str family;
    str text; /* of HELP and UNIT */
    enum metric_type type;
    str key; /* tells the series apart in every page of this format; valid until the next call */
    double value;
    const struct histogram *histogram; /* in the arena; NULL: `value` is the sample */
    bool has_t;
    ts_ms t;
    ts_ms start; /* since when it counts; 0: not said */

    /* Its own. */
    struct expfmt_proto_options o;
    struct arena *arena;
    bytes rest, family_rest, metric;
    size_t families, sample, exemplar_at;
    int stage;
    str help, unit;
    VEC(struct expfmt_proto_sample) samples;
    VEC(bytes) exemplars;                          /* of the sample at hand */
    VEC(bytes) native_exemplars, bucket_exemplars; /* of the metric at hand */
    struct strbuf keys;
};

/* Histograms go to the arena, which is the caller's. */
void expfmt_proto_init(struct expfmt_proto *p, bytes body, struct expfmt_proto_options o,
                       struct arena *a);
/* EXPFMT_ERROR: what was read before is good, the rest cannot be read. */
enum expfmt_event expfmt_proto_next(struct expfmt_proto *p, struct err *err);
/* Of the sample at hand; sorted, __name__ included; text in the body or the arena given. */
bool expfmt_proto_labels(const struct expfmt_proto *p, struct arena *a, struct labels *out,
                         struct err *err);
/* The next exemplar of the sample at hand; false: there is none. A malformed one is passed over. */
bool expfmt_proto_exemplar(struct expfmt_proto *p, struct arena *a, struct exemplar *out,
                           bool *has_t);
void expfmt_proto_fini(struct expfmt_proto *p);

#endif
