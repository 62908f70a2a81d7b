// SPDX-License-Identifier: Apache-2.0
/*
 * One-shot coding. libdeflate wants the room for the whole output at once and starts over when it
 * is too small: the room is guessed from the length at the end of a gzip member, never beyond what
 * the input could expand to, then doubled up to the cap.
 */
#include "codec/gzip.h"

#include <assert.h>

#include <libdeflate.h>

#include "base/mem.h"

enum {
    EXPANSION_MAX = 1032, /* of deflate: 258 bytes from two bits */
    ROOM_FIRST = 16 << 10,
};

static bool is_gzip(bytes in)
{
    return in.n >= 2 && in.p[0] == 0x1f && in.p[1] == 0x8b;
}

/* Room to begin with for the member at the start of `in`. */
static size_t first_room(bytes in, size_t out_max)
{
    size_t room = in.n * 4;
    if (is_gzip(in) && in.n >= 18) {
        const uint8_t *end = in.p + in.n;
        room =
            (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    }
    size_t most = in.n > SIZE_MAX / EXPANSION_MAX ? SIZE_MAX : in.n * EXPANSION_MAX;
    room = room < ROOM_FIRST ? ROOM_FIRST : room > most ? most : room;
    return room < out_max ? room : out_max;
}

/* Appends one member to `out`, whose length stays at most out_max; *used: bytes of input. */
static enum libdeflate_result decode_member(struct libdeflate_decompressor *d, bytes in,
                                            size_t out_max, struct strbuf *out, size_t *used)
{
    size_t left = out_max - out->n, room = first_room(in, left);
    for (;;) {
        char *to = strbuf_reserve(out, room);
        size_t n = 0;
        enum libdeflate_result r =
            is_gzip(in) ? libdeflate_gzip_decompress_ex(d, in.p, in.n, to, room, used, &n)
                        : libdeflate_zlib_decompress_ex(d, in.p, in.n, to, room, used, &n);
        if (r == LIBDEFLATE_SUCCESS)
            out->n += n;
        if (r != LIBDEFLATE_INSUFFICIENT_SPACE || room == left)
            return r;
        room = room > left / 2 ? left : room * 2;
    }
}

static bool decode_members(struct libdeflate_decompressor *d, bytes in, size_t out_max,
                           struct strbuf *out, struct err *err)
{
    bool gzip = is_gzip(in);
    for (size_t at = 0; at < in.n || at == 0;) {
        bytes rest = bytes_of(in.p + at, in.n - at);
        size_t used = 0;
        if (at && !(gzip && is_gzip(rest)))
            return err_set(err, ERR_INVALID, "%zu bytes follow the compressed data", rest.n);
        switch (decode_member(d, rest, out_max, out, &used)) {
        case LIBDEFLATE_SUCCESS:
            at += used;
            break;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            return err_set(err, ERR_LIMIT, "compressed data holds more than %zu bytes", out_max);
        default:
            return err_set(err, ERR_INVALID, "%s data is damaged or cut short",
                           gzip ? "gzip" : "zlib");
        }
    }
    return true;
}

bool gzip_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return err_set(err, ERR_INTERNAL, "out of memory while decompressing");
    if (!in.p)
        in.p = (const uint8_t *)"";
    struct strbuf buf STRBUF_CLEANUP = {0};
    bool ok = decode_members(d, in, out_max, &buf, err);
    libdeflate_free_decompressor(d);
    if (!ok)
        return false;
    uint8_t *p = arena_try(a, buf.n + 1, 1);
    if (!p)
        return err_set(err, ERR_LIMIT, "no memory left in the request's budget for %zu bytes",
                       buf.n);
    if (buf.n)
        memcpy(p, buf.p, buf.n);
    *out = bytes_of(p, buf.n);
    return true;
}

typedef size_t encode_fn(struct libdeflate_compressor *, const void *, size_t, void *, size_t);

static void encode(bytes in, size_t bound, encode_fn *fn, struct libdeflate_compressor *c,
                   struct strbuf *out)
{
    char *to = strbuf_reserve(out, bound);
    size_t n = fn(c, in.p ? (const void *)in.p : "", in.n, to, bound);
    assert(n > 0);
    out->n += n;
    out->p[out->n] = 0;
    libdeflate_free_compressor(c);
}

static struct libdeflate_compressor *compressor(int level)
{
    assert(level >= 1 && level <= 12);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    assert(c);
    return c;
}

void gzip_encode(bytes in, int level, struct strbuf *out)
{
    struct libdeflate_compressor *c = compressor(level);
    encode(in, libdeflate_gzip_compress_bound(c, in.n), libdeflate_gzip_compress, c, out);
}

void zlib_encode(bytes in, int level, struct strbuf *out)
{
    struct libdeflate_compressor *c = compressor(level);
    encode(in, libdeflate_zlib_compress_bound(c, in.n), libdeflate_zlib_compress, c, out);
}
