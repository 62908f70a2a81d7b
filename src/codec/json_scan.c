// SPDX-License-Identifier: Apache-2.0
#include "codec/json_int.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

size_t json_plain_scalar(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (signed char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

#ifdef __SSE2__
/*
 * 16 bytes at a time. Compared as signed bytes everything from 0x80 on is negative, so one
 * comparison with the space finds control characters and multi-byte characters alike.
 */
size_t json_plain(const char *p, size_t n)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmplt_epi8(v, space));
        unsigned int mask = (unsigned int)_mm_movemask_epi8(stop);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
    return i + json_plain_scalar(p + i, n - i);
}
#else
size_t json_plain(const char *p, size_t n)
{
    return json_plain_scalar(p, n);
}
#endif

size_t json_utf8(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    if (n < 2 || s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    /* Overlong forms, surrogates and what is past U+10FFFF show in the second byte. */
    uint8_t low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}
