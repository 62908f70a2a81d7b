// SPDX-License-Identifier: Apache-2.0
/* The footer of a part from any bytes: as they are, and with checksums made right. */
#include "base/hash.h"
#include "base/mem.h"
#include "store/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(const uint8_t *data, size_t n)
{
    struct arena a ARENA_CLEANUP;
    struct part_info info;
    struct part_section sections[PART_SECTIONS_MAX];
    size_t sections_n;
    struct err err;
    arena_init(&a, 0);
    if (!part_footer_decode((bytes){data, n}, n, &a, &info, sections, &sections_n, &err))
        return;
    for (size_t i = 0; i < sections_n; i++)
        if (sections[i].off + sections[i].n > n || sections[i].name[PART_SECTION_NAME_MAX])
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { TRAILER = 32 };
    decode(data, n);
    /* The input as a footer, with a trailer that fits. */
    uint8_t *tail = mem_zalloc(n + TRAILER);
    uint32_t version = 1, len = (uint32_t)n, crc = crc32c(0, data, n);
    if (n)
        memcpy(tail, data, n);
    memcpy(tail + n, "nunchiPT", 8);
    memcpy(tail + n + 8, &version, 4);
    memcpy(tail + n + 12, &len, 4);
    memcpy(tail + n + 16, &crc, 4);
    crc = crc32c(0, tail + n, TRAILER - 4);
    memcpy(tail + n + TRAILER - 4, &crc, 4);
    decode(tail, n + TRAILER);
    free(tail);
    return 0;
}
