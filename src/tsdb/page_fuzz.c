// SPDX-License-Identifier: Apache-2.0
/* Pages: any bytes under a right checksum decode or fail; any values come back as they were. */
#include "base/hash.h"
#include "base/mem.h"
#include "tsdb/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(const uint8_t *data, size_t n, enum page_kind kind)
{
    double v[ROW_MAX];
    struct err err;
    if (n < 6)
        return;
    uint8_t *page MEM_CLEANUP = mem_dup(data, n);
    uint32_t crc = crc32c(0, page + 4, n - 4);
    memcpy(page, &crc, sizeof crc);
    struct page *p = page_decode((bytes){page, n}, kind, page[5] & 0x7f, &err);
    for (uint32_t i = 0; p && kind == PAGE_VALUES && i < p->n; i++)
        for (size_t k = 1; k <= 64 && !page_values(p, i, v, k, &err); k++)
            ;
    page_unref(p);
}

/* The input as doubles, in rows of lengths that it says. */
static void round_trip(const uint8_t *data, size_t n)
{
    enum { ROWS = 8, N = 64 };
    double v[ROWS][N], back[N];
    size_t lengths[ROWS], rows = 0;
    struct row_streams s = {0};
    struct enc e = {0};
    struct err err;
    while (rows < ROWS && n > 8) {
        size_t k = 1 + data[0] % N;
        k = k < (n - 1) / 8 ? k : (n - 1) / 8;
        memcpy(v[rows], data + 1, k * 8);
        page_put_values(&s, v[rows], k);
        lengths[rows++] = k;
        data += 1 + k * 8;
        n -= 1 + k * 8;
    }
    page_encode(&s, (uint32_t)rows, &e);
    struct page *p = page_decode((bytes){e.p, e.n}, PAGE_VALUES, (uint32_t)rows, &err);
    if (!p)
        __builtin_trap();
    for (uint32_t i = 0; i < rows; i++)
        if (!page_values(p, i, back, lengths[i], &err) || memcmp(back, v[i], lengths[i] * 8) != 0)
            __builtin_trap();
    page_unref(p);
    enc_fini(&e);
    row_streams_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    decode(data, n, PAGE_VALUES);
    decode(data, n, PAGE_TIMES);
    round_trip(data, n);
    return 0;
}
