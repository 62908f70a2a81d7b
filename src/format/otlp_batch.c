// SPDX-License-Identifier: Apache-2.0
/* Growing a batch: series, samples, exemplars, metadata. */
#include <inttypes.h>

#include "format/otlp_int.h"
#include "model/exemplar.h"

static void *grown(struct otlp_reader *r, const void *old, size_t n, size_t cap, size_t size)
{
    char *p = arena_alloc(&r->b->arena, cap * size);
    if (n && old)
        memcpy(p, old, n * size);
    memset(p + (old ? n : 0) * size, 0, (cap - (old ? n : 0)) * size);
    return p;
}

bool otlp_room(struct otlp_reader *r)
{
    return !arena_over(&r->b->arena) ||
           err_set(r->err, ERR_LIMIT, "OTLP: the series of one request need over %zu bytes",
                   r->b->arena.limit_bytes);
}

void otlp_add_series(struct otlp_reader *r, struct labels ls)
{
    struct batch *b = r->b;
    if (b->series_n == r->series_cap) {
        r->series_cap = r->series_cap ? 2 * r->series_cap : 64;
        b->series = grown(r, b->series, b->series_n, r->series_cap, sizeof *b->series);
    }
    b->series[b->series_n++] = (struct batch_series){
        .labels = ls, .hash = labels_hash(ls), .first = (uint32_t)b->samples_n};
}

static void grow_samples(struct otlp_reader *r)
{
    struct batch *b = r->b;
    size_t n = b->samples_n, cap = n ? 2 * n : 64;
    b->t = grown(r, b->t, n, cap, sizeof *b->t);
    b->v = grown(r, b->v, n, cap, sizeof *b->v);
    b->h = b->h ? grown(r, b->h, n, cap, sizeof *b->h) : NULL;
    b->start = b->start ? grown(r, b->start, n, cap, sizeof *b->start) : NULL;
    r->samples_cap = cap;
}

bool otlp_add_sample(struct otlp_reader *r, ts_ms t, double v, const struct histogram *h,
                     ts_ms start)
{
    struct batch *b = r->b;
    size_t n = b->samples_n;
    if (n >= r->samples_max)
        return err_set(r->err, ERR_LIMIT, "OTLP: more than %zu samples in one request",
                       r->samples_max);
    if (!otlp_room(r))
        return false;
    if (n == r->samples_cap)
        grow_samples(r);
    if (h && !b->h)
        b->h = grown(r, NULL, 0, r->samples_cap, sizeof *b->h);
    if (start && !b->start)
        b->start = grown(r, NULL, 0, r->samples_cap, sizeof *b->start);
    b->t[n] = t;
    b->v[n] = v;
    if (h)
        b->h[n] = h;
    if (start)
        b->start[n] = start;
    b->samples_n++;
    b->series[b->series_n - 1].n++;
    return true;
}

/* ---- exemplars ---- */

enum { TIME = 2, AS_DOUBLE = 3, SPAN_ID = 4, TRACE_ID = 5, AS_INT = 6, FILTERED = 7 };

static str hex(struct arena *a, bytes b)
{
    static const char digits[] = "0123456789abcdef";
    char *p = arena_alloc(a, 2 * b.n + 1);
    for (size_t i = 0; i < b.n; i++) {
        p[2 * i] = digits[b.p[i] >> 4];
        p[2 * i + 1] = digits[b.p[i] & 15];
    }
    return str_of(p, 2 * b.n);
}

/* An id of zeros is none. */
static bool id_given(bytes b, size_t size)
{
    size_t i = 0;
    while (i < b.n && b.p[i] == 0)
        i++;
    return b.n == size && i < b.n;
}

static size_t characters(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* The ids, and the attributes when all fit what OpenMetrics allows. */
static bool exemplar_labels(struct otlp_reader *r, bytes trace, bytes span, struct labels *out,
                            struct err *why)
{
    struct arena *a = &r->b->arena;
    size_t size = 0;
    labels_builder_reset(&r->builder, (struct labels){0});
    if (!otlp_attributes_read(r, r->attributes.at, r->attributes.n, why))
        return false;
    if (id_given(trace, 16))
        labels_builder_set(&r->builder, STR("trace_id"), hex(a, trace));
    if (id_given(span, 8))
        labels_builder_set(&r->builder, STR("span_id"), hex(a, span));
    for (size_t i = 0; i < r->builder.n; i++)
        size += r->builder.at[i].name.n + r->builder.at[i].value.n;
    VEC_EACH (l, &r->scratch)
        size += characters(l->name) + characters(l->value);
    VEC_EACH (l, &r->scratch)
        if (size <= EXEMPLAR_CHARACTERS_MAX && l->name.n)
            labels_builder_set(&r->builder, l->name, l->value);
    *out = labels_builder_take(&r->builder, a);
    return true;
}

static bool exemplar_decode(struct otlp_reader *r, bytes in, struct otlp_exemplar *x,
                            struct err *why)
{
    static const uint8_t wires[] = {
        [TIME] = PROTOBUF_FIXED64,   [AS_DOUBLE] = PROTOBUF_FIXED64, [SPAN_ID] = PROTOBUF_BYTES,
        [TRACE_ID] = PROTOBUF_BYTES, [AS_INT] = PROTOBUF_FIXED64,    [FILTERED] = PROTOBUF_BYTES};
    bytes trace = {0}, span = {0};
    bool valued = false;
    struct protobuf_field f;
    enum protobuf_step step;
    vec_clear(&r->attributes);
    while ((step = protobuf_next(&in, &f, why)) == PROTOBUF_FIELD) {
        if (f.number < TIME || f.number > FILTERED)
            continue;
        if (f.wire != wires[f.number])
            return false;
        valued |= f.number == AS_DOUBLE || f.number == AS_INT;
        if (f.number == TIME && f.value)
            x->t = (ts_ms)(f.value / 1000000);
        else if (f.number == AS_DOUBLE)
            x->v = protobuf_f64(&f);
        else if (f.number == AS_INT)
            x->v = (double)protobuf_i64(&f);
        else if (f.number == SPAN_ID)
            span = f.view;
        else if (f.number == TRACE_ID)
            trace = f.view;
        else if (f.number == FILTERED)
            vec_push(&r->attributes, f.view);
    }
    return step == PROTOBUF_END && valued && exemplar_labels(r, trace, span, &x->labels, why);
}

bool otlp_exemplar_read(struct otlp_reader *r, bytes message, ts_ms t, struct otlp_exemplar *out)
{
    struct err why;
    struct otlp_exemplar x = {.t = t};
    if (!exemplar_decode(r, message, &x, &why)) {
        r->counts->exemplars_left_out++;
        return false;
    }
    *out = x;
    return true;
}

void otlp_add_exemplar(struct otlp_reader *r, const struct otlp_exemplar *x)
{
    struct batch *b = r->b;
    if (b->exemplars_n == r->exemplars_cap) {
        r->exemplars_cap = r->exemplars_cap ? 2 * r->exemplars_cap : 16;
        b->exemplars =
            grown(r, b->exemplars, b->exemplars_n, r->exemplars_cap, sizeof *b->exemplars);
    }
    b->exemplars[b->exemplars_n++] = (struct batch_exemplar){
        .series = (uint32_t)(b->series_n - 1), .labels = x->labels, .t = x->t, .v = x->v};
}

/* ---- metadata ---- */

void otlp_add_metadata(struct otlp_reader *r, const struct metadata *m)
{
    struct batch *b = r->b;
    if (map_has(&r->families, m->family))
        return;
    map_put(&r->families, m->family, r);
    if (b->metadata_n == r->metadata_cap) {
        r->metadata_cap = r->metadata_cap ? 2 * r->metadata_cap : 16;
        b->metadata = grown(r, b->metadata, b->metadata_n, r->metadata_cap, sizeof *m);
    }
    b->metadata[b->metadata_n++] = *m;
}
