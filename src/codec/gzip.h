// SPDX-License-Identifier: Apache-2.0
/*
 * gzip (RFC 1952) and zlib (RFC 1950) containers. One-shot by libdeflate where all of the input is
 * at hand, streams by zlib where it is not. Decoders tell the two containers apart by the first
 * bytes.
 *
 * Everything that decodes has a cap on its output: passing it is ERR_LIMIT; input that is damaged,
 * ends early or is followed by something else is ERR_INVALID. gzip members that follow each other
 * are one. A stream object has one owner; the one-shot calls may be used from any thread.
 */
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

bool gzip_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err);
/* Levels 1 (fast) to 12 (small). Appends one gzip member. */
void gzip_encode(bytes in, int level, struct strbuf *out);
/* The zlib container, HTTP's "deflate". */
void zlib_encode(bytes in, int level, struct strbuf *out);

/* Decoding as bytes come in. */
struct gzip_inflate;
struct gzip_inflate *gzip_inflate_new(size_t out_max);
void gzip_inflate_free(struct gzip_inflate *z);
/*
 * Decodes from `*in`, which is advanced, into `out`; `*n` bytes of it were filled. Called again
 * while it fills all of `out` or leaves input.
 */
bool gzip_inflate_push(struct gzip_inflate *z, bytes *in, void *out, size_t out_cap, size_t *n,
                       struct err *err);
/* After the last input: true when it ended where a member ends. */
bool gzip_inflate_end(const struct gzip_inflate *z, struct err *err);

/* Encoding a gzip member piece by piece. */
struct gzip_deflate;
/* Levels 1 to 9. */
struct gzip_deflate *gzip_deflate_new(int level);
void gzip_deflate_free(struct gzip_deflate *z);
/* Appends what is ready to `out`; with `flush` all that was pushed can be decoded from it. */
void gzip_deflate_push(struct gzip_deflate *z, bytes in, bool flush, struct strbuf *out);
/* Appends the rest; nothing may be pushed afterwards. */
void gzip_deflate_finish(struct gzip_deflate *z, struct strbuf *out);

#endif
