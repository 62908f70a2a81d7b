// SPDX-License-Identifier: Apache-2.0
/* Shared by the halves of the exposition reader: lines in expfmt.c, what is inside braces in
 * expfmt_labels.c. */
#ifndef FORMAT_EXPFMT_INT_H
#define FORMAT_EXPFMT_INT_H

#include "base/num.h"
#include "format/expfmt.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Sets the error at `at`, with the text of its line; returns false. */
bool expfmt_fail(const struct expfmt *p, const char *at, struct err *err, const char *what);

/* A bucket's bound or a quantile as OpenMetrics writes it: 1 is "1.0". */
enum { EXPFMT_BOUND_MAX = F64_TEXT_MAX + 2 };
str expfmt_bound(double v, char out[EXPFMT_BOUND_MAX]);

/* The number that the token at `at` is, and one of seconds as a time; behind it, or NULL. */
const char *expfmt_read_number(const char *at, const char *end, bool openmetrics, double *out);
const char *expfmt_read_seconds(const char *at, const char *end, ts_ms *out);

/* From the opening quote to behind the closing one; NULL when it is not closed. */
const char *expfmt_skip_quoted(const char *at, const char *end, bool openmetrics);

static inline bool expfmt_name_start(char c, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
}

/* The [a-zA-Z_][a-zA-Z0-9_]* (and ':' when asked) that begins at `at`; behind it. */
static inline const char *expfmt_skip_name(const char *at, const char *end, bool colon)
{
    if (at == end || !expfmt_name_start(*at, colon))
        return at;
    while (at < end && (expfmt_name_start(*at, colon) || (*at >= '0' && *at <= '9')))
        at++;
    return at;
}

static inline const char *expfmt_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/*
 * Reads a label list from behind its opening brace to behind the closing one and checks it. With
 * `metric`, a name in quotes alone is the metric's and set there; without, it is refused
 * (exemplars). Values are left escaped. `out` NULL only checks; otherwise it has room for one label
 * per `=`. NULL on error.
 */
const char *expfmt_label_list(const struct expfmt *p, const char *at, const char *end, str *metric,
                              struct label *out, size_t *n, struct err *err);

/* The next byte that is `a`, `b`, `c` or a newline, or `end`. */
static inline const char *expfmt_find_plain(const char *at, const char *end, char a, char b, char c)
{
    while (at < end && *at != a && *at != b && *at != c && *at != '\n')
        at++;
    return at;
}

static inline const char *expfmt_find(const char *at, const char *end, char a, char b, char c)
{
#if defined(__SSE2__)
    const __m128i va = _mm_set1_epi8(a), vb = _mm_set1_epi8(b), vc = _mm_set1_epi8(c);
    const __m128i nl = _mm_set1_epi8('\n');
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i ab = _mm_or_si128(_mm_cmpeq_epi8(x, va), _mm_cmpeq_epi8(x, vb));
        __m128i cn = _mm_or_si128(_mm_cmpeq_epi8(x, vc), _mm_cmpeq_epi8(x, nl));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(ab, cn));
        if (mask)
            return at + __builtin_ctz(mask);
    }
#endif
    return expfmt_find_plain(at, end, a, b, c);
}

#endif
