// SPDX-License-Identifier: Apache-2.0
/* XOR chunks for others to read: remote read's streamed answers. */
#include <assert.h>
#include <string.h>

#include "format/prom_chunk.h"
#include "format/prom_int.h"

void prom_bits_put(struct prom_bits_writer *w, uint64_t v, unsigned n)
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

static void put_uvar(struct prom_bits_writer *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        prom_bits_put(w, (v & 0x7f) | 0x80, 8);
    prom_bits_put(w, v, 8);
}

/* As the reader takes them: of n bits, the range is (-(2^(n-1)), 2^(n-1)]. */
static void put_dod(struct prom_bits_writer *w, int64_t dod)
{
    static const uint8_t widths[] = {14, 17, 20};
    if (dod == 0) {
        prom_bits_put(w, 0, 1);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        int64_t max = (int64_t)1 << (widths[i] - 1);
        if (dod > max || dod <= -max)
            continue;
        prom_bits_put(w, (1U << (i + 2)) - 2, i + 2); /* 10, 110, 1110 */
        prom_bits_put(w, (uint64_t)dod & ((1ULL << widths[i]) - 1), widths[i]);
        return;
    }
    prom_bits_put(w, 15, 4);
    prom_bits_put(w, (uint64_t)dod, 64);
}

void prom_xor_put(struct prom_bits_writer *w, struct prom_xor_put *x, uint64_t value)
{
    uint64_t d = value ^ x->value;
    x->value = value;
    if (!d) {
        prom_bits_put(w, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(d), trailing = (unsigned)__builtin_ctzll(d);
    leading = leading > 31 ? 31 : leading;
    prom_bits_put(w, 1, 1);
    if (x->has_window && leading >= x->leading && trailing >= x->trailing) {
        prom_bits_put(w, 0, 1);
    } else {
        unsigned n = 64 - leading - trailing;
        x->leading = leading;
        x->trailing = trailing;
        x->has_window = true;
        prom_bits_put(w, 1, 1);
        prom_bits_put(w, leading, 5);
        prom_bits_put(w, n & 63, 6);
    }
    prom_bits_put(w, d >> x->trailing, 64 - x->leading - x->trailing);
}

void prom_chunk_put_floats(const ts_ms *t, const double *v, size_t n, struct strbuf *out)
{
    struct prom_bits_writer w = {.out = out};
    struct prom_xor_put x = {0};
    uint64_t delta = 0;
    assert(n > 0 && n <= PROM_CHUNK_SAMPLES_MAX);
    prom_bits_put(&w, n, 16);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits, step = i ? (uint64_t)t[i] - (uint64_t)t[i - 1] : 0;
        memcpy(&bits, &v[i], sizeof bits);
        if (i == 0) {
            put_uvar(&w, (uint64_t)t[0] << 1 ^ (uint64_t)(t[0] >> 63));
            prom_bits_put(&w, bits, 64);
            x.value = bits;
            continue;
        }
        if (i == 1)
            put_uvar(&w, step);
        else
            put_dod(&w, (int64_t)(step - delta));
        delta = step;
        prom_xor_put(&w, &x, bits);
    }
}
