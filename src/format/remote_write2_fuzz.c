// SPDX-License-Identifier: Apache-2.0
#include "format/remote_write2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What comes out is a batch as the store wants it. */
static void check(const struct batch *b)
{
    for (size_t i = 0; i < b->series_n; i++) {
        const struct batch_series *s = &b->series[i];
        if ((size_t)s->first + s->n > b->samples_n || !labels_metric_name(s->labels).n ||
            s->hash != labels_hash(s->labels))
            __builtin_trap();
        for (size_t k = 1; k < s->labels.n; k++)
            if (str_cmp(s->labels.at[k - 1].name, s->labels.at[k].name) >= 0)
                __builtin_trap();
    }
    for (size_t i = 0; i < b->exemplars_n; i++)
        if (b->exemplars[i].series >= b->series_n)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct remote_write2_counts counts;
    struct err err;
    struct batch *b = batch_new();
    if (remote_write2_decode((bytes){data, n}, &remote_write_default_limits, b, &counts, &err))
        check(b);
    batch_free(b);
    return 0;
}
