// SPDX-License-Identifier: Apache-2.0
#include "codec/snappy.h"

#include <assert.h>

#include <snappy-c.h>

/* A copy of three bytes gives at most 64: no input expands further. */
enum { EXPANSION_MAX = 22 };

bool snappy_decode(bytes in, size_t out_max, struct arena *a, bytes *out, struct err *err)
{
    const char *p = in.p ? (const char *)in.p : "";
    size_t n;
    if (snappy_uncompressed_length(p, in.n, &n) != SNAPPY_OK || n / EXPANSION_MAX > in.n)
        return err_set(err, ERR_INVALID, "not a snappy block: no plausible length in %zu bytes",
                       in.n);
    if (n > out_max)
        return err_set(err, ERR_LIMIT, "snappy block holds %zu bytes, at most %zu are taken", n,
                       out_max);
    char *to = arena_try(a, n + 1, 1);
    if (!to)
        return err_set(err, ERR_LIMIT, "no memory left in the request's budget for %zu bytes", n);
    if (snappy_uncompress(p, in.n, to, &n) != SNAPPY_OK)
        return err_set(err, ERR_INVALID, "snappy block of %zu bytes is damaged", in.n);
    *out = bytes_of(to, n);
    return true;
}

void snappy_encode(bytes in, struct strbuf *out)
{
    size_t n = snappy_max_compressed_length(in.n);
    char *to = strbuf_reserve(out, n);
    snappy_status status = snappy_compress(in.p ? (const char *)in.p : "", in.n, to, &n);
    assert(status == SNAPPY_OK);
    (void)status;
    out->n += n;
    out->p[out->n] = 0;
}
