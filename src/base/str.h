// SPDX-License-Identifier: Apache-2.0
/*
 * Text and byte views: pointer and length, never owning, not NUL-terminated.
 * The bytes must outlive the view; who owns them is said where the view is handed out.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef struct {
    const char *p;
    size_t n;
} str;

typedef struct {
    const uint8_t *p;
    size_t n;
} bytes;

/* Milliseconds since the Unix epoch; negative before 1970. */
typedef int64_t ts_ms;

#define STR(lit) ((str){"" lit, sizeof(lit) - 1})
/* For static initialisers, where a compound literal is not a constant. */
#define STR_INIT(lit)                                                                              \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p

static inline str str_of(const char *p, size_t n)
{
    return (str){p, n};
}

static inline str str_from_z(const char *z)
{
    return (str){z, strlen(z)};
}

static inline bytes bytes_of(const void *p, size_t n)
{
    return (bytes){p, n};
}

static inline bytes bytes_from_str(str s)
{
    return (bytes){(const uint8_t *)s.p, s.n};
}

static inline str str_from_bytes(bytes b)
{
    return (str){(const char *)b.p, b.n};
}

static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eqz(str a, const char *z)
{
    return str_eq(a, str_from_z(z));
}

/* Byte order, the shorter first when one is a prefix of the other. */
static inline int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Equal but for ASCII case. */
bool str_eq_nocase(str a, str b);

static inline bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The part [from, to); both are clipped to the string. */
static inline str str_sub(str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (str){s.p + from, to - from};
}

/* Index of the first `c` or of the first occurrence of `needle`; -1 when there is none. */
ssize_t str_index(str s, char c);
ssize_t str_find(str s, str needle);

/* Without leading and trailing ASCII white space. */
str str_trim(str s);

/*
 * Cuts the next piece off `*rest` at `sep`: true while a piece was cut. "a,,b" gives "a", "", "b";
 * an empty string gives one empty piece; `rest->p` is NULL after the last.
 */
bool str_cut(str *rest, char sep, str *piece);

/* True for well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool str_utf8_valid(str s);

/*
 * The candidate nearest to `word` by edit distance, for "did you mean"; an empty view when none is
 * near enough (more than a third of the letters differ).
 */
str str_nearest(str word, const str *candidates, size_t n);

#endif
