// SPDX-License-Identifier: Apache-2.0
/*
 * Request targets and form parameters: splitting and percent-decoding (RFC 3986, and
 * application/x-www-form-urlencoded for parameters). Pure functions; views point into the input or
 * into the arena given.
 *
 * Paths are cut at '/' first and decoded per segment afterwards, so that "%2F" stays inside its
 * segment. "%00" and broken escapes are errors.
 */
#ifndef NET_HTTP_TARGET_H
#define NET_HTTP_TARGET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct http_target {
    str authority; /* of an absolute-form target, else empty */
    str path;      /* raw, begins with '/', or is "*" */
    str query;     /* raw, without '?' */
};

/*
 * Origin form ("/a?b"), absolute form ("http://h/a?b", an empty path becomes "/") and "*". Anything
 * else is an error; a '#' is refused.
 */
bool http_target_split(str target, struct http_target *out, struct err *err);

/*
 * Next raw segment of a path: "/a//b" gives "a", "", "b"; "/" gives one empty segment. Returns
 * false at the end. Begin with `rest` = the path.
 */
bool http_segment_next(str *rest, str *raw);

/* Percent-decodes one segment: '+' stays '+'. The input itself when nothing is to decode. */
bool http_decode(str raw, struct arena *a, str *out, struct err *err);

struct http_param {
    str key, value;
};

struct http_params {
    struct http_param *at; /* decoded, in order, keys may repeat */
    size_t n;
};

enum { HTTP_PARAMS_MAX = 10000 };

/*
 * Adds the parameters of a query or form body to `out` (so both can be read into one list; all zero
 * to begin): "a=1&b=x+y&c" (`c` is empty). Empty pieces are skipped, '+' is a space, at most
 * HTTP_PARAMS_MAX. Only '&' separates: ';' is data.
 */
bool http_params_add(str text, struct arena *a, struct http_params *out, struct err *err);
/* Value of the first parameter of this name; p == NULL when there is none. */
str http_params_get(const struct http_params *p, str key);
/* The next value of the name, beginning at *pos = 0; false when there is no more. */
bool http_params_next(const struct http_params *p, str key, size_t *pos, str *value);

#endif
