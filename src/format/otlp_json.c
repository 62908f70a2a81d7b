// SPDX-License-Identifier: Apache-2.0
/*
 * proto3's JSON mapping to protobuf, driven by tables of the messages. A nested message is written
 * behind room for its length, a varint of five bytes that is filled in when its end is known.
 */
#include <inttypes.h>
#include <math.h>

#include "base/num.h"
#include "codec/json.h"
#include "codec/protobuf.h"
#include "format/otlp.h"

enum type {
    MESSAGE,
    STRING,
    DOUBLE,
    FIXED64,  /* unsigned */
    SFIXED64, /* as_int */
    INT64,
    UINT64,
    UINT32,
    SINT32,
    BOOL,
    TEMPORALITY,
    BASE64,
    TRACE_ID,
    SPAN_ID,
};

struct message;
struct field {
    const char *key; /* lowerCamelCase */
    uint8_t number;
    uint8_t type;
    bool repeated;
    const struct message *sub;
};
struct message {
    const struct field *at;
    size_t n;
};

#define FIELDS(name, ...)                                                                          \
    static const struct field name##_fields[] = {__VA_ARGS__};                                     \
    static const struct message name = {name##_fields,                                             \
                                        sizeof name##_fields / sizeof name##_fields[0]}
#define ONE(key, number, type)                                                                     \
    {                                                                                              \
        key, number, type, false, NULL                                                             \
    }
#define MANY(key, number, type)                                                                    \
    {                                                                                              \
        key, number, type, true, NULL                                                              \
    }
#define SUB(key, number, message)                                                                  \
    {                                                                                              \
        key, number, MESSAGE, false, &(message)                                                    \
    }
#define SUBS(key, number, message)                                                                 \
    {                                                                                              \
        key, number, MESSAGE, true, &(message)                                                     \
    }

// clang-format off
static const struct message any;
FIELDS(key_value, ONE("key", 1, STRING), SUB("value", 2, any));
FIELDS(array_value, SUBS("values", 1, any));
FIELDS(key_value_list, SUBS("values", 1, key_value));
static const struct field any_fields[] = {
    ONE("stringValue", 1, STRING), ONE("boolValue", 2, BOOL), ONE("intValue", 3, INT64),
    ONE("doubleValue", 4, DOUBLE), SUB("arrayValue", 5, array_value),
    SUB("kvlistValue", 6, key_value_list), ONE("bytesValue", 7, BASE64),
};
static const struct message any = {any_fields, sizeof any_fields / sizeof any_fields[0]};
FIELDS(exemplar, SUBS("filteredAttributes", 7, key_value), ONE("timeUnixNano", 2, FIXED64),
       ONE("asDouble", 3, DOUBLE), ONE("asInt", 6, SFIXED64), ONE("spanId", 4, SPAN_ID),
       ONE("traceId", 5, TRACE_ID));
FIELDS(number_point, SUBS("attributes", 7, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("asDouble", 4, DOUBLE), ONE("asInt", 6, SFIXED64),
       SUBS("exemplars", 5, exemplar), ONE("flags", 8, UINT32));
FIELDS(histogram_point, SUBS("attributes", 9, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       MANY("bucketCounts", 6, FIXED64), MANY("explicitBounds", 7, DOUBLE),
       SUBS("exemplars", 8, exemplar), ONE("flags", 10, UINT32), ONE("min", 11, DOUBLE),
       ONE("max", 12, DOUBLE));
FIELDS(buckets, ONE("offset", 1, SINT32), MANY("bucketCounts", 2, UINT64));
FIELDS(exponential_point, SUBS("attributes", 1, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       ONE("scale", 6, SINT32), ONE("zeroCount", 7, FIXED64), SUB("positive", 8, buckets),
       SUB("negative", 9, buckets), ONE("flags", 10, UINT32), SUBS("exemplars", 11, exemplar),
       ONE("min", 12, DOUBLE), ONE("max", 13, DOUBLE), ONE("zeroThreshold", 14, DOUBLE));
FIELDS(quantile, ONE("quantile", 1, DOUBLE), ONE("value", 2, DOUBLE));
FIELDS(summary_point, SUBS("attributes", 7, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       SUBS("quantileValues", 6, quantile), ONE("flags", 8, UINT32));
FIELDS(gauge, SUBS("dataPoints", 1, number_point));
FIELDS(sum, SUBS("dataPoints", 1, number_point), ONE("aggregationTemporality", 2, TEMPORALITY),
       ONE("isMonotonic", 3, BOOL));
FIELDS(histogram, SUBS("dataPoints", 1, histogram_point),
       ONE("aggregationTemporality", 2, TEMPORALITY));
FIELDS(exponential_histogram, SUBS("dataPoints", 1, exponential_point),
       ONE("aggregationTemporality", 2, TEMPORALITY));
FIELDS(summary, SUBS("dataPoints", 1, summary_point));
FIELDS(metric, ONE("name", 1, STRING), ONE("description", 2, STRING), ONE("unit", 3, STRING),
       SUB("gauge", 5, gauge), SUB("sum", 7, sum), SUB("histogram", 9, histogram),
       SUB("exponentialHistogram", 10, exponential_histogram), SUB("summary", 11, summary));
FIELDS(scope, ONE("name", 1, STRING), ONE("version", 2, STRING),
       SUBS("attributes", 3, key_value));
FIELDS(scope_metrics, SUB("scope", 1, scope), SUBS("metrics", 2, metric),
       ONE("schemaUrl", 3, STRING));
FIELDS(resource, SUBS("attributes", 1, key_value));
FIELDS(resource_metrics, SUB("resource", 1, resource), SUBS("scopeMetrics", 2, scope_metrics),
       ONE("schemaUrl", 3, STRING));
FIELDS(request, SUBS("resourceMetrics", 1, resource_metrics));
// clang-format on

struct writer {
    struct json_reader r;
    struct strbuf *out;
    struct arena arena; /* of one decoded string */
    size_t bytes_max;
};

/* The key as it is in the table, or with underscores: data_points is dataPoints. */
static bool key_is(str key, const char *camel)
{
    size_t i = 0;
    for (; *camel; camel++) {
        bool upper = *camel >= 'A' && *camel <= 'Z';
        if (upper && i + 1 < key.n && key.p[i] == '_' && key.p[i + 1] == (*camel | 0x20))
            i += 2;
        else if (i < key.n && key.p[i] == *camel)
            i++;
        else
            return false;
    }
    return i == key.n;
}

static const struct field *find(const struct message *m, str key)
{
    for (size_t i = 0; i < m->n; i++)
        if (key_is(key, m->at[i].key))
            return &m->at[i];
    return NULL;
}

static bool room(struct writer *w)
{
    if (w->out->n <= w->bytes_max)
        return true;
    err_set(w->r.err, ERR_LIMIT, "OTLP: the request is over %zu bytes", w->bytes_max);
    return false;
}

/* ---- scalars ---- */

static bool bad(struct writer *w, const struct field *f, const char *want)
{
    return json_fail(&w->r, "\"%s\" must be %s", f->key, want);
}

static str text_of(struct writer *w)
{
    arena_reset(&w->arena);
    return json_string(&w->r, &w->arena);
}

/* A number written as integer, or as 1e3; `text` without quotes. */
static bool whole(str text, bool is_signed, uint64_t *out)
{
    double v;
    int64_t i;
    if (is_signed && i64_parse(text, &i)) {
        *out = (uint64_t)i;
        return true;
    }
    if (!is_signed && u64_parse(text, out))
        return true;
    if (!f64_parse(text, &v) || v != trunc(v) || fabs(v) > 9007199254740992.0 ||
        (v < 0 && !is_signed))
        return false;
    *out = (uint64_t)(int64_t)v;
    return true;
}

static bool integer(struct writer *w, const struct field *f, enum json_event e, uint64_t *out)
{
    bool is_signed = f->type == SFIXED64 || f->type == INT64 || f->type == SINT32;
    bool small = f->type == UINT32 || f->type == SINT32;
    str text = e == JSON_STRING ? text_of(w) : w->r.value;
    if ((e != JSON_STRING && e != JSON_NUMBER) || !whole(text, is_signed, out))
        return bad(w, f, "an integer");
    int64_t v = (int64_t)*out;
    if (small && (is_signed ? v < INT32_MIN || v > INT32_MAX : *out > UINT32_MAX))
        return bad(w, f, "an integer of 32 bits");
    return true;
}

static bool put_integer(struct writer *w, const struct field *f, enum json_event e)
{
    uint64_t v;
    if (!integer(w, f, e, &v))
        return false;
    if (f->type == FIXED64 || f->type == SFIXED64)
        protobuf_put_fixed64(w->out, f->number, v);
    else if (f->type == SINT32)
        protobuf_put_sint(w->out, f->number, (int64_t)v);
    else
        protobuf_put_varint(w->out, f->number, v);
    return true;
}

static bool put_double(struct writer *w, const struct field *f, enum json_event e)
{
    double v;
    str text = e == JSON_STRING ? text_of(w) : w->r.value;
    if ((e != JSON_STRING && e != JSON_NUMBER) || !f64_parse(text, &v))
        return bad(w, f, "a number");
    protobuf_put_f64(w->out, f->number, v);
    return true;
}

static bool put_bool(struct writer *w, const struct field *f, enum json_event e)
{
    if (e != JSON_TRUE && e != JSON_FALSE)
        return bad(w, f, "true or false");
    protobuf_put_varint(w->out, f->number, e == JSON_TRUE);
    return true;
}

static bool put_temporality(struct writer *w, const struct field *f, enum json_event e)
{
    static const char *const names[] = {"AGGREGATION_TEMPORALITY_UNSPECIFIED",
                                        "AGGREGATION_TEMPORALITY_DELTA",
                                        "AGGREGATION_TEMPORALITY_CUMULATIVE"};
    uint64_t v;
    if (e == JSON_NUMBER && u64_parse(w->r.value, &v)) {
        protobuf_put_varint(w->out, f->number, v);
        return true;
    }
    str text = e == JSON_STRING ? text_of(w) : STR("");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eqz(text, names[i])) {
            protobuf_put_varint(w->out, f->number, i);
            return true;
        }
    }
    return bad(w, f, "AGGREGATION_TEMPORALITY_CUMULATIVE, ..._DELTA or a number");
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, with padding or without; writes over the text. */
static bool base64_decode(str text, char *to, size_t *n)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    *n = 0;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        int d = base64_digit(text.p[i]);
        if (d < 0)
            return false;
        acc = acc << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[(*n)++] = (char)(acc >> bits);
        }
    }
    return bits < 6;
}

static bool hex_decode(str text, char *to, size_t *n)
{
    *n = text.n / 2;
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_digit(text.p[i]), low = i + 1 < text.n ? hex_digit(text.p[i + 1]) : -1;
        if (high < 0 || low < 0)
            return false;
        to[i / 2] = (char)(high << 4 | low);
    }
    return true;
}

/* Ids are hexadecimal in OTLP; those who keep to proto3's mapping send base64. The lengths tell. */
static bool put_bytes(struct writer *w, const struct field *f, enum json_event e)
{
    size_t size = f->type == TRACE_ID ? 16 : f->type == SPAN_ID ? 8 : 0, n = 0;
    if (e != JSON_STRING)
        return bad(w, f, "a string");
    str text = text_of(w);
    char *to = arena_alloc(&w->arena, text.n + 1);
    bool ok = size && text.n == 2 * size ? hex_decode(text, to, &n) : base64_decode(text, to, &n);
    if (!ok || (size && n && n != size))
        return bad(w, f, size ? "an id in hexadecimal" : "bytes in base64");
    protobuf_put_bytes(w->out, f->number, bytes_of(to, n));
    return true;
}

/* ---- messages ---- */

enum { LENGTH_BYTES = 5 };

static bool put_message(struct writer *w, const struct message *m);

static bool put_sub(struct writer *w, const struct field *f, enum json_event e)
{
    if (e != JSON_OBJECT)
        return bad(w, f, "an object");
    protobuf_add_varint(w->out, (uint64_t)f->number << 3 | PROTOBUF_BYTES);
    strbuf_reserve(w->out, LENGTH_BYTES);
    w->out->n += LENGTH_BYTES;
    size_t begin = w->out->n;
    if (!put_message(w, f->sub))
        return false;
    uint8_t *length = (uint8_t *)w->out->p + begin - LENGTH_BYTES;
    size_t size = w->out->n - begin;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)((size >> 7 * i & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
    return true;
}

static bool put_value(struct writer *w, const struct field *f, enum json_event e)
{
    if (!room(w))
        return false;
    switch ((enum type)f->type) {
    case MESSAGE:
        return put_sub(w, f, e);
    case STRING:
        if (e != JSON_STRING)
            return bad(w, f, "a string");
        protobuf_put_bytes(w->out, f->number, bytes_from_str(text_of(w)));
        return true;
    case DOUBLE:
        return put_double(w, f, e);
    case BOOL:
        return put_bool(w, f, e);
    case TEMPORALITY:
        return put_temporality(w, f, e);
    case BASE64:
    case TRACE_ID:
    case SPAN_ID:
        return put_bytes(w, f, e);
    default:
        return put_integer(w, f, e);
    }
}

static bool put_list(struct writer *w, const struct field *f)
{
    enum json_event e;
    while ((e = json_next(&w->r)) != JSON_ARRAY_END) {
        if (e == JSON_ERROR)
            return false;
        if (e == JSON_ARRAY || !put_value(w, f, e))
            return e == JSON_ARRAY ? bad(w, f, "a list of depth one") : false;
    }
    return true;
}

static bool put_field(struct writer *w, const struct field *f)
{
    enum json_event e = json_next(&w->r);
    if (e == JSON_ERROR)
        return false;
    if (e == JSON_NULL)
        return true;
    if (!f->repeated)
        return put_value(w, f, e);
    return e == JSON_ARRAY ? put_list(w, f) : bad(w, f, "a list");
}

/* Behind the brace that opens it. */
static bool put_message(struct writer *w, const struct message *m)
{
    enum json_event e;
    while ((e = json_next(&w->r)) != JSON_OBJECT_END) {
        if (e == JSON_ERROR)
            return false;
        const struct field *f = find(m, text_of(w)); /* a key: nothing else comes here */
        if (f ? !put_field(w, f) : !json_skip(&w->r, NULL))
            return false;
    }
    return true;
}

bool otlp_json_to_protobuf(str json, size_t bytes_max, struct strbuf *out, struct err *err)
{
    struct writer w = {.out = out, .bytes_max = bytes_max};
    arena_init(&w.arena, 0);
    json_reader_init(&w.r, json, err);
    enum json_event e = json_next(&w.r);
    bool ok = e == JSON_OBJECT  ? put_message(&w, &request)
              : e == JSON_ERROR ? false
                                : json_fail(&w.r, "the request must be an object");
    ok = ok && json_next(&w.r) == JSON_END && room(&w);
    arena_fini(&w.arena);
    return ok;
}
