// SPDX-License-Identifier: Apache-2.0
/* The writing half; hist_block_read.c is the other one. */
#include "tsdb/hist_block.h"

#include <assert.h>

#include "base/vec.h"
#include "tsdb/doubles.h"
#include "tsdb/hist_block_int.h"
#include "tsdb/ints.h"

/* Buckets of one sign that a run has, rising. */
typedef VEC(int32_t) index_list;

struct run {
    const struct histogram *const *h;
    size_t n;
    index_list positive, negative, scratch;
    size_t used_min; /* buckets that the poorest sample has */
};

/* A run may have so many buckets that its poorest sample does not use. */
static size_t buckets_allowed(size_t used_min)
{
    return 2 * used_min + 32;
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_frame(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && same_double(a->zero_threshold, b->zero_threshold) &&
           a->custom_n == b->custom_n &&
           (a->custom_n == 0 || a->custom == b->custom ||
            memcmp(a->custom, b->custom, a->custom_n * sizeof *a->custom) == 0);
}

static size_t used_of(const struct histogram_buckets *b)
{
    size_t n = 0;
    for (uint32_t i = 0; i < b->counts_n; i++)
        n += b->counts[i] != 0;
    return n;
}

/* Puts the union of `have` and the used buckets of `b` into `out`. */
static void unite(const index_list *have, const struct histogram_buckets *b, index_list *out)
{
    struct histogram_walk w = histogram_walk_of(b);
    size_t i = 0;
    vec_clear(out);
    vec_reserve(out, have->n + b->counts_n);
    while (histogram_walk_next(&w)) {
        if (w.count == 0)
            continue;
        while (i < have->n && have->at[i] < w.index)
            out->at[out->n++] = have->at[i++];
        if (i < have->n && have->at[i] == w.index)
            i++;
        out->at[out->n++] = (int32_t)w.index;
    }
    while (i < have->n)
        out->at[out->n++] = have->at[i++];
}

static void swap(index_list *a, index_list *b)
{
    index_list t = *a;
    *a = *b;
    *b = t;
}

/* Takes `h` into the run when it fits into what a block has left. */
static bool run_take(struct run *r, const struct histogram *h, size_t cells_left)
{
    size_t used = used_of(&h->positive) + used_of(&h->negative);
    index_list negative = {0};
    size_t used_min = r->n && r->used_min < used ? r->used_min : used;
    unite(&r->positive, &h->positive, &r->scratch);
    unite(&r->negative, &h->negative, &negative);
    size_t width = r->scratch.n + negative.n;
    bool fits =
        r->n == 0 || (width <= buckets_allowed(used_min) && (r->n + 1) * width <= cells_left);
    if (fits) {
        swap(&r->positive, &r->scratch);
        swap(&r->negative, &negative);
        r->used_min = used_min;
        r->n++;
    }
    vec_fini(&negative);
    return fits;
}

/* The longest run at the start of h[0..n). */
static void run_find(struct run *r, const struct histogram *const *h, size_t n, size_t cells_left)
{
    r->h = h;
    r->n = 0;
    vec_clear(&r->positive);
    vec_clear(&r->negative);
    while (r->n < n && same_frame(h[0], h[r->n]) && run_take(r, h[r->n], cells_left))
        ;
}

static size_t run_width(const struct run *r)
{
    return r->positive.n + r->negative.n;
}

static void run_fini(struct run *r)
{
    vec_fini(&r->positive);
    vec_fini(&r->negative);
    vec_fini(&r->scratch);
}

/* ---- layout ---- */

static void put_indexes(struct enc *e, const index_list *l)
{
    size_t spans = 0;
    for (size_t i = 0; i < l->n; i++)
        spans += i == 0 || l->at[i] != l->at[i - 1] + 1;
    enc_uvar(e, spans);
    int64_t end = 0;
    for (size_t i = 0, n; i < l->n; i += n) {
        for (n = 1; i + n < l->n && l->at[i + n] == l->at[i] + (int32_t)n; n++)
            ;
        enc_svar(e, l->at[i] - end);
        enc_uvar(e, n);
        end = (int64_t)l->at[i] + (int64_t)n;
    }
}

static void put_frame(struct enc *e, const struct histogram *h)
{
    enc_svar(e, h->schema);
    if (h->schema == HISTOGRAM_CUSTOM) {
        enc_uvar(e, h->custom_n);
        put_doubles(e, h->custom, h->custom_n);
    } else if (same_double(h->zero_threshold, HIST_USUAL_THRESHOLD)) {
        enc_u8(e, THRESHOLD_USUAL);
    } else {
        enc_u8(e, THRESHOLD_WRITTEN);
        enc_bytes(e, &h->zero_threshold, sizeof h->zero_threshold);
    }
}

/* ---- columns ---- */

void put_doubles(struct enc *e, const double *v, size_t n)
{
    for (size_t at = 0; at < n; at += DOUBLES_MAX)
        doubles_encode(e, v + at, n - at < DOUBLES_MAX ? n - at : DOUBLES_MAX);
}

static void put_ints(struct enc *e, const int64_t *x, size_t n)
{
    for (size_t at = 0; at < n; at += INTS_MAX)
        ints_encode(e, x + at, n - at < INTS_MAX ? n - at : INTS_MAX);
}

static void fill_row(const index_list *l, const struct histogram_buckets *b, double *row)
{
    struct histogram_walk w = histogram_walk_of(b);
    size_t k = 0;
    memset(row, 0, l->n * sizeof *row);
    while (histogram_walk_next(&w)) {
        if (w.count == 0)
            continue;
        while (l->at[k] != w.index)
            k++;
        row[k] = w.count;
    }
}

/* The counts as a table: a row a sample; first the zero bucket, then positive, then negative. */
static double *table_of(const struct run *r)
{
    size_t width = 1 + run_width(r);
    double *m = mem_array(r->n * width, sizeof *m);
    for (size_t i = 0; i < r->n; i++) {
        m[i * width] = r->h[i]->zero_count;
        fill_row(&r->positive, &r->h[i]->positive, m + i * width + 1);
        fill_row(&r->negative, &r->h[i]->negative, m + i * width + 1 + r->positive.n);
    }
    return m;
}

static bool is_integral(const struct run *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (!histogram_is_integral(r->h[i]))
            return false;
    return true;
}

/* Whole numbers below 2^53 add up exactly. */
static bool is_count_sum(const struct run *r, const double *m, size_t width)
{
    for (size_t i = 0; i < r->n; i++) {
        double sum = 0;
        for (size_t k = 0; k < width; k++)
            sum += m[i * width + k];
        if (!same_double(sum, r->h[i]->count))
            return false;
    }
    return true;
}

static void put_counts(struct enc *e, const struct run *r, bool integral)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    int64_t x[HIST_BLOCK_SAMPLES_MAX];
    for (size_t i = 0; i < r->n; i++) {
        v[i] = r->h[i]->count;
        x[i] = integral ? (int64_t)v[i] : 0;
    }
    if (integral)
        put_ints(e, x, r->n);
    else
        put_doubles(e, v, r->n);
}

/* One row for all: the first sample, then what each adds to the one before. */
static void put_integers_flat(struct enc *e, const double *m, size_t width, size_t n)
{
    int64_t *x = mem_array(width * n + 1, sizeof *x);
    for (size_t k = 0; k < width * n; k++)
        x[k] = (int64_t)m[k] - (k >= width ? (int64_t)m[k - width] : 0);
    put_ints(e, x, width * n);
    free(x);
}

static void put_columns(struct enc *e, const double *m, size_t width, size_t n, bool integral)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    int64_t x[HIST_BLOCK_SAMPLES_MAX];
    for (size_t k = 0; k < width; k++) {
        for (size_t i = 0; i < n; i++) {
            v[i] = m[i * width + k];
            x[i] = integral ? (int64_t)v[i] : 0;
        }
        if (integral)
            put_ints(e, x, n);
        else
            put_doubles(e, v, n);
    }
}

static void put_sums(struct enc *e, const struct run *r)
{
    double v[HIST_BLOCK_SAMPLES_MAX];
    for (size_t i = 0; i < r->n; i++)
        v[i] = r->h[i]->sum;
    put_doubles(e, v, r->n);
}

static void put_hints(struct enc *e, const struct run *r, bool one)
{
    if (one) {
        enc_u8(e, r->h[0]->reset);
        return;
    }
    int64_t x[HIST_BLOCK_SAMPLES_MAX];
    for (size_t i = 0; i < r->n; i++)
        x[i] = r->h[i]->reset;
    put_ints(e, x, r->n);
}

static bool is_one_hint(const struct run *r)
{
    for (size_t i = 1; i < r->n; i++)
        if (r->h[i]->reset != r->h[0]->reset)
            return false;
    return true;
}

/* All of a run but its length. */
static void put_run(struct enc *e, const struct run *r)
{
    size_t width = 1 + run_width(r);
    double *m = table_of(r);
    bool integral = is_integral(r), one_hint = is_one_hint(r);
    bool derived = integral && is_count_sum(r, m, width);
    enc_u8(e, (uint8_t)((integral ? RUN_INTEGRAL : 0) | (derived ? RUN_COUNT_DERIVED : 0) |
                        (one_hint ? RUN_ONE_HINT : 0)));
    put_frame(e, r->h[0]);
    put_indexes(e, &r->positive);
    put_indexes(e, &r->negative);
    put_hints(e, r, one_hint);
    put_sums(e, r);
    if (!derived)
        put_counts(e, r, integral);
    if (r->n >= RUN_COLUMNS_MIN)
        put_columns(e, m, width, r->n, integral);
    else if (integral)
        put_integers_flat(e, m, width, r->n);
    else
        put_doubles(e, m, width * r->n);
    free(m);
}

size_t hist_block_encode(struct enc *e, const ts_ms *t, const struct histogram *const *h, size_t n)
{
    struct enc runs = {0};
    struct run r = {0};
    size_t taken = 0, runs_n = 0, cells = 0;
    assert(n >= 1);
    n = n < HIST_BLOCK_SAMPLES_MAX ? n : HIST_BLOCK_SAMPLES_MAX;
    while (taken < n) {
        run_find(&r, h + taken, n - taken, HIST_BLOCK_CELLS_MAX - cells);
        if (taken > 0 && r.n * run_width(&r) > HIST_BLOCK_CELLS_MAX - cells)
            break;
        enc_uvar(&runs, r.n);
        put_run(&runs, &r);
        cells += r.n * run_width(&r);
        taken += r.n;
        runs_n++;
    }
    run_fini(&r);
    enc_uvar(e, taken);
    ints_encode(e, t, taken);
    enc_uvar(e, runs_n);
    enc_bytes(e, runs.p, runs.n);
    enc_fini(&runs);
    return taken;
}

void hist_encode(struct enc *e, const struct histogram *h)
{
    struct run r = {0};
    run_find(&r, &h, 1, HIST_BLOCK_CELLS_MAX);
    put_run(e, &r);
    run_fini(&r);
}
