// SPDX-License-Identifier: Apache-2.0
/*
 * The pull reader. What may come next is one state; the kinds of the open levels are bits of a
 * word, which is why the depth is capped at 64. Strings are checked in full when they are read
 * (UTF-8, escapes, control characters) and decoded only when asked for.
 */
#include "codec/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"
#include "codec/json_int.h"

enum state {
    AT_VALUE,        /* a value must come */
    AT_FIRST_ITEM,   /* a value or ] */
    AT_FIRST_MEMBER, /* a key or } */
    AT_NEXT,         /* a comma or the end of this level */
    AT_END,          /* white space only */
    FAILED,
};

static enum json_event fail_at(struct json_reader *r, size_t offset, const char *msg)
{
    r->state = FAILED;
    err_at(r->err, ERR_INVALID, pos_of(r->text, offset), "%s", msg);
    return JSON_ERROR;
}

static enum json_event fail_expected(struct json_reader *r, const char *what)
{
    char msg[96];
    unsigned char c = r->at < r->text.n ? (unsigned char)r->text.p[r->at] : 0;
    if (r->at >= r->text.n)
        snprintf(msg, sizeof msg, "text ends where %s is expected", what);
    else if (c > 0x20 && c < 0x7f)
        snprintf(msg, sizeof msg, "expected %s, found '%c'", what, c);
    else
        snprintf(msg, sizeof msg, "expected %s, found byte 0x%02x", what, c);
    return fail_at(r, r->at, msg);
}

bool json_fail(struct json_reader *r, const char *fmt, ...)
{
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    fail_at(r, r->offset, msg);
    return false;
}

void json_reader_init(struct json_reader *r, str text, struct err *err)
{
    *r = (struct json_reader){.text = text, .err = err, .state = AT_VALUE};
}

/* --- tokens --- */

static inline void skip_space(struct json_reader *r)
{
    const char *p = r->text.p;
    size_t at = r->at, n = r->text.n;
    while (at < n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\t' || p[at] == '\r'))
        at++;
    r->at = at;
}

/* Four hexadecimal digits; -1 when they are not. */
static int32_t hex4(const char *p, size_t n)
{
    int32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < n ? hex_digit(p[i]) : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* Length of the escape at the start; 0 when it is none. */
static size_t escape_length(const char *p, size_t n)
{
    if (n < 2)
        return 0;
    if (p[1] == 'u')
        return hex4(p + 2, n - 2) < 0 ? 0 : 6;
    return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

/* Reads the string whose quote stands at r->at. */
static bool read_string(struct json_reader *r)
{
    const char *p = r->text.p;
    size_t n = r->text.n, begin = r->at + 1, at = begin;
    r->escaped = false;
    for (;;) {
        at += json_plain(p + at, n - at);
        if (at >= n)
            return fail_at(r, r->at, "string is not closed") != JSON_ERROR;
        if (p[at] == '"')
            break;
        size_t len = p[at] == '\\' ? escape_length(p + at, n - at) : json_utf8(p + at, n - at);
        if (len == 0) {
            const char *msg = p[at] == '\\' ? "invalid escape in a string"
                              : (unsigned char)p[at] < 0x20
                                  ? "control character in a string, it must "
                                    "be escaped"
                                  : "string is not valid UTF-8";
            return fail_at(r, at, msg) != JSON_ERROR;
        }
        r->escaped |= p[at] == '\\';
        at += len;
    }
    r->value = str_of(p + begin, at - begin);
    r->at = at + 1;
    return true;
}

static size_t digits(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    return i;
}

static enum json_event read_number(struct json_reader *r)
{
    const char *p = r->text.p;
    size_t n = r->text.n, begin = r->at, at = begin, len;
    at += p[at] == '-';
    len = digits(p + at, n - at);
    if (len == 0 || (len > 1 && p[at] == '0'))
        return fail_at(r, begin, len ? "a number must not begin with 0" : "invalid number");
    at += len;
    if (at < n && p[at] == '.') {
        len = digits(p + at + 1, n - at - 1);
        if (len == 0)
            return fail_at(r, begin, "digits must follow the point of a number");
        at += 1 + len;
    }
    if (at < n && (p[at] == 'e' || p[at] == 'E')) {
        at++;
        at += at < n && (p[at] == '+' || p[at] == '-');
        len = digits(p + at, n - at);
        if (len == 0)
            return fail_at(r, begin, "digits must follow the exponent of a number");
        at += len;
    }
    r->value = str_of(p + begin, at - begin);
    r->at = at;
    return JSON_NUMBER;
}

static enum json_event read_word(struct json_reader *r, str word, enum json_event event)
{
    if (!str_starts(str_sub(r->text, r->at, r->text.n), word))
        return fail_expected(r, "a value");
    r->at += word.n;
    return event;
}

/* --- structure --- */

static bool in_object(const struct json_reader *r)
{
    return r->objects >> (r->depth - 1) & 1;
}

static void after_value(struct json_reader *r)
{
    r->state = r->depth ? AT_NEXT : AT_END;
}

static enum json_event open_level(struct json_reader *r, bool object)
{
    if (r->depth >= JSON_DEPTH_MAX)
        return fail_at(r, r->at, "nested deeper than 64 levels");
    uint64_t bit = (uint64_t)1 << r->depth++;
    r->objects = object ? r->objects | bit : r->objects & ~bit;
    r->state = object ? AT_FIRST_MEMBER : AT_FIRST_ITEM;
    r->at++;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_event close_level(struct json_reader *r)
{
    bool object = in_object(r);
    r->at++;
    r->depth--;
    after_value(r);
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_event scalar(struct json_reader *r)
{
    char c = r->text.p[r->at];
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    switch (c) {
    case '"':
        return read_string(r) ? JSON_STRING : JSON_ERROR;
    case 't':
        return read_word(r, STR("true"), JSON_TRUE);
    case 'f':
        return read_word(r, STR("false"), JSON_FALSE);
    case 'n':
        return read_word(r, STR("null"), JSON_NULL);
    default:
        return fail_expected(r, "a value");
    }
}

static enum json_event value(struct json_reader *r)
{
    r->offset = r->at;
    if (r->at >= r->text.n)
        return fail_expected(r, "a value");
    char c = r->text.p[r->at];
    if (c == '{' || c == '[')
        return open_level(r, c == '{');
    enum json_event event = scalar(r);
    if (event != JSON_ERROR)
        after_value(r);
    return event;
}

static enum json_event key(struct json_reader *r)
{
    r->offset = r->at;
    if (r->at >= r->text.n || r->text.p[r->at] != '"')
        return fail_expected(r, "a key in quotes");
    if (!read_string(r))
        return JSON_ERROR;
    skip_space(r);
    if (r->at >= r->text.n || r->text.p[r->at] != ':')
        return fail_expected(r, "':'");
    r->at++;
    r->state = AT_VALUE;
    return JSON_KEY;
}

static enum json_event next_of_level(struct json_reader *r)
{
    bool object = in_object(r);
    char c = r->at < r->text.n ? r->text.p[r->at] : 0;
    if (c == (object ? '}' : ']')) {
        r->offset = r->at;
        return close_level(r);
    }
    if (c != ',')
        return fail_expected(r, object ? "',' or '}'" : "',' or ']'");
    r->at++;
    skip_space(r);
    return object ? key(r) : value(r);
}

enum json_event json_next(struct json_reader *r)
{
    if (r->state == FAILED)
        return JSON_ERROR;
    skip_space(r);
    char c = r->at < r->text.n ? r->text.p[r->at] : 0;
    switch (r->state) {
    case AT_FIRST_ITEM:
        r->offset = r->at;
        return c == ']' ? close_level(r) : value(r);
    case AT_FIRST_MEMBER:
        r->offset = r->at;
        return c == '}' ? close_level(r) : key(r);
    case AT_NEXT:
        return next_of_level(r);
    case AT_END:
        r->offset = r->at;
        return r->at == r->text.n ? JSON_END
                                  : fail_at(r, r->at, "something follows the end of the value");
    default:
        return value(r);
    }
}

bool json_skip(struct json_reader *r, str *raw)
{
    assert(r->state == AT_VALUE || r->state == FAILED);
    uint32_t depth = r->depth;
    enum json_event event = json_next(r);
    size_t begin = r->offset;
    while (event != JSON_ERROR && r->depth > depth)
        event = json_next(r);
    if (event == JSON_ERROR)
        return false;
    if (raw)
        *raw = str_of(r->text.p + begin, r->at - begin);
    return true;
}

/* --- values --- */

static size_t utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* Decodes the \u at `p`; *used: bytes of input, 12 for a pair of surrogates. */
static uint32_t unicode_escape(const char *p, size_t n, size_t *used)
{
    uint32_t c = (uint32_t)hex4(p + 2, n - 2);
    *used = 6;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    int32_t low = c < 0xdc00 && n >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, n - 8) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *used = 12;
    return 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
}

static char simple_escape(char c)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = strchr(from, c);
    return at ? to[at - from] : c;
}

str json_string(const struct json_reader *r, struct arena *a)
{
    if (!r->escaped)
        return r->value;
    const char *p = r->value.p;
    size_t n = r->value.n, len = 0;
    char *out = arena_alloc(a, n + 1); /* decoding never makes it longer */
    for (size_t i = 0; i < n;) {
        size_t used = 2;
        if (p[i] != '\\') {
            out[len++] = p[i++];
            continue;
        }
        if (p[i + 1] == 'u')
            len += utf8_put(unicode_escape(p + i, n - i, &used), out + len);
        else
            out[len++] = simple_escape(p[i + 1]);
        i += used;
    }
    out[len] = 0;
    return str_of(out, len);
}

double json_number(const struct json_reader *r)
{
    double v = 0;
    bool ok = f64_parse(r->value, &v);
    assert(ok);
    (void)ok;
    return v;
}
