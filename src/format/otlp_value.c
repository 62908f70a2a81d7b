// SPDX-License-Identifier: Apache-2.0
/*
 * KeyValue{1: key, 2: AnyValue}, AnyValue{1: string, 2: bool, 3: int64, 4: double, 5: ArrayValue,
 * 6: KeyValueList, 7: bytes}, ArrayValue{1: AnyValue}, KeyValueList{1: KeyValue}.
 *
 * As text they look as Prometheus shows them: maps are JSON with sorted keys. Infinities and NaN,
 * which upstream turns into a message of its JSON library, are written as PromQL writes them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "codec/json_writer.h"
#include "format/otlp_int.h"

enum { STRING = 1, BOOL = 2, INT = 3, DOUBLE = 4, ARRAY = 5, KVLIST = 6, BYTES = 7 };

static bool wrong(struct err *err)
{
    return err_set(err, ERR_INVALID, "malformed attribute");
}

/* The one field of a oneof that counts: the last. False: nothing is set, or not well-formed. */
static bool any_read(bytes any, struct protobuf_field *out, bool *set, struct err *err)
{
    static const uint8_t wires[] = {
        [STRING] = PROTOBUF_BYTES,   [BOOL] = PROTOBUF_VARINT, [INT] = PROTOBUF_VARINT,
        [DOUBLE] = PROTOBUF_FIXED64, [ARRAY] = PROTOBUF_BYTES, [KVLIST] = PROTOBUF_BYTES,
        [BYTES] = PROTOBUF_BYTES};
    struct protobuf_field f;
    enum protobuf_step step;
    *set = false;
    while ((step = protobuf_next(&any, &f, err)) == PROTOBUF_FIELD) {
        if (f.number > BYTES)
            continue;
        if (f.wire != wires[f.number])
            return wrong(err);
        *out = f;
        *set = true;
    }
    return step == PROTOBUF_END || wrong(err);
}

static void base64(bytes b, struct strbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < b.n; i += 3) {
        size_t left = b.n - i;
        uint32_t v = (uint32_t)b.p[i] << 16 | (left > 1 ? (uint32_t)b.p[i + 1] << 8 : 0) |
                     (left > 2 ? b.p[i + 2] : 0);
        strbuf_addc(out, digits[v >> 18]);
        strbuf_addc(out, digits[v >> 12 & 63]);
        strbuf_addc(out, left > 1 ? digits[v >> 6 & 63] : '=');
        strbuf_addc(out, left > 2 ? digits[v & 63] : '=');
    }
}

static void add_double(double v, struct strbuf *out)
{
    struct json_writer w = json_writer(out);
    if (isfinite(v))
        json_put_f64(&w, v);
    else
        strbuf_addz(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
}

/* ---- inside lists and maps ---- */

struct pair {
    str key;
    bytes value;
};

static bool pair_read(bytes message, struct pair *out, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    *out = (struct pair){.key = STR("")};
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number <= 2 && f.wire != PROTOBUF_BYTES)
            return wrong(err);
        if (f.number == 1)
            out->key = protobuf_str(&f);
        else if (f.number == 2)
            out->value = f.view;
    }
    if (step != PROTOBUF_END)
        return wrong(err);
    return str_utf8_valid(out->key) || err_set(err, ERR_INVALID, "an attribute is not UTF-8");
}

static bool json_any(bytes any, struct json_writer *w, int depth, struct err *err);

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static bool json_pairs(bytes list, struct json_writer *w, int depth, struct err *err)
{
    VEC(struct pair) pairs = {0};
    struct protobuf_field f;
    enum protobuf_step step;
    bool ok = true;
    while (ok && (step = protobuf_next(&list, &f, err)) == PROTOBUF_FIELD) {
        struct pair p;
        if (f.number != 1)
            continue;
        ok = (f.wire == PROTOBUF_BYTES || wrong(err)) && pair_read(f.view, &p, err);
        if (ok)
            vec_push(&pairs, p);
    }
    ok = ok && (step == PROTOBUF_END || wrong(err));
    if (ok && pairs.n)
        qsort(pairs.at, pairs.n, sizeof *pairs.at, by_key);
    json_open_object(w);
    for (size_t i = 0; ok && i < pairs.n; i++) {
        json_put_key(w, pairs.at[i].key);
        ok = json_any(pairs.at[i].value, w, depth + 1, err);
    }
    if (ok)
        json_close_object(w);
    vec_fini(&pairs);
    return ok;
}

static bool json_items(bytes list, struct json_writer *w, int depth, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    json_open_array(w);
    while ((step = protobuf_next(&list, &f, err)) == PROTOBUF_FIELD) {
        if (f.number != 1)
            continue;
        if (f.wire != PROTOBUF_BYTES)
            return wrong(err);
        if (!json_any(f.view, w, depth + 1, err))
            return false;
    }
    if (step != PROTOBUF_END)
        return wrong(err);
    json_close_array(w);
    return true;
}

static void json_base64(bytes b, struct json_writer *w)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    base64(b, &text);
    json_put_str(w, strbuf_str(&text));
}

/* After an error what was written is no JSON and thrown away. */
static bool json_any(bytes any, struct json_writer *w, int depth, struct err *err)
{
    struct protobuf_field f;
    bool set;
    if (depth > OTLP_VALUE_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "an attribute's value is nested deeper than %d levels",
                       OTLP_VALUE_DEPTH_MAX);
    if (!any_read(any, &f, &set, err))
        return false;
    if (!set) {
        json_put_null(w);
        return true;
    }
    switch (f.number) {
    case STRING:
        json_put_str(w, protobuf_str(&f));
        return true;
    case BOOL:
        json_put_bool(w, f.value != 0);
        return true;
    case INT:
        json_put_i64(w, protobuf_i64(&f));
        return true;
    case DOUBLE:
        json_put_f64(w, protobuf_f64(&f));
        return true;
    case ARRAY:
        return json_items(f.view, w, depth, err);
    case KVLIST:
        return json_pairs(f.view, w, depth, err);
    default:
        json_base64(f.view, w);
        return true;
    }
}

/* ---- a value alone ---- */

static bool composed_text(const struct protobuf_field *f, struct arena *a, str *out,
                          struct err *err)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    struct json_writer w = json_writer(&text);
    bool ok = true;
    if (f->number == DOUBLE)
        add_double(protobuf_f64(f), &text);
    else if (f->number == ARRAY)
        ok = json_items(f->view, &w, 0, err);
    else if (f->number == KVLIST)
        ok = json_pairs(f->view, &w, 0, err);
    else
        base64(f->view, &text);
    if (ok)
        *out = arena_dup(a, strbuf_str(&text));
    return ok;
}

bool otlp_value_text(bytes any, struct arena *a, str *out, struct err *err)
{
    struct protobuf_field f;
    bool set;
    if (!any_read(any, &f, &set, err))
        return false;
    if (!set) {
        *out = STR("");
        return true;
    }
    switch (f.number) {
    case STRING:
        *out = protobuf_str(&f);
        return str_utf8_valid(*out) || err_set(err, ERR_INVALID, "an attribute is not UTF-8");
    case BOOL:
        *out = f.value ? STR("true") : STR("false");
        return true;
    case INT:
        *out = arena_printf(a, "%" PRId64, protobuf_i64(&f));
        return true;
    default:
        return composed_text(&f, a, out, err);
    }
}

bool otlp_attributes_read(struct otlp_reader *r, const bytes *at, size_t n, struct err *why)
{
    vec_clear(&r->scratch);
    if (n > OTLP_ATTRIBUTES_MAX)
        return err_set(why, ERR_LIMIT, "%zu attributes, at most %d", n, OTLP_ATTRIBUTES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct pair p;
        struct label l;
        if (!pair_read(at[i], &p, why) || !otlp_value_text(p.value, &r->b->arena, &l.value, why))
            return false;
        l.name = p.key;
        vec_push(&r->scratch, l);
    }
    if (r->scratch.n)
        label_sort(r->scratch.at, r->scratch.n);
    return true;
}
