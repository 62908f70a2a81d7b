// SPDX-License-Identifier: Apache-2.0
/*
 * Histogram{1: count_int, 2: count_float, 3: sum, 4: schema, 5: zero_threshold, 6: zero_count_int,
 * 7: zero_count_float, 8/11: spans, 9/12: deltas, 10/13: counts, 14: reset hint, 15: timestamp, 16:
 * custom bounds, 17: start timestamp}; the first of each pair is of the negative buckets.
 * BucketSpan{1: offset, 2: length}. Exemplar{1: Label, 2: value, 3: timestamp}.
 *
 * Two walks: one counts the elements of the repeated fields (packed or not), one fills arrays of
 * that size.
 */
#include "format/remote_write_hist.h"

#include <math.h>

#include "codec/protobuf.h"
#include "model/sample.h"

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

/* Buckets of one sign while they are read. */
struct side {
    struct histogram_span *spans;
    int64_t *deltas;
    double *counts;
    size_t spans_n, deltas_n, counts_n;
};

struct reading {
    struct arena *a;
    struct err *err;
    struct histogram *h;
    ts_ms t, start;
    bool is_float;
    struct side negative, positive;
    double *custom;
    size_t custom_n;
};

static bool broken(struct err *err)
{
    return err_set(err, ERR_INVALID, "remote write: malformed histogram");
}

static size_t packed_varints(bytes b)
{
    size_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n += b.p[i] < 0x80;
    return n;
}

/* Which sign and which of its fields; NULL: neither. */
static struct side *side_of(struct reading *r, uint32_t number, uint32_t *what)
{
    if (number >= NEGATIVE && number <= NEGATIVE + COUNTS) {
        *what = number - NEGATIVE;
        return &r->negative;
    }
    if (number >= POSITIVE && number <= POSITIVE + COUNTS) {
        *what = number - POSITIVE;
        return &r->positive;
    }
    return NULL;
}

static bool count_elements(struct reading *r, bytes message)
{
    struct protobuf_field f;
    enum protobuf_step step;
    uint32_t what;
    while ((step = protobuf_next(&message, &f, r->err)) == PROTOBUF_FIELD) {
        struct side *s = side_of(r, f.number, &what);
        bool packed = f.wire == PROTOBUF_BYTES;
        if (s && what == SPANS)
            s->spans_n++;
        else if (s && what == DELTAS)
            s->deltas_n += packed ? packed_varints(f.view) : 1;
        else if (s)
            s->counts_n += packed ? f.view.n / 8 : 1;
        else if (f.number == CUSTOM)
            r->custom_n += packed ? f.view.n / 8 : 1;
    }
    return step == PROTOBUF_END;
}

static bool make_side(struct reading *r, struct side *s)
{
    if (s->spans_n > HISTOGRAM_BUCKETS_MAX || s->deltas_n > HISTOGRAM_BUCKETS_MAX ||
        s->counts_n > HISTOGRAM_BUCKETS_MAX)
        return err_set(r->err, ERR_LIMIT, "remote write: a histogram has more than %d buckets",
                       HISTOGRAM_BUCKETS_MAX);
    s->spans = arena_alloc(r->a, s->spans_n * sizeof *s->spans);
    s->deltas = arena_alloc(r->a, s->deltas_n * sizeof *s->deltas);
    size_t counts = s->counts_n > s->deltas_n ? s->counts_n : s->deltas_n;
    s->counts = arena_alloc(r->a, counts * sizeof *s->counts);
    s->spans_n = s->deltas_n = s->counts_n = 0;
    return true;
}

static bool make_room(struct reading *r)
{
    if (r->custom_n > HISTOGRAM_BUCKETS_MAX)
        return err_set(r->err, ERR_LIMIT, "remote write: a histogram has %zu bounds, at most %d",
                       r->custom_n, HISTOGRAM_BUCKETS_MAX);
    r->custom = arena_alloc(r->a, r->custom_n * sizeof *r->custom);
    r->custom_n = 0;
    return make_side(r, &r->negative) && make_side(r, &r->positive);
}

static bool read_span(struct reading *r, struct side *s, const struct protobuf_field *f)
{
    struct histogram_span *span = &s->spans[s->spans_n++];
    struct protobuf_field g;
    enum protobuf_step step;
    bytes rest = f->view;
    *span = (struct histogram_span){0};
    if (f->wire != PROTOBUF_BYTES)
        return broken(r->err);
    while ((step = protobuf_next(&rest, &g, r->err)) == PROTOBUF_FIELD) {
        if (g.number <= 2 && g.wire != PROTOBUF_VARINT)
            return broken(r->err);
        if (g.number == 1)
            span->offset = (int32_t)protobuf_sint(g.value);
        else if (g.number == 2 && g.value <= UINT32_MAX)
            span->n = (uint32_t)g.value;
        else if (g.number == 2)
            return broken(r->err);
    }
    return step == PROTOBUF_END;
}

static bool read_varints(struct reading *r, int64_t *out, size_t *n, const struct protobuf_field *f)
{
    uint64_t v;
    bytes rest = f->view;
    if (f->wire == PROTOBUF_VARINT)
        out[(*n)++] = protobuf_sint(f->value);
    else if (f->wire != PROTOBUF_BYTES)
        return broken(r->err);
    while (f->wire == PROTOBUF_BYTES && rest.n) {
        if (!protobuf_cut_varint(&rest, &v))
            return broken(r->err);
        out[(*n)++] = protobuf_sint(v);
    }
    return true;
}

static bool read_doubles(struct reading *r, double *out, size_t *n, const struct protobuf_field *f)
{
    uint64_t v;
    bytes rest = f->view;
    if (f->wire == PROTOBUF_FIXED64)
        out[(*n)++] = protobuf_f64(f);
    else if (f->wire != PROTOBUF_BYTES)
        return broken(r->err);
    while (f->wire == PROTOBUF_BYTES && rest.n) {
        if (!protobuf_cut_fixed64(&rest, &v))
            return broken(r->err);
        out[(*n)++] = f64_from_bits(v);
    }
    return true;
}

static bool read_side(struct reading *r, struct side *s, uint32_t what,
                      const struct protobuf_field *f)
{
    if (what == SPANS)
        return read_span(r, s, f);
    if (what == DELTAS)
        return read_varints(r, s->deltas, &s->deltas_n, f);
    return read_doubles(r, s->counts, &s->counts_n, f);
}

static enum protobuf_wire wire_of(uint32_t number)
{
    bool fixed =
        number == COUNT_FLOAT || number == SUM || number == ZERO_THRESHOLD || number == ZERO_FLOAT;
    return fixed ? PROTOBUF_FIXED64 : PROTOBUF_VARINT;
}

static bool read_scalar(struct reading *r, const struct protobuf_field *f)
{
    struct histogram *h = r->h;
    if (f->number > START)
        return true;
    if (f->wire != wire_of(f->number))
        return broken(r->err);
    switch (f->number) {
    case COUNT_INT:
        h->count = (double)f->value;
        break;
    case COUNT_FLOAT:
        h->count = protobuf_f64(f);
        r->is_float = true;
        break;
    case SUM:
        h->sum = protobuf_f64(f);
        break;
    case SCHEMA: {
        int64_t schema = protobuf_sint(f->value);
        h->schema = (int8_t)(schema > INT8_MAX || schema < INT8_MIN ? INT8_MIN : schema);
        break;
    }
    case ZERO_THRESHOLD:
        h->zero_threshold = protobuf_f64(f);
        break;
    case ZERO_INT:
        h->zero_count = (double)f->value;
        break;
    case ZERO_FLOAT:
        h->zero_count = protobuf_f64(f);
        break;
    case RESET_HINT:
        h->reset = (uint8_t)(f->value <= HISTOGRAM_GAUGE ? f->value : HISTOGRAM_RESET_UNKNOWN);
        break;
    case TIMESTAMP:
        r->t = protobuf_i64(f);
        break;
    case START:
        r->start = protobuf_i64(f);
        break;
    default:
        break;
    }
    return true;
}

static bool read_fields(struct reading *r, bytes message)
{
    struct protobuf_field f;
    enum protobuf_step step;
    uint32_t what;
    while ((step = protobuf_next(&message, &f, r->err)) == PROTOBUF_FIELD) {
        struct side *s = side_of(r, f.number, &what);
        bool ok = s                    ? read_side(r, s, what, &f)
                  : f.number == CUSTOM ? read_doubles(r, r->custom, &r->custom_n, &f)
                                       : read_scalar(r, &f);
        if (!ok)
            return false;
    }
    return step == PROTOBUF_END;
}

/* The counts of an integer histogram from its deltas; past 2^63 is no histogram. */
static bool undo_deltas(struct reading *r, struct side *s, double *total)
{
    int64_t count = 0;
    for (size_t i = 0; i < s->deltas_n; i++) {
        if (__builtin_add_overflow(count, s->deltas[i], &count))
            return broken(r->err);
        s->counts[i] = (double)count;
        *total += (double)count;
    }
    s->counts_n = s->deltas_n;
    return true;
}

/* What was observed as NaN is counted, but in no bucket. */
static bool check_total(struct reading *r, double total)
{
    const struct histogram *h = r->h;
    if (isnan(h->sum) ? total <= h->count : total == h->count)
        return true;
    return err_set(r->err, ERR_INVALID,
                   "remote write: the buckets of a histogram hold %.17g observations, its count is "
                   "%.17g",
                   total, h->count);
}

static struct histogram_buckets buckets_of(const struct side *s)
{
    return (struct histogram_buckets){s->spans, s->counts, (uint32_t)s->spans_n,
                                      (uint32_t)s->counts_n};
}

static bool settle(struct reading *r)
{
    double total = r->h->zero_count;
    if (!r->is_float &&
        (!undo_deltas(r, &r->negative, &total) || !undo_deltas(r, &r->positive, &total)))
        return false;
    r->h->positive = buckets_of(&r->positive);
    r->h->negative = buckets_of(&r->negative);
    r->h->custom = r->custom;
    r->h->custom_n = (uint32_t)r->custom_n;
    return histogram_check(r->h, r->err) && (r->is_float || check_total(r, total));
}

bool remote_write_read_histogram(bytes message, struct arena *a, struct remote_write_histogram *out,
                                 struct err *err)
{
    struct reading r = {.a = a, .err = err, .h = arena_new(a, struct histogram)};
    if (!count_elements(&r, message) || !make_room(&r) || !read_fields(&r, message))
        return false;
    bool stale = is_stale_nan(r.h->sum);
    if (!stale && !settle(&r))
        return false;
    *out = (struct remote_write_histogram){r.t, r.start, stale ? NULL : r.h};
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
