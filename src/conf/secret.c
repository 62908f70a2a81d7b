// SPDX-License-Identifier: Apache-2.0
/*
 * Secrets that no schema points at: passwords inside URLs, and what stands behind a key that nobody
 * knows, or in a file that is no YAML, but is called like a secret.
 */
#include <stdio.h>

#include "conf/schema_int.h"

static const str mark = STR_INIT("://");

static bool ends_authority(char c)
{
    return (unsigned char)c <= 0x20 || strchr("/?#\"'<>,[]{}", c);
}

bool conf_names_secret(str text)
{
    static const char *const words[] = {"pass", "secret", "token", "credential", "key"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t i = 0, n = strlen(words[w]); i + n <= text.n; i++)
            if (str_eq_nocase(str_sub(text, i, i + n), str_from_z(words[w])))
                return true;
    return false;
}

str conf_url_password(str text, size_t from)
{
    ssize_t at = from < text.n ? str_find(str_sub(text, from, text.n), mark) : -1;
    while (at >= 0) {
        size_t begin = from + (size_t)at + mark.n, end = begin, colon = 0, sign = 0;
        for (; end < text.n && !ends_authority(text.p[end]); end++) {
            if (text.p[end] == ':' && !colon)
                colon = end;
            if (text.p[end] == '@')
                sign = end;
        }
        if (colon && colon + 1 < sign)
            return str_sub(text, colon + 1, sign);
        from = end;
        at = str_find(str_sub(text, from, text.n), mark);
    }
    return (str){0};
}

void conf_hide_url_passwords(struct conf_diags *d, str text)
{
    uint32_t line = 1;
    const char *counted = text.p;
    for (str found; (found = conf_url_password(text, (size_t)(counted - text.p))).n;) {
        for (; counted < found.p; counted++)
            line += *counted == '\n';
        conf_diags_hide(d, text, line);
    }
}

void conf_mask_url_passwords(str text, struct strbuf *out)
{
    size_t done = 0;
    for (str found; (found = conf_url_password(text, done)).n;) {
        size_t at = (size_t)(found.p - text.p);
        strbuf_add(out, str_sub(text, done, at));
        strbuf_addz(out, "<secret>");
        done = at + found.n;
    }
    strbuf_add(out, str_sub(text, done, text.n));
}
