// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "model/sample.h"

enum time_code { TIME_REGULAR, TIME_8, TIME_16, TIME_32, TIME_GIVEN };
enum value_code { VALUE_SAME, VALUE_DELTA_MAX = 7, VALUE_BITS, VALUE_STALE, VALUE_SCALE };
enum { SCALE_MAX = 9 }; /* more decimals save nothing */

static const double pow10_table[SCALE_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
#define MANTISSA_MAX 2251799813685248.0 /* 2^51: adding ROUND to less rounds to an integer */
#define ROUND 6755399441055744.0        /* 2^52 + 2^51 */

static uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

/* v * 10^scale rounded; 0 where that has no sense. */
static inline int64_t mantissa_near(double v, unsigned scale)
{
    double x = v * pow10_table[scale];
    return fabs(x) < MANTISSA_MAX ? (int64_t)((x + ROUND) - ROUND) : 0;
}

static inline double of_mantissa(int64_t m, unsigned scale)
{
    return scale ? (double)m / pow10_table[scale] : (double)m;
}

/* The mantissa, if it gives back v bit by bit. */
static inline bool mantissa(double v, unsigned scale, int64_t *m)
{
    *m = mantissa_near(v, scale);
    return bits_of(of_mantissa(*m, scale)) == bits_of(v);
}

/* ---- appending ---- */

/* What a sample does to the end of its chunk, kept apart from it: writing the end in one piece
 * after its parts would wait for the chunk's own memory. */
struct step {
    int64_t delta;
    unsigned scale;
};

static inline uint8_t *put_time(const struct chunk_end *e, ts_ms t, struct step *x, uint8_t *p,
                                unsigned *code)
{
    int64_t dt = (int64_t)((uint64_t)t - (uint64_t)e->t), dod = dt - e->delta;
    bool is_near = dt == (int32_t)dt;
    x->delta = is_near ? dt : 0;
    if (is_near && dod == 0) {
        *code = TIME_REGULAR;
        return p;
    }
    unsigned n = !is_near || dod != (int32_t)dod ? 8
                 : dod != (int16_t)dod           ? 4
                 : dod != (int8_t)dod            ? 2
                                                 : 1;
    *code = n == 8 ? TIME_GIVEN : n == 4 ? TIME_32 : n == 2 ? TIME_16 : TIME_8;
    memcpy(p, n == 8 ? &t : &dod, 8);
    return p + n;
}

/* The least scale from `scale` on that fits; CHUNK_NO_SCALE: the value is no decimal, and then
 * the search has ended for this chunk. */
static unsigned find_scale(double v, unsigned scale, int64_t *m)
{
    while (scale <= SCALE_MAX && !mantissa(v, scale, m))
        scale++;
    return scale <= SCALE_MAX ? scale : CHUNK_NO_SCALE;
}

static uint8_t *put_unusual(double v, unsigned *scale, uint8_t *p, unsigned *code)
{
    int64_t m = 0;
    if (is_stale_nan(v)) {
        *code = VALUE_STALE;
        return p;
    }
    bool may = *scale != CHUNK_NO_SCALE && isfinite(v) && v != 0;
    unsigned found = may ? find_scale(v, *scale + 1, &m) : CHUNK_NO_SCALE;
    if (may)
        *scale = found;
    if (found != CHUNK_NO_SCALE) {
        *code = VALUE_SCALE;
        *p = (uint8_t)found;
        memcpy(p + 1, &m, sizeof m);
        return p + 1 + sizeof m;
    }
    *code = VALUE_BITS;
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static inline uint8_t *put_value(const struct chunk_end *e, double v, struct step *x, uint8_t *p,
                                 unsigned *code)
{
    int64_t m;
    x->scale = e->scale;
    if (bits_of(v) == bits_of(e->v)) {
        *code = VALUE_SAME;
        return p;
    }
    if (x->scale == CHUNK_NO_SCALE || !mantissa(v, x->scale, &m)) {
        unsigned scale = x->scale;
        p = put_unusual(v, &scale, p, code);
        x->scale = scale;
        return p;
    }
    int64_t d = m - mantissa_near(e->v, x->scale);
    /* Bytes of d with its sign: 53 bits at most, so 7. */
    *code = (unsigned)(64 - __builtin_clzll((uint64_t)(d ^ (d >> 63)) | 1)) / 8 + 1;
    memcpy(p, &d, sizeof d);
    return p + *code;
}

/* 1 <= n <= 18; two stores that overlap instead of a call, as nearly all samples end here. */
static inline void copy_sample(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n < 4) {
        to[0] = from[0];
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
    } else if (n <= 8) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + n - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + n - 4, &tail, 4);
    } else {
        uint64_t head, middle, tail;
        memcpy(&head, from, 8);
        memcpy(&middle, from + (n - 8) / 2, 8);
        memcpy(&tail, from + n - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + (n - 8) / 2, &middle, 8);
        memcpy(to + n - 8, &tail, 8);
    }
}
static_assert(CHUNK_SAMPLE_BYTES_MAX <= 18, "what three stores of 8 cover");

/* With the head of the chunk they are sizes of malloc. */
#define CAP(size) ((size)-offsetof(struct chunk, data))
const uint16_t chunk_caps[CHUNK_SIZES + 1] = {CAP(64), CAP(96), CAP(160), CAP(256),
                                              CHUNK_LARGE_SAMPLES *CHUNK_SAMPLE_BYTES_MAX};

void chunk_init(struct chunk *c, struct chunk_end *e, unsigned size, ts_ms t)
{
    *c = (struct chunk){.min_t = t, .max_t = t, .cap = chunk_caps[size]};
    *e = (struct chunk_end){.t = t, .size = size & 0xf};
}

bool chunk_append(struct chunk *c, struct chunk_end *e, ts_ms t, double v)
{
    /* Where there is room for any sample it is written in place, with stores that may reach behind
     * it; otherwise beside, to see whether it fits. */
    uint8_t aside[CHUNK_SAMPLE_BYTES_MAX + 8];
    struct step step;
    unsigned time, value;
    if (e->n == CHUNK_SAMPLES_MAX)
        return false;
    size_t room = chunk_caps[e->size] - (size_t)e->len;
    bool in_place = room >= sizeof aside;
    uint8_t *from = in_place ? c->data + e->len : aside, *p = from + 1;
    p = put_time(e, t, &step, p, &time);
    p = put_value(e, v, &step, p, &value);
    *from = (uint8_t)(time | value << 3);
    size_t n = (size_t)(p - from);
    if (!in_place) {
        if (n > room)
            return false;
        copy_sample(c->data + e->len, aside, n);
    }
    e->t = t;
    e->v = v;
    e->delta = (int32_t)step.delta;
    e->len = (uint16_t)(e->len + n);
    e->n++;
    if (step.scale != e->scale)
        e->scale = step.scale & 0xf;
    return true;
}

/* ---- reading ---- */

/* A signed integer of n bytes, 1 to 8; nothing behind `end` is read. */
static inline int64_t get_signed(const uint8_t *p, const uint8_t *end, unsigned n)
{
    uint64_t x = 0;
    if (end - p >= 8)
        memcpy(&x, p, 8);
    else
        for (unsigned i = 0; i < n; i++)
            x |= (uint64_t)p[i] << (8 * i);
    return (int64_t)(x << (64 - 8 * n)) >> (64 - 8 * n);
}

struct place {
    const uint8_t *p, *end;
    ts_ms t;
    double v;
    int64_t delta;
    int64_t m; /* mantissa of v; carried on, so that no division waits for the one before */
    unsigned scale;
};

static inline void get_time(struct place *x, unsigned code)
{
    static const uint8_t sizes[] = {0, 1, 2, 4, 8};
    ts_ms t;
    if (code == TIME_GIVEN) {
        memcpy(&t, x->p, sizeof t);
        x->delta = (int64_t)((uint64_t)t - (uint64_t)x->t);
        if (x->delta != (int32_t)x->delta)
            x->delta = 0;
    } else {
        if (code != TIME_REGULAR)
            x->delta += get_signed(x->p, x->end, sizes[code]);
        t = x->t + x->delta;
    }
    x->p += sizes[code];
    x->t = t;
}

/* What is no difference of mantissas. */
static inline void get_other_value(struct place *x, unsigned code)
{
    if (code == VALUE_BITS) {
        memcpy(&x->v, x->p, sizeof x->v);
        x->p += sizeof x->v;
        x->m = mantissa_near(x->v, x->scale);
    } else if (code == VALUE_STALE) {
        x->v = stale_nan();
        x->m = 0;
    } else {
        x->scale = *x->p;
        memcpy(&x->m, x->p + 1, sizeof x->m);
        x->v = of_mantissa(x->m, x->scale);
        x->p += 1 + sizeof x->m;
    }
}

void chunk_read(const struct chunk *c, size_t len, size_t n, ts_ms *t, double *v)
{
    struct place x = {.p = c->data, .end = c->data + len, .t = c->min_t};
    for (size_t i = 0; i < n; i++) {
        unsigned code = *x.p++, value = code >> 3;
        if ((code & 7) == TIME_REGULAR)
            x.t += x.delta;
        else
            get_time(&x, code & 7);
        if (value > VALUE_DELTA_MAX) {
            get_other_value(&x, value);
        } else if (value != VALUE_SAME) {
            x.m += get_signed(x.p, x.end, value);
            x.v = (double)x.m / pow10_table[x.scale];
            x.p += value;
        }
        t[i] = x.t;
        v[i] = x.v;
    }
}
