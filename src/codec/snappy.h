// SPDX-License-Identifier: Apache-2.0
/* Snappy's block format (remote write and read); not the framed one. Any thread. */
#ifndef CODEC_SNAPPY_H
#define CODEC_SNAPPY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

/*
 * The decoded bytes, in the arena. The declared length is checked against `out_max` (ERR_LIMIT) and
 * against what the input could hold at all before anything is allocated; ERR_INVALID when the input
 * is not Snappy.
 */
bool snappy_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err);
void snappy_encode(bytes in, struct strbuf *out);

#endif
