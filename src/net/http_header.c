// SPDX-License-Identifier: Apache-2.0
#include "net/http_header.h"

bool http_name_ok(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.n > 0;
}

bool http_value_ok(str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == 0)
            return false;
    return true;
}

str http_headers_get(const struct http_header *headers, size_t n, str name)
{
    for (size_t i = 0; i < n; i++)
        if (headers[i].name.n == name.n && str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return (str){0};
}

/* Thousandths of a quality value ("0.5", "1", "1.000"); -1 when it is none. RFC 9110 12.4.2. */
static int q_parse(str s)
{
    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    int q = (s.p[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        q += (s.p[i] - '0') * (int)unit;
    }
    return q > 1000 ? -1 : q;
}

/* Quality of one element "gzip;q=0.5"; a weight that cannot be read counts as 0: do not use it. */
static int element_q(str element, str *name)
{
    str param;
    str_cut(&element, ';', name);
    *name = str_trim(*name);
    while (element.p && str_cut(&element, ';', &param)) {
        str key;
        str_cut(&param, '=', &key);
        if (param.p && str_eq_nocase(str_trim(key), STR("q"))) {
            int q = q_parse(str_trim(param));
            return q < 0 ? 0 : q;
        }
    }
    return 1000;
}

bool http_accept_allows(str accept_encoding, str coding)
{
    bool identity = str_eq_nocase(coding, STR("identity"));
    int star = identity ? 1000 : 0; /* identity is fine unless something forbids it */
    str rest = accept_encoding, element, name;
    while (rest.p && str_cut(&rest, ',', &element)) {
        int q = element_q(element, &name);
        if (str_eq_nocase(name, coding))
            return q > 0;
        if (str_eq(name, STR("*")))
            star = q;
    }
    return star > 0;
}

bool http_media_type_is(str value, str type)
{
    str name;
    if (!value.p)
        return false;
    str_cut(&value, ';', &name);
    return str_eq_nocase(str_trim(name), type);
}
