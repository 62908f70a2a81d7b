// SPDX-License-Identifier: Apache-2.0
/* Reading the bytes of Prometheus' storage: big-endian integers, varints, bits. Nothing passes the
 * end; what is missing sets `bad`, gives zeros from then on, and is asked about once. */
#ifndef FORMAT_PROM_INT_H
#define FORMAT_PROM_INT_H

#include "base/str.h"
#include "base/strbuf.h"

struct prom_dec {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct prom_dec prom_dec(bytes b)
{
    return (struct prom_dec){b.p, b.p + b.n, false};
}

static inline const uint8_t *prom_take(struct prom_dec *d, uint64_t n)
{
    if (d->bad || n > (size_t)(d->end - d->p)) {
        d->bad = true;
        return NULL;
    }
    const uint8_t *p = d->p;
    d->p += n;
    return p;
}

static inline uint8_t prom_u8(struct prom_dec *d)
{
    const uint8_t *p = prom_take(d, 1);
    return p ? *p : 0;
}

static inline uint32_t prom_u32(struct prom_dec *d)
{
    const uint8_t *p = prom_take(d, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t prom_u64(struct prom_dec *d)
{
    uint64_t high = prom_u32(d);
    return high << 32 | prom_u32(d);
}

static inline uint64_t prom_uvar(struct prom_dec *d)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = prom_u8(d);
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    d->bad = true;
    return 0;
}

static inline int64_t prom_svar(struct prom_dec *d)
{
    uint64_t v = prom_uvar(d);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Bits, the most significant of a byte first; `at` counts bits. */
struct prom_bits {
    bytes b;
    size_t at;
    bool bad;
};
/* n <= 64. */
uint64_t prom_bits_take(struct prom_bits *b, unsigned n);
uint64_t prom_bits_uvar(struct prom_bits *b);
int64_t prom_bits_svar(struct prom_bits *b);

/* The bits of a double, each written as what it differs in from the one before. */
struct prom_xor {
    uint64_t value;
    uint8_t leading, trailing;
};
void prom_xor_take(struct prom_bits *b, struct prom_xor *x);

/* The other way round: bits appended to `out`. */
struct prom_bits_writer {
    struct strbuf *out;
    unsigned free_bits; /* of the last byte */
};
/* n <= 64. */
void prom_bits_put(struct prom_bits_writer *w, uint64_t v, unsigned n);
struct prom_xor_put {
    uint64_t value;
    unsigned leading, trailing;
    bool has_window;
};
void prom_xor_put(struct prom_bits_writer *w, struct prom_xor_put *x, uint64_t value);

#endif
