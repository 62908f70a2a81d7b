// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP metrics (opentelemetry-proto, ExportMetricsServiceRequest) to a batch, as Prometheus 3
 * translates them: names and units by its naming rules, resource attributes to `job`, `instance`
 * and `target_info`, histograms to classic series, exponential ones to native histograms.
 *
 * The unit of acceptance is the data point, as the protocol has it: one that cannot become samples
 * is left out, counted and the first such one is named; the others are kept. Upstream refuses the
 * whole request instead. Reasons: delta temporality that was not allowed, a scale below -4, buckets
 * that do not add up, names that come out empty, text that is no UTF-8, no time.
 *
 * A message in JSON is first written as protobuf (otlp_json_to_protobuf), so that there is one
 * reader and the order of keys does not matter.
 *
 * Any thread; no state.
 */
#ifndef FORMAT_OTLP_H
#define FORMAT_OTLP_H

#include "base/strbuf.h"
#include "conf/conf.h"
#include "model/sink.h"

struct otlp_options {
    const struct conf_otlp *conf;
    bool deltas;             /* points of delta temporality are stored as they are */
    int64_t lookback_ms;     /* target_info comes at least twice as often; 0: 5m */
    size_t samples_max;      /* of one request; 0: 2,000,000 */
    size_t memory_bytes_max; /* of one request's series; 0: 256 MiB */
};

struct otlp_counts {
    size_t points;    /* data points of the request */
    size_t rejected;  /* of these */
    struct err first; /* why the first was; kind NONE: none */
    size_t exemplars_left_out;
    size_t collisions; /* attributes whose names became one; their values were joined */
};

/*
 * Fills `b`, which must be new. Text points into `body`: it must be in b's arena, or live as long
 * as the batch. ERR_INVALID: not a message; ERR_LIMIT: names the limit. Then the batch holds
 * nothing to write.
 */
bool otlp_metrics_decode(bytes body, const struct otlp_options *o, struct batch *b,
                         struct otlp_counts *counts, struct err *err);

/*
 * ExportMetricsServiceRequest in proto3's JSON mapping, as OTLP changes it (ids in hexadecimal), to
 * protobuf. Keys in lowerCamelCase or as in the .proto file; unknown ones are ignored; 64-bit
 * integers as strings or numbers, enums as numbers or names. ERR_INVALID with line and column;
 * ERR_LIMIT when the result would be larger than `bytes_max`.
 */
bool otlp_json_to_protobuf(str json, size_t bytes_max, struct strbuf *out, struct err *err);

/* ---- answers ---- */

enum otlp_encoding { OTLP_PROTOBUF, OTLP_JSON };

/* ExportMetricsServiceResponse; `rejected` 0 and an empty `message`: all was taken. */
void otlp_put_response(enum otlp_encoding e, size_t rejected, str message, struct strbuf *out);
/* google.rpc.Status with a code of google.rpc.Code. */
void otlp_put_status(enum otlp_encoding e, int code, str message, struct strbuf *out);

/* ---- names, for tests and for who shows them ---- */

enum otlp_kind {
    OTLP_GAUGE,
    OTLP_SUM,     /* that may fall */
    OTLP_COUNTER, /* a monotonic sum */
    OTLP_HISTOGRAM,
    OTLP_EXPONENTIAL,
    OTLP_SUMMARY,
};

/* The name of a metric's family. ERR_INVALID: nothing is left of it. */
bool otlp_metric_name(str name, str unit, enum otlp_kind kind, int strategy, struct arena *a,
                      str *out, struct err *err);
/* The label that an attribute becomes. */
bool otlp_label_name(str key, const struct conf_otlp *conf, struct arena *a, str *out,
                     struct err *err);
/* The unit as metadata tells it: "s" is "seconds", "By/s" is "bytes_per_second". */
str otlp_unit(str unit, struct arena *a);

#endif
