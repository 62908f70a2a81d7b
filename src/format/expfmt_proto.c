// SPDX-License-Identifier: Apache-2.0
/*
 * MetricFamily{1: name, 2: help, 3: type, 4: Metric, 5: unit}; Metric{1: LabelPair, 2: Gauge, 3:
 * Counter, 4: Summary, 5: Untyped, 6: timestamp in ms, 7: Histogram}; Gauge, Untyped{1: value};
 * Counter{1: value, 2: Exemplar, 3: created}; Summary{1: count, 2: sum, 3: Quantile{1, 2}, 4:
 * created}; Histogram{1: count, 2: sum, 3: Bucket, 4: count as float, 5..14: native buckets, 15:
 * created, 16: Exemplar}; Bucket{1: cumulative count, 2: upper bound, 3: Exemplar, 4: count as
 * float}; Exemplar{1: LabelPair, 2: value, 3: Timestamp}; Timestamp{1: seconds, 2: nanoseconds}.
 *
 * A metric is read whole into a list of samples, which are then given out one by one.
 */
#include "format/expfmt_proto.h"

#include <math.h>

#include "codec/protobuf.h"
#include "format/expfmt_int.h"
#include "format/histogram_wire.h"

enum stage { STAGE_TYPE, STAGE_HELP, STAGE_UNIT, STAGE_METRICS };
/* Numbers of the type in a family. */
enum { COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM, TYPES };
enum { BUCKETS_MAX = 100000 };

static const enum metric_type types[TYPES] = {METRIC_COUNTER,   METRIC_GAUGE,
                                              METRIC_SUMMARY,   METRIC_UNKNOWN,
                                              METRIC_HISTOGRAM, METRIC_GAUGEHISTOGRAM};

/* The field of a Metric that holds the value of each type. */
static const uint32_t value_field[TYPES] = {3, 2, 4, 5, 7, 7};

static const uint8_t native_fields[HISTOGRAM_FIELDS_MAX] = {
    [1] = HF_COUNT_INT,        [2] = HF_SUM,
    [4] = HF_COUNT_FLOAT,      [5] = HF_SCHEMA,
    [6] = HF_ZERO_THRESHOLD,   [7] = HF_ZERO_INT,
    [8] = HF_ZERO_FLOAT,       [9] = HF_NEGATIVE_SPANS,
    [10] = HF_NEGATIVE_DELTAS, [11] = HF_NEGATIVE_COUNTS,
    [12] = HF_POSITIVE_SPANS,  [13] = HF_POSITIVE_DELTAS,
    [14] = HF_POSITIVE_COUNTS,
};

static bool malformed(const struct expfmt_proto *p, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "protobuf exposition: family %zu: malformed %s", p->families,
                   what);
}

void expfmt_proto_init(struct expfmt_proto *p, bytes body, struct expfmt_proto_options o,
                       struct arena *a)
{
    *p = (struct expfmt_proto){.rest = body, .o = o, .arena = a, .stage = STAGE_METRICS};
}

void expfmt_proto_fini(struct expfmt_proto *p)
{
    vec_fini(&p->samples);
    vec_fini(&p->exemplars);
    vec_fini(&p->native_exemplars);
    vec_fini(&p->bucket_exemplars);
    strbuf_fini(&p->keys);
}

/* ---- families ---- */

static bool read_family(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    uint64_t type = COUNTER;
    p->family = p->help = p->unit = STR("");
    p->family_rest = message;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number > 5)
            continue;
        if (f.wire != (f.number == 3 ? PROTOBUF_VARINT : PROTOBUF_BYTES))
            return malformed(p, "family", err);
        if (f.number == 1)
            p->family = protobuf_str(&f);
        else if (f.number == 2)
            p->help = protobuf_str(&f);
        else if (f.number == 3)
            type = f.value;
        else if (f.number == 5)
            p->unit = protobuf_str(&f);
    }
    if (step == PROTOBUF_ERROR)
        return false;
    if (!p->family.n || !str_utf8_valid(p->family) || !str_utf8_valid(p->help) ||
        !str_utf8_valid(p->unit))
        return malformed(p, "name, help or unit", err);
    if (type >= TYPES)
        return malformed(p, "type", err);
    p->type = types[type];
    p->stage = STAGE_TYPE;
    return true;
}

/* False with kind NONE: there is no more. */
static bool next_family(struct expfmt_proto *p, struct err *err)
{
    uint64_t n;
    if (p->rest.n == 0)
        return false;
    p->families++;
    if (!protobuf_cut_varint(&p->rest, &n) || n > p->rest.n)
        return malformed(p, "length", err);
    bytes message = bytes_of(p->rest.p, (size_t)n);
    if (!read_family(p, message, err))
        return false;
    p->rest = bytes_of(p->rest.p + n, p->rest.n - (size_t)n);
    return true;
}

/* ---- metrics ---- */

static void push(struct expfmt_proto *p, const char *suffix, double value)
{
    vec_push(&p->samples, (struct expfmt_proto_sample){.suffix = suffix, .value = value});
}

static bool read_time(bytes message, ts_ms *out, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    int64_t seconds = 0, nanos = 0;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number > 2)
            continue;
        if (f.wire != PROTOBUF_VARINT)
            return err_set(err, ERR_INVALID, "protobuf exposition: malformed time");
        *(f.number == 1 ? &seconds : &nanos) = protobuf_i64(&f);
    }
    if (step == PROTOBUF_ERROR)
        return false;
    int64_t ms;
    if (__builtin_mul_overflow(seconds, 1000, &ms) ||
        __builtin_add_overflow(ms, nanos / 1000000, out))
        return err_set(err, ERR_INVALID, "protobuf exposition: a time is out of range");
    return true;
}

static double number_of(const struct protobuf_field *f)
{
    double v = f->wire == PROTOBUF_FIXED64 ? protobuf_f64(f) : (double)f->value;
    return isnan(v) ? normal_nan() : v;
}

/* Gauge and Untyped have the value alone, Counter an exemplar and its creation too. */
static bool read_simple(struct expfmt_proto *p, bytes message, bool counter, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    push(p, "", 0);
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number == 1 && f.wire != PROTOBUF_FIXED64)
            return malformed(p, "value", err);
        if (f.number == 1)
            vec_last(&p->samples).value = number_of(&f);
        if (!counter || f.number < 2 || f.number > 3)
            continue;
        if (f.wire != PROTOBUF_BYTES)
            return malformed(p, "counter", err);
        if (f.number == 2)
            vec_last(&p->samples).exemplar = f.view;
        else if (!read_time(f.view, &p->start, err))
            return false;
    }
    return step == PROTOBUF_END;
}

static bool read_quantile(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct expfmt_proto_sample s = {.suffix = "", .label = BOUND_QUANTILE};
    struct protobuf_field f;
    enum protobuf_step step;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number > 2)
            continue;
        if (f.wire != PROTOBUF_FIXED64)
            return malformed(p, "quantile", err);
        *(f.number == 1 ? &s.bound : &s.value) = number_of(&f);
    }
    vec_push(&p->samples, s);
    return step == PROTOBUF_END;
}

static bool read_summary(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    push(p, "_count", 0);
    push(p, "_sum", 0);
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        static const enum protobuf_wire wires[] = {PROTOBUF_VARINT, PROTOBUF_FIXED64,
                                                   PROTOBUF_BYTES, PROTOBUF_BYTES};
        if (f.number > 4)
            continue;
        if (f.wire != wires[f.number - 1])
            return malformed(p, "summary", err);
        if (f.number <= 2)
            p->samples.at[f.number - 1].value = number_of(&f);
        else if (!(f.number == 3 ? read_quantile(p, f.view, err)
                                 : read_time(f.view, &p->start, err)))
            return false;
    }
    return step == PROTOBUF_END;
}

/* ---- histograms ---- */

static bool read_bucket(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct expfmt_proto_sample s = {.suffix = "_bucket", .label = BOUND_LE};
    struct protobuf_field f;
    enum protobuf_step step;
    double as_float = 0;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        static const enum protobuf_wire wires[] = {PROTOBUF_VARINT, PROTOBUF_FIXED64,
                                                   PROTOBUF_BYTES, PROTOBUF_FIXED64};
        if (f.number > 4)
            continue;
        if (f.wire != wires[f.number - 1])
            return malformed(p, "bucket", err);
        if (f.number == 1)
            s.value = number_of(&f);
        else if (f.number == 2)
            s.bound = number_of(&f);
        else if (f.number == 3)
            s.exemplar = f.view;
        else
            as_float = number_of(&f);
    }
    if (as_float > 0)
        s.value = as_float;
    if (s.exemplar.n)
        vec_push(&p->bucket_exemplars, s.exemplar);
    vec_push(&p->samples, s);
    return step == PROTOBUF_END;
}

/* What a walk over a Histogram finds besides its buckets. */
struct found {
    double count, count_float, sum, zero_count, zero_threshold;
    bool spans;
};

static bool is_native(const struct found *x)
{
    return x->spans || x->zero_threshold > 0 || x->zero_count > 0;
}

static bool note_field(struct expfmt_proto *p, const struct protobuf_field *f, struct found *x,
                       struct err *err)
{
    switch (f->number) {
    case 1:
        x->count = number_of(f);
        return true;
    case 2:
        x->sum = number_of(f);
        return true;
    case 4:
        x->count_float = number_of(f);
        return true;
    case 6:
        x->zero_threshold = number_of(f);
        return true;
    case 7:
    case 8:
        x->zero_count += number_of(f);
        return true;
    case 9:
    case 12:
        x->spans = true;
        return true;
    case 3:
        if (p->bucket_exemplars.n > BUCKETS_MAX)
            return malformed(p, "histogram: too many buckets", err);
        return f->wire == PROTOBUF_BYTES ? read_bucket(p, f->view, err)
                                         : malformed(p, "bucket", err);
    case 15:
        return f->wire == PROTOBUF_BYTES ? read_time(f->view, &p->start, err)
                                         : malformed(p, "histogram", err);
    case 16:
        if (f->wire == PROTOBUF_BYTES)
            vec_push(&p->native_exemplars, f->view);
        return true;
    default:
        return true;
    }
}

/* Without a bucket for +Inf the count is it. */
static void end_classic(struct expfmt_proto *p, size_t first, double count)
{
    for (size_t i = first; i < p->samples.n; i++)
        if (p->samples.at[i].label == BOUND_LE && p->samples.at[i].bound == INFINITY)
            return;
    vec_push(&p->samples,
             (struct expfmt_proto_sample){
                 .suffix = "_bucket", .label = BOUND_LE, .bound = INFINITY, .value = count});
}

static bool add_native(struct expfmt_proto *p, bytes message, const struct found *x,
                       struct err *err)
{
    struct histogram *h;
    uint8_t fields[HISTOGRAM_FIELDS_MAX];
    memcpy(fields, native_fields, sizeof fields);
    if (!(x->count_float > 0)) /* written as 0, it does not say "float" */
        fields[4] = fields[8] = HF_OTHER;
    else
        fields[1] = fields[7] = HF_OTHER;
    if (!histogram_wire_read(message, fields, p->arena, &h, err))
        return err_wrap(err, "protobuf exposition: family %zu", p->families);
    if (h && p->type == METRIC_GAUGEHISTOGRAM)
        h->reset = HISTOGRAM_GAUGE;
    vec_push(&p->samples, (struct expfmt_proto_sample){
                              .suffix = "", .histogram = h, .value = h ? 0 : stale_nan()});
    return true;
}

static bool read_histogram(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    struct found x = {0};
    bytes rest = message;
    push(p, "_count", 0);
    push(p, "_sum", 0);
    while ((step = protobuf_next(&rest, &f, err)) == PROTOBUF_FIELD)
        if (!note_field(p, &f, &x, err))
            return false;
    if (step == PROTOBUF_ERROR)
        return false;
    double count = x.count_float > 0 ? x.count_float : x.count;
    bool native = p->o.native && is_native(&x);
    p->samples.at[0].value = count;
    p->samples.at[1].value = x.sum;
    if (native && !p->o.classic)
        p->samples.n = 0;
    else
        end_classic(p, 2, count);
    return !native || add_native(p, message, &x, err);
}

static bool read_value(struct expfmt_proto *p, bytes view, struct err *err)
{
    switch (p->type) {
    case METRIC_SUMMARY:
        return read_summary(p, view, err);
    case METRIC_HISTOGRAM:
    case METRIC_GAUGEHISTOGRAM:
        return read_histogram(p, view, err);
    default:
        return read_simple(p, view, p->type == METRIC_COUNTER, err);
    }
}

static uint32_t value_field_of(enum metric_type type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i] == type)
            return value_field[i];
    return 0;
}

static bool read_metric(struct expfmt_proto *p, bytes message, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    uint32_t wanted = value_field_of(p->type);
    bool found = false;
    vec_clear(&p->samples);
    vec_clear(&p->native_exemplars);
    vec_clear(&p->bucket_exemplars);
    p->metric = message;
    p->sample = 0;
    p->start = p->t = 0;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number == 6 && f.wire == PROTOBUF_VARINT)
            p->t = protobuf_i64(&f);
        if (f.number != wanted || found)
            continue;
        found = true;
        if (f.wire != PROTOBUF_BYTES)
            return malformed(p, "metric", err);
        if (!read_value(p, f.view, err))
            return false;
    }
    p->has_t = p->t != 0;
    return step == PROTOBUF_END;
}

/* False with kind NONE: the family has no more. */
static bool next_metric(struct expfmt_proto *p, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    while ((step = protobuf_next(&p->family_rest, &f, err)) == PROTOBUF_FIELD) {
        if (f.number != 4 || f.wire != PROTOBUF_BYTES)
            continue;
        if (!read_metric(p, f.view, err))
            return false;
        if (p->samples.n)
            return true;
    }
    return false;
}

/* ---- samples ---- */

static void make_key(struct expfmt_proto *p, const struct expfmt_proto_sample *s)
{
    struct protobuf_field f;
    struct err err;
    bytes rest = p->metric;
    strbuf_clear(&p->keys);
    strbuf_add(&p->keys, p->family);
    strbuf_addc(&p->keys, 0);
    strbuf_addz(&p->keys, s->histogram ? "native" : s->suffix);
    strbuf_addc(&p->keys, 0);
    strbuf_addc(&p->keys, (char)('0' + s->label));
    strbuf_add(&p->keys, str_of((const char *)&s->bound, sizeof s->bound));
    while (protobuf_next(&rest, &f, &err) == PROTOBUF_FIELD)
        if (f.number == 1 && f.wire == PROTOBUF_BYTES) {
            uint32_t n = (uint32_t)f.view.n;
            strbuf_add(&p->keys, str_of((const char *)&n, sizeof n));
            strbuf_add(&p->keys, str_from_bytes(f.view));
        }
    p->key = strbuf_str(&p->keys);
}

/* Native histograms have exemplars of their own, or those of their classic buckets. */
static void choose_exemplars(struct expfmt_proto *p, const struct expfmt_proto_sample *s)
{
    vec_clear(&p->exemplars);
    p->exemplar_at = 0;
    if (!s->histogram) {
        if (s->exemplar.n)
            vec_push(&p->exemplars, s->exemplar);
        return;
    }
    bool own = p->native_exemplars.n > 0;
    size_t n = own ? p->native_exemplars.n : p->bucket_exemplars.n;
    for (size_t i = 0; i < n; i++)
        vec_push(&p->exemplars, own ? p->native_exemplars.at[i] : p->bucket_exemplars.at[i]);
}

static enum expfmt_event give_sample(struct expfmt_proto *p)
{
    const struct expfmt_proto_sample *s = &p->samples.at[p->sample++];
    p->value = s->value;
    p->histogram = s->histogram;
    make_key(p, s);
    choose_exemplars(p, s);
    return EXPFMT_SAMPLE;
}

static bool give_meta(struct expfmt_proto *p, enum expfmt_event *e)
{
    while (p->stage < STAGE_METRICS) {
        int stage = p->stage++;
        p->text = stage == STAGE_HELP ? p->help : stage == STAGE_UNIT ? p->unit : STR("");
        if (stage != STAGE_TYPE && !p->text.n)
            continue;
        *e = stage == STAGE_TYPE ? EXPFMT_TYPE : stage == STAGE_HELP ? EXPFMT_HELP : EXPFMT_UNIT;
        return true;
    }
    return false;
}

enum expfmt_event expfmt_proto_next(struct expfmt_proto *p, struct err *err)
{
    enum expfmt_event e;
    err_clear(err);
    for (;;) {
        if (give_meta(p, &e))
            return e;
        if (p->sample < p->samples.n)
            return give_sample(p);
        if (next_metric(p, err))
            continue;
        if (err->kind == ERR_NONE && next_family(p, err))
            continue;
        p->family_rest = p->rest = (bytes){0};
        p->samples.n = 0;
        return err->kind == ERR_NONE ? EXPFMT_END : EXPFMT_ERROR;
    }
}

/* ---- labels ---- */

static bool read_pair(bytes message, struct label *out)
{
    struct protobuf_field f;
    enum protobuf_step step;
    struct err err;
    *out = (struct label){STR(""), STR("")};
    while ((step = protobuf_next(&message, &f, &err)) == PROTOBUF_FIELD)
        if (f.number <= 2 && f.wire == PROTOBUF_BYTES)
            *(f.number == 1 ? &out->name : &out->value) = protobuf_str(&f);
    return step == PROTOBUF_END && out->name.n && str_utf8_valid(out->name) &&
           str_utf8_valid(out->value);
}

/* The pairs of field 1 with room for two more; false: malformed. */
static bool read_pairs(bytes message, struct arena *a, struct label **out, size_t *out_n)
{
    struct protobuf_field f;
    struct err err;
    size_t n = 0, k = 0;
    for (bytes rest = message; protobuf_next(&rest, &f, &err) == PROTOBUF_FIELD;)
        n += f.number == 1;
    if (n > EXPFMT_LABELS_MAX)
        return false;
    struct label *at = arena_array(a, struct label, n + 2);
    while (protobuf_next(&message, &f, &err) == PROTOBUF_FIELD) {
        if (f.number != 1)
            continue;
        if (f.wire != PROTOBUF_BYTES || !read_pair(f.view, &at[k++]))
            return false;
    }
    *out = at;
    *out_n = k;
    return true;
}

/* Sorted, each name once, empty values left out. */
static bool settle(struct label *at, size_t *n)
{
    size_t kept = 0;
    if (*n)
        label_sort(at, *n);
    for (size_t i = 0; i < *n; i++) {
        if (i && str_eq(at[i].name, at[i - 1].name))
            return false;
        if (at[i].value.n)
            at[kept++] = at[i];
    }
    *n = kept;
    return true;
}

bool expfmt_proto_labels(const struct expfmt_proto *p, struct arena *a, struct labels *out,
                         struct err *err)
{
    const struct expfmt_proto_sample *s = &p->samples.at[p->sample - 1];
    char text[EXPFMT_BOUND_MAX];
    struct label *at;
    size_t n;
    if (!read_pairs(p->metric, a, &at, &n))
        return malformed(p, "label", err);
    if (s->label != BOUND_NONE)
        at[n++] = (struct label){s->label == BOUND_LE ? STR("le") : STR("quantile"),
                                 arena_dup(a, expfmt_bound(s->bound, text))};
    str name = *s->suffix ? arena_printf(a, "%.*s%s", STR_ARG(p->family), s->suffix) : p->family;
    at[n++] = (struct label){LABEL_NAME, name};
    if (!settle(at, &n))
        return malformed(p, "metric: a label is given twice", err);
    *out = (struct labels){at, n};
    return true;
}

static bool read_exemplar(bytes message, struct arena *a, struct exemplar *out, bool *has_t)
{
    struct protobuf_field f;
    enum protobuf_step step;
    struct label *at;
    struct err err;
    size_t n;
    *out = (struct exemplar){0};
    *has_t = false;
    if (!read_pairs(message, a, &at, &n) || !settle(at, &n))
        return false;
    while ((step = protobuf_next(&message, &f, &err)) == PROTOBUF_FIELD) {
        if (f.number == 2 && f.wire == PROTOBUF_FIXED64)
            out->v = number_of(&f);
        if (f.number != 3 || f.wire != PROTOBUF_BYTES)
            continue;
        *has_t = true;
        if (!read_time(f.view, &out->t, &err))
            return false;
    }
    out->labels = (struct labels){at, n};
    return step == PROTOBUF_END;
}

bool expfmt_proto_exemplar(struct expfmt_proto *p, struct arena *a, struct exemplar *out,
                           bool *has_t)
{
    while (p->exemplar_at < p->exemplars.n)
        if (read_exemplar(p->exemplars.at[p->exemplar_at++], a, out, has_t))
            return true;
    return false;
}
