// SPDX-License-Identifier: Apache-2.0
#include "tsdb/tier_block.h"

#include <assert.h>
#include <math.h>

#include "tsdb/doubles.h"
#include "tsdb/hist_block.h"
#include "tsdb/ints.h"

/* Columns that are there; one that is not is all zero. */
enum {
    HAS_START = 1, /* rows that begin behind the border before them */
    HAS_END = 2,   /* rows that end before the border behind them */
    HAS_STALE = 4,
    HAS_LOST = 8,
    HAS_HISTOGRAMS = 16, /* instead of numbers */
    HAS_BITS = 31,
};

enum { LIKE_MAX_SHARE = 8, HIST_ROWS_MAX = 256 };

typedef int64_t ints_column[TIER_BLOCK_ROWS_MAX];
typedef double doubles_column[TIER_BLOCK_ROWS_MAX];

/* Differences may wrap: any time comes back. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* ---- times ---- */

struct times {
    ints_column window, start, end, stale, first, last, count;
};

static void split_times(struct times *c, int64_t step, const struct tier_row *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ts_ms w = tier_window_start(r[i].end, step);
        int64_t k = w / step - (w % step < 0);
        ts_ms border = (ts_ms)((uint64_t)k * (uint64_t)step);
        c->window[i] = k;
        c->start[i] = minus(r[i].start, border);
        c->end[i] = minus(plus(border, step), r[i].end);
        c->first[i] = minus(r[i].first_t, border);
        c->last[i] = minus(r[i].last_t, border);
        c->stale[i] = r[i].stale;
        c->count[i] = (int64_t)r[i].count;
    }
}

static void join_times(const struct times *c, int64_t step, struct tier_row *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ts_ms border = (ts_ms)((uint64_t)c->window[i] * (uint64_t)step);
        r[i].start = plus(border, c->start[i]);
        r[i].end = minus(plus(border, step), c->end[i]);
        r[i].first_t = plus(border, c->first[i]);
        r[i].last_t = plus(border, c->last[i]);
        r[i].stale = c->stale[i] != 0;
        r[i].count = (uint64_t)c->count[i];
    }
}

static bool any(const int64_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i])
            return true;
    return false;
}

static void put_optional(struct enc *e, bool there, const int64_t *x, size_t n)
{
    if (there)
        ints_encode(e, x, n);
}

static void take_optional(struct dec *d, bool there, int64_t *x, size_t n)
{
    if (there)
        ints_decode(d, x, n);
    else
        memset(x, 0, n * sizeof *x);
}

static unsigned times_bits(const struct times *c, size_t n)
{
    return (any(c->start, n) ? HAS_START : 0) | (any(c->end, n) ? HAS_END : 0) |
           (any(c->stale, n) ? HAS_STALE : 0);
}

static void put_times(struct enc *e, const struct times *c, unsigned bits, size_t n)
{
    ints_encode(e, c->window, n);
    put_optional(e, bits & HAS_START, c->start, n);
    put_optional(e, bits & HAS_END, c->end, n);
    put_optional(e, bits & HAS_STALE, c->stale, n);
    ints_encode(e, c->first, n);
    ints_encode(e, c->last, n);
    ints_encode(e, c->count, n);
}

static void take_times(struct dec *d, struct times *c, unsigned bits, size_t n)
{
    ints_decode(d, c->window, n);
    take_optional(d, bits & HAS_START, c->start, n);
    take_optional(d, bits & HAS_END, c->end, n);
    take_optional(d, bits & HAS_STALE, c->stale, n);
    ints_decode(d, c->first, n);
    ints_decode(d, c->last, n);
    ints_decode(d, c->count, n);
}

/* ---- numbers ---- */

/* A column that is mostly another one: u8 1, and the places where it is not; or u8 0 and itself. */
static void put_like(struct enc *e, const double *v, const double *like, size_t n)
{
    size_t different = 0, last = 0;
    for (size_t i = 0; i < n; i++)
        different += !same_bits(v[i], like[i]);
    if (different > n / LIKE_MAX_SHARE) {
        enc_u8(e, 0);
        doubles_encode(e, v, n);
        return;
    }
    enc_u8(e, 1);
    enc_uvar(e, different);
    for (size_t i = 0; i < n; i++) {
        if (same_bits(v[i], like[i]))
            continue;
        enc_uvar(e, i - last);
        enc_bytes(e, &v[i], sizeof v[i]);
        last = i;
    }
}

static void take_like(struct dec *d, double *v, const double *like, size_t n)
{
    uint8_t mode = dec_u8(d);
    if (mode == 0) {
        doubles_decode(d, v, n);
        return;
    }
    uint64_t different = dec_uvar(d), at = 0;
    if (mode != 1 || different > n)
        d->bad = true;
    if (d->bad)
        return;
    memcpy(v, like, n * sizeof *v);
    for (uint64_t i = 0; i < different && !d->bad; i++) {
        at += dec_uvar(d);
        uint64_t bits = dec_u64(d);
        if (at >= n)
            d->bad = true;
        else
            v[at] = f64_from_bits(bits);
    }
}

/*
 * Sums of decimals are decimals but for the last bits, which rounding left. Written as u8 2 + k:
 * row of mantissas of 10^-k, row of distances from there in doubles. Else u8 0 and row of doubles.
 */
enum { DECIMALS_MAX = 9, NEAR = 8 };

static int64_t ordered(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return (int64_t)(b >> 63 ? b ^ 0x7fffffffffffffffULL : b);
}
static double of_ordered(int64_t x)
{
    uint64_t b = (uint64_t)x;
    return f64_from_bits(b >> 63 ? b ^ 0x7fffffffffffffffULL : b);
}

static const double powers[DECIMALS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* How many of the doubles are near a decimal of k places. */
static size_t split_decimals(const double *v, unsigned k, int64_t *m, int64_t *off, size_t n)
{
    size_t near = 0;
    int64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        double x = v[i] * powers[k];
        m[i] = last = x > -0x1p53 && x < 0x1p53 ? (int64_t)nearbyint(x) : last;
        off[i] = minus(ordered(v[i]), ordered((double)m[i] / powers[k]));
        near += off[i] >= -NEAR && off[i] <= NEAR;
    }
    return near;
}

static void put_sums(struct enc *e, const double *v, size_t n)
{
    ints_column m, off;
    for (unsigned k = 0; k <= DECIMALS_MAX; k++) {
        if (split_decimals(v, k, m, off, n) + n / LIKE_MAX_SHARE < n)
            continue;
        enc_u8(e, (uint8_t)(2 + k));
        ints_encode(e, m, n);
        ints_encode(e, off, n);
        return;
    }
    enc_u8(e, 0);
    doubles_encode(e, v, n);
}

static void take_sums(struct dec *d, double *v, size_t n)
{
    ints_column m, off;
    uint8_t mode = dec_u8(d);
    if (mode == 1 || mode > 2 + DECIMALS_MAX)
        d->bad = true;
    if (d->bad)
        return;
    if (mode == 0) {
        doubles_decode(d, v, n);
        return;
    }
    ints_decode(d, m, n);
    ints_decode(d, off, n);
    for (size_t i = 0; i < n && !d->bad; i++)
        v[i] = of_ordered(plus(ordered((double)m[i] / powers[mode - 2]), off[i]));
}

struct values {
    doubles_column first, last, min, max, sum, lost;
};

static void put_values(struct enc *e, const struct tier_row *r, size_t n, bool lost)
{
    struct values c;
    for (size_t i = 0; i < n; i++) {
        c.first[i] = r[i].first;
        c.last[i] = r[i].last;
        c.min[i] = r[i].min;
        c.max[i] = r[i].max;
        c.sum[i] = r[i].sum;
        c.lost[i] = r[i].lost;
    }
    doubles_encode(e, c.first, n);
    doubles_encode(e, c.last, n);
    put_like(e, c.min, c.first, n);
    put_like(e, c.max, c.last, n);
    put_sums(e, c.sum, n);
    if (lost)
        put_sums(e, c.lost, n);
}

static void take_values(struct dec *d, struct tier_row *r, size_t n, bool lost)
{
    struct values c;
    doubles_decode(d, c.first, n);
    doubles_decode(d, c.last, n);
    take_like(d, c.min, c.first, n);
    take_like(d, c.max, c.last, n);
    take_sums(d, c.sum, n);
    memset(c.lost, 0, n * sizeof c.lost[0]);
    if (lost)
        take_sums(d, c.lost, n);
    for (size_t i = 0; i < n && !d->bad; i++) {
        r[i].first = c.first[i];
        r[i].last = c.last[i];
        r[i].min = c.min[i];
        r[i].max = c.max[i];
        r[i].sum = c.sum[i];
        r[i].lost = c.lost[i];
    }
}

static bool any_lost(const struct tier_row *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_bits(r[i].lost, 0))
            return true;
    return false;
}

/* ---- histograms ---- */

/* First and last of each row in turn, as blocks of histograms whose times count up. */
static void put_pairs(struct enc *e, const struct tier_row *r, size_t n)
{
    const struct histogram *h[2 * HIST_ROWS_MAX];
    ts_ms t[2 * HIST_ROWS_MAX];
    size_t m = 0, done = 0;
    for (size_t i = 0; i < n; i++)
        if (r[i].count > 0) {
            t[m] = (ts_ms)m;
            h[m++] = r[i].hist->first;
            t[m] = (ts_ms)m;
            h[m++] = r[i].hist->last;
        }
    while (done < m) {
        struct enc block = {0};
        done += hist_block_encode(&block, t + done, h + done, m - done);
        enc_str(e, str_of((const char *)block.p, block.n));
        enc_fini(&block);
    }
}

static void put_lost(struct enc *e, const struct tier_row *r, size_t n)
{
    size_t count = 0, last = 0;
    for (size_t i = 0; i < n; i++)
        count += r[i].count > 0 && r[i].hist->lost;
    enc_uvar(e, count);
    for (size_t i = 0; i < n; i++) {
        if (r[i].count == 0 || !r[i].hist->lost)
            continue;
        enc_uvar(e, i - last);
        hist_encode(e, r[i].hist->lost);
        last = i;
    }
}

static size_t with_samples(const struct tier_row *r, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        m += r[i].count > 0;
    return m;
}

/* n histograms of blocks behind each other. */
static bool take_histograms(struct dec *d, struct arena *a, const struct histogram **h, size_t n)
{
    ts_ms t[HIST_BLOCK_SAMPLES_MAX];
    struct err err;
    for (size_t at = 0; at < n;) {
        str s = dec_str(d);
        size_t k = d->bad ? 0 : hist_block_count(bytes_from_str(s));
        if (k == 0 || k > n - at || !hist_block_decode(bytes_from_str(s), a, t, h + at, &err))
            return false;
        at += k;
    }
    return true;
}

static bool take_lost(struct dec *d, struct arena *a, const struct tier_row *r,
                      struct tier_hist *const *hist, size_t n)
{
    uint64_t count = dec_uvar(d), at = 0;
    for (uint64_t i = 0; i < count && !d->bad; i++) {
        at += dec_uvar(d);
        if (d->bad || at >= n || r[at].count == 0 || count > n)
            return false;
        hist[at]->lost = hist_decode(d, a);
    }
    return !d->bad;
}

static bool take_pairs(struct dec *d, struct arena *a, struct tier_row *r, size_t n)
{
    const struct histogram *h[2 * HIST_ROWS_MAX];
    struct tier_hist *hist[HIST_ROWS_MAX] = {0};
    if (n > HIST_ROWS_MAX || !take_histograms(d, a, h, 2 * with_samples(r, n)))
        return false;
    for (size_t i = 0, m = 0; i < n; i++) {
        if (r[i].count == 0)
            continue;
        hist[i] = arena_new(a, struct tier_hist);
        hist[i]->first = h[m++];
        hist[i]->last = h[m++];
        r[i].hist = hist[i];
    }
    return take_lost(d, a, r, hist, n);
}

/* ---- blocks ---- */

/* Rows from the first that a block can hold: numbers or histograms. */
static size_t rows_of_kind(const struct tier_row *r, size_t n, bool *histograms)
{
    size_t i = 0;
    *histograms = false;
    for (bool known = false; i < n && i < TIER_BLOCK_ROWS_MAX; i++) {
        if (r[i].count == 0)
            continue;
        if (known && *histograms != (r[i].hist != NULL))
            break;
        known = true;
        *histograms = r[i].hist != NULL;
    }
    return *histograms && i > HIST_ROWS_MAX ? HIST_ROWS_MAX : i;
}

size_t tier_block_encode(struct enc *e, int64_t step_ms, const struct tier_row *rows, size_t n)
{
    struct times times;
    bool histograms;
    assert(n >= 1 && step_ms >= TIER_STEP_MIN_MS && step_ms <= TIER_STEP_MAX_MS);
    n = rows_of_kind(rows, n, &histograms);
    split_times(&times, step_ms, rows, n);
    bool lost = !histograms && any_lost(rows, n);
    unsigned bits =
        times_bits(&times, n) | (lost ? HAS_LOST : 0) | (histograms ? HAS_HISTOGRAMS : 0);
    enc_uvar(e, n);
    enc_uvar(e, (uint64_t)step_ms);
    enc_u8(e, (uint8_t)bits);
    put_times(e, &times, bits, n);
    if (histograms) {
        put_pairs(e, rows, n);
        put_lost(e, rows, n);
    } else {
        put_values(e, rows, n, lost);
    }
    return n;
}

size_t tier_block_count(bytes b)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d);
    return d.bad || n > TIER_BLOCK_ROWS_MAX ? 0 : n;
}

/* What whoever reads rows relies on. */
static bool in_order(const struct tier_row *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool first_ok = r[i].first_t > r[i].start || r[i].start == INT64_MIN;
        if (!first_ok || r[i].first_t > r[i].last_t || r[i].last_t > r[i].end ||
            (r[i].count == 0 && !r[i].stale) || (i > 0 && r[i].start < r[i - 1].end))
            return false;
    }
    return true;
}

static bool take_rows(struct dec *d, struct arena *a, int64_t step, struct tier_row *r, size_t n)
{
    struct times times;
    uint8_t bits = dec_u8(d);
    if (bits > HAS_BITS)
        d->bad = true;
    if (!d->bad)
        take_times(d, &times, bits, n);
    if (d->bad)
        return false;
    join_times(&times, step, r, n);
    if (bits & HAS_HISTOGRAMS)
        return in_order(r, n) && take_pairs(d, a, r, n);
    take_values(d, r, n, bits & HAS_LOST);
    return !d->bad && in_order(r, n);
}

bool tier_block_decode(bytes b, struct tier_rows *out, int64_t *step_ms, struct err *err)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d), step = dec_uvar(&d);
    bool ok = !d.bad && n > 0 && n <= TIER_BLOCK_ROWS_MAX && step >= TIER_STEP_MIN_MS &&
              step <= TIER_STEP_MAX_MS;
    struct tier_row *rows = ok ? tier_rows_room(out, n) : NULL;
    if (!ok || !take_rows(&d, out->arena, (int64_t)step, rows, n) || dec_left(&d) != 0)
        return err_set(err, ERR_CORRUPT, "a block of tier rows is malformed");
    out->n += n;
    *step_ms = (int64_t)step;
    return true;
}
