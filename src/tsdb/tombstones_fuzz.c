// SPDX-License-Identifier: Apache-2.0
/* Lists of deletions: any bytes under right checksums decode or fail; what was read is written as
 * it was, in some order; deleting more keeps the order that readers rely on. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tsdb/tombstones.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEADER_BYTES = 24 };

static struct tombstones *decode(const uint8_t *data, size_t n)
{
    struct err err = {0};
    uint8_t *file MEM_CLEANUP = mem_dup(data, n);
    uint32_t crc = crc32c(0, file + HEADER_BYTES, n - HEADER_BYTES);
    memcpy(file, "nunchiTS", 8);
    memcpy(file + 16, &crc, sizeof crc);
    crc = crc32c(0, file, 20);
    memcpy(file + 20, &crc, sizeof crc);
    return tombstones_decode((bytes){file, n}, &err);
}

static void check_order(const struct tombstones *t)
{
    for (size_t i = 1; i < t->n; i++)
        if (t->at[i - 1].of->number > t->at[i].of->number)
            __builtin_trap();
}

static bool may_raise(void *arg, const struct tombstone *older)
{
    return older->id % 2;
}

/* One more deletion of what the first is about: it is there, and hides what it said. */
static void delete_again(const struct tombstones *t)
{
    const struct tombstone *first = &t->at[0];
    struct deletion d = {.id = UINT64_MAX,
                         .m = first->of->m,
                         .m_n = first->of->m_n,
                         .start = first->start,
                         .end = first->end,
                         .may_raise = may_raise};
    struct tombstones *more = tombstones_with(t, &d);
    bool found = false;
    for (size_t i = 0; i < more->n; i++)
        found |= more->at[i].id == UINT64_MAX && more->at[i].of == first->of &&
                 more->at[i].start <= first->start && more->at[i].end >= first->end;
    if (!found || more->n > t->n + 1)
        __builtin_trap();
    check_order(more);
    tombstones_unref(more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < HEADER_BYTES)
        return 0;
    struct tombstones *t = decode(data, n);
    if (!t)
        return 0;
    check_order(t);
    struct strbuf file = {0};
    struct err err = {0};
    tombstones_encode(t, &file);
    struct tombstones *again = tombstones_decode(bytes_of(file.p, file.n), &err);
    if (!again || again->n != t->n)
        __builtin_trap();
    tombstones_unref(again);
    strbuf_fini(&file);
    if (t->n && t->at[0].start <= t->at[0].end)
        delete_again(t);
    tombstones_unref(t);
    return 0;
}
