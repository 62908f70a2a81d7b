// SPDX-License-Identifier: Apache-2.0
#include "codec/zstd.h"

#include <assert.h>
#include <pthread.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

enum { ROOM_FIRST = 64 << 10 };

/* A thread's contexts, made at first use and freed when the thread ends. */
struct contexts {
    ZSTD_DCtx *decode;
    ZSTD_CCtx *encode;
};

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static _Thread_local struct contexts *contexts_mine;

static void contexts_free(void *p)
{
    struct contexts *c = p;
    ZSTD_freeDCtx(c->decode);
    ZSTD_freeCCtx(c->encode);
    free(c);
}

static void contexts_key_new(void)
{
    int r = pthread_key_create(&contexts_key, contexts_free);
    assert(r == 0);
    (void)r;
}

static struct contexts *contexts(void)
{
    if (contexts_mine)
        return contexts_mine;
    pthread_once(&contexts_once, contexts_key_new);
    struct contexts *c = mem_new(struct contexts);
    c->decode = ZSTD_createDCtx();
    c->encode = ZSTD_createCCtx();
    assert(c->decode && c->encode);
    ZSTD_DCtx_setParameter(c->decode, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX_BITS);
    pthread_setspecific(contexts_key, c);
    return contexts_mine = c;
}

/* Room to begin with: what the first frame says, as far as it is plausible. */
static size_t first_room(bytes in, size_t out_max)
{
    unsigned long long said = ZSTD_getFrameContentSize(in.p, in.n);
    size_t room = in.n > SIZE_MAX / 64 ? SIZE_MAX : in.n * 64;
    if (said < room)
        room = (size_t)said;
    room = room < ROOM_FIRST ? ROOM_FIRST : room;
    return room < out_max ? room : out_max;
}

static bool decode_error(size_t r, struct err *err)
{
    if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(err, ERR_LIMIT, "zstd frame wants a window of more than %d bytes",
                       ZSTD_WINDOW_BYTES_MAX);
    return err_set(err, ERR_INVALID, "zstd data is damaged: %s", ZSTD_getErrorName(r));
}

/* Room of one byte past the cap is never given: a full buffer that wants to go on is over it. */
static bool decode_frames(bytes in, size_t out_max, struct strbuf *out, struct err *err)
{
    ZSTD_DCtx *d = contexts()->decode;
    ZSTD_DCtx_reset(d, ZSTD_reset_session_only);
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t room = first_room(in, out_max), want = 1;
    for (;;) {
        ZSTD_outBuffer to = {strbuf_reserve(out, room), room, 0};
        size_t before = from.pos;
        want = ZSTD_decompressStream(d, &to, &from);
        if (ZSTD_isError(want))
            return decode_error(want, err);
        out->n += to.pos;
        room = out_max - out->n;
        if (from.pos == in.n && want == 0)
            return true;
        bool stuck = to.pos == 0 && from.pos == before;
        if (stuck && room == 0)
            return err_set(err, ERR_LIMIT, "compressed data holds more than %zu bytes", out_max);
        if (stuck || (from.pos == in.n && to.pos < to.size))
            return err_set(err, ERR_INVALID, "zstd data is cut short");
        size_t twice = out->n > ROOM_FIRST ? out->n : ROOM_FIRST;
        room = twice < room ? twice : room;
    }
}

bool zstd_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err)
{
    struct strbuf buf STRBUF_CLEANUP = {0};
    if (!in.p || !in.n)
        return err_set(err, ERR_INVALID, "zstd data is empty");
    if (!decode_frames(in, out_max, &buf, err))
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

bool zstd_decode_exact(bytes in, void *out, size_t n, struct err *err)
{
    size_t r = ZSTD_decompressDCtx(contexts()->decode, out, n, in.p, in.n);
    if (ZSTD_isError(r))
        return err_set(err, ERR_CORRUPT, "zstd block is damaged: %s", ZSTD_getErrorName(r));
    if (r != n)
        return err_set(err, ERR_CORRUPT, "zstd block holds %zu bytes instead of %zu", r, n);
    return true;
}

void zstd_encode(bytes in, int level, struct strbuf *out)
{
    size_t bound = ZSTD_compressBound(in.n);
    char *to = strbuf_reserve(out, bound);
    size_t r = ZSTD_compressCCtx(contexts()->encode, to, bound, in.p, in.n, level);
    assert(!ZSTD_isError(r));
    out->n += r;
    out->p[out->n] = 0;
}

/* ---- piece by piece ---- */

enum { STREAM_WINDOW_LOG = 20 };

struct zstd_stream {
    ZSTD_CCtx *c;
};

struct zstd_stream *zstd_stream_new(int level)
{
    struct zstd_stream *z = mem_new(struct zstd_stream);
    z->c = ZSTD_createCCtx();
    assert(z->c);
    ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(z->c, ZSTD_c_windowLog, STREAM_WINDOW_LOG);
    return z;
}

void zstd_stream_free(struct zstd_stream *z)
{
    if (z)
        ZSTD_freeCCtx(z->c);
    free(z);
}

static void stream(struct zstd_stream *z, bytes in, ZSTD_EndDirective how, struct strbuf *out)
{
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t left;
    do {
        size_t room = ZSTD_CStreamOutSize();
        ZSTD_outBuffer to = {strbuf_reserve(out, room), room, 0};
        left = ZSTD_compressStream2(z->c, &to, &from, how);
        assert(!ZSTD_isError(left));
        out->n += to.pos;
        out->p[out->n] = 0;
    } while (from.pos < in.n || (how == ZSTD_e_end && left > 0));
}

void zstd_stream_push(struct zstd_stream *z, bytes in, struct strbuf *out)
{
    if (in.n)
        stream(z, in, ZSTD_e_continue, out);
}

void zstd_stream_finish(struct zstd_stream *z, struct strbuf *out)
{
    stream(z, bytes_of("", 0), ZSTD_e_end, out);
}
