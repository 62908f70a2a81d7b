// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers and durations as text. Everything here ignores the locale.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/err.h"
#include "base/str.h"

/*
 * Reads the whole of `s` as Go's strconv.ParseFloat does: decimal and hexadecimal floats, [+-]Inf,
 * [+-]Infinity, NaN in any case; no white space. Values out of range become +-Inf. False: not a
 * number.
 */
bool f64_parse(str s, double *out);

/* Room that the formats below need, with the NUL. */
enum { F64_TEXT_MAX = 400 };

/* Shortest text that reads back as `v`, as Go's FormatFloat(v, 'f', -1, 64): no exponent. "+Inf".
 */
size_t f64_format(double v, char out[F64_TEXT_MAX]);
/* As Go's FormatFloat(v, 'g', -1, 64), used in the text exposition format: 1e+06, 1.5e-07. */
size_t f64_format_g(double v, char out[F64_TEXT_MAX]);
/* As Go's FormatFloat(v, 'e', -1, 64): 1e+00. */
size_t f64_format_e(double v, char out[F64_TEXT_MAX]);

enum { U64_TEXT_MAX = 24 };
size_t u64_format(uint64_t v, char out[U64_TEXT_MAX]);

/* The whole of `s` as a decimal integer; false when it is none or out of range. */
bool i64_parse(str s, int64_t *out);
bool u64_parse(str s, uint64_t *out);

/* The value of a hexadecimal digit of either case, -1 of any other byte. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c & ~0x20);
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * Prometheus durations: "1h30m", units y w d h m s ms in this order, each once; "0" alone is
 * allowed. Milliseconds. Errors name what is wrong with the text.
 */
bool duration_parse(str s, int64_t *ms, struct err *err);
/* "1h30m"; 0 is "0s". */
size_t duration_format(int64_t ms, char out[64]);

/* Sizes: "512MB", "1KiB", "100"; powers of 1024 for both spellings, as Prometheus reads them. */
bool size_parse(str s, uint64_t *bytes_out, struct err *err);

#endif
