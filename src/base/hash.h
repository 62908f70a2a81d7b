// SPDX-License-Identifier: Apache-2.0
/* Hashes for tables (XXH3) and checksum for files (CRC32C, hardware when the CPU has it). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n);
static inline uint64_t hash_str(str s)
{
    return hash_bytes(s.p, s.n);
}
/* XXH64 with seed 0, where the value itself is part of what others see. */
uint64_t hash_xxh64(const void *p, size_t n);
/* Mixes a second value into a hash. */
uint64_t hash_mix(uint64_t h, uint64_t v);

/* A hash of 128 bits under a secret: who does not know the secret cannot look for two inputs that
 * share a hash, so equal hashes may stand for equal bytes. */
struct hash128 {
    uint64_t lo, hi;
};
struct hash_secret {
    uint8_t bytes[192]; /* random */
    uint64_t seed;      /* random */
};
struct hash128 hash128_bytes(const void *p, size_t n, const struct hash_secret *secret);

/* CRC32C (Castagnoli, reflected, as in RFC 3720) of the bytes, continuing from `crc` (0 to begin).
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The table twin of the above, for tests. */
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
