// SPDX-License-Identifier: Apache-2.0
#include "tsdb/values.h"

#include <assert.h>
#include <math.h>

enum {
    DECIMALS_MAX = VALUES_MODE_MAX - VALUES_DECIMAL,
    MODE_STRANGE = 0x80, /* in a page: some values stand apart */
};

/* Exactly representable, so a division by them rounds once: the nearest double to m / 10^k. */
static const double pow10_table[DECIMALS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
#define MANTISSA_MAX 9007199254740992.0 /* 2^53: integers below are exact */
#define MANTISSA_NEAR (MANTISSA_MAX / 4) /* below, v * 10^k is less than a half off */

static uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static double double_of(uint64_t b)
{
    double v;
    memcpy(&v, &b, sizeof v);
    return v;
}

/* Doubles and their ordered bits rise together, so near values have near integers. */
static int64_t order_bits(uint64_t b)
{
    return (int64_t)(b >> 63 ? b ^ 0x7fffffffffffffffULL : b);
}

/* The mantissa of v with k decimals, when that gives v back bit by bit; else *m stays. */
static bool mantissa(double v, unsigned k, int64_t *m)
{
    double x = v * pow10_table[k];
    if (!(x > -MANTISSA_MAX && x < MANTISSA_MAX))
        return false;
    /* Away from zero at halves; whether that was right, the division tells. */
    int64_t near = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    if (bits_of((double)near / pow10_table[k]) != bits_of(v))
        return false;
    *m = near;
    return true;
}

static bool are_integers(const double *v, size_t n)
{
    bool all = true;
    for (size_t i = 0; i < n && all; i++)
        all = v[i] > -MANTISSA_MAX && v[i] < MANTISSA_MAX &&
              bits_of((double)(int64_t)v[i]) == bits_of(v[i]);
    return all;
}

/* The fewest decimals, at least `k`, that give v back; above DECIMALS_MAX: none do. */
static unsigned decimals_of(double v, unsigned k)
{
    unsigned top = DECIMALS_MAX;
    int64_t m;
    while (top > k && fabs(v) * pow10_table[top] >= MANTISSA_NEAR)
        top--;
    /* Below MANTISSA_NEAR whatever needs fewer decimals has more of them too. */
    if (!mantissa(v, top, &m))
        return top < DECIMALS_MAX && mantissa(v, top + 1, &m) ? top + 1 : DECIMALS_MAX + 1;
    while (!mantissa(v, k, &m))
        k++;
    return k;
}

/* All of a row with *k decimals, and what has no decimals apart. False when that is too much, or
 * with a larger *k when a value needs more. */
static bool put_decimals(const double *v, size_t n, unsigned *k, int64_t *m, struct values_form *f)
{
    bool apart = true;
    size_t leading = 0;
    int64_t last = 0;
    f->strange_n = 0;
    for (size_t i = 0; i < n; i++) {
        bool again = !apart && bits_of(v[i]) == bits_of(v[i - 1]);
        m[i] = last; /* what stands apart continues the row where it costs least */
        apart = !again && !mantissa(v[i], *k, &last);
        if (!apart) {
            m[i] = last;
            continue;
        }
        unsigned needs = decimals_of(v[i], *k + 1);
        if (needs <= DECIMALS_MAX)
            *k = needs;
        if (needs <= DECIMALS_MAX || f->strange_n >= n / 8 + 2 || f->strange_n >= ROW_MAX / 2)
            return false;
        f->strange[f->strange_n++] = (uint16_t)i;
        leading += f->strange_n == i + 1;
    }
    for (size_t i = 0; i < leading && leading < n; i++)
        m[i] = m[leading];
    return true;
}

static bool to_decimals(const double *v, size_t n, int64_t *m, struct values_form *f)
{
    unsigned k = 0, before;
    do {
        before = k;
        if (put_decimals(v, n, &k, m, f)) {
            f->mode = (uint8_t)(VALUES_DECIMAL + k);
            return true;
        }
    } while (k > before);
    return false;
}

void values_to_ints(const double *v, size_t n, int64_t *m, struct values_form *f)
{
    assert(n <= ROW_MAX);
    if (are_integers(v, n)) {
        for (size_t i = 0; i < n; i++)
            m[i] = (int64_t)v[i];
        f->mode = VALUES_DECIMAL;
        f->strange_n = 0;
    } else if (!to_decimals(v, n, m, f)) {
        for (size_t i = 0; i < n; i++)
            m[i] = order_bits(bits_of(v[i]));
        f->mode = VALUES_BITS;
        f->strange_n = 0;
    }
}

void values_from_ints(uint8_t mode, double *v, size_t n)
{
    const int64_t *m = (const int64_t *)v;
    assert(mode <= VALUES_MODE_MAX);
    if (mode == VALUES_BITS) {
        for (size_t i = 0; i < n; i++)
            v[i] = double_of((uint64_t)order_bits((uint64_t)m[i]));
    } else if (mode == VALUES_DECIMAL) {
        for (size_t i = 0; i < n; i++)
            v[i] = (double)m[i];
    } else {
        double scale = pow10_table[mode - VALUES_DECIMAL];
        for (size_t i = 0; i < n; i++)
            v[i] = (double)m[i] / scale;
    }
}

/* ---- values that stand apart ---- */

void values_put_strange(struct enc *e, const double *v, const struct values_form *f)
{
    for (size_t i = 0, before = 0; i < f->strange_n; before = f->strange[i++]) {
        enc_uvar(e, f->strange[i] - before);
        enc_u64(e, bits_of(v[f->strange[i]]));
    }
}

void values_skip_strange(struct dec *d, uint64_t n)
{
    for (uint64_t i = 0; i < n && !d->bad; i++) {
        dec_uvar(d);
        dec_u64(d);
    }
}

void values_set_strange(struct dec *d, uint64_t strange_n, double *v, size_t n)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < strange_n; i++) {
        at += dec_uvar(d);
        uint64_t b = dec_u64(d);
        if (at >= n || d->bad) {
            d->bad = true;
            return;
        }
        v[at] = double_of(b);
    }
}

/* ---- in a page ---- */

void values_encode(struct row_streams *s, const double *v, size_t n)
{
    int64_t m[ROW_MAX];
    struct values_form f;
    values_to_ints(v, n, m, &f);
    enc_u8(&s->ctl, (uint8_t)(f.mode | (f.strange_n ? MODE_STRANGE : 0)));
    if (f.strange_n) {
        enc_uvar(&s->ctl, f.strange_n);
        values_put_strange(&s->ctl, v, &f);
    }
    row_encode(s, m, n);
}

static uint8_t read_mode(struct row_cursor *c, size_t n, uint64_t *strange_n, struct dec *strange)
{
    uint8_t mode = dec_u8(&c->ctl);
    *strange_n = mode & MODE_STRANGE ? dec_uvar(&c->ctl) : 0;
    mode &= (uint8_t)~MODE_STRANGE;
    if (mode > VALUES_MODE_MAX || *strange_n > n)
        c->ctl.bad = true;
    *strange = c->ctl;
    values_skip_strange(&c->ctl, *strange_n);
    return mode;
}

static void fill(double *v, size_t n, double x)
{
    const double four[] = {x, x, x, x};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        memcpy(v + i, four, sizeof four);
    for (; i < n; i++)
        v[i] = x;
}

void values_decode(struct row_cursor *c, double *v, size_t n)
{
    uint64_t strange_n;
    struct dec strange;
    uint8_t mode = read_mode(c, n, &strange_n, &strange);
    if (c->ctl.bad)
        return;
    int64_t all;
    if (n > 0 && row_take_equal(c, &all)) {
        memcpy(v, &all, sizeof all);
        values_from_ints(mode, v, 1);
        fill(v, n, v[0]);
    } else {
        row_decode(c, (int64_t *)v, n);
        if (row_cursor_bad(c))
            return;
        values_from_ints(mode, v, n);
    }
    values_set_strange(&strange, strange_n, v, n);
    c->ctl.bad = strange.bad;
}

void values_skip(struct row_cursor *c, size_t n)
{
    uint64_t strange_n;
    struct dec strange;
    read_mode(c, n, &strange_n, &strange);
    if (!c->ctl.bad)
        row_skip(c, n);
}
