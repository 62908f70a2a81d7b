// SPDX-License-Identifier: Apache-2.0
/* gzip and zlib as streams, by zlib. */
#include <assert.h>
#include <limits.h>

#include <zlib.h>

#include "base/mem.h"
#include "codec/gzip.h"

enum {
    WINDOW_ANY = 15 + 32,  /* zlib's code for: gzip or zlib, by the header */
    WINDOW_GZIP = 15 + 16, /* gzip only */
    MEMORY_LEVEL = 8,
    PIECE = 16 << 10,
};

struct gzip_inflate {
    z_stream z;
    size_t out_max, out_n;
    bool gzip;    /* the first member was one, so others may follow */
    bool started; /* a member was begun */
    bool ended;   /* the last one begun is complete */
};

struct gzip_deflate {
    z_stream z;
};

struct gzip_inflate *gzip_inflate_new(size_t out_max)
{
    struct gzip_inflate *z = mem_new(struct gzip_inflate);
    int r = inflateInit2(&z->z, WINDOW_ANY);
    assert(r == Z_OK);
    (void)r;
    z->out_max = out_max;
    return z;
}

void gzip_inflate_free(struct gzip_inflate *z)
{
    if (!z)
        return;
    inflateEnd(&z->z);
    free(z);
}

static unsigned int clip(size_t n)
{
    return n > UINT_MAX / 2 ? UINT_MAX / 2 : (unsigned int)n;
}

/* Readies the stream for input: the first member or one more behind a complete one. */
static bool begin_member(struct gzip_inflate *z, bytes in, struct err *err)
{
    if (!z->started)
        z->gzip = in.p[0] == 0x1f;
    else if (!z->gzip || in.p[0] != 0x1f)
        return err_set(err, ERR_INVALID, "%zu bytes follow the compressed data", in.n);
    else if (inflateReset2(&z->z, WINDOW_GZIP) != Z_OK)
        return err_set(err, ERR_INTERNAL, "out of memory while decompressing");
    z->started = true;
    z->ended = false;
    return true;
}

/* One call of inflate; Z_BUF_ERROR only says that it needs more of one side. */
static bool inflate_some(struct gzip_inflate *z, bytes *in, uint8_t *out, size_t cap, size_t *n,
                         struct err *err)
{
    z->z.next_in = (Bytef *)(uintptr_t)in->p;
    unsigned int in_n = z->z.avail_in = clip(in->n);
    z->z.next_out = out + *n;
    unsigned int out_n = z->z.avail_out = clip(cap - *n);
    int r = inflate(&z->z, Z_NO_FLUSH);
    *in = bytes_of(z->z.next_in, in->n - (in_n - z->z.avail_in));
    *n += out_n - z->z.avail_out;
    if (r == Z_STREAM_END)
        z->ended = true;
    else if (r != Z_OK && r != Z_BUF_ERROR)
        return err_set(err, ERR_INVALID, "compressed data is damaged: %s",
                       z->z.msg ? z->z.msg : "unknown format");
    return true;
}

bool gzip_inflate_push(struct gzip_inflate *z, bytes *in, void *out, size_t out_cap, size_t *n,
                       struct err *err)
{
    size_t done = 0;
    for (;;) {
        if (in->n && (!z->started || z->ended) && !begin_member(z, *in, err))
            return false;
        if (!z->started || z->ended || done == out_cap)
            break;
        size_t before = done, left = in->n;
        if (!inflate_some(z, in, out, out_cap, &done, err))
            return false;
        if (done - before > z->out_max - z->out_n)
            return err_set(err, ERR_LIMIT, "compressed data holds more than %zu bytes", z->out_max);
        z->out_n += done - before;
        if (!z->ended && done == before && in->n == left)
            break;
    }
    *n = done;
    return true;
}

bool gzip_inflate_end(const struct gzip_inflate *z, struct err *err)
{
    return z->ended ? true : err_set(err, ERR_INVALID, "compressed data is cut short");
}

struct gzip_deflate *gzip_deflate_new(int level)
{
    assert(level >= 1 && level <= 9);
    struct gzip_deflate *z = mem_new(struct gzip_deflate);
    int r = deflateInit2(&z->z, level, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    assert(r == Z_OK);
    (void)r;
    return z;
}

void gzip_deflate_free(struct gzip_deflate *z)
{
    if (!z)
        return;
    deflateEnd(&z->z);
    free(z);
}

/* Runs deflate until it has taken the input and, when flushing, given all output. */
static void deflate_all(struct gzip_deflate *z, bytes in, int flush, struct strbuf *out)
{
    int r;
    z->z.next_in = (Bytef *)(uintptr_t)in.p;
    do {
        if (!z->z.avail_in) {
            z->z.avail_in = clip(in.n);
            in.n -= z->z.avail_in;
        }
        z->z.next_out = (Bytef *)strbuf_reserve(out, PIECE);
        z->z.avail_out = PIECE;
        r = deflate(&z->z, in.n ? Z_NO_FLUSH : flush);
        assert(r != Z_STREAM_ERROR);
        out->n += PIECE - z->z.avail_out;
        out->p[out->n] = 0;
    } while (z->z.avail_out == 0 || z->z.avail_in || in.n);
    assert(flush != Z_FINISH || r == Z_STREAM_END);
}

void gzip_deflate_push(struct gzip_deflate *z, bytes in, bool flush, struct strbuf *out)
{
    if (in.n || flush)
        deflate_all(z, in, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, out);
}

void gzip_deflate_finish(struct gzip_deflate *z, struct strbuf *out)
{
    deflate_all(z, (bytes){(const uint8_t *)"", 0}, Z_FINISH, out);
}
