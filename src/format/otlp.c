// SPDX-License-Identifier: Apache-2.0
/*
 * ExportMetricsServiceRequest{1: ResourceMetrics}, ResourceMetrics{1: Resource, 2: ScopeMetrics},
 * ScopeMetrics{1: InstrumentationScope, 2: Metric, 3: schema_url}, Metric{1: name, 2: description,
 * 3: unit, 5: Gauge, 7: Sum, 9: Histogram, 10: ExponentialHistogram, 11: Summary}; these five hold
 * 1: data points, 2: temporality, 3: is_monotonic.
 *
 * Each message is walked twice: for what its parts must know, and for the parts. A walk steps over
 * the parts by their length, so the first costs next to nothing.
 */
#include "format/otlp.h"

#include <inttypes.h>

#include "format/otlp_int.h"

enum { SAMPLES_MAX = 2000000, LOOKBACK_MS = 5 * 60 * 1000 };
static const size_t memory_max = (size_t)256 << 20;

enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE = 2 };

static bool malformed(struct otlp_reader *r, const char *what)
{
    return err_set(r->err, ERR_INVALID, "OTLP: malformed %s", what);
}

/* Calls `each` for every field with this number. */
static bool walk(struct otlp_reader *r, bytes in, uint32_t number, const char *what,
                 bool (*each)(struct otlp_reader *r, bytes message))
{
    struct protobuf_field f;
    enum protobuf_step step;
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number != number)
            continue;
        if (f.wire != PROTOBUF_BYTES)
            return malformed(r, what);
        if (!each(r, f.view))
            return false;
    }
    return step == PROTOBUF_END || malformed(r, what);
}

/* ---- a metric ---- */

struct metric {
    str name, help, unit;
    bytes data;
    uint32_t number;      /* of its oneof; 0: none */
    uint64_t temporality; /* of a sum or histogram */
    bool monotonic;
};

static bool metric_fields(struct otlp_reader *r, bytes in, struct metric *m)
{
    struct protobuf_field f;
    enum protobuf_step step;
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        bool data =
            f.number == 5 || f.number == 7 || f.number == 9 || f.number == 10 || f.number == 11;
        if (f.number > 3 && !data)
            continue;
        if (f.wire != PROTOBUF_BYTES)
            return malformed(r, "metric");
        if (data) {
            m->number = f.number;
            m->data = f.view;
        } else {
            *(f.number == 1 ? &m->name : f.number == 2 ? &m->help : &m->unit) = protobuf_str(&f);
        }
    }
    return step == PROTOBUF_END || malformed(r, "metric");
}

static bool data_fields(struct otlp_reader *r, struct metric *m, size_t *points)
{
    struct protobuf_field f;
    enum protobuf_step step;
    bytes in = m->data;
    *points = 0;
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        *points += f.number == 1;
        if (f.number == 2 && f.wire == PROTOBUF_VARINT)
            m->temporality = f.value;
        else if (f.number == 3 && f.wire == PROTOBUF_VARINT)
            m->monotonic = f.value != 0;
    }
    return step == PROTOBUF_END || malformed(r, "metric");
}

static enum otlp_kind kind_of(const struct metric *m)
{
    switch (m->number) {
    case 5:
        return OTLP_GAUGE;
    case 7:
        return m->monotonic ? OTLP_COUNTER : OTLP_SUM;
    case 9:
        return OTLP_HISTOGRAM;
    case 10:
        return OTLP_EXPONENTIAL;
    default:
        return OTLP_SUMMARY;
    }
}

static bool temporality_check(struct otlp_reader *r, const struct metric *m, struct err *why)
{
    bool has = m->number == 7 || m->number == 9 || m->number == 10;
    if (!has || m->temporality == TEMPORALITY_CUMULATIVE)
        return true;
    if (m->temporality != TEMPORALITY_DELTA)
        return err_set(why, ERR_INVALID, "aggregation temporality %" PRIu64 " is not known",
                       m->temporality);
    if (r->o->deltas)
        return true;
    return err_set(why, ERR_INVALID,
                   "delta temporality is not accepted: let the sender use cumulative temporality, "
                   "or store deltas as they are with "
                   "--enable-feature=otlp-native-delta-ingestion");
}

static void metric_metadata(struct otlp_reader *r, const struct metric *m)
{
    static const uint8_t types[] = {
        [OTLP_GAUGE] = METRIC_GAUGE,           [OTLP_SUM] = METRIC_GAUGE,
        [OTLP_COUNTER] = METRIC_COUNTER,       [OTLP_HISTOGRAM] = METRIC_HISTOGRAM,
        [OTLP_EXPONENTIAL] = METRIC_HISTOGRAM, [OTLP_SUMMARY] = METRIC_SUMMARY,
    };
    enum metric_type type = (enum metric_type)types[r->metric.kind];
    otlp_add_metadata(r, &(struct metadata){
                             .family = r->metric.name,
                             .type = r->metric.delta ? METRIC_UNKNOWN : type,
                             .unit = otlp_unit(m->unit, &r->b->arena),
                             .help = str_utf8_valid(m->help) ? m->help : STR(""),
                         });
}

static bool metric_read(struct otlp_reader *r, bytes message)
{
    struct metric m = {.name = STR(""), .help = STR(""), .unit = STR("")};
    struct err why = {0};
    size_t points, before = r->b->samples_n;
    if (!otlp_room(r) || !metric_fields(r, message, &m))
        return false;
    if (!m.number)
        return true;
    if (!data_fields(r, &m, &points))
        return false;
    r->metric = (struct otlp_metric){.kind = kind_of(&m), .name = m.name};
    r->metric.delta = m.temporality == TEMPORALITY_DELTA && m.number != 5 && m.number != 11;
    str shown = str_sub(m.name, 0, 100);
    if (!otlp_metric_name(m.name, m.unit, r->metric.kind, r->conf->strategy, &r->b->arena,
                          &r->metric.name, &why)) {
        r->counts->points += points;
        otlp_reject(r, points, &why);
        return true;
    }
    if (!temporality_check(r, &m, &why)) {
        r->counts->points += points;
        err_wrap(&why, "metric \"%.*s\"", STR_ARG(shown));
        otlp_reject(r, points, &why);
        return true;
    }
    if (!walk(r, m.data, 1, "metric", otlp_point_read))
        return false;
    if (r->b->samples_n > before)
        metric_metadata(r, &m);
    return true;
}

/* ---- scopes and resources ---- */

static bool scope_read(struct otlp_reader *r, bytes message)
{
    struct protobuf_field f;
    enum protobuf_step step;
    bytes in = message, scope = bytes_of("", 0);
    str schema_url = STR("");
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        if (f.number == 1 && f.wire == PROTOBUF_BYTES)
            scope = f.view;
        else if (f.number == 3 && f.wire == PROTOBUF_BYTES)
            schema_url = protobuf_str(&f);
    }
    if (step == PROTOBUF_ERROR)
        return malformed(r, "ScopeMetrics");
    otlp_scope_set(r, scope, schema_url);
    return walk(r, message, 2, "ScopeMetrics", metric_read);
}

/* target_info tells the attributes of the resource for as long as its points go, often enough that
 * a query always finds it. */
static bool add_target_info(struct otlp_reader *r)
{
    int64_t every = (r->o->lookback_ms > 1 ? r->o->lookback_ms : LOOKBACK_MS) / 2;
    struct labels ls;
    struct err why = {0};
    if (r->earliest > r->latest || !otlp_target_labels(r, &ls, &why) || !ls.n)
        return true;
    int64_t oldest = r->latest - OTLP_TARGET_INFO_MAX * every;
    ts_ms t = r->earliest > oldest ? r->earliest : oldest;
    otlp_add_series(r, ls);
    for (; t < r->latest; t += every)
        if (!otlp_add_sample(r, t, 1, NULL, 0))
            return false;
    otlp_add_metadata(r, &(struct metadata){.family = STR("target_info"),
                                            .type = METRIC_GAUGE,
                                            .unit = STR(""),
                                            .help = STR("Target metadata")});
    return otlp_add_sample(r, r->latest, 1, NULL, 0);
}

static bool resource_read(struct otlp_reader *r, bytes message)
{
    struct protobuf_field f;
    enum protobuf_step step;
    bytes in = message, resource = bytes_of("", 0);
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD)
        if (f.number == 1 && f.wire == PROTOBUF_BYTES)
            resource = f.view;
    if (step == PROTOBUF_ERROR)
        return malformed(r, "ResourceMetrics");
    otlp_resource_set(r, resource);
    return otlp_room(r) && walk(r, message, 2, "ResourceMetrics", scope_read) && add_target_info(r);
}

static void reader_fini(struct otlp_reader *r)
{
    map_fini(&r->families);
    vec_fini(&r->resource);
    vec_fini(&r->attributes);
    vec_fini(&r->exemplars);
    vec_fini(&r->quantiles);
    vec_fini(&r->buckets);
    vec_fini(&r->bounds);
    vec_fini(&r->scratch);
    labels_builder_fini(&r->builder);
}

bool otlp_metrics_decode(bytes body, const struct otlp_options *o, struct batch *b,
                         struct otlp_counts *counts, struct err *err)
{
    struct otlp_reader r = {
        .o = o,
        .conf = o->conf,
        .b = b,
        .counts = counts,
        .err = err,
        .samples_max = o->samples_max ? o->samples_max : SAMPLES_MAX,
    };
    size_t limit = o->memory_bytes_max ? o->memory_bytes_max : memory_max;
    *counts = (struct otlp_counts){0};
    b->arena.limit_bytes = b->arena.used + limit;
    bool ok = walk(&r, body, 1, "ExportMetricsServiceRequest", resource_read);
    b->arena.limit_bytes = 0;
    if (!ok)
        b->series_n = b->samples_n = b->exemplars_n = b->metadata_n = 0;
    reader_fini(&r);
    return ok;
}
