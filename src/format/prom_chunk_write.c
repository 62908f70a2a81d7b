// SPDX-License-Identifier: Apache-2.0
/* XOR chunks for others to read: remote read's streamed answers. */
#include <assert.h>
#include <string.h>

#include "format/prom_chunk.h"

struct bit_writer {
    struct strbuf *out;
    unsigned free_bits; /* of the last byte */
};

static void put(struct bit_writer *w, uint64_t v, unsigned n)
{
    while (n > 0) {
        if (!w->free_bits) {
            strbuf_addc(w->out, 0);
            w->free_bits = 8;
        }
        unsigned take = n < w->free_bits ? n : w->free_bits;
        uint64_t piece = v >> (n - take) & ((1U << take) - 1);
        w->free_bits -= take;
        n -= take;
        uint8_t *last = (uint8_t *)&w->out->p[w->out->n - 1];
        *last = (uint8_t)(*last | piece << w->free_bits);
    }
}

static void put_uvar(struct bit_writer *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put(w, (v & 0x7f) | 0x80, 8);
    put(w, v, 8);
}

/* As the reader takes them: of n bits, the range is (-(2^(n-1)), 2^(n-1)]. */
static void put_dod(struct bit_writer *w, int64_t dod)
{
    static const uint8_t widths[] = {14, 17, 20};
    if (dod == 0) {
        put(w, 0, 1);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        int64_t max = (int64_t)1 << (widths[i] - 1);
        if (dod > max || dod <= -max)
            continue;
        put(w, (1U << (i + 2)) - 2, i + 2); /* 10, 110, 1110 */
        put(w, (uint64_t)dod & ((1ULL << widths[i]) - 1), widths[i]);
        return;
    }
    put(w, 15, 4);
    put(w, (uint64_t)dod, 64);
}

struct xor_state {
    uint64_t value;
    unsigned leading, trailing;
    bool has_window;
};

static void put_xor(struct bit_writer *w, struct xor_state *x, uint64_t value)
{
    uint64_t d = value ^ x->value;
    x->value = value;
    if (!d) {
        put(w, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(d), trailing = (unsigned)__builtin_ctzll(d);
    leading = leading > 31 ? 31 : leading;
    put(w, 1, 1);
    if (x->has_window && leading >= x->leading && trailing >= x->trailing) {
        put(w, 0, 1);
    } else {
        unsigned n = 64 - leading - trailing;
        x->leading = leading;
        x->trailing = trailing;
        x->has_window = true;
        put(w, 1, 1);
        put(w, leading, 5);
        put(w, n & 63, 6);
    }
    put(w, d >> x->trailing, 64 - x->leading - x->trailing);
}

void prom_chunk_put_floats(const ts_ms *t, const double *v, size_t n, struct strbuf *out)
{
    struct bit_writer w = {.out = out};
    struct xor_state x = {0};
    uint64_t delta = 0;
    assert(n > 0 && n <= PROM_CHUNK_SAMPLES_MAX);
    put(&w, n, 16);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits, step = i ? (uint64_t)t[i] - (uint64_t)t[i - 1] : 0;
        memcpy(&bits, &v[i], sizeof bits);
        if (i == 0) {
            put_uvar(&w, (uint64_t)t[0] << 1 ^ (uint64_t)(t[0] >> 63));
            put(&w, bits, 64);
            x.value = bits;
            continue;
        }
        if (i == 1)
            put_uvar(&w, step);
        else
            put_dod(&w, (int64_t)(step - delta));
        delta = step;
        put_xor(&w, &x, bits);
    }
}
