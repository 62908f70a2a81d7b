// SPDX-License-Identifier: Apache-2.0
/*
 * Data points to samples. The five kinds of points share most of their fields, under different
 * numbers; a table of each kind says which is which, and one loop reads them all.
 */
#include <inttypes.h>
#include <math.h>

#include "base/num.h"
#include "format/otlp_int.h"

enum slot {
    S_NONE,
    S_START,
    S_TIME,
    S_DOUBLE,
    S_INT,
    S_COUNT,
    S_ZERO_COUNT,
    S_FLAGS,
    S_SCALE,
    S_SUM,
    S_ZERO_THRESHOLD,
    S_POSITIVE,
    S_NEGATIVE,
    S_ATTRIBUTE,
    S_EXEMPLAR,
    S_QUANTILE,
    S_BUCKETS, /* fixed64, packed or not */
    S_BOUNDS,  /* double, packed or not */
};
enum { NUMBERS_MAX = 15, NO_RECORDED_VALUE = 1 };

static const uint8_t number_slots[NUMBERS_MAX] = {
    [2] = S_START, [3] = S_TIME,      [4] = S_DOUBLE, [5] = S_EXEMPLAR,
    [6] = S_INT,   [7] = S_ATTRIBUTE, [8] = S_FLAGS,
};
static const uint8_t histogram_slots[NUMBERS_MAX] = {
    [2] = S_START,  [3] = S_TIME,     [4] = S_COUNT,     [5] = S_SUM,    [6] = S_BUCKETS,
    [7] = S_BOUNDS, [8] = S_EXEMPLAR, [9] = S_ATTRIBUTE, [10] = S_FLAGS,
};
static const uint8_t exponential_slots[NUMBERS_MAX] = {
    [1] = S_ATTRIBUTE, [2] = S_START,  [3] = S_TIME,       [4] = S_COUNT,
    [5] = S_SUM,       [6] = S_SCALE,  [7] = S_ZERO_COUNT, [8] = S_POSITIVE,
    [9] = S_NEGATIVE,  [10] = S_FLAGS, [11] = S_EXEMPLAR,  [14] = S_ZERO_THRESHOLD,
};
static const uint8_t summary_slots[NUMBERS_MAX] = {
    [2] = S_START,    [3] = S_TIME,      [4] = S_COUNT, [5] = S_SUM,
    [6] = S_QUANTILE, [7] = S_ATTRIBUTE, [8] = S_FLAGS,
};
static const uint8_t *const slots_of[] = {
    [OTLP_GAUGE] = number_slots,
    [OTLP_SUM] = number_slots,
    [OTLP_COUNTER] = number_slots,
    [OTLP_HISTOGRAM] = histogram_slots,
    [OTLP_EXPONENTIAL] = exponential_slots,
    [OTLP_SUMMARY] = summary_slots,
};

struct point {
    uint64_t start_ns, time_ns, flags, count, zero_count;
    double value, sum, zero_threshold;
    bool has_sum;
    int64_t scale;
    bytes positive, negative; /* Buckets messages; p NULL: none */
    ts_ms t, start;
    struct labels labels;
};

static bool malformed(struct otlp_reader *r)
{
    str name = str_sub(r->metric.name, 0, 100);
    return err_set(r->err, ERR_INVALID, "OTLP: a malformed data point of \"%.*s\"", STR_ARG(name));
}

void otlp_reject(struct otlp_reader *r, size_t points, const struct err *why)
{
    r->counts->rejected += points;
    if (r->counts->first.kind != ERR_NONE || points == 0)
        return;
    r->counts->first = *why;
}

/* Leaves the point out and goes on. */
static bool reject(struct otlp_reader *r, struct err *why)
{
    str name = str_sub(r->metric.name, 0, 100);
    err_wrap(why, "metric \"%.*s\"", STR_ARG(name));
    otlp_reject(r, 1, why);
    return true;
}

/* ---- reading the message ---- */

static bool wire_fits(enum slot s, enum protobuf_wire w)
{
    if (s >= S_BUCKETS)
        return w == PROTOBUF_FIXED64 || w == PROTOBUF_BYTES;
    if (s >= S_POSITIVE)
        return w == PROTOBUF_BYTES;
    return w == (s == S_FLAGS || s == S_SCALE ? PROTOBUF_VARINT : PROTOBUF_FIXED64);
}

static bool add_fixed(struct otlp_reader *r, enum slot s, uint64_t v)
{
    if (s == S_BUCKETS)
        vec_push(&r->buckets, (double)v);
    else
        vec_push(&r->bounds, f64_from_bits(v));
    return true;
}

static bool read_fixed(struct otlp_reader *r, enum slot s, const struct protobuf_field *f)
{
    bytes rest = f->view;
    uint64_t v;
    if (f->wire == PROTOBUF_FIXED64)
        return add_fixed(r, s, f->value);
    while (rest.n) {
        if (!protobuf_cut_fixed64(&rest, &v))
            return malformed(r);
        add_fixed(r, s, v);
    }
    return true;
}

static bool take_field(struct otlp_reader *r, enum slot s, const struct protobuf_field *f,
                       struct point *p)
{
    switch (s) {
    case S_START:
        p->start_ns = f->value;
        return true;
    case S_TIME:
        p->time_ns = f->value;
        return true;
    case S_DOUBLE:
        p->value = protobuf_f64(f);
        return true;
    case S_INT:
        p->value = (double)protobuf_i64(f);
        return true;
    case S_COUNT:
        p->count = f->value;
        return true;
    case S_ZERO_COUNT:
        p->zero_count = f->value;
        return true;
    case S_FLAGS:
        p->flags = f->value;
        return true;
    case S_SCALE:
        p->scale = (int32_t)protobuf_sint(f->value);
        return true;
    case S_SUM:
        p->sum = protobuf_f64(f);
        p->has_sum = true;
        return true;
    case S_ZERO_THRESHOLD:
        p->zero_threshold = protobuf_f64(f);
        return true;
    case S_POSITIVE:
        p->positive = f->view;
        return true;
    case S_NEGATIVE:
        p->negative = f->view;
        return true;
    case S_ATTRIBUTE:
        vec_push(&r->attributes, f->view);
        return true;
    case S_EXEMPLAR:
        vec_push(&r->exemplars, f->view);
        return true;
    case S_QUANTILE:
        vec_push(&r->quantiles, f->view);
        return true;
    default:
        return read_fixed(r, s, f);
    }
}

static bool read_fields(struct otlp_reader *r, bytes in, struct point *p)
{
    const uint8_t *slots = slots_of[r->metric.kind];
    struct protobuf_field f;
    enum protobuf_step step;
    vec_clear(&r->attributes);
    vec_clear(&r->exemplars);
    vec_clear(&r->quantiles);
    vec_clear(&r->buckets);
    vec_clear(&r->bounds);
    while ((step = protobuf_next(&in, &f, r->err)) == PROTOBUF_FIELD) {
        enum slot s = f.number < NUMBERS_MAX ? slots[f.number] : S_NONE;
        if (s == S_NONE)
            continue;
        if (!wire_fits(s, f.wire) || !take_field(r, s, &f, p))
            return malformed(r);
    }
    return step == PROTOBUF_END || malformed(r);
}

/* What every kind asks of a point before it becomes samples. */
static bool check(struct otlp_reader *r, struct point *p, struct err *why)
{
    if (p->time_ns == 0)
        return err_set(why, ERR_INVALID, "a data point without time_unix_nano");
    if (r->buckets.n > HISTOGRAM_BUCKETS_MAX || r->bounds.n > HISTOGRAM_BUCKETS_MAX)
        return err_set(why, ERR_LIMIT, "more than %d buckets", HISTOGRAM_BUCKETS_MAX);
    if (r->quantiles.n > OTLP_QUANTILES_MAX)
        return err_set(why, ERR_LIMIT, "more than %d quantiles", OTLP_QUANTILES_MAX);
    p->t = (ts_ms)(p->time_ns / 1000000);
    p->start = (ts_ms)(p->start_ns / 1000000);
    if (p->start > p->t || r->metric.delta || r->metric.kind == OTLP_GAUGE)
        p->start = 0; /* of a delta upstream ignores it, of a gauge it has no meaning */
    return otlp_point_labels(r, &p->labels, why);
}

static bool is_stale(const struct point *p)
{
    return p->flags & NO_RECORDED_VALUE;
}

/* A NaN of another program must not be taken for one of ours. */
static double number(const struct point *p, double v)
{
    return is_stale(p) ? stale_nan() : isnan(v) ? normal_nan() : v;
}

/* ---- numbers ---- */

static void add_exemplars(struct otlp_reader *r, const struct point *p)
{
    struct otlp_exemplar x;
    for (size_t i = 0; i < r->exemplars.n; i++)
        if (i >= OTLP_EXEMPLARS_MAX)
            r->counts->exemplars_left_out++;
        else if (otlp_exemplar_read(r, r->exemplars.at[i], p->t, &x))
            otlp_add_exemplar(r, &x);
}

static bool add_one(struct otlp_reader *r, const struct point *p, str name, struct label extra,
                    double v)
{
    struct labels ls = otlp_labels_with(&r->b->arena, p->labels, name, extra.name, extra.value);
    otlp_add_series(r, ls);
    return otlp_add_sample(r, p->t, number(p, v), NULL, p->start);
}

static const struct label no_label = {STR_INIT(""), STR_INIT("")};

static bool add_number(struct otlp_reader *r, const struct point *p)
{
    if (!add_one(r, p, r->metric.name, no_label, p->value))
        return false;
    if (r->metric.kind != OTLP_GAUGE)
        add_exemplars(r, p);
    return true;
}

/* ---- classic series of histograms and summaries ---- */

static str suffixed(struct otlp_reader *r, const char *suffix)
{
    return arena_printf(&r->b->arena, "%.*s%s", STR_ARG(r->metric.name), suffix);
}

static struct label float_label(struct otlp_reader *r, str name, double v)
{
    char text[F64_TEXT_MAX];
    size_t n = f64_format(v, text);
    return (struct label){name, arena_dup(&r->b->arena, str_of(text, n))};
}

/* Whose exemplars are those above `below` and up to `bound`; each belongs to the first bucket that
 * holds it. */
static void bucket_exemplars(struct otlp_reader *r, const struct otlp_exemplar *x, size_t n,
                             double below, double bound)
{
    for (size_t i = 0; i < n; i++)
        if ((x[i].v <= bound && x[i].v > below) || (isnan(x[i].v) && bound == INFINITY))
            otlp_add_exemplar(r, &x[i]);
}

static bool add_buckets(struct otlp_reader *r, const struct point *p, const struct otlp_exemplar *x,
                        size_t x_n)
{
    size_t n = r->bounds.n < r->buckets.n ? r->bounds.n : r->buckets.n;
    str name = suffixed(r, "_bucket"), le = STR("le");
    double total = 0, below = -INFINITY;
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        double bound = r->bounds.at[i];
        total += r->buckets.at[i];
        if (bound == INFINITY)
            break; /* the last one is written below */
        if (!add_one(r, p, name, float_label(r, le, bound), total))
            return false;
        bucket_exemplars(r, x, x_n, first ? -INFINITY : below, bound);
        below = bound;
        first = false;
    }
    if (!add_one(r, p, name, (struct label){le, STR("+Inf")}, (double)p->count))
        return false;
    bucket_exemplars(r, x, x_n, below, INFINITY);
    return true;
}

static size_t read_exemplars(struct otlp_reader *r, const struct point *p,
                             struct otlp_exemplar **out)
{
    size_t n = 0, max = r->exemplars.n < OTLP_EXEMPLARS_MAX ? r->exemplars.n : OTLP_EXEMPLARS_MAX;
    *out = arena_array(&r->b->arena, struct otlp_exemplar, max);
    for (size_t i = 0; i < max; i++)
        n += otlp_exemplar_read(r, r->exemplars.at[i], p->t, &(*out)[n]);
    r->counts->exemplars_left_out += r->exemplars.n - max;
    return n;
}

static bool add_classic(struct otlp_reader *r, const struct point *p)
{
    struct otlp_exemplar *x;
    size_t x_n = read_exemplars(r, p, &x);
    if (p->has_sum && !add_one(r, p, suffixed(r, "_sum"), no_label, p->sum))
        return false;
    return add_one(r, p, suffixed(r, "_count"), no_label, (double)p->count) &&
           add_buckets(r, p, x, x_n);
}

static bool quantile_read(bytes in, double *quantile, double *value)
{
    struct protobuf_field f;
    enum protobuf_step step;
    struct err ignored;
    *quantile = *value = 0;
    while ((step = protobuf_next(&in, &f, &ignored)) == PROTOBUF_FIELD) {
        if (f.number > 2)
            continue;
        if (f.wire != PROTOBUF_FIXED64)
            return false;
        *(f.number == 1 ? quantile : value) = protobuf_f64(&f);
    }
    return step == PROTOBUF_END;
}

static bool add_summary(struct otlp_reader *r, const struct point *p)
{
    double q, v;
    if (!add_one(r, p, suffixed(r, "_sum"), no_label, p->sum) ||
        !add_one(r, p, suffixed(r, "_count"), no_label, (double)p->count))
        return false;
    VEC_EACH (view, &r->quantiles) {
        if (!quantile_read(*view, &q, &v))
            return malformed(r);
        if (!add_one(r, p, r->metric.name, float_label(r, STR("quantile"), q), v))
            return false;
    }
    return true;
}

/* ---- native histograms ---- */

/* Neighbours that fall into one bucket of the coarser schema are added; empty ones are not kept. */
static bool sparse(struct otlp_reader *r, int64_t offset, unsigned down, bool exponential,
                   struct histogram_buckets *out, struct err *why)
{
    size_t n = r->buckets.n;
    struct histogram_span *spans = arena_array(&r->b->arena, struct histogram_span, n);
    double *counts = arena_array(&r->b->arena, double, n);
    uint32_t spans_n = 0, counts_n = 0;
    int64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t at = ((int64_t)i + offset) >> down;
        at += exponential; /* bucket 0 of OTLP begins at 1, that of the model ends there */
        if (r->buckets.at[i] == 0)
            continue;
        if (at > HISTOGRAM_INDEX_MAX || at < -HISTOGRAM_INDEX_MAX)
            return err_set(why, ERR_INVALID, "a bucket with index %" PRId64, at);
        if (counts_n && at == last) {
            counts[counts_n - 1] += r->buckets.at[i];
            continue;
        }
        if (!counts_n || at > last + 1)
            spans[spans_n++].offset = (int32_t)(counts_n ? at - last - 1 : at);
        spans[spans_n - 1].n++;
        counts[counts_n++] = r->buckets.at[i];
        last = at;
    }
    *out = (struct histogram_buckets){spans, counts, spans_n, counts_n};
    return true;
}

/* Buckets{1: sint32 offset, 2: repeated uint64}. */
static bool side_read(struct otlp_reader *r, bytes in, int64_t *offset, struct err *why)
{
    struct protobuf_field f;
    enum protobuf_step step;
    uint64_t v;
    *offset = 0;
    vec_clear(&r->buckets);
    while ((step = protobuf_next(&in, &f, why)) == PROTOBUF_FIELD) {
        if (f.number == 1 && f.wire == PROTOBUF_VARINT)
            *offset = (int32_t)protobuf_sint(f.value);
        if (f.number == 2 && f.wire == PROTOBUF_VARINT)
            vec_push(&r->buckets, (double)f.value);
        bool packed = f.number == 2 && f.wire == PROTOBUF_BYTES;
        while (packed && f.view.n) {
            if (!protobuf_cut_varint(&f.view, &v))
                return err_set(why, ERR_INVALID, "malformed buckets");
            vec_push(&r->buckets, (double)v);
        }
        if (r->buckets.n > HISTOGRAM_BUCKETS_MAX)
            return err_set(why, ERR_LIMIT, "more than %d buckets", HISTOGRAM_BUCKETS_MAX);
    }
    return step == PROTOBUF_END;
}

static bool side(struct otlp_reader *r, bytes in, unsigned down, struct histogram_buckets *out,
                 struct err *why)
{
    int64_t offset;
    *out = (struct histogram_buckets){0};
    return !in.p || (side_read(r, in, &offset, why) && sparse(r, offset, down, true, out, why));
}

static double total(const struct histogram_buckets *b)
{
    double sum = 0;
    for (uint32_t i = 0; i < b->counts_n; i++)
        sum += b->counts[i];
    return sum;
}

/* As Prometheus checks a histogram of integers: with a sum that is NaN some observations may be in
 * no bucket. */
static bool adds_up(const struct histogram *h, struct err *why)
{
    double sum = h->zero_count + total(&h->positive) + total(&h->negative);
    if (isnan(h->sum) ? sum <= h->count : sum == h->count)
        return histogram_check(h, why);
    return err_set(why, ERR_INVALID, "%.0f observations in buckets, the count is %.0f", sum,
                   h->count);
}

/* Upstream's, where a point does not say its own. */
static const double default_zero_threshold = 1e-128;

static bool exponential(struct otlp_reader *r, const struct point *p, struct histogram *h,
                        struct err *why)
{
    int64_t excess = p->scale - HISTOGRAM_SCHEMA_MAX;
    unsigned down = excess <= 0 ? 0 : excess > 62 ? 62 : (unsigned)excess;
    if (p->scale < HISTOGRAM_SCHEMA_MIN)
        return err_set(why, ERR_INVALID, "scale %" PRId64 ", at least %d can be stored", p->scale,
                       HISTOGRAM_SCHEMA_MIN);
    h->schema = (int8_t)(excess > 0 ? HISTOGRAM_SCHEMA_MAX : p->scale);
    h->zero_count = (double)p->zero_count;
    h->zero_threshold = p->zero_threshold > 0 ? p->zero_threshold : default_zero_threshold;
    return side(r, p->positive, down, &h->positive, why) &&
           side(r, p->negative, down, &h->negative, why) && adds_up(h, why);
}

static bool custom(struct otlp_reader *r, const struct point *p, struct histogram *h,
                   struct err *why)
{
    double *bounds = arena_array(&r->b->arena, double, r->bounds.n);
    if (r->bounds.n)
        memcpy(bounds, r->bounds.at, r->bounds.n * sizeof *bounds);
    h->schema = HISTOGRAM_CUSTOM;
    h->custom = bounds;
    h->custom_n = (uint32_t)r->bounds.n;
    if (!r->buckets.n && p->count) /* count and sum alone: all are in the bucket of +Inf */
        vec_push(&r->buckets, (double)p->count);
    return sparse(r, 0, 0, false, &h->positive, why) && adds_up(h, why);
}

static bool add_native(struct otlp_reader *r, const struct point *p, bool is_custom)
{
    struct histogram *h = arena_new(&r->b->arena, struct histogram);
    struct err why = {0};
    h->count = (double)p->count;
    h->sum = isnan(p->sum) ? normal_nan() : p->sum;
    h->reset = r->metric.delta ? HISTOGRAM_GAUGE : HISTOGRAM_RESET_UNKNOWN;
    if (is_stale(p))
        return add_one(r, p, r->metric.name, no_label, 0);
    if (is_custom ? !custom(r, p, h, &why) : !exponential(r, p, h, &why))
        return reject(r, &why);
    otlp_add_series(r, otlp_labels_with(&r->b->arena, p->labels, r->metric.name, STR(""), STR("")));
    if (!otlp_add_sample(r, p->t, 0, h, p->start))
        return false;
    add_exemplars(r, p);
    return true;
}

bool otlp_point_read(struct otlp_reader *r, bytes message)
{
    struct point p = {0};
    struct err why = {0};
    size_t before = r->counts->rejected;
    bool ok;
    r->counts->points++;
    if (!otlp_room(r) || !read_fields(r, message, &p))
        return false;
    if (!check(r, &p, &why))
        return reject(r, &why);
    if (r->metric.kind == OTLP_EXPONENTIAL)
        ok = add_native(r, &p, false);
    else if (r->metric.kind == OTLP_HISTOGRAM)
        ok = r->conf->histograms_to_nhcb ? add_native(r, &p, true) : add_classic(r, &p);
    else
        ok = r->metric.kind == OTLP_SUMMARY ? add_summary(r, &p) : add_number(r, &p);
    if (r->counts->rejected == before) {
        r->earliest = p.t < r->earliest ? p.t : r->earliest;
        r->latest = p.t > r->latest ? p.t : r->latest;
    }
    return ok;
}
