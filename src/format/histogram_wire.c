// SPDX-License-Identifier: Apache-2.0
/*
 * Two walks: one counts the elements of the repeated fields (packed or not), one fills arrays of
 * that size.
 */
#include "format/histogram_wire.h"

#include <math.h>

#include "codec/protobuf.h"
#include "model/sample.h"

enum { SPANS, DELTAS, COUNTS };

/* Buckets of one sign while they are read. */
struct side {
    struct histogram_span *spans;
    int64_t *deltas;
    double *counts;
    size_t spans_n, deltas_n, counts_n;
};

struct reading {
    const uint8_t *fields;
    struct arena *a;
    struct err *err;
    struct histogram *h;
    bool is_float;
    struct side negative, positive;
    double *custom;
    size_t custom_n;
};

static bool broken(struct err *err)
{
    return err_set(err, ERR_INVALID, "malformed histogram");
}

static size_t packed_varints(bytes b)
{
    size_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n += b.p[i] < 0x80;
    return n;
}

static enum histogram_field meaning(const struct reading *r, uint32_t number)
{
    return number < HISTOGRAM_FIELDS_MAX ? (enum histogram_field)r->fields[number] : HF_OTHER;
}

/* Which sign and which of its fields; NULL: neither. */
static struct side *side_of(struct reading *r, enum histogram_field f, uint32_t *what)
{
    if (f >= HF_NEGATIVE_SPANS && f <= HF_NEGATIVE_COUNTS) {
        *what = f - HF_NEGATIVE_SPANS;
        return &r->negative;
    }
    if (f >= HF_POSITIVE_SPANS && f <= HF_POSITIVE_COUNTS) {
        *what = f - HF_POSITIVE_SPANS;
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
        enum histogram_field m = meaning(r, f.number);
        struct side *s = side_of(r, m, &what);
        bool packed = f.wire == PROTOBUF_BYTES;
        if (s && what == SPANS)
            s->spans_n++;
        else if (s && what == DELTAS)
            s->deltas_n += packed ? packed_varints(f.view) : 1;
        else if (s)
            s->counts_n += packed ? f.view.n / 8 : 1;
        else if (m == HF_CUSTOM)
            r->custom_n += packed ? f.view.n / 8 : 1;
    }
    return step == PROTOBUF_END;
}

static bool make_side(struct reading *r, struct side *s)
{
    if (s->spans_n > HISTOGRAM_BUCKETS_MAX || s->deltas_n > HISTOGRAM_BUCKETS_MAX ||
        s->counts_n > HISTOGRAM_BUCKETS_MAX)
        return err_set(r->err, ERR_LIMIT, "a histogram has more than %d buckets",
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
        return err_set(r->err, ERR_LIMIT, "a histogram has %zu bounds, at most %d", r->custom_n,
                       HISTOGRAM_BUCKETS_MAX);
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

static enum protobuf_wire wire_of(enum histogram_field m)
{
    bool fixed = m == HF_COUNT_FLOAT || m == HF_SUM || m == HF_ZERO_THRESHOLD || m == HF_ZERO_FLOAT;
    return fixed ? PROTOBUF_FIXED64 : PROTOBUF_VARINT;
}

static bool read_scalar(struct reading *r, enum histogram_field m, const struct protobuf_field *f)
{
    struct histogram *h = r->h;
    int64_t schema;
    if (m == HF_OTHER)
        return true;
    if (f->wire != wire_of(m))
        return broken(r->err);
    switch (m) {
    case HF_COUNT_FLOAT:
        r->is_float = true;
        h->count = protobuf_f64(f);
        break;
    case HF_COUNT_INT:
        h->count = (double)f->value;
        break;
    case HF_SUM:
        h->sum = protobuf_f64(f);
        break;
    case HF_SCHEMA:
        schema = protobuf_sint(f->value);
        h->schema = (int8_t)(schema > INT8_MAX || schema < INT8_MIN ? INT8_MIN : schema);
        break;
    case HF_ZERO_THRESHOLD:
        h->zero_threshold = protobuf_f64(f);
        break;
    case HF_ZERO_INT:
        h->zero_count = (double)f->value;
        break;
    case HF_ZERO_FLOAT:
        h->zero_count = protobuf_f64(f);
        break;
    case HF_RESET:
        h->reset = (uint8_t)(f->value <= HISTOGRAM_GAUGE ? f->value : HISTOGRAM_RESET_UNKNOWN);
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
        enum histogram_field m = meaning(r, f.number);
        struct side *s = side_of(r, m, &what);
        bool ok = s                ? read_side(r, s, what, &f)
                  : m == HF_CUSTOM ? read_doubles(r, r->custom, &r->custom_n, &f)
                                   : read_scalar(r, m, &f);
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
                   "the buckets of a histogram hold %.17g observations, its count is "
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

bool histogram_wire_read(bytes message, const uint8_t fields[HISTOGRAM_FIELDS_MAX], struct arena *a,
                         struct histogram **out, struct err *err)
{
    struct reading r = {.fields = fields, .a = a, .err = err, .h = arena_new(a, struct histogram)};
    if (!count_elements(&r, message) || !make_room(&r) || !read_fields(&r, message))
        return false;
    bool stale = is_stale_nan(r.h->sum);
    if (!stale && !settle(&r))
        return false;
    *out = stale ? NULL : r.h;
    return true;
}
