// SPDX-License-Identifier: Apache-2.0
/* The reading half of hist_block.c: every length is checked before it is believed. */
#include "tsdb/doubles.h"
#include "tsdb/hist_block.h"
#include "tsdb/hist_block_int.h"
#include "tsdb/ints.h"

/* A run while it is read. `like` holds what its samples have in common. */
struct reading {
    struct dec *d;
    struct arena *a;
    uint8_t bits;
    size_t n;
    struct histogram like;
    struct histogram *out;
    double *counts; /* n rows of width - 1: positive, then negative */
};

static void take_doubles(struct dec *d, double *v, size_t n)
{
    for (size_t at = 0; at < n && !d->bad; at += DOUBLES_MAX)
        doubles_decode(d, v + at, n - at < DOUBLES_MAX ? n - at : DOUBLES_MAX);
}

static void take_ints(struct dec *d, int64_t *x, size_t n)
{
    for (size_t at = 0; at < n && !d->bad; at += INTS_MAX)
        ints_decode(d, x + at, n - at < INTS_MAX ? n - at : INTS_MAX);
}

static bool bad(struct reading *r)
{
    r->d->bad = true;
    return false;
}

/* ---- layout ---- */

static bool take_custom(struct reading *r)
{
    uint64_t n = dec_uvar(r->d);
    if (r->d->bad || n >= HISTOGRAM_BUCKETS_MAX)
        return bad(r);
    double *v = arena_alloc(r->a, n * sizeof *v);
    take_doubles(r->d, v, n);
    r->like.custom = v;
    r->like.custom_n = (uint32_t)n;
    return !r->d->bad;
}

static bool take_frame(struct reading *r)
{
    int64_t schema = dec_svar(r->d);
    if (schema == HISTOGRAM_CUSTOM) {
        r->like.schema = HISTOGRAM_CUSTOM;
        return take_custom(r);
    }
    if (schema < HISTOGRAM_SCHEMA_MIN || schema > HISTOGRAM_SCHEMA_MAX)
        return bad(r);
    r->like.schema = (int8_t)schema;
    r->like.zero_threshold = HIST_USUAL_THRESHOLD;
    uint8_t code = dec_u8(r->d);
    if (code == THRESHOLD_WRITTEN) {
        uint64_t bits = dec_u64(r->d);
        memcpy(&r->like.zero_threshold, &bits, sizeof bits);
    } else if (code != THRESHOLD_USUAL) {
        return bad(r);
    }
    return !r->d->bad;
}

static bool take_spans(struct reading *r, struct histogram_buckets *b)
{
    uint64_t n = dec_uvar(r->d), total = 0;
    if (r->d->bad || n > HISTOGRAM_BUCKETS_MAX || n > dec_left(r->d))
        return bad(r);
    struct histogram_span *spans = arena_alloc(r->a, n * sizeof *spans);
    for (uint64_t i = 0; i < n; i++) {
        int64_t offset = dec_svar(r->d);
        uint64_t len = dec_uvar(r->d);
        if (offset < INT32_MIN || offset > INT32_MAX || len > HISTOGRAM_BUCKETS_MAX)
            return bad(r);
        spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)len};
        total += len;
    }
    if (total > HISTOGRAM_BUCKETS_MAX)
        return bad(r);
    b->spans = spans;
    b->spans_n = (uint32_t)n;
    b->counts_n = (uint32_t)total;
    return !r->d->bad;
}

/* ---- columns ---- */

static bool take_hints(struct reading *r)
{
    int64_t x[HIST_BLOCK_SAMPLES_MAX];
    if (r->bits & RUN_ONE_HINT) {
        int64_t hint = dec_u8(r->d);
        for (size_t i = 0; i < r->n; i++)
            x[i] = hint;
    } else {
        take_ints(r->d, x, r->n);
    }
    for (size_t i = 0; i < r->n && !r->d->bad; i++) {
        if (x[i] < 0 || x[i] > HISTOGRAM_GAUGE)
            return bad(r);
        r->out[i].reset = (uint8_t)x[i];
    }
    return !r->d->bad;
}

static bool take_sums(struct reading *r)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    take_doubles(r->d, v, r->n);
    for (size_t i = 0; i < r->n && !r->d->bad; i++)
        r->out[i].sum = v[i];
    return !r->d->bad;
}

/* One row: n doubles, or n integers made doubles. */
static void take_row(struct reading *r, double *v, size_t n)
{
    if (!(r->bits & RUN_INTEGRAL)) {
        take_doubles(r->d, v, n);
        return;
    }
    int64_t *x = (int64_t *)v;
    take_ints(r->d, x, n);
    for (size_t i = 0; i < n && !r->d->bad; i++)
        v[i] = (double)x[i];
}

static void take_counts(struct reading *r)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    if (r->bits & RUN_COUNT_DERIVED)
        return;
    take_row(r, v, r->n);
    for (size_t i = 0; i < r->n && !r->d->bad; i++)
        r->out[i].count = v[i];
}

/* Place k of sample i's row: the zero bucket, then the others. */
static double *cell(struct reading *r, size_t i, size_t k, size_t width)
{
    return k == 0 ? &r->out[i].zero_count : &r->counts[i * (width - 1) + k - 1];
}

static void take_columns(struct reading *r, size_t width)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    for (size_t k = 0; k < width && !r->d->bad; k++) {
        take_row(r, v, r->n);
        for (size_t i = 0; i < r->n && !r->d->bad; i++)
            *cell(r, i, k, width) = v[i];
    }
}

/* Integers are differences to the sample before. */
static void take_flat(struct reading *r, size_t width)
{
    bool integral = r->bits & RUN_INTEGRAL;
    size_t n = width * r->n;
    double *v = mem_array(n, sizeof *v);
    int64_t *x = (int64_t *)v;
    if (integral)
        take_ints(r->d, x, n);
    else
        take_doubles(r->d, v, n);
    for (size_t at = 0; at < n && !r->d->bad; at++) {
        if (integral && at >= width)
            x[at] = (int64_t)((uint64_t)x[at] + (uint64_t)x[at - width]);
        *cell(r, at / width, at % width, width) = integral ? (double)x[at] : v[at];
    }
    free(v);
}

static void derive_counts(struct reading *r, size_t buckets)
{
    for (size_t i = 0; i < r->n; i++) {
        double sum = r->out[i].zero_count;
        for (size_t k = 0; k < buckets; k++)
            sum += r->counts[i * buckets + k];
        r->out[i].count = sum;
    }
}

/* ---- runs ---- */

static bool take_layout(struct reading *r)
{
    r->bits = dec_u8(r->d);
    if (r->bits & ~RUN_BITS || (r->bits & RUN_COUNT_DERIVED && !(r->bits & RUN_INTEGRAL)))
        return bad(r);
    return take_frame(r) && take_spans(r, &r->like.positive) && take_spans(r, &r->like.negative);
}

static void share_layout(struct reading *r, size_t buckets)
{
    r->counts = arena_alloc(r->a, r->n * buckets * sizeof *r->counts);
    r->out = arena_alloc(r->a, r->n * sizeof *r->out);
    for (size_t i = 0; i < r->n; i++) {
        r->out[i] = r->like;
        r->out[i].positive.counts = r->counts + i * buckets;
        r->out[i].negative.counts = r->counts + i * buckets + r->like.positive.counts_n;
    }
}

static bool checks(struct reading *r)
{
    struct err err;
    for (size_t i = 0; i < r->n; i++)
        if (!histogram_check(&r->out[i], &err))
            return bad(r);
    return true;
}

/* Reads a run of n samples, of at most *cells cells, which it takes off. */
static bool take_run(struct reading *r, size_t *cells)
{
    if (!take_layout(r))
        return false;
    size_t buckets = (size_t)r->like.positive.counts_n + r->like.negative.counts_n;
    if (r->n * buckets > *cells)
        return bad(r);
    *cells -= r->n * buckets;
    share_layout(r, buckets);
    if (!take_hints(r) || !take_sums(r))
        return false;
    take_counts(r);
    if (r->n >= RUN_COLUMNS_MIN)
        take_columns(r, 1 + buckets);
    else
        take_flat(r, 1 + buckets);
    if (r->d->bad)
        return false;
    if (r->bits & RUN_COUNT_DERIVED)
        derive_counts(r, buckets);
    return checks(r);
}

size_t hist_block_count(bytes b)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d);
    return d.bad || n > HIST_BLOCK_SAMPLES_MAX ? 0 : n;
}

static bool take_runs(struct dec *d, struct arena *a, const struct histogram **h, size_t n)
{
    uint64_t runs = dec_uvar(d);
    size_t cells = HIST_BLOCK_CELLS_MAX, at = 0;
    for (uint64_t k = 0; k < runs && !d->bad; k++) {
        uint64_t run_n = dec_uvar(d);
        if (run_n == 0 || run_n > n - at)
            return false;
        struct reading r = {.d = d, .a = a, .n = run_n};
        if (!take_run(&r, &cells))
            return false;
        for (size_t i = 0; i < run_n; i++)
            h[at++] = &r.out[i];
    }
    return !d->bad && at == n;
}

bool hist_block_decode(bytes b, struct arena *a, ts_ms *t, const struct histogram **h,
                       struct err *err)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d);
    if (n == 0 || n > HIST_BLOCK_SAMPLES_MAX)
        d.bad = true;
    if (!d.bad)
        ints_decode(&d, t, n);
    if (d.bad || !take_runs(&d, a, h, n) || dec_left(&d) != 0)
        return err_set(err, ERR_CORRUPT, "a block of histograms is malformed");
    return true;
}

const struct histogram *hist_decode(struct dec *d, struct arena *a)
{
    size_t cells = HIST_BLOCK_CELLS_MAX;
    struct reading r = {.d = d, .a = a, .n = 1};
    return take_run(&r, &cells) ? r.out : NULL;
}
