// SPDX-License-Identifier: Apache-2.0
#include "format/prom_chunk.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "format/prom_int.h"

#define FILE_MAGIC 0x85BD40DDU
enum { FILE_VERSION = 1, CRC_BYTES = 4, XOR_HEAD_BYTES = 2 };

str prom_chunk_encoding_name(uint8_t encoding)
{
    switch (encoding) {
    case PROM_CHUNK_XOR:
        return STR("XOR");
    case PROM_CHUNK_HISTOGRAM:
        return STR("histogram");
    case PROM_CHUNK_FLOAT_HISTOGRAM:
        return STR("float histogram");
    default:
        return STR("");
    }
}

bool prom_chunk_file_check(bytes head, struct err *err)
{
    struct prom_dec d = prom_dec(head);
    uint32_t magic = prom_u32(&d);
    uint8_t version = prom_u8(&d);
    if (d.bad || magic != FILE_MAGIC)
        return err_set(err, ERR_CORRUPT, "this is no chunk file of Prometheus");
    if (version != FILE_VERSION)
        return err_set(err, ERR_INVALID, "chunk file of version %u, only %d is known", version,
                       FILE_VERSION);
    return true;
}

uint64_t prom_chunk_size(bytes b)
{
    struct prom_dec d = prom_dec(b);
    uint64_t n = prom_uvar(&d);
    if (d.bad || n > PROM_CHUNK_BYTES_MAX)
        return 0;
    return (uint64_t)(d.p - b.p) + 1 + n + CRC_BYTES;
}

bool prom_chunk_read(bytes b, struct prom_chunk *out, struct err *err)
{
    struct prom_dec d = prom_dec(b);
    uint64_t n = prom_uvar(&d);
    const uint8_t *p = n < PROM_CHUNK_BYTES_MAX ? prom_take(&d, n + 1) : NULL;
    uint32_t crc = prom_u32(&d);
    if (!p || d.bad)
        return err_set(err, ERR_CORRUPT, "a chunk is cut short");
    if (crc32c(0, p, n + 1) != crc)
        return err_set(err, ERR_CORRUPT, "a chunk has a wrong checksum");
    *out = (struct prom_chunk){p[0], {p + 1, n}};
    return true;
}

/* ---- bits, most significant first ---- */

static uint64_t bits(struct prom_bits *b, unsigned n)
{
    return prom_bits_take(b, n);
}

uint64_t prom_bits_take(struct prom_bits *b, unsigned n)
{
    uint64_t v = 0;
    if (n > (b->b.n * 8 - b->at)) {
        b->bad = true;
        b->at = b->b.n * 8;
        return 0;
    }
    while (n > 0) {
        unsigned in_byte = 8 - (b->at & 7), take = n < in_byte ? n : in_byte;
        uint8_t byte = b->b.p[b->at >> 3];
        v = v << take | ((unsigned)(byte >> (in_byte - take)) & ((1U << take) - 1));
        b->at += take;
        n -= take;
    }
    return v;
}

uint64_t prom_bits_uvar(struct prom_bits *b)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = bits(b, 8);
        if (shift == 63 && byte > 1)
            break;
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    b->bad = true;
    return 0;
}

int64_t prom_bits_svar(struct prom_bits *b)
{
    uint64_t v = prom_bits_uvar(b);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* ---- XOR ---- */

/* A difference of differences of times: 0, or one of four widths told by the ones before it. */
static int64_t read_dod(struct prom_bits *b)
{
    static const uint8_t widths[] = {0, 14, 17, 20, 64};
    unsigned ones = 0;
    while (ones < 4 && bits(b, 1))
        ones++;
    unsigned n = widths[ones];
    uint64_t v = bits(b, n);
    if (n && n < 64 && v > 1ULL << (n - 1))
        v -= 1ULL << n;
    return (int64_t)v;
}

void prom_xor_take(struct prom_bits *b, struct prom_xor *x)
{
    if (!bits(b, 1))
        return;
    if (bits(b, 1)) {
        x->leading = (uint8_t)bits(b, 5);
        unsigned n = (unsigned)bits(b, 6);
        n = n ? n : 64;
        if (x->leading + n > 64) {
            b->bad = true;
            return;
        }
        x->trailing = (uint8_t)(64 - x->leading - n);
    }
    uint64_t v = bits(b, 64U - x->leading - x->trailing);
    x->value ^= v << x->trailing;
}

static double to_double(uint64_t v)
{
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

static void read_floats(struct prom_bits *b, struct prom_floats *out)
{
    struct prom_xor x = {0};
    uint64_t t = 0, delta = 0;
    for (size_t i = 0; i < out->n && !b->bad; i++) {
        if (i == 0) {
            t = (uint64_t)prom_bits_svar(b);
            x.value = bits(b, 64);
        } else {
            delta = i == 1 ? prom_bits_uvar(b) : delta + (uint64_t)read_dod(b);
            t += delta;
            prom_xor_take(b, &x);
        }
        out->t[i] = (ts_ms)t;
        out->v[i] = to_double(x.value);
    }
}

bool prom_chunk_floats(bytes data, struct arena *a, struct prom_floats *out, struct err *err)
{
    if (data.n < XOR_HEAD_BYTES)
        return err_set(err, ERR_CORRUPT, "an XOR chunk of %zu bytes", data.n);
    struct prom_floats f = {.n = (size_t)data.p[0] << 8 | data.p[1]};
    struct prom_bits b = {.b = {data.p + XOR_HEAD_BYTES, data.n - XOR_HEAD_BYTES}};
    /* A sample takes at least two bits. */
    if (f.n > b.b.n * 4 + 1)
        return err_set(err, ERR_CORRUPT, "an XOR chunk of %zu bytes claims %zu samples", data.n,
                       f.n);
    f.t = arena_array(a, ts_ms, f.n);
    f.v = arena_array(a, double, f.n);
    read_floats(&b, &f);
    if (b.bad)
        return err_set(err, ERR_CORRUPT, "an XOR chunk is cut short or malformed");
    *out = f;
    return true;
}
