// SPDX-License-Identifier: Apache-2.0
#include "tsdb/block.h"

#include <assert.h>

#include "tsdb/doubles.h"
#include "tsdb/ints.h"

static_assert((int)BLOCK_SAMPLES_MAX <= (int)DOUBLES_MAX, "a block's values are one row");

void block_encode(struct enc *e, const ts_ms *t, const double *v, size_t n)
{
    assert(n >= 1 && n <= BLOCK_SAMPLES_MAX);
    enc_uvar(e, n);
    ints_encode(e, t, n);
    doubles_encode(e, v, n);
}

size_t block_count(bytes b)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d);
    return d.bad || n > BLOCK_SAMPLES_MAX ? 0 : n;
}

bool block_decode(bytes b, ts_ms *t, double *v, struct err *err)
{
    struct dec d = dec_of(b);
    uint64_t n = dec_uvar(&d);
    if (n == 0 || n > BLOCK_SAMPLES_MAX)
        d.bad = true;
    if (!d.bad)
        ints_decode(&d, t, n);
    doubles_decode(&d, v, d.bad ? 0 : n);
    if (d.bad || dec_left(&d) != 0)
        return err_set(err, ERR_CORRUPT, "a block of samples is malformed");
    return true;
}
