// SPDX-License-Identifier: Apache-2.0
#include "tsdb/doubles.h"

#include <assert.h>

#include "tsdb/ints.h"
#include "tsdb/values.h"

void doubles_encode(struct enc *e, const double *v, size_t n)
{
    int64_t m[DOUBLES_MAX];
    struct values_form f;
    assert(n <= DOUBLES_MAX);
    values_to_ints(v, n, m, &f);
    enc_u8(e, f.mode);
    if (f.mode != VALUES_BITS) {
        enc_uvar(e, f.strange_n);
        values_put_strange(e, v, &f);
    }
    ints_encode(e, m, n);
}

void doubles_decode(struct dec *d, double *v, size_t n)
{
    uint8_t mode = dec_u8(d);
    uint64_t strange_n = mode == VALUES_BITS ? 0 : dec_uvar(d);
    if (n > DOUBLES_MAX || mode > VALUES_MODE_MAX || strange_n > n)
        d->bad = true;
    struct dec strange = *d;
    values_skip_strange(d, strange_n);
    if (!d->bad)
        ints_decode(d, (int64_t *)v, n);
    if (d->bad)
        return;
    values_from_ints(mode, v, n);
    values_set_strange(&strange, strange_n, v, n);
    d->bad = strange.bad;
}
