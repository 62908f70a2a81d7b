// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

uint64_t hash_bytes(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

/* Short inputs are mixed with the seed, long ones with the secret: making a secret of a seed anew
 * for each long input is what the library would do otherwise. */
struct hash128 hash128_bytes(const void *p, size_t n, const struct hash_secret *secret)
{
    XXH128_hash_t h =
        XXH3_128bits_withSecretandSeed(p, n, secret->bytes, sizeof secret->bytes, secret->seed);
    return (struct hash128){h.low64, h.high64};
}

uint64_t hash_xxh64(const void *p, size_t n)
{
    return XXH64(p, n, 0);
}

uint64_t hash_mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ULL;
    return h ^ (h >> 32);
}

/* Reflected polynomial of CRC32C. */
enum { CRC32C_POLY = (int)0x82f63b78 };

static uint32_t crc_table[256];

__attribute__((constructor)) static void crc_table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? (c >> 1) ^ (uint32_t)CRC32C_POLY : c >> 1;
        crc_table[i] = c;
    }
}

uint32_t crc32c_table(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *at = p;
    crc = ~crc;
    for (size_t i = 0; i < n; i++)
        crc = crc_table[(crc ^ at[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *p,
                                                             size_t n)
{
    uint64_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        c = _mm_crc32_u64(c, v);
    }
    for (; n; p++, n--)
        c = _mm_crc32_u8((uint32_t)c, *p);
    return ~(uint32_t)c;
}

static bool cpu_has_crc32c(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
    uint32_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        c = __crc32cd(c, v);
    }
    for (; n; p++, n--)
        c = __crc32cb(c, *p);
    return ~c;
}

static bool cpu_has_crc32c(void)
{
    return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#else
static uint32_t crc32c_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc32c_table(crc, p, n);
}

static bool cpu_has_crc32c(void)
{
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return cpu_has_crc32c() ? crc32c_cpu(crc, p, n) : crc32c_table(crc, p, n);
}
