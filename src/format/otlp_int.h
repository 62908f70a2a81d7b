// SPDX-License-Identifier: Apache-2.0
/* What the files of the OTLP reader share. */
#ifndef FORMAT_OTLP_INT_H
#define FORMAT_OTLP_INT_H

#include "base/map.h"
#include "base/vec.h"
#include "codec/protobuf.h"
#include "format/otlp.h"

enum {
    OTLP_ATTRIBUTES_MAX = 256, /* of one set */
    OTLP_EXEMPLARS_MAX = 1000, /* of one point */
    OTLP_QUANTILES_MAX = 1000,
    OTLP_VALUE_DEPTH_MAX = 16,   /* lists and maps in an attribute's value */
    OTLP_TARGET_INFO_MAX = 1000, /* samples of one resource; the oldest are left out */
};

/* The metric whose points are read. */
struct otlp_metric {
    str name; /* of the family */
    enum otlp_kind kind;
    bool delta;
};

struct otlp_reader {
    const struct otlp_options *o;
    const struct conf_otlp *conf;
    struct batch *b;
    struct otlp_counts *counts;
    struct err *err;
    size_t samples_max;
    size_t series_cap, samples_cap, exemplars_cap, metadata_cap;
    struct map families; /* whose metadata was taken */

    /* The resource at hand. */
    VEC(struct label) resource; /* its attributes, sorted by key */
    str job, instance;
    struct labels promoted;
    struct err resource_wrong; /* kind not NONE: none of its points can be taken */
    ts_ms earliest, latest;    /* of its points; earliest > latest: none */

    /* The scope at hand. */
    struct labels scope;
    struct err scope_wrong;

    struct otlp_metric metric;

    /* Reused from point to point. */
    VEC(bytes) attributes;
    VEC(bytes) exemplars;
    VEC(bytes) quantiles;
    VEC(double) buckets;
    VEC(double) bounds;
    VEC(struct label) scratch;
    struct labels_builder builder;
};

/* ---- otlp_value.c ---- */

/* An AnyValue as a label's value: text as it is, numbers in decimal, bytes in base64, lists and
 * maps in JSON. */
bool otlp_value_text(bytes any, struct arena *a, str *out, struct err *err);
/* KeyValue messages as pairs sorted by key, into the vector `r->scratch`. */
bool otlp_attributes_read(struct otlp_reader *r, const bytes *at, size_t n, struct err *why);

/* ---- otlp_labels.c ---- */

/* Call at the border of each resource and scope; what is wrong is kept for its points. */
void otlp_resource_set(struct otlp_reader *r, bytes resource);
void otlp_scope_set(struct otlp_reader *r, bytes scope, str schema_url);
/* The labels that all series of a point share, without its name; from r->attributes. */
bool otlp_point_labels(struct otlp_reader *r, struct labels *out, struct err *why);
/* Those of target_info, whose name is among them; an empty set: there is none to write. */
bool otlp_target_labels(struct otlp_reader *r, struct labels *out, struct err *why);
/* `base` with the name and, unless `extra` is empty, a label more. */
struct labels otlp_labels_with(struct arena *a, struct labels base, str name, str extra, str value);

/* ---- otlp_batch.c ---- */

/* False, with r->err, when the request's series need over memory_bytes_max. Asked at each message
 * that takes memory. */
bool otlp_room(struct otlp_reader *r);
/* Starts a series, which the samples that follow belong to. */
void otlp_add_series(struct otlp_reader *r, struct labels ls);
/* False, with r->err, over samples_max or memory_bytes_max. */
bool otlp_add_sample(struct otlp_reader *r, ts_ms t, double v, const struct histogram *h,
                     ts_ms start);
/* An Exemplar message, of the series begun last; one that is none is counted. */
struct otlp_exemplar {
    ts_ms t;
    double v;
    struct labels labels;
};
bool otlp_exemplar_read(struct otlp_reader *r, bytes message, ts_ms t, struct otlp_exemplar *out);
void otlp_add_exemplar(struct otlp_reader *r, const struct otlp_exemplar *x);
void otlp_add_metadata(struct otlp_reader *r, const struct metadata *m);

/* ---- otlp_points.c ---- */

/* One data point of r->metric. False, with r->err: the request cannot be read. */
bool otlp_point_read(struct otlp_reader *r, bytes message);
/* Counts a point as rejected; `why` is set. */
void otlp_reject(struct otlp_reader *r, size_t points, const struct err *why);

#endif
