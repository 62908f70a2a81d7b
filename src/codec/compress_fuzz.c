// SPDX-License-Identifier: Apache-2.0
/* The first byte chooses: decode the rest in every way, or encode it and decode that. */
#include <assert.h>

#include "codec/gzip.h"
#include "codec/snappy.h"
#include "codec/zstd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { OUT_MAX = 64 << 10 };

typedef bool decode_fn(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err);

static bool inflate_stream(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err)
{
    struct gzip_inflate *z = gzip_inflate_new(out_max);
    struct strbuf b STRBUF_CLEANUP = {0};
    char buf[1000];
    bool ok = true;
    for (size_t n = sizeof buf; ok && (in.n || n == sizeof buf);) {
        ok = gzip_inflate_push(z, &in, buf, sizeof buf, &n, err);
        if (ok)
            strbuf_add(&b, str_of(buf, n));
    }
    ok = ok && gzip_inflate_end(z, err);
    gzip_inflate_free(z);
    if (ok)
        *out = bytes_from_str(arena_dup(a, strbuf_str(&b)));
    return ok;
}

static bool decode(decode_fn *fn, bytes in, struct arena *a, bytes *out)
{
    struct err err = {0};
    bool ok = fn(in, OUT_MAX, a, out, &err);
    assert(ok || err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    assert(!ok || out->n <= OUT_MAX);
    return ok;
}

static void same(decode_fn *fn, const struct strbuf *packed, bytes want)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    bytes got;
    bool ok = decode(fn, bytes_from_str(strbuf_str(packed)), &a, &got);
    assert(ok && str_eq(str_from_bytes(got), str_from_bytes(want)));
}

static void encode_all(bytes in)
{
    struct strbuf snappy STRBUF_CLEANUP = {0}, gzip STRBUF_CLEANUP = {0};
    struct strbuf stream STRBUF_CLEANUP = {0}, zstd STRBUF_CLEANUP = {0};
    snappy_encode(in, &snappy);
    same(snappy_decode, &snappy, in);
    gzip_encode(in, 1, &gzip);
    same(gzip_decode, &gzip, in);
    same(inflate_stream, &gzip, in);
    zstd_encode(in, 1, &zstd);
    same(zstd_decode, &zstd, in);
    struct gzip_deflate *z = gzip_deflate_new(1);
    gzip_deflate_push(z, bytes_of(in.p, in.n / 2), in.n & 1, &stream);
    gzip_deflate_push(z, bytes_of(in.p + in.n / 2, in.n - in.n / 2), false, &stream);
    gzip_deflate_finish(z, &stream);
    gzip_deflate_free(z);
    same(gzip_decode, &stream, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0 || n > OUT_MAX)
        return 0;
    bytes in = bytes_of(data + 1, n - 1);
    if (data[0] & 1) {
        encode_all(in);
        return 0;
    }
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    bytes once, stream, other;
    decode(snappy_decode, in, &a, &other);
    decode(zstd_decode, in, &a, &other);
    /* Two libraries, one opinion. */
    bool ok = decode(gzip_decode, in, &a, &once);
    if (ok && decode(inflate_stream, in, &a, &stream))
        assert(str_eq(str_from_bytes(once), str_from_bytes(stream)));
    return 0;
}
