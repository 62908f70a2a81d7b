// SPDX-License-Identifier: Apache-2.0
/*
 * Zstandard (RFC 8878). Any thread; the library's working memory is kept per thread and reused.
 * ERR_LIMIT: the output would pass its cap or the frame wants a window over ZSTD_WINDOW_BYTES_MAX;
 * ERR_INVALID: the input is damaged or cut short.
 */
#ifndef CODEC_ZSTD_H
#define CODEC_ZSTD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

enum {
    ZSTD_WINDOW_LOG_MAX_BITS = 23,
    ZSTD_WINDOW_BYTES_MAX = 1 << ZSTD_WINDOW_LOG_MAX_BITS, /* what RFC 8878 asks decoders to hold */
};

/* Input from a peer: all frames, at most out_max bytes, in the arena. */
bool zstd_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err);
/* Input of ours: exactly `n` bytes are written to `out`, or ERR_CORRUPT. */
bool zstd_decode_exact(bytes in, void *out, size_t n, struct err *err);
/* Level 1 is what storage uses; negative ones are faster. Appends one frame that says its size. */
void zstd_encode(bytes in, int level, struct strbuf *out);

/* Encoding one frame piece by piece, with a window of 1 MiB at most. One owner. */
struct zstd_stream;
struct zstd_stream *zstd_stream_new(int level);
void zstd_stream_free(struct zstd_stream *z);
/* Appends what is ready to `out`. */
void zstd_stream_push(struct zstd_stream *z, bytes in, struct strbuf *out);
/* Appends the rest; nothing may be pushed afterwards. */
void zstd_stream_finish(struct zstd_stream *z, struct strbuf *out);

#endif
