// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/gzip.h"
#include "codec/snappy.h"
#include "codec/zstd.h"

typedef void encode_fn(bytes in, struct strbuf *out);
typedef bool decode_fn(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err);

static void gzip_all(bytes in, struct strbuf *out)
{
    gzip_encode(in, 6, out);
}

static void zlib_all(bytes in, struct strbuf *out)
{
    zlib_encode(in, 1, out);
}

static void zstd_all(bytes in, struct strbuf *out)
{
    zstd_encode(in, 1, out);
}

static void zstd_pieces(bytes in, struct strbuf *out)
{
    struct zstd_stream *z = zstd_stream_new(1);
    size_t half = in.n / 2;
    zstd_stream_push(z, bytes_of(in.p, half), out);
    zstd_stream_push(z, bytes_of(in.p + half, in.n - half), out);
    zstd_stream_finish(z, out);
    zstd_stream_free(z);
}

static void gzip_pieces(bytes in, struct strbuf *out)
{
    struct gzip_deflate *z = gzip_deflate_new(1);
    size_t half = in.n / 2;
    gzip_deflate_push(z, bytes_of(in.p, half), true, out);
    gzip_deflate_push(z, bytes_of(in.p + half, in.n - half), false, out);
    gzip_deflate_finish(z, out);
    gzip_deflate_free(z);
}

/* Decodes as a stream, input in pieces of 7 and output in pieces of 100 bytes. */
static bool inflate_pieces(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err)
{
    struct gzip_inflate *z = gzip_inflate_new(out_max);
    struct strbuf b STRBUF_CLEANUP = {0};
    bool ok = true;
    while (ok && in.n) {
        bytes piece = bytes_of(in.p, in.n < 7 ? in.n : 7);
        in = bytes_of(in.p + piece.n, in.n - piece.n);
        size_t n = 100;
        while (ok && (piece.n || n == 100)) {
            char buf[100];
            ok = gzip_inflate_push(z, &piece, buf, sizeof buf, &n, err);
            if (ok)
                strbuf_add(&b, str_of(buf, n));
        }
    }
    ok = ok && gzip_inflate_end(z, err);
    gzip_inflate_free(z);
    if (ok)
        *out = bytes_from_str(arena_dup(a, strbuf_str(&b)));
    return ok;
}

static const struct {
    const char *name;
    encode_fn *encode;
    decode_fn *decode;
} codecs[] = {
    {"snappy", snappy_encode, snappy_decode},
    {"gzip", gzip_all, gzip_decode},
    {"zlib", zlib_all, gzip_decode},
    {"zstd", zstd_all, zstd_decode},
    {"zstd stream", zstd_pieces, zstd_decode},
    {"gzip stream", gzip_pieces, inflate_pieces},
    {"gzip to stream", gzip_all, inflate_pieces},
    {"zlib to stream", zlib_all, inflate_pieces},
    {"stream to gzip", gzip_pieces, gzip_decode},
};

#define CODECS_EACH(i) for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)

/* Text that repeats but not too well. */
static void fill(struct strbuf *b, size_t n)
{
    uint32_t x = 7;
    while (b->n < n) {
        x = x * 1664525 + 1013904223;
        strbuf_addf(b, "host%u up %u\n", x >> 28, x >> 20);
    }
    b->n = n;
}

static void round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 99, 100, 101, 5000, 300000};
    CODECS_EACH(i)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct strbuf text STRBUF_CLEANUP = {0}, packed STRBUF_CLEANUP = {0};
        strbuf_addz(&text, "");
        fill(&text, sizes[k]);
        codecs[i].encode(bytes_from_str(strbuf_str(&text)), &packed);
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        bytes out, in = bytes_from_str(strbuf_str(&packed));
        if (!codecs[i].decode(in, sizes[k], &a, &out, &err))
            fail_msg("%s of %zu: %s", codecs[i].name, sizes[k], err.msg);
        assert_true(str_eq(str_from_bytes(out), strbuf_str(&text)));
        if (sizes[k] == 0)
            continue;
        assert_false(codecs[i].decode(in, sizes[k] - 1, &a, &out, &err));
        if (err.kind != ERR_LIMIT)
            fail_msg("%s of %zu: %s", codecs[i].name, sizes[k], err.msg);
    }
}

/* Cut at every byte: never accepted, whatever the container. */
static void cut_short(void **state)
{
    struct strbuf text STRBUF_CLEANUP = {0};
    fill(&text, 600);
    CODECS_EACH(i)
    {
        struct strbuf packed STRBUF_CLEANUP = {0};
        codecs[i].encode(bytes_from_str(strbuf_str(&text)), &packed);
        for (size_t n = 0; n < packed.n; n++) {
            struct arena a ARENA_CLEANUP;
            arena_init(&a, 0);
            struct err err = {0};
            bytes out;
            if (codecs[i].decode(bytes_of(packed.p, n), 1 << 20, &a, &out, &err))
                fail_msg("%s cut to %zu", codecs[i].name, n);
            assert_int_equal(err.kind, ERR_INVALID);
        }
    }
}

/* Every flipped bit: an error, or some bytes within the cap. */
static void flipped(void **state)
{
    struct strbuf text STRBUF_CLEANUP = {0};
    fill(&text, 200);
    CODECS_EACH(i)
    {
        struct strbuf packed STRBUF_CLEANUP = {0};
        codecs[i].encode(bytes_from_str(strbuf_str(&text)), &packed);
        for (size_t bit = 0; bit < packed.n * 8; bit++) {
            packed.p[bit / 8] = (char)(packed.p[bit / 8] ^ 1 << bit % 8);
            struct arena a ARENA_CLEANUP;
            arena_init(&a, 0);
            struct err err = {0};
            bytes out = {0};
            if (codecs[i].decode(bytes_from_str(strbuf_str(&packed)), 4096, &a, &out, &err))
                assert_true(out.n <= 4096);
            packed.p[bit / 8] = (char)(packed.p[bit / 8] ^ 1 << bit % 8);
        }
    }
}

static void members(void **state)
{
    struct strbuf two STRBUF_CLEANUP = {0};
    gzip_all(bytes_from_str(STR("one ")), &two);
    gzip_all(bytes_from_str(STR("")), &two);
    gzip_all(bytes_from_str(STR("two")), &two);
    decode_fn *const decoders[] = {gzip_decode, inflate_pieces};
    for (size_t i = 0; i < 2; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        bytes out;
        assert_true(decoders[i](bytes_from_str(strbuf_str(&two)), 100, &a, &out, &err));
        assert_true(str_eqz(str_from_bytes(out), "one two"));
        assert_false(decoders[i](bytes_from_str(strbuf_str(&two)), 5, &a, &out, &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        struct strbuf tail STRBUF_CLEANUP = {0};
        strbuf_add(&tail, strbuf_str(&two));
        strbuf_addz(&tail, "x");
        assert_false(decoders[i](bytes_from_str(strbuf_str(&tail)), 100, &a, &out, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

/* A bomb costs its cap, not its size; a lying length costs nothing. */
static void bombs(void **state)
{
    struct strbuf zeros STRBUF_CLEANUP = {0};
    memset(strbuf_reserve(&zeros, 32 << 20), 0, 32 << 20);
    zeros.n = 32 << 20;
    CODECS_EACH(i)
    {
        struct strbuf packed STRBUF_CLEANUP = {0};
        codecs[i].encode(bytes_from_str(strbuf_str(&zeros)), &packed);
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        bytes out;
        assert_false(
            codecs[i].decode(bytes_from_str(strbuf_str(&packed)), 1 << 20, &a, &out, &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        assert_true(a.used <= 1 << 20);
    }
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    bytes out;
    bytes liar = bytes_of("\xff\xff\xff\xff\x0f", 5);
    assert_false(snappy_decode(liar, SIZE_MAX, &a, &out, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    struct arena small ARENA_CLEANUP;
    arena_init(&small, 1000);
    struct strbuf packed STRBUF_CLEANUP = {0};
    snappy_encode(bytes_of(zeros.p, 5000), &packed);
    assert_false(snappy_decode(bytes_from_str(strbuf_str(&packed)), 5000, &small, &out, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void exact(void **state)
{
    struct strbuf packed STRBUF_CLEANUP = {0};
    zstd_encode(bytes_from_str(STR("hello")), 1, &packed);
    char buf[8];
    struct err err = {0};
    bytes in = bytes_from_str(strbuf_str(&packed));
    assert_true(zstd_decode_exact(in, buf, 5, &err));
    assert_memory_equal(buf, "hello", 5);
    assert_false(zstd_decode_exact(in, buf, 8, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_false(zstd_decode_exact(in, buf, 4, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(cut_short), cmocka_unit_test(flipped),
        cmocka_unit_test(members),    cmocka_unit_test(bombs),     cmocka_unit_test(exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
