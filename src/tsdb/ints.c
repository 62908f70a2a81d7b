// SPDX-License-Identifier: Apache-2.0
#include "tsdb/ints.h"

#include <assert.h>

__extension__ typedef unsigned __int128 wide;

enum { KIND_ZIGZAG = 4, ORDERS = 3 };

/* One way to write a row. */
struct plan {
    unsigned order, width;
    bool zigzag;
    uint64_t base;
    uint64_t cost; /* bits */
};

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static uint64_t residual(uint64_t d, uint64_t base, bool zz)
{
    return zz ? zigzag((int64_t)(d - base)) : d - base;
}

/* Finds the width at which packed bits and exceptions together are shortest. */
static void price(struct plan *p, const uint64_t *d, size_t n)
{
    uint32_t lengths[65] = {0};
    for (size_t i = 0; i < n; i++)
        lengths[bit_length(residual(d[i], p->base, p->zigzag))]++;
    unsigned top = 64;
    while (top > 0 && !lengths[top])
        top--;
    p->width = top;
    p->cost = (uint64_t)top * n;
    /* From the top down; a width much below the best never gets better than it was. */
    for (unsigned w = top; w-- > 0;) {
        uint64_t cost = (uint64_t)w * n;
        for (unsigned k = w + 1; k <= top; k++)
            cost += (uint64_t)lengths[k] * (8 + 8 * ((k - w + 6) / 7));
        if (cost < p->cost) {
            p->cost = cost;
            p->width = w;
        }
    }
    p->cost += 8 * (3 + p->order * 3 + (bit_length(zigzag((int64_t)p->base)) + 6) / 7);
}

/* The middle of up to nine values spread over the row: robust against jumps. */
static uint64_t middle(const uint64_t *d, size_t n)
{
    int64_t some[9];
    size_t k = 0, step = n / 9 + 1;
    for (size_t i = 0; i < n && k < 9; i += step) {
        int64_t v = (int64_t)d[i];
        size_t at = k++;
        for (; at > 0 && some[at - 1] > v; at--)
            some[at] = some[at - 1];
        some[at] = v;
    }
    return k ? (uint64_t)some[k / 2] : 0;
}

static uint64_t least(const uint64_t *d, size_t n)
{
    int64_t min = n ? (int64_t)d[0] : 0;
    for (size_t i = 1; i < n; i++)
        if ((int64_t)d[i] < min)
            min = (int64_t)d[i];
    return (uint64_t)min;
}

static void try_plan(struct plan *best, const uint64_t *d, size_t n, unsigned order, bool zz,
                     uint64_t base)
{
    struct plan p = {.order = order, .zigzag = zz, .base = base};
    price(&p, d, n);
    if (p.cost < best->cost)
        *best = p;
}

static void differences(uint64_t *d, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        d[i] = d[i + 1] - d[i];
}

static void put_exceptions(struct enc *e, const struct plan *p, const uint64_t *d, size_t n)
{
    size_t count = 0, last = 0;
    if (p->width < 64)
        for (size_t i = 0; i < n; i++)
            count += residual(d[i], p->base, p->zigzag) >> p->width != 0;
    enc_uvar(e, count);
    for (size_t i = 0; i < n && count > 0; i++) {
        uint64_t high = residual(d[i], p->base, p->zigzag) >> p->width;
        if (!high)
            continue;
        enc_uvar(e, i - last);
        enc_uvar(e, high);
        last = i;
        count--;
    }
}

static void pack(struct enc *e, const struct plan *p, const uint64_t *d, size_t n)
{
    if (p->width == 0)
        return;
    size_t total = ((size_t)p->width * n + 7) / 8;
    uint8_t *out = enc_room(e, total + 16);
    uint64_t mask = p->width == 64 ? ~0ULL : (1ULL << p->width) - 1;
    wide acc = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (wide)(residual(d[i], p->base, p->zigzag) & mask) << have;
        have += p->width;
        while (have >= 64) {
            uint64_t word = (uint64_t)acc;
            memcpy(out, &word, sizeof word);
            out += sizeof word;
            acc >>= 64;
            have -= 64;
        }
    }
    uint64_t word = (uint64_t)acc;
    memcpy(out, &word, sizeof word);
    e->n += total;
}

void ints_encode(struct enc *e, const int64_t *x, size_t n)
{
    assert(n <= INTS_MAX);
    uint64_t d[INTS_MAX], seeds[ORDERS - 1] = {0};
    memcpy(d, x, n * sizeof *d);
    struct plan best = {.cost = UINT64_MAX};
    size_t m = n;
    try_plan(&best, d, m, 0, false, least(d, m));
    for (unsigned order = 1; order < ORDERS && m > 1 && best.cost > 64; order++) {
        seeds[order - 1] = d[0];
        differences(d, m--);
        try_plan(&best, d, m, order, true, order == 1 ? middle(d, m) : 0);
        if (order == 1)
            try_plan(&best, d, m, order, false, least(d, m));
    }
    memcpy(d, x, n * sizeof *d);
    m = n;
    for (unsigned order = 0; order < best.order; order++)
        differences(d, m--);
    enc_u8(e, (uint8_t)(best.order | (best.zigzag ? KIND_ZIGZAG : 0)));
    enc_u8(e, (uint8_t)best.width);
    for (unsigned i = 0; i < best.order; i++)
        enc_svar(e, (int64_t)seeds[i]);
    enc_svar(e, (int64_t)best.base);
    put_exceptions(e, &best, d, m);
    pack(e, &best, d, m);
}

/* `width` bits at bit `at`; the last bytes of the input one by one. */
static uint64_t bits_at(const uint8_t *p, const uint8_t *end, size_t at, unsigned width,
                        uint64_t mask)
{
    const uint8_t *q = p + at / 8;
    unsigned shift = at % 8;
    uint64_t lo = 0, hi = 0;
    if (end - q >= 9) {
        memcpy(&lo, q, sizeof lo);
        hi = q[8];
    } else {
        for (int i = 0; q + i < end; i++)
            lo |= (uint64_t)q[i] << (8 * i);
    }
    lo >>= shift;
    if (shift && shift + width > 64)
        lo |= hi << (64 - shift);
    return lo & mask;
}

static void unpack(struct dec *d, unsigned width, uint64_t *out, size_t n)
{
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    const uint8_t *p = dec_take(d, ((uint64_t)width * n + 7) / 8);
    if (!p)
        return;
    uint64_t mask = width == 64 ? ~0ULL : (1ULL << width) - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = bits_at(p, d->p, i * width, width, mask);
}

/* Exceptions come before the packed bits they complete, so they are read twice. */
static void add_exceptions(struct dec d, uint64_t count, unsigned width, uint64_t *out, size_t n,
                           bool *bad)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        at += dec_uvar(&d);
        uint64_t high = dec_uvar(&d);
        if (d.bad || at >= n || width >= 64) {
            *bad = true;
            return;
        }
        out[at] |= high << width;
    }
}

static void undo_differences(int64_t *x, size_t n, unsigned order, const int64_t *seeds)
{
    for (unsigned k = order; k-- > 0;) {
        /* The n - k values of order k from its first and the n - k - 1 of order k + 1. */
        uint64_t value = (uint64_t)seeds[k];
        for (size_t i = 0; i + k < n; i++) {
            uint64_t step = i + k + 1 < n ? (uint64_t)x[i] : 0;
            x[i] = (int64_t)value;
            value += step;
        }
    }
}

void ints_decode(struct dec *d, int64_t *x, size_t n)
{
    uint8_t kind = dec_u8(d), width = dec_u8(d);
    unsigned order = kind & 3;
    int64_t seeds[ORDERS - 1] = {0};
    if (order >= ORDERS || kind > 7 || width > 64 || order > n)
        d->bad = true;
    for (unsigned i = 0; i < order && !d->bad; i++)
        seeds[i] = dec_svar(d);
    uint64_t base = (uint64_t)dec_svar(d), exceptions = dec_uvar(d);
    if (d->bad || exceptions > n) {
        d->bad = true;
        return;
    }
    struct dec exceptions_at = *d;
    for (uint64_t i = 0; i < 2 * exceptions; i++)
        dec_uvar(d);
    size_t m = n - order;
    uint64_t *r = (uint64_t *)x;
    unpack(d, width, r, m);
    if (!d->bad)
        add_exceptions(exceptions_at, exceptions, width, r, m, &d->bad);
    if (d->bad)
        return;
    for (size_t i = 0; i < m; i++)
        r[i] = base + (kind & KIND_ZIGZAG ? (uint64_t)unzigzag(r[i]) : r[i]);
    undo_differences(x, n, order, seeds);
}
