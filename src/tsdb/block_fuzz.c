// SPDX-License-Identifier: Apache-2.0
/* Blocks: any bytes decode or fail; any samples come back as they were. */
#include "base/mem.h"
#include "tsdb/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(bytes b)
{
    size_t n = block_count(b);
    struct err err;
    if (n == 0)
        return;
    ts_ms *t = mem_array(n, sizeof *t);
    double *v = mem_array(n, sizeof *v);
    block_decode(b, t, v, &err);
    free(t);
    free(v);
}

/* The input as 16-byte samples; times are made to rise. */
static void round_trip(const uint8_t *data, size_t n)
{
    enum { N = 64 };
    ts_ms t[N], t2[N];
    double v[N], v2[N];
    struct enc e = {0};
    struct err err;
    n = n / 16 < N ? n / 16 : N;
    for (size_t i = 0; i < n; i++) {
        memcpy(&t[i], data + 16 * i, 8);
        memcpy(&v[i], data + 16 * i + 8, 8);
        if (i > 0 && t[i] <= t[i - 1]) {
            if (t[i - 1] == INT64_MAX)
                return;
            t[i] = t[i - 1] + 1;
        }
    }
    if (n == 0)
        return;
    block_encode(&e, t, v, n);
    if (!block_decode((bytes){e.p, e.n}, t2, v2, &err) || memcmp(t, t2, n * 8) != 0 ||
        memcmp(v, v2, n * 8) != 0)
        __builtin_trap();
    enc_fini(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    decode((bytes){data, n});
    round_trip(data, n);
    return 0;
}
