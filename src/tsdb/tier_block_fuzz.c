// SPDX-License-Identifier: Apache-2.0
/* Blocks of tier rows: any bytes decode or fail, and what decodes comes back when written again. */
#include "tsdb/tier_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool same(const struct tier_row *x, const struct tier_row *y)
{
    return x->start == y->start && x->end == y->end && x->stale == y->stale &&
           x->first_t == y->first_t && x->last_t == y->last_t && x->count == y->count &&
           memcmp(&x->first, &y->first, 6 * sizeof(double)) == 0 && !x->hist == !y->hist;
}

static void again(const struct tier_row *rows, size_t n, int64_t step, struct arena *a)
{
    for (size_t done = 0; done < n;) {
        struct tier_rows back = {a};
        struct enc e = {0};
        struct err err;
        int64_t step2;
        size_t taken = tier_block_encode(&e, step, rows + done, n - done);
        if (!tier_block_decode((bytes){e.p, e.n}, &back, &step2, &err) || back.n != taken)
            __builtin_trap();
        for (size_t i = 0; i < taken; i++)
            if (!same(&rows[done + i], &back.at[i]))
                __builtin_trap();
        done += taken;
        enc_fini(&e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a ARENA_CLEANUP;
    struct tier_rows rows = {&a};
    struct err err;
    int64_t step;
    arena_init(&a, 0);
    if (tier_block_count((bytes){data, n}) > 0 &&
        tier_block_decode((bytes){data, n}, &rows, &step, &err))
        again(rows.at, rows.n, step, &a);
    return 0;
}
