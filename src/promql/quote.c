// SPDX-License-Identifier: Apache-2.0
/* Quoted strings of the language: their value, and how a value is written. */
#include "base/num.h"
#include "promql/lex_int.h"

size_t utf8_put(uint32_t r, char out[4])
{
    if (r < 0x80)
        return out[0] = (char)r, 1;
    if (r < 0x800) {
        out[0] = (char)(0xC0 | r >> 6);
        out[1] = (char)(0x80 | (r & 0x3F));
        return 2;
    }
    if (r < 0x10000) {
        out[0] = (char)(0xE0 | r >> 12);
        out[1] = (char)(0x80 | (r >> 6 & 0x3F));
        out[2] = (char)(0x80 | (r & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | r >> 18);
    out[1] = (char)(0x80 | (r >> 12 & 0x3F));
    out[2] = (char)(0x80 | (r >> 6 & 0x3F));
    out[3] = (char)(0x80 | (r & 0x3F));
    return 4;
}

uint32_t utf8_get(str s, size_t *width)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
    *width = 1;
    if (n == 1)
        return p[0];
    if (n == 0 || n > s.n || !str_utf8_valid(str_sub(s, 0, n)))
        return 0xFFFD;
    uint32_t r = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        r = r << 6 | (p[i] & 0x3F);
    *width = n;
    return r;
}

/* The escape behind a backslash at s[*i]; \x and octal give a byte, \u and \U a code point. */
static bool unescape(str s, size_t *i, struct strbuf *out)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    if (*i >= s.n)
        return false;
    char c = s.p[(*i)++];
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        strbuf_addc(out, to[simple - from]);
        return true;
    }
    bool octal = c >= '0' && c <= '7';
    size_t n = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (octal)
        (*i)--;
    if (n == 0 || *i + n > s.n)
        return false;
    uint32_t r = 0;
    for (size_t k = 0; k < n; k++) {
        int d = hex_digit(s.p[(*i)++]);
        if (d < 0 || (octal && d > 7))
            return false;
        r = r * (octal ? 8 : 16) + (uint32_t)d;
    }
    if (n <= 3) {
        if (r > 255)
            return false;
        strbuf_addc(out, (char)r);
        return true;
    }
    if (r > 0x10FFFF || (r >= 0xD800 && r < 0xE000))
        return false;
    char b[4];
    strbuf_add(out, str_of(b, utf8_put(r, b)));
    return true;
}

bool string_unquote(str q, struct strbuf *out)
{
    if (q.n < 2 || q.p[0] != q.p[q.n - 1])
        return false;
    str s = str_sub(q, 1, q.n - 1);
    if (q.p[0] == '`') {
        strbuf_add(out, s);
        return true;
    }
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i++];
        if (c != '\\')
            strbuf_addc(out, c);
        else if (!unescape(s, &i, out))
            return false;
    }
    return true;
}

static const char *short_escape(uint32_t r)
{
    switch (r) {
    case '\a':
        return "\\a";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\v':
        return "\\v";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

void string_quote(str s, struct strbuf *out)
{
    strbuf_addc(out, '"');
    for (size_t i = 0, w; i < s.n; i += w) {
        uint32_t r = utf8_get(str_sub(s, i, s.n), &w);
        const char *esc = short_escape(r);
        if (esc)
            strbuf_addz(out, esc);
        else if (r < 0x20 || r == 0x7F || (r == 0xFFFD && w == 1))
            strbuf_addf(out, "\\x%02x", (unsigned)(unsigned char)s.p[i]);
        else
            strbuf_add(out, str_sub(s, i, i + w));
    }
    strbuf_addc(out, '"');
}
