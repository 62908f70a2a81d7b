// SPDX-License-Identifier: Apache-2.0
/* Lists of exemplars: any bytes decode or fail. */
#include "tsdb/exemplars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void add(void *arg, struct labels series, const struct exemplar *x)
{
    exemplars_add(arg, series, x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a ARENA_CLEANUP;
    struct enc e = {0};
    struct dec d = dec_of((bytes){data, n});
    struct exemplars *x = exemplars_new(100), *y = exemplars_new(100);
    struct exemplars_stats one, two;
    arena_init(&a, 0);
    if (exemplar_rows_decode(&d, &a, add, x)) {
        exemplars_encode(x, &e);
        struct dec again = dec_of((bytes){e.p, e.n});
        exemplars_stats(x, &one);
        if (!exemplar_rows_decode(&again, &a, add, y))
            __builtin_trap();
        exemplars_stats(y, &two);
        if (one.n != two.n || one.series != two.series)
            __builtin_trap();
    }
    enc_fini(&e);
    exemplars_free(x);
    exemplars_free(y);
    return 0;
}
