// SPDX-License-Identifier: Apache-2.0
/*
 * Chunks of native histograms for others to read (prom_chunk_hist.c has their form). All samples of
 * a chunk share one layout: the buckets that any of them has.
 */
#include <assert.h>
#include <math.h>

#include "base/vec.h"
#include "format/prom_chunk.h"
#include "format/prom_int.h"
#include "model/histogram_math.h"

typedef VEC(int64_t) indexes;

struct side {
    indexes at;     /* of the layout's buckets, rising */
    int64_t *value; /* integers: differences to the bucket before, of the sample before */
    int64_t *delta;
    struct prom_xor_put * xor ;
};

struct writer {
    struct prom_bits_writer w;
    bool floats;
    struct side positive, negative;
    int64_t t, t_delta, count, count_delta, zero, zero_delta;
    struct prom_xor_put count_xor, zero_xor, sum;
};

/* ---- numbers that are mostly small ---- */

static const uint8_t widths[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};

static void put_width(struct prom_bits_writer *w, unsigned ones, uint64_t v)
{
    if (ones == 8)
        prom_bits_put(w, 0xff, 8);
    else
        prom_bits_put(w, (1U << (ones + 1)) - 2, ones + 1);
    unsigned n = widths[ones];
    prom_bits_put(w, n < 64 ? v & ((1ULL << n) - 1) : v, n);
}

static void put_uint(struct prom_bits_writer *w, uint64_t v)
{
    unsigned ones = 0;
    while (ones < 8 && (widths[ones] == 0 ? v != 0 : v >> widths[ones] != 0))
        ones++;
    put_width(w, ones, v);
}

/* Of n bits, the range is (-(2^(n-1)), 2^(n-1)]. */
static void put_int(struct prom_bits_writer *w, int64_t v)
{
    unsigned ones = v != 0;
    for (; ones && ones < 8; ones++) {
        int64_t max = (int64_t)1 << (widths[ones] - 1);
        if (v <= max && v > -max)
            break;
    }
    put_width(w, ones, (uint64_t)v);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* ---- the layout ---- */

static void put_threshold(struct prom_bits_writer *w, double v)
{
    int exponent = 0;
    double part = v > 0 && isfinite(v) ? frexp(v, &exponent) : 0;
    if (v == 0)
        prom_bits_put(w, 0, 8);
    else if (part == 0.5 && exponent >= -242 && exponent <= 11)
        prom_bits_put(w, (uint64_t)(exponent + 243), 8);
    else {
        prom_bits_put(w, 255, 8);
        prom_bits_put(w, bits_of(v), 64);
    }
}

/* Buckets that are neighbours are a span. */
static void put_spans(struct prom_bits_writer *w, const indexes *at)
{
    size_t spans = 0;
    for (size_t i = 0; i < at->n; i++)
        spans += i == 0 || at->at[i] != at->at[i - 1] + 1;
    put_uint(w, spans);
    for (size_t i = 0; i < at->n;) {
        size_t end = i + 1;
        while (end < at->n && at->at[end] == at->at[end - 1] + 1)
            end++;
        put_uint(w, end - i);
        put_int(w, i ? at->at[i] - at->at[i - 1] - 1 : at->at[0]);
        i = end;
    }
}

/* In thousandths where that says the same. */
static void put_custom(struct prom_bits_writer *w, const struct histogram *h)
{
    put_uint(w, h->custom_n);
    for (uint32_t i = 0; i < h->custom_n; i++) {
        double v = h->custom[i], thousands = v >= 0 && v <= 33554.43 ? round(v * 1000) : -1;
        if (thousands >= 0 && thousands / 1000 == v && !signbit(v)) {
            put_uint(w, (uint64_t)thousands + 1);
            continue;
        }
        put_uint(w, 0);
        prom_bits_put(w, bits_of(v), 64);
    }
}

/* Adds the indexes of the buckets that are not there yet. */
static void merge_side(indexes *at, const struct histogram_buckets *b)
{
    struct histogram_walk w = histogram_walk_of(b);
    indexes merged = {0};
    size_t i = 0;
    bool more = histogram_walk_next(&w);
    while (more || i < at->n) {
        if (!more || (i < at->n && at->at[i] <= w.index)) {
            if (more && at->at[i] == w.index)
                more = histogram_walk_next(&w);
            vec_push(&merged, at->at[i++]);
        } else {
            vec_push(&merged, w.index);
            more = histogram_walk_next(&w);
        }
    }
    vec_fini(at);
    *at = merged;
}

/* ---- samples ---- */

static void put_delta(struct prom_bits_writer *w, bool first, int64_t v, int64_t *last,
                      int64_t *delta)
{
    int64_t d = (int64_t)((uint64_t)v - (uint64_t)*last);
    if (!first)
        put_int(w, (int64_t)((uint64_t)d - (uint64_t)*delta));
    *delta = first ? 0 : d;
    *last = v;
}

static void put_float(struct prom_bits_writer *w, bool first, double v, struct prom_xor_put *x)
{
    if (!first) {
        prom_xor_put(w, x, bits_of(v));
        return;
    }
    x->value = bits_of(v);
    prom_bits_put(w, x->value, 64);
}

static void put_side(struct writer *w, bool first, struct side *s,
                     const struct histogram_buckets *b)
{
    struct histogram_walk walk = histogram_walk_of(b);
    bool more = histogram_walk_next(&walk);
    int64_t before = 0;
    for (size_t i = 0; i < s->at.n; i++) {
        double count = 0;
        if (more && walk.index == s->at.at[i]) {
            count = walk.count;
            more = histogram_walk_next(&walk);
        }
        if (w->floats) {
            put_float(&w->w, first, count, &s->xor [i]);
            continue;
        }
        int64_t difference = (int64_t)count - before;
        before = (int64_t)count;
        if (first)
            put_int(&w->w, difference);
        put_delta(&w->w, first, difference, &s->value[i], &s->delta[i]);
    }
}

static void put_sample(struct writer *w, bool first, ts_ms t, const struct histogram *h)
{
    if (first)
        put_int(&w->w, t);
    put_delta(&w->w, first, t, &w->t, &w->t_delta);
    if (w->floats) {
        put_float(&w->w, first, h->count, &w->count_xor);
        put_float(&w->w, first, h->zero_count, &w->zero_xor);
    } else {
        if (first)
            put_uint(&w->w, (uint64_t)h->count);
        put_delta(&w->w, first, (int64_t)h->count, &w->count, &w->count_delta);
        if (first)
            put_uint(&w->w, (uint64_t)h->zero_count);
        put_delta(&w->w, first, (int64_t)h->zero_count, &w->zero, &w->zero_delta);
    }
    put_float(&w->w, first, h->sum, &w->sum);
    put_side(w, first, &w->positive, &h->positive);
    put_side(w, first, &w->negative, &h->negative);
}

/* ---- chunks ---- */

static void side_init(struct side *s)
{
    s->value = mem_array(s->at.n + 1, sizeof *s->value);
    s->delta = mem_array(s->at.n + 1, sizeof *s->delta);
    s->xor = mem_array(s->at.n + 1, sizeof *s->xor);
    memset(s->value, 0, s->at.n * sizeof *s->value);
    memset(s->delta, 0, s->at.n * sizeof *s->delta);
    memset(s->xor, 0, s->at.n * sizeof *s->xor);
}

static void side_fini(struct side *s)
{
    vec_fini(&s->at);
    free(s->value);
    free(s->delta);
    free(s->xor);
}

static uint8_t flags_of(const struct histogram *h)
{
    return h->reset == HISTOGRAM_GAUGE ? 0xc0 : h->reset == HISTOGRAM_RESET_YES ? 0x80 : 0;
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    return a->custom_n == b->custom_n &&
           (a->custom_n == 0 || memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) == 0);
}

/* Both may stand in one chunk: readers take it that nothing was reset inside. */
static bool goes_with(const struct histogram *h, const struct histogram *before)
{
    bool gauge = h->reset == HISTOGRAM_GAUGE;
    if (h->schema != before->schema || h->zero_threshold != before->zero_threshold ||
        gauge != (before->reset == HISTOGRAM_GAUGE) || !same_bounds(h, before) ||
        histogram_is_integral(h) != histogram_is_integral(before))
        return false;
    return gauge || (h->reset != HISTOGRAM_RESET_YES && !histogram_was_reset(h, before));
}

/* How many of them go into one chunk, and its layout. */
static size_t gather(struct writer *w, const struct histogram *const *h, size_t n)
{
    size_t k = 0;
    while (k < n && h[k] && (k == 0 || goes_with(h[k], h[k - 1])) &&
           w->positive.at.n + w->negative.at.n < HISTOGRAM_BUCKETS_MAX / 2) {
        merge_side(&w->positive.at, &h[k]->positive);
        merge_side(&w->negative.at, &h[k]->negative);
        k++;
    }
    return k;
}

size_t prom_chunk_put_histograms(const ts_ms *t, const struct histogram *const *h, size_t n,
                                 uint8_t *encoding, struct strbuf *out)
{
    struct writer w = {.w.out = out, .floats = !histogram_is_integral(h[0])};
    assert(n > 0 && n <= PROM_CHUNK_SAMPLES_MAX);
    n = gather(&w, h, n);
    side_init(&w.positive);
    side_init(&w.negative);
    prom_bits_put(&w.w, n, 16);
    prom_bits_put(&w.w, flags_of(h[0]), 8);
    put_threshold(&w.w, h[0]->zero_threshold);
    put_int(&w.w, h[0]->schema);
    put_spans(&w.w, &w.positive.at);
    put_spans(&w.w, &w.negative.at);
    if (h[0]->schema == HISTOGRAM_CUSTOM)
        put_custom(&w.w, h[0]);
    for (size_t i = 0; i < n; i++)
        put_sample(&w, i == 0, t[i], h[i]);
    side_fini(&w.positive);
    side_fini(&w.negative);
    *encoding = w.floats ? PROM_CHUNK_FLOAT_HISTOGRAM : PROM_CHUNK_HISTOGRAM;
    return n;
}
