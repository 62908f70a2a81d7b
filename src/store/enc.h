// SPDX-License-Identifier: Apache-2.0
/*
 * Little-endian integers, LEB128 varints and byte strings, for everything that lies on disk.
 *
 * The writer grows; the reader never passes its end: what is missing or malformed sets `bad`, gives
 * zeros from then on, and is asked about once at the end.
 */
#ifndef STORE_ENC_H
#define STORE_ENC_H

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct enc {
    uint8_t *p;
    size_t n, cap;
};

static inline void enc_fini(struct enc *e)
{
    free(e->p);
    *e = (struct enc){0};
}

static inline uint8_t *enc_room(struct enc *e, size_t n)
{
    if (e->cap - e->n < n || !e->p) {
        e->cap = e->cap * 2 > e->n + n ? e->cap * 2 : e->n + n + 64;
        e->p = mem_realloc(e->p, e->cap);
    }
    return e->p + e->n;
}

static inline void enc_bytes(struct enc *e, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(enc_room(e, n), p, n);
    e->n += n;
}

static inline void enc_u8(struct enc *e, uint8_t v)
{
    *enc_room(e, 1) = v;
    e->n++;
}

/* All machines that we build for are little-endian; disk formats are too. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "disk formats are little-endian");

static inline void enc_u16(struct enc *e, uint16_t v)
{
    enc_bytes(e, &v, sizeof v);
}
static inline void enc_u32(struct enc *e, uint32_t v)
{
    enc_bytes(e, &v, sizeof v);
}
static inline void enc_u64(struct enc *e, uint64_t v)
{
    enc_bytes(e, &v, sizeof v);
}

enum { UVAR_BYTES_MAX = 10 };

static inline size_t uvar_put(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

static inline void enc_uvar(struct enc *e, uint64_t v)
{
    e->n += uvar_put(enc_room(e, UVAR_BYTES_MAX), v);
}

static inline uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static inline void enc_svar(struct enc *e, int64_t v)
{
    enc_uvar(e, zigzag(v));
}

/* Length, then the bytes. */
static inline void enc_str(struct enc *e, str s)
{
    enc_uvar(e, s.n);
    enc_bytes(e, s.p, s.n);
}

struct dec {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct dec dec_of(bytes b)
{
    return (struct dec){b.p, b.n ? b.p + b.n : b.p, false};
}

static inline size_t dec_left(const struct dec *d)
{
    return (size_t)(d->end - d->p);
}

/* NULL when there are fewer than n bytes left. */
static inline const uint8_t *dec_take(struct dec *d, uint64_t n)
{
    if (d->bad || n > dec_left(d)) {
        d->bad = true;
        return NULL;
    }
    const uint8_t *p = d->p;
    d->p += n;
    return p;
}

static inline uint8_t dec_u8(struct dec *d)
{
    const uint8_t *p = dec_take(d, 1);
    return p ? *p : 0;
}
static inline uint16_t dec_u16(struct dec *d)
{
    uint16_t v = 0;
    const uint8_t *p = dec_take(d, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t dec_u32(struct dec *d)
{
    uint32_t v = 0;
    const uint8_t *p = dec_take(d, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t dec_u64(struct dec *d)
{
    uint64_t v = 0;
    const uint8_t *p = dec_take(d, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t dec_uvar(struct dec *d)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (d->bad || d->p == d->end)
            break;
        uint8_t b = *d->p++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    d->bad = true;
    return 0;
}

static inline int64_t dec_svar(struct dec *d)
{
    return unzigzag(dec_uvar(d));
}

/* A view into the input. */
static inline str dec_str(struct dec *d)
{
    uint64_t n = dec_uvar(d);
    const uint8_t *p = dec_take(d, n);
    return p ? (str){(const char *)p, n} : (str){"", 0};
}

#endif
