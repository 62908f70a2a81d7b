// SPDX-License-Identifier: Apache-2.0
/*
 * Chunks of native histograms: 16 bits of samples, a byte of flags, the layout that all samples
 * share, the samples. Integer histograms write differences of differences; their buckets are
 * differences to the bucket before as well. Float histograms write each field as it differs in
 * bits. A stale marker (its sum says so) has no buckets.
 */
#include <math.h>

#include "format/prom_chunk.h"
#include "format/prom_int.h"

enum { HEAD_BYTES = 3, BUCKETS_MAX = HISTOGRAM_BUCKETS_MAX };

/* Of one sign: differences (integers) or values (floats), and what they are told from. */
struct side {
    struct histogram_span *spans;
    uint32_t spans_n, n;
    int64_t *bucket, *delta;
    struct prom_xor * xor ;
};

struct reader {
    struct prom_bits b;
    struct arena *a;
    bool floats;
    struct histogram layout; /* what all samples have in common */
    struct side positive, negative;
    int64_t t, t_delta;
    int64_t count, count_delta, zero, zero_delta;
    struct prom_xor count_xor, zero_xor, sum;
};

/* Numbers that are mostly small: how many ones come first tells how many bits follow. */
static uint64_t read_varbit(struct prom_bits *b, unsigned *width)
{
    static const uint8_t widths[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};
    unsigned ones = 0;
    while (ones < 8 && prom_bits_take(b, 1))
        ones++;
    *width = widths[ones];
    return prom_bits_take(b, *width);
}

static uint64_t read_uint(struct prom_bits *b)
{
    unsigned width;
    return read_varbit(b, &width);
}

static int64_t read_int(struct prom_bits *b)
{
    unsigned width;
    uint64_t v = read_varbit(b, &width);
    if (width && width < 64 && v > 1ULL << (width - 1))
        v -= 1ULL << width;
    return (int64_t)v;
}

static double to_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Zero, a power of two, or any number behind 255. */
static double read_threshold(struct prom_bits *b)
{
    uint64_t first = prom_bits_take(b, 8);
    if (first == 0)
        return 0;
    return first == 255 ? to_double(prom_bits_take(b, 64)) : ldexp(0.5, (int)first - 243);
}

static void read_spans(struct reader *r, struct side *s)
{
    uint64_t n = read_uint(&r->b), buckets = 0;
    if (r->b.bad || n > BUCKETS_MAX) {
        r->b.bad = true;
        return;
    }
    s->spans = arena_array(r->a, struct histogram_span, n + 1);
    s->spans_n = (uint32_t)n;
    for (uint64_t i = 0; i < n && !r->b.bad; i++) {
        uint64_t length = read_uint(&r->b);
        int64_t offset = read_int(&r->b);
        buckets += length;
        if (length > BUCKETS_MAX || buckets > BUCKETS_MAX || offset != (int32_t)offset)
            r->b.bad = true;
        s->spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    s->n = r->b.bad ? 0 : (uint32_t)buckets;
    s->bucket = arena_array(r->a, int64_t, s->n + 1);
    s->delta = arena_array(r->a, int64_t, s->n + 1);
    s->xor = arena_array(r->a, struct prom_xor, s->n + 1);
}

/* A bound is mostly a decimal with few places. */
static void read_custom(struct reader *r)
{
    uint64_t n = read_uint(&r->b);
    if (r->b.bad || n > BUCKETS_MAX) {
        r->b.bad = true;
        return;
    }
    double *at = arena_array(r->a, double, n + 1);
    for (uint64_t i = 0; i < n && !r->b.bad; i++) {
        uint64_t v = read_uint(&r->b);
        at[i] = v ? (double)(v - 1) / 1000 : to_double(prom_bits_take(&r->b, 64));
    }
    r->layout.custom = at;
    r->layout.custom_n = (uint32_t)n;
}

static void read_layout(struct reader *r)
{
    r->layout.zero_threshold = read_threshold(&r->b);
    int64_t schema = read_int(&r->b);
    if (schema != (int8_t)schema)
        r->b.bad = true;
    r->layout.schema = (int8_t)schema;
    read_spans(r, &r->positive);
    read_spans(r, &r->negative);
    if (schema == HISTOGRAM_CUSTOM)
        read_custom(r);
}

/* ---- samples ---- */

/* A field of an integer histogram: as it is, then differences of differences. */
static void next_int(struct prom_bits *b, bool first, bool is_unsigned, int64_t *v, int64_t *delta)
{
    if (first) {
        *v = is_unsigned ? (int64_t)read_uint(b) : read_int(b);
        return;
    }
    *delta = (int64_t)((uint64_t)*delta + (uint64_t)read_int(b));
    *v = (int64_t)((uint64_t)*v + (uint64_t)*delta);
}

static void next_xor(struct prom_bits *b, bool first, struct prom_xor *x)
{
    if (first)
        x->value = prom_bits_take(b, 64);
    else
        prom_xor_take(b, x);
}

static struct histogram_buckets next_side(struct reader *r, struct side *s, bool first)
{
    double *counts = arena_array(r->a, double, s->n + 1);
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->n && !r->b.bad; i++) {
        if (r->floats) {
            next_xor(&r->b, first, &s->xor [i]);
            counts[i] = to_double(s->xor [i].value);
            continue;
        }
        next_int(&r->b, first, false, &s->bucket[i], &s->delta[i]);
        sum = (int64_t)((uint64_t)sum + (uint64_t)s->bucket[i]);
        counts[i] = (double)sum;
    }
    return (struct histogram_buckets){s->spans, counts, s->spans_n, s->n};
}

static enum histogram_reset reset_of(uint8_t flags, size_t i)
{
    if ((flags & 0xc0) == 0xc0)
        return HISTOGRAM_GAUGE;
    if (i > 0)
        return HISTOGRAM_RESET_NO;
    return (flags & 0xc0) == 0x80 ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_UNKNOWN;
}

/* NULL: a stale marker. */
static const struct histogram *next_sample(struct reader *r, bool first, uint8_t reset)
{
    next_int(&r->b, first, false, &r->t, &r->t_delta);
    if (r->floats) {
        next_xor(&r->b, first, &r->count_xor);
        next_xor(&r->b, first, &r->zero_xor);
    } else {
        next_int(&r->b, first, true, &r->count, &r->count_delta);
        next_int(&r->b, first, true, &r->zero, &r->zero_delta);
    }
    next_xor(&r->b, first, &r->sum);
    if (r->sum.value == STALE_NAN_BITS)
        return NULL;
    struct histogram *h = arena_new(r->a, struct histogram);
    *h = r->layout;
    h->reset = reset;
    h->count = r->floats ? to_double(r->count_xor.value) : (double)(uint64_t)r->count;
    h->zero_count = r->floats ? to_double(r->zero_xor.value) : (double)(uint64_t)r->zero;
    h->sum = to_double(r->sum.value);
    h->positive = next_side(r, &r->positive, first);
    h->negative = next_side(r, &r->negative, first);
    return h;
}

static bool read_all(struct reader *r, uint8_t flags, struct prom_histograms *out, struct err *err)
{
    read_layout(r);
    for (size_t i = 0; i < out->n && !r->b.bad; i++) {
        out->h[i] = next_sample(r, i == 0, (uint8_t)reset_of(flags, i));
        out->t[i] = r->t;
        if (!r->b.bad && out->h[i] && !histogram_check(out->h[i], err)) {
            err->kind = ERR_CORRUPT;
            return err_wrap(err, "a chunk of histograms");
        }
    }
    return !r->b.bad || err_set(err, ERR_CORRUPT, "a chunk of histograms is malformed");
}

bool prom_chunk_histograms(uint8_t encoding, bytes data, struct arena *a,
                           struct prom_histograms *out, struct err *err)
{
    struct reader r = {.a = a, .floats = encoding == PROM_CHUNK_FLOAT_HISTOGRAM};
    if (data.n < HEAD_BYTES)
        return err_set(err, ERR_CORRUPT, "a chunk of histograms of %zu bytes", data.n);
    struct prom_histograms h = {.n = (size_t)data.p[0] << 8 | data.p[1]};
    r.b.b = (bytes){data.p + HEAD_BYTES, data.n - HEAD_BYTES};
    /* A sample takes at least three bits. */
    if (h.n > r.b.b.n * 8)
        return err_set(err, ERR_CORRUPT, "a chunk of %zu bytes claims %zu histograms", data.n, h.n);
    h.t = arena_array(a, ts_ms, h.n + 1);
    h.h = arena_array(a, const struct histogram *, h.n + 1);
    if (!read_all(&r, data.p[2], &h, err))
        return false;
    *out = h;
    return true;
}
