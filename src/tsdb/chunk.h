// SPDX-License-Identifier: Apache-2.0
/*
 * Chunk: samples of one series in memory, in rising order of time, in the form in which they are
 * appended; nothing is encoded twice before a flush.
 *
 * Each sample is whole bytes behind the one before, so a reader that noted length and number keeps
 * an immutable prefix while the writer goes on behind it: 1 byte where time goes on as before and
 * the value stays, 2 or 3 for most counters and decimals, 9 for noise. The bytes never leave this
 * process.
 *
 *     u8 time code | value code << 3, bytes of the time, bytes of the value
 *
 * Time: the difference to the last one is the same, or differs by an int8, int16, int32, or the
 * time is given. Value: the same bits; or the mantissa of a decimal with the chunk's scale differs
 * by 1 to 7 bytes from that of the last value; or a new scale and the mantissa; or the 8 bytes; or
 * the staleness marker. The mantissa of a value is value * 10^scale rounded, 0 where that has no
 * sense: a function of the value alone, so none is kept. Every bit pattern comes back.
 *
 * Who appends holds `struct chunk_end` beside the pointer and is alone; readers come with what they
 * noted of it.
 */
#ifndef TSDB_CHUNK_H
#define TSDB_CHUNK_H

#include <stddef.h>

#include "base/str.h"

struct chunk {
    struct chunk *next; /* older; of a closed one, like max_t, len and n */
    ts_ms min_t, max_t;
    uint16_t len, cap; /* bytes of data */
    uint8_t n;
    uint8_t data[];
};

/* Where an open chunk goes on: its last sample, its length. */
struct chunk_end {
    ts_ms t;
    double v;
    int32_t delta; /* of the last two times; 0: none, or too large */
    uint16_t len;
    uint8_t n;
    uint8_t scale : 4; /* decimals, or CHUNK_NO_SCALE: values are no decimals */
    uint8_t size : 4;  /* of the chunk, so that appending looks at nothing but its end */
};

enum {
    CHUNK_SAMPLES_MAX = 250,
    CHUNK_SAMPLE_BYTES_MAX = 1 + 8 + 9,
    CHUNK_NO_SCALE = 15,
    CHUNK_SIZES = 4,                /* rising sizes 0..3 */
    CHUNK_SIZE_LARGE = CHUNK_SIZES, /* holds any CHUNK_LARGE_SAMPLES */
    CHUNK_LARGE_SAMPLES = 32,
};

/* Bytes of data by size. */
extern const uint16_t chunk_caps[CHUNK_SIZES + 1];

static inline size_t chunk_bytes(size_t cap)
{
    return offsetof(struct chunk, data) + cap;
}
/* Makes the memory, of the bytes of that size, an empty chunk for samples from `t` on, and `e` its
 * end. */
void chunk_init(struct chunk *c, struct chunk_end *e, unsigned size, ts_ms t);
/* Appends; t is after e->t unless it is the first. False: there is no room. */
bool chunk_append(struct chunk *c, struct chunk_end *e, ts_ms t, double v);
/* The first n samples, which have `len` bytes. */
void chunk_read(const struct chunk *c, size_t len, size_t n, ts_ms *t, double *v);

#endif
