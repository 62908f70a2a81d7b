// SPDX-License-Identifier: Apache-2.0
/* Blocks of histograms: any bytes decode or fail, and what decodes comes back when written again.
 */
#include "base/mem.h"
#include "tsdb/hist_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(const ts_ms *t, const struct histogram *const *h, size_t n)
{
    struct enc e = {0};
    struct arena a ARENA_CLEANUP;
    struct err err;
    ts_ms *t2 = mem_array(n, sizeof *t2);
    const struct histogram **h2 = mem_array(n, sizeof(void *));
    arena_init(&a, 0);
    for (size_t i = 1; i < n; i++)
        if (t[i] <= t[i - 1])
            n = i;
    size_t taken = hist_block_encode(&e, t, h, n);
    if (!hist_block_decode((bytes){e.p, e.n}, &a, t2, h2, &err))
        __builtin_trap();
    for (size_t i = 0; i < taken; i++)
        if (t[i] != t2[i] || !histogram_equal(h[i], h2[i]))
            __builtin_trap();
    free(t2);
    free(h2);
    enc_fini(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes b = {data, size};
    size_t n = hist_block_count(b);
    struct arena a ARENA_CLEANUP;
    struct err err;
    arena_init(&a, 0);
    if (n == 0)
        return 0;
    ts_ms *t = mem_array(n, sizeof *t);
    const struct histogram **h = mem_array(n, sizeof(void *));
    if (hist_block_decode(b, &a, t, h, &err))
        again(t, h, n);
    free(t);
    free(h);
    return 0;
}
