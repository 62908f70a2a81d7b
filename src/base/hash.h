// SPDX-License-Identifier: Apache-2.0
/* Hash for tables (XXH3, 64 bit) and checksum for files (CRC32C, hardware when the CPU has it). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n);
static inline uint64_t hash_str(str s)
{
    return hash_bytes(s.p, s.n);
}
/* Mixes a second value into a hash. */
uint64_t hash_mix(uint64_t h, uint64_t v);

/* CRC32C (Castagnoli, reflected, as in RFC 3720) of the bytes, continuing from `crc` (0 to begin).
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The table twin of the above, for tests. */
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
