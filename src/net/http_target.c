// SPDX-License-Identifier: Apache-2.0
#include "net/http_target.h"

#include "base/num.h"

/* Bytes that may stand in a target: no controls, no space, no DEL; bytes over 127 are let through.
 */
static bool target_bytes_ok(str s, struct err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == 127 || c == '#')
            return err_set(err, ERR_INVALID, "byte 0x%02x is not allowed in a request target", c);
    }
    return true;
}

static void query_cut(str s, struct http_target *t)
{
    ssize_t q = str_index(s, '?');
    t->path = q < 0 ? s : str_sub(s, 0, (size_t)q);
    t->query = q < 0 ? (str){"", 0} : str_sub(s, (size_t)q + 1, s.n);
}

static bool absolute_split(str s, struct http_target *t, struct err *err)
{
    size_t scheme = 0;
    if (s.n > 7 && str_eq_nocase(str_sub(s, 0, 7), STR("http://")))
        scheme = 7;
    else if (s.n > 8 && str_eq_nocase(str_sub(s, 0, 8), STR("https://")))
        scheme = 8;
    if (!scheme)
        return err_set(err, ERR_INVALID, "the request target is neither a path nor a http URL");
    s = str_sub(s, scheme, s.n);
    size_t end = 0;
    while (end < s.n && s.p[end] != '/' && s.p[end] != '?')
        end++;
    t->authority = str_sub(s, 0, end);
    if (end == 0 || str_index(t->authority, '@') >= 0)
        return err_set(err, ERR_INVALID, "the request target has no valid host");
    query_cut(str_sub(s, end, s.n), t);
    if (t->path.n == 0)
        t->path = STR("/");
    return true;
}

bool http_target_split(str target, struct http_target *out, struct err *err)
{
    struct http_target t = {{"", 0}, {"", 0}, {"", 0}};
    if (target.n == 0)
        return err_set(err, ERR_INVALID, "the request target is empty");
    if (!target_bytes_ok(target, err))
        return false;
    if (target.p[0] == '/')
        query_cut(target, &t);
    else if (str_eq(target, STR("*")))
        t.path = target;
    else if (!absolute_split(target, &t, err))
        return false;
    *out = t;
    return true;
}

bool http_segment_next(str *rest, str *raw)
{
    if (!rest->p || rest->n == 0 || rest->p[0] != '/')
        return false;
    str s = str_sub(*rest, 1, rest->n);
    ssize_t slash = str_index(s, '/');
    size_t n = slash < 0 ? s.n : (size_t)slash;
    *raw = str_sub(s, 0, n);
    *rest = str_sub(s, n, s.n);
    return true;
}

/* Reads the escape at s[i] ("%41"); false when it is broken or stands for NUL. */
static bool escape_read(str s, size_t i, char *out, struct err *err)
{
    int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
    int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
    if (hi < 0 || lo < 0)
        return err_set(err, ERR_INVALID, "broken percent escape \"%.*s\"",
                       (int)(s.n - i < 3 ? s.n - i : 3), s.p + i);
    if (hi == 0 && lo == 0)
        return err_set(err, ERR_INVALID, "%%00 is not allowed");
    *out = (char)(hi * 16 + lo);
    return true;
}

static bool decode(str raw, bool plus, struct arena *a, str *out, struct err *err)
{
    size_t first = 0;
    while (first < raw.n && raw.p[first] != '%' && !(plus && raw.p[first] == '+'))
        first++;
    if (first == raw.n) {
        *out = raw;
        return true;
    }
    char *p = arena_try(a, raw.n, 1);
    if (!p)
        return err_set(err, ERR_LIMIT,
                       "request parameters need more memory than a request may have");
    memcpy(p, raw.p, first);
    size_t n = first;
    for (size_t i = first; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '%') {
            if (!escape_read(raw, i, &c, err))
                return false;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        p[n++] = c;
    }
    *out = str_of(p, n);
    return true;
}

bool http_decode(str raw, struct arena *a, str *out, struct err *err)
{
    return decode(raw, false, a, out, err);
}

/* Pieces that are not empty; what they need is known before anything is allocated. */
static size_t params_count(str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] != '&' && (i == 0 || text.p[i - 1] == '&');
    return n;
}

static bool params_fill(str text, struct arena *a, struct http_params *p, struct err *err)
{
    str piece;
    while (text.p && str_cut(&text, '&', &piece)) {
        str key;
        if (piece.n == 0)
            continue;
        str_cut(&piece, '=', &key);
        struct http_param *param = &p->at[p->n];
        if (!decode(key, true, a, &param->key, err) ||
            !decode(piece.p ? piece : STR(""), true, a, &param->value, err))
            return false;
        p->n++;
    }
    return true;
}

bool http_params_add(str text, struct arena *a, struct http_params *out, struct err *err)
{
    size_t n = params_count(text);
    if (n > HTTP_PARAMS_MAX || out->n + n > HTTP_PARAMS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d request parameters", HTTP_PARAMS_MAX);
    if (n == 0)
        return true;
    struct http_params p = {arena_try(a, out->n + n, sizeof *p.at), out->n};
    if (!p.at)
        return err_set(err, ERR_LIMIT,
                       "request parameters need more memory than a request may have");
    if (out->n)
        memcpy(p.at, out->at, out->n * sizeof *p.at);
    if (!params_fill(text, a, &p, err))
        return false;
    *out = p;
    return true;
}

str http_params_get(const struct http_params *p, str key)
{
    size_t pos = 0;
    str value;
    return http_params_next(p, key, &pos, &value) ? value : (str){0};
}

bool http_params_next(const struct http_params *p, str key, size_t *pos, str *value)
{
    while (*pos < p->n) {
        const struct http_param *param = &p->at[(*pos)++];
        if (str_eq(param->key, key)) {
            *value = param->value;
            return true;
        }
    }
    return false;
}
