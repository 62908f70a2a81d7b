// SPDX-License-Identifier: Apache-2.0
/* Header fields, as the server and the client share them. */
#ifndef NET_HTTP_HEADER_H
#define NET_HTTP_HEADER_H

#include "base/str.h"

struct http_header {
    str name, value;
};

/* A token (RFC 9110 5.6.2), not empty. */
bool http_name_ok(str name);
/* No CR, LF or NUL: it cannot end the line it is written to. */
bool http_value_ok(str value);

/* Value of the first header of this name (any case); p == NULL when there is none. */
str http_headers_get(const struct http_header *headers, size_t n, str name);

/*
 * Whether an Accept-Encoding value allows the coding: named itself or by "*", with q > 0 (RFC 9110
 * 12.5.3). p == NULL stands for a missing header: only "identity" then.
 */
bool http_accept_allows(str accept_encoding, str coding);

/* True when `value` of a Content-Type is this media type; parameters and case do not count. */
bool http_media_type_is(str value, str type);

#endif
