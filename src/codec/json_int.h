// SPDX-License-Identifier: Apache-2.0
/* Scanning shared by the reader and the writer, and its scalar twin for tests. */
#ifndef CODEC_JSON_INT_H
#define CODEC_JSON_INT_H

#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Length of the plain run at the start: ASCII but for control characters, '"' and '\\'. */
static inline size_t json_plain_scalar(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (signed char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

#ifdef __SSE2__
/*
 * The same, 16 bytes at a time. Compared as signed bytes everything from 0x80 on is negative, so
 * one comparison with the space finds control characters and multi-byte characters alike.
 */
static inline size_t json_plain(const char *p, size_t n)
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
    if (n - i >= 8) {
        __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)(p + i));
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmplt_epi8(v, space));
        unsigned int mask = (unsigned int)_mm_movemask_epi8(stop) & 0xff;
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
        i += 8;
    }
    if (i == n) /* p may be NULL then */
        return n;
    return i + json_plain_scalar(p + i, n - i);
}
#else
static inline size_t json_plain(const char *p, size_t n)
{
    return json_plain_scalar(p, n);
}
#endif

/* Bytes of the well-formed UTF-8 character of more than one byte at the start; 0 when there is
 * none. */
size_t json_utf8(const char *p, size_t n);

#endif
