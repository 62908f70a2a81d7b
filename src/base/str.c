// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

ssize_t str_index(str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ssize_t str_find(str s, str needle)
{
    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return -1;
    const char *at = memmem(s.p, s.n, needle.p, needle.n);
    return at ? at - s.p : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(str *rest, char sep, str *piece)
{
    if (!rest->p)
        return false;
    ssize_t at = str_index(*rest, sep);
    if (at < 0) {
        *piece = *rest;
        *rest = (str){NULL, 0};
    } else {
        *piece = (str){rest->p, (size_t)at};
        rest->p += at + 1;
        rest->n -= (size_t)at + 1;
    }
    return true;
}

/* Length of the well-formed sequence at p (n >= 1 bytes left), 0 when there is none. */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    uint8_t lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t len = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xf0 && p[1] < 0x90);
    bool surrogate = lead == 0xed && p[1] >= 0xa0;
    bool beyond = lead == 0xf4 && p[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : len;
}

bool str_utf8_valid(str s)
{
    const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;
    while (p < end) {
        uint64_t eight;
        if (end - p >= 8) {
            memcpy(&eight, p, sizeof eight);
            if (!(eight & 0x8080808080808080ULL)) {
                p += 8;
                continue;
            }
        }
        size_t len = utf8_sequence(p, (size_t)(end - p));
        if (!len)
            return false;
        p += len;
    }
    return true;
}

enum { NEAREST_WORD_MAX = 64 };

/* Edits (insert, delete, replace, swap of neighbours) that make `b` of `a`. */
static size_t edit_distance(str a, str b)
{
    size_t rows[3][NEAREST_WORD_MAX + 1];
    size_t *two_back = rows[0], *back = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        back[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t replaced = back[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            size_t best = back[j] + 1 < row[j - 1] + 1 ? back[j] + 1 : row[j - 1] + 1;
            if (replaced < best)
                best = replaced;
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped && two_back[j - 2] + 1 < best)
                best = two_back[j - 2] + 1;
            row[j] = best;
        }
        size_t *spare = two_back;
        two_back = back;
        back = row;
        row = spare;
    }
    return back[b.n];
}

str str_nearest(str word, const str *candidates, size_t n)
{
    str best = {"", 0};
    size_t best_distance = SIZE_MAX;
    if (word.n == 0 || word.n > NEAREST_WORD_MAX)
        return best;
    for (size_t i = 0; i < n; i++) {
        str c = candidates[i];
        if (c.n == 0 || c.n > NEAREST_WORD_MAX)
            continue;
        size_t longer = word.n > c.n ? word.n : c.n;
        size_t d = edit_distance(word, c);
        if (d * 3 <= longer && d < best_distance) {
            best = c;
            best_distance = d;
        }
    }
    return best;
}
