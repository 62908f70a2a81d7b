// SPDX-License-Identifier: Apache-2.0
/*
 * Histogram{1: count_int, 2: count_float, 3: sum, 4: schema, 5: zero_threshold, 6: zero_count_int,
 * 7: zero_count_float, 8/11: spans, 9/12: deltas, 10/13: counts, 14: reset hint, 15: timestamp, 16:
 * custom bounds, 17: start timestamp}; the first of each pair is of the negative buckets.
 * BucketSpan{1: offset, 2: length}. Exemplar{1: Label, 2: value, 3: timestamp}.
 */
#include "format/remote_write_hist.h"

#include <math.h>

#include "codec/protobuf.h"
#include "format/histogram_wire.h"

enum {
    COUNT_INT = 1,
    COUNT_FLOAT = 2,
    SUM = 3,
    SCHEMA = 4,
    ZERO_THRESHOLD = 5,
    ZERO_INT = 6,
    ZERO_FLOAT = 7,
    NEGATIVE = 8, /* spans, deltas, counts */
    POSITIVE = 11,
    RESET_HINT = 14,
    TIMESTAMP = 15,
    CUSTOM = 16,
    START = 17,
};
enum { SPANS, DELTAS, COUNTS };

static const uint8_t fields[HISTOGRAM_FIELDS_MAX] = {
    [COUNT_INT] = HF_COUNT_INT,
    [COUNT_FLOAT] = HF_COUNT_FLOAT,
    [SUM] = HF_SUM,
    [SCHEMA] = HF_SCHEMA,
    [ZERO_THRESHOLD] = HF_ZERO_THRESHOLD,
    [ZERO_INT] = HF_ZERO_INT,
    [ZERO_FLOAT] = HF_ZERO_FLOAT,
    [NEGATIVE + SPANS] = HF_NEGATIVE_SPANS,
    [NEGATIVE + DELTAS] = HF_NEGATIVE_DELTAS,
    [NEGATIVE + COUNTS] = HF_NEGATIVE_COUNTS,
    [POSITIVE + SPANS] = HF_POSITIVE_SPANS,
    [POSITIVE + DELTAS] = HF_POSITIVE_DELTAS,
    [POSITIVE + COUNTS] = HF_POSITIVE_COUNTS,
    [RESET_HINT] = HF_RESET,
    [CUSTOM] = HF_CUSTOM,
};

/* Fields 15 and 17. */
static bool read_times(bytes message, struct remote_write_histogram *out, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number != TIMESTAMP && f.number != START)
            continue;
        if (f.wire != PROTOBUF_VARINT)
            return err_set(err, ERR_INVALID, "malformed histogram");
        *(f.number == START ? &out->start : &out->t) = protobuf_i64(&f);
    }
    return step == PROTOBUF_END;
}

bool remote_write_read_histogram(bytes message, struct arena *a, struct remote_write_histogram *out,
                                 struct err *err)
{
    struct remote_write_histogram x = {0};
    struct histogram *h;
    if (!read_times(message, &x, err) || !histogram_wire_read(message, fields, a, &h, err))
        return err_wrap(err, "remote write");
    x.h = h;
    *out = x;
    return true;
}

/* ---- writing ---- */

static void put_side(struct strbuf *out, uint32_t number, const struct histogram_buckets *b,
                     bool integral)
{
    struct strbuf part STRBUF_CLEANUP = {0};
    for (uint32_t i = 0; i < b->spans_n; i++) {
        strbuf_clear(&part);
        protobuf_put_sint(&part, 1, b->spans[i].offset);
        protobuf_put_varint(&part, 2, b->spans[i].n);
        protobuf_put_bytes(out, number + SPANS, bytes_from_str(strbuf_str(&part)));
    }
    if (b->counts_n == 0)
        return;
    strbuf_clear(&part);
    int64_t last = 0;
    for (uint32_t i = 0; i < b->counts_n && integral; i++) {
        int64_t delta = (int64_t)b->counts[i] - last;
        protobuf_add_varint(&part, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
        last = (int64_t)b->counts[i];
    }
    if (!integral)
        strbuf_add(&part, str_of((const char *)b->counts, b->counts_n * sizeof *b->counts));
    protobuf_put_bytes(out, number + (integral ? DELTAS : COUNTS),
                       bytes_from_str(strbuf_str(&part)));
}

static bool adds_up(const struct histogram *h)
{
    double total = h->zero_count;
    for (uint32_t i = 0; i < h->positive.counts_n; i++)
        total += h->positive.counts[i];
    for (uint32_t i = 0; i < h->negative.counts_n; i++)
        total += h->negative.counts[i];
    return isnan(h->sum) ? total <= h->count : total == h->count;
}

static void put_body(struct strbuf *out, const struct histogram *h)
{
    bool integral = histogram_is_integral(h) && adds_up(h);
    if (integral)
        protobuf_put_varint(out, COUNT_INT, (uint64_t)h->count);
    else
        protobuf_put_f64(out, COUNT_FLOAT, h->count);
    protobuf_put_f64(out, SUM, h->sum);
    protobuf_put_sint(out, SCHEMA, h->schema);
    protobuf_put_f64(out, ZERO_THRESHOLD, h->zero_threshold);
    if (integral)
        protobuf_put_varint(out, ZERO_INT, (uint64_t)h->zero_count);
    else
        protobuf_put_f64(out, ZERO_FLOAT, h->zero_count);
    put_side(out, NEGATIVE, &h->negative, integral);
    put_side(out, POSITIVE, &h->positive, integral);
    protobuf_put_varint(out, RESET_HINT, h->reset);
    if (h->custom_n)
        protobuf_put_bytes(out, CUSTOM, bytes_of(h->custom, h->custom_n * sizeof *h->custom));
}

void remote_write_put_histogram(struct strbuf *out, const struct remote_write_histogram *x)
{
    if (x->h)
        put_body(out, x->h);
    else
        protobuf_put_f64(out, SUM, stale_nan());
    protobuf_put_varint(out, TIMESTAMP, (uint64_t)x->t);
    if (x->start)
        protobuf_put_varint(out, START, (uint64_t)x->start);
}

/* ---- exemplars ---- */

static bool exemplar_wrong(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "remote write: %s exemplar", what);
}

static bool read_label(bytes message, struct label *out, struct err *err)
{
    struct protobuf_field f;
    enum protobuf_step step;
    *out = (struct label){STR(""), STR("")};
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        if (f.number <= 2 && f.wire != PROTOBUF_BYTES)
            return exemplar_wrong(err, "malformed");
        if (f.number <= 2)
            *(f.number == 1 ? &out->name : &out->value) = protobuf_str(&f);
    }
    return step == PROTOBUF_END;
}

/* Sorted, each name once, empty values left out. */
static bool settle_labels(struct label *at, size_t *n, struct err *err)
{
    size_t kept = 0;
    if (*n)
        label_sort(at, *n);
    for (size_t i = 0; i < *n; i++) {
        if (at[i].name.n == 0 || !str_utf8_valid(at[i].name) || !str_utf8_valid(at[i].value))
            return exemplar_wrong(err, "a label without a name or not UTF-8 in an");
        if (i > 0 && str_eq(at[i].name, at[i - 1].name))
            return exemplar_wrong(err, "a label is given twice in an");
        if (at[i].value.n)
            at[kept++] = at[i];
    }
    *n = kept;
    return true;
}

bool remote_write_read_exemplar(bytes message, struct arena *a, struct batch_exemplar *out,
                                struct err *err)
{
    struct label at[REMOTE_WRITE_EXEMPLAR_LABELS_MAX];
    struct protobuf_field f;
    enum protobuf_step step;
    size_t n = 0;
    double v = 0;
    ts_ms t = 0;
    while ((step = protobuf_next(&message, &f, err)) == PROTOBUF_FIELD) {
        static const enum protobuf_wire wires[] = {PROTOBUF_BYTES, PROTOBUF_FIXED64,
                                                   PROTOBUF_VARINT};
        if (f.number > 3)
            continue;
        if (f.wire != wires[f.number - 1])
            return exemplar_wrong(err, "malformed");
        if (f.number == 1 && n == REMOTE_WRITE_EXEMPLAR_LABELS_MAX)
            return err_set(err, ERR_LIMIT, "remote write: an exemplar has more than %d labels",
                           REMOTE_WRITE_EXEMPLAR_LABELS_MAX);
        if (f.number == 1 && !read_label(f.view, &at[n++], err))
            return false;
        if (f.number == 2)
            v = protobuf_f64(&f);
        if (f.number == 3)
            t = protobuf_i64(&f);
    }
    if (step != PROTOBUF_END || !settle_labels(at, &n, err))
        return false;
    struct label *copy = arena_alloc(a, n * sizeof *copy);
    memcpy(copy, at, n * sizeof *copy);
    out->labels = (struct labels){copy, n};
    out->t = t;
    out->v = v;
    return true;
}

void remote_write_put_exemplar(struct strbuf *out, const struct batch_exemplar *x)
{
    struct strbuf part STRBUF_CLEANUP = {0};
    for (size_t i = 0; i < x->labels.n; i++) {
        strbuf_clear(&part);
        protobuf_put_bytes(&part, 1, bytes_from_str(x->labels.at[i].name));
        protobuf_put_bytes(&part, 2, bytes_from_str(x->labels.at[i].value));
        protobuf_put_bytes(out, 1, bytes_from_str(strbuf_str(&part)));
    }
    protobuf_put_f64(out, 2, x->v);
    protobuf_put_varint(out, 3, (uint64_t)x->t);
}
