// SPDX-License-Identifier: Apache-2.0
#include "codec/json_writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "codec/json_int.h"

enum {
    DEPTH_MAX = 64,
    ESCAPE_MAX = 6, /* bytes that one may become */
    PIECE = 4096,   /* bytes escaped at a time */
};

static bool in_object(const struct json_writer *w)
{
    return w->depth && (w->objects >> (w->depth - 1) & 1);
}

/* What stands before a value: nothing after a key, a comma after a sibling. */
static void before_value(struct json_writer *w)
{
    assert(in_object(w) == w->keyed);
    if (w->comma && !w->keyed)
        strbuf_addc(w->out, w->depth ? ',' : '\n');
    w->keyed = false;
    w->comma = true;
}

static void open_level(struct json_writer *w, bool object)
{
    before_value(w);
    assert(w->depth < DEPTH_MAX);
    uint64_t bit = (uint64_t)1 << w->depth++;
    w->objects = object ? w->objects | bit : w->objects & ~bit;
    w->comma = false;
    strbuf_addc(w->out, object ? '{' : '[');
}

static void close_level(struct json_writer *w, bool object)
{
    assert(w->depth > 0 && in_object(w) == object && !w->keyed);
    w->depth--;
    w->comma = true;
    strbuf_addc(w->out, object ? '}' : ']');
}

void json_open_object(struct json_writer *w)
{
    open_level(w, true);
}

void json_close_object(struct json_writer *w)
{
    close_level(w, true);
}

void json_open_array(struct json_writer *w)
{
    open_level(w, false);
}

void json_close_array(struct json_writer *w)
{
    close_level(w, false);
}

/* At most ESCAPE_MAX bytes for one. */
static char *put_escape(char c, char *to)
{
    static const char from[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt",
                      hex[] = "0123456789abcdef";
    const char *at = c ? strchr(from, c) : NULL;
    *to++ = '\\';
    if (at) {
        *to++ = letters[at - from];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = hex[(unsigned char)c >> 4];
    to[4] = hex[c & 15];
    return to + 5;
}

static char *put_bytes(const char *p, size_t n, char *to)
{
    if (n)
        memcpy(to, p, n);
    return to + n;
}

/* Escapes a piece that is short enough to make room for its worst case at once. */
static void quote_piece(str s, struct strbuf *out)
{
    char *to = strbuf_reserve(out, s.n * ESCAPE_MAX + 1);
    for (size_t i = 0; i < s.n;) {
        size_t n = json_plain(s.p + i, s.n - i);
        if (n == 0)
            n = json_utf8(s.p + i, s.n - i);
        to = put_bytes(s.p + i, n, to);
        i += n;
        if (n)
            continue;
        to = (signed char)s.p[i] >= 0 ? put_escape(s.p[i], to) : put_bytes("\xef\xbf\xbd", 3, to);
        i++;
    }
    *to = 0;
    out->n = (size_t)(to - out->p);
}

/* Nearly every string is short and plain: one reservation and one copy. */
static bool quote_plain(str s, struct strbuf *out)
{
    if (s.n > PIECE || json_plain(s.p, s.n) < s.n)
        return false;
    char *to = strbuf_reserve(out, s.n + 2);
    *to++ = '"';
    if (s.n)
        to = put_bytes(s.p, s.n, to);
    *to++ = '"';
    *to = 0;
    out->n += s.n + 2;
    return true;
}

void json_quote(str s, struct strbuf *out)
{
    if (quote_plain(s, out))
        return;
    strbuf_addc(out, '"');
    while (s.n > PIECE) {
        /* Not in the middle of a character. */
        size_t n = PIECE;
        while (n > PIECE - 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
        quote_piece(str_sub(s, 0, n), out);
        s = str_sub(s, n, s.n);
    }
    quote_piece(s, out);
    strbuf_addc(out, '"');
}

void json_put_key(struct json_writer *w, str key)
{
    assert(in_object(w) && !w->keyed);
    if (w->comma)
        strbuf_addc(w->out, ',');
    json_quote(key, w->out);
    strbuf_addc(w->out, ':');
    w->keyed = true;
}

void json_put_str(struct json_writer *w, str s)
{
    before_value(w);
    json_quote(s, w->out);
}

void json_put_pair(struct json_writer *w, str key, str value)
{
    bool plain = key.n <= PIECE && value.n <= PIECE && json_plain(key.p, key.n) == key.n &&
                 json_plain(value.p, value.n) == value.n;
    if (!plain) {
        json_put_key(w, key);
        json_put_str(w, value);
        return;
    }
    assert(in_object(w) && !w->keyed);
    char *from = strbuf_reserve(w->out, key.n + value.n + 6), *to = from;
    if (w->comma)
        *to++ = ',';
    *to++ = '"';
    to = put_bytes(key.p, key.n, to);
    to = put_bytes("\":\"", 3, to);
    to = put_bytes(value.p, value.n, to);
    *to++ = '"';
    *to = 0;
    w->out->n += (size_t)(to - from);
    w->comma = true;
}

void json_put_i64(struct json_writer *w, int64_t v)
{
    char text[U64_TEXT_MAX + 1] = "-";
    before_value(w);
    size_t n = v < 0 ? 1 + u64_format(-(uint64_t)v, text + 1) : u64_format((uint64_t)v, text);
    strbuf_add(w->out, str_of(text, n));
}

void json_put_u64(struct json_writer *w, uint64_t v)
{
    char text[U64_TEXT_MAX];
    before_value(w);
    strbuf_add(w->out, str_of(text, u64_format(v, text)));
}

void json_put_f64(struct json_writer *w, double v)
{
    if (!isfinite(v)) {
        json_put_null(w);
        return;
    }
    before_value(w);
    char text[F64_TEXT_MAX];
    double size = fabs(v);
    bool plain = size == 0 || (size >= 1e-6 && size < 1e21);
    size_t n = plain ? f64_format(v, text) : f64_format_e(v, text);
    /* e-07 is e-7 in Go's JSON. */
    if (!plain && n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') {
        text[n - 2] = text[n - 1];
        n--;
    }
    strbuf_add(w->out, str_of(text, n));
}

void json_put_bool(struct json_writer *w, bool v)
{
    before_value(w);
    strbuf_addz(w->out, v ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
    before_value(w);
    strbuf_addz(w->out, "null");
}

void json_put_raw(struct json_writer *w, str json)
{
    before_value(w);
    strbuf_add(w->out, json);
}

bool json_writer_done(const struct json_writer *w)
{
    return w->depth == 0 && !w->keyed;
}
