// SPDX-License-Identifier: Apache-2.0
#include "tsdb/doubles.h"

#include <assert.h>
#include <math.h>

#include "tsdb/ints.h"

enum {
    MODE_BITS = 0,
    MODE_DECIMAL = 1, /* + number of decimals */
    DECIMALS_MAX = 15,
};

/* Exactly representable, so a division by them rounds once: the nearest double to m / 10^k. */
static const double pow10_table[DECIMALS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
#define MANTISSA_MAX 9007199254740992.0 /* 2^53: integers below are exact */

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

/* The mantissa of v with k decimals, when that gives v back bit by bit. */
static bool mantissa(double v, unsigned k, int64_t *m)
{
    double x = v * pow10_table[k];
    if (!(x > -MANTISSA_MAX && x < MANTISSA_MAX))
        return false;
    *m = (int64_t)nearbyint(x);
    return bits_of((double)*m / pow10_table[k]) == bits_of(v);
}

/* How many decimals the row needs; false when too many of its values are no decimals. */
static bool find_decimals(const double *v, size_t n, unsigned *decimals)
{
    unsigned k = 0;
    size_t strange = 0, strange_max = n / 16 + 1;
    int64_t m;
    for (size_t i = 0; i < n; i++) {
        unsigned try_k = k;
        while (try_k <= DECIMALS_MAX && !mantissa(v[i], try_k, &m)) {
            if (!isfinite(v[i]) || v[i] == 0)
                try_k = DECIMALS_MAX;
            try_k++;
        }
        if (try_k <= DECIMALS_MAX)
            k = try_k;
        else if (++strange > strange_max)
            return false;
    }
    *decimals = k;
    return true;
}

static bool encode_decimal(struct enc *e, const double *v, size_t n)
{
    int64_t m[DOUBLES_MAX], last = 0, mine;
    uint16_t strange[DOUBLES_MAX];
    size_t strange_n = 0;
    unsigned k;
    if (!find_decimals(v, n, &k))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (mantissa(v[i], k, &mine))
            last = mine;
        else
            strange[strange_n++] = (uint16_t)i;
        m[i] = last; /* a strange value continues the row where it costs least */
    }
    if (strange_n > n / 8 + 2)
        return false;
    enc_u8(e, (uint8_t)(MODE_DECIMAL + k));
    enc_uvar(e, strange_n);
    for (size_t i = 0, before = 0; i < strange_n; before = strange[i++]) {
        enc_uvar(e, strange[i] - before);
        enc_u64(e, bits_of(v[strange[i]]));
    }
    ints_encode(e, m, n);
    return true;
}

static void encode_bits(struct enc *e, const double *v, size_t n)
{
    int64_t m[DOUBLES_MAX];
    for (size_t i = 0; i < n; i++)
        m[i] = order_bits(bits_of(v[i]));
    enc_u8(e, MODE_BITS);
    ints_encode(e, m, n);
}

void doubles_encode(struct enc *e, const double *v, size_t n)
{
    assert(n <= DOUBLES_MAX);
    if (!encode_decimal(e, v, n))
        encode_bits(e, v, n);
}

static void decode_decimal(struct dec *d, unsigned k, double *v, size_t n)
{
    uint64_t strange_n = dec_uvar(d), at = 0;
    if (strange_n > n)
        d->bad = true;
    struct dec strange = *d;
    for (uint64_t i = 0; i < strange_n && !d->bad; i++) {
        dec_uvar(d);
        dec_u64(d);
    }
    int64_t *m = (int64_t *)v;
    ints_decode(d, m, n);
    if (d->bad)
        return;
    for (size_t i = 0; i < n; i++)
        v[i] = (double)m[i] / pow10_table[k];
    for (uint64_t i = 0; i < strange_n; i++) {
        at += dec_uvar(&strange);
        uint64_t b = dec_u64(&strange);
        if (at >= n) {
            d->bad = true;
            return;
        }
        v[at] = double_of(b);
    }
}

static void decode_bits(struct dec *d, double *v, size_t n)
{
    int64_t *m = (int64_t *)v;
    ints_decode(d, m, n);
    for (size_t i = 0; i < n && !d->bad; i++)
        v[i] = double_of((uint64_t)order_bits((uint64_t)m[i]));
}

void doubles_decode(struct dec *d, double *v, size_t n)
{
    uint8_t mode = dec_u8(d);
    if (n > DOUBLES_MAX)
        d->bad = true;
    if (!d->bad && mode == MODE_BITS)
        decode_bits(d, v, n);
    else if (!d->bad && mode <= MODE_DECIMAL + DECIMALS_MAX)
        decode_decimal(d, mode - MODE_DECIMAL, v, n);
    else
        d->bad = true;
}
