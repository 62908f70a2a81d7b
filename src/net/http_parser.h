// SPDX-License-Identifier: Apache-2.0
/*
 * Private to net/: llhttp behind a small face. It reads one request at a time: the head in one
 * piece (which head_check has seen), then the body in any pieces, chunked or counted.
 */
#ifndef NET_HTTP_PARSER_H
#define NET_HTTP_PARSER_H

#include "base/str.h"

struct http_parser;

struct http_parser_events {
    void (*method)(void *arg, str method);
    void (*target)(void *arg, str target);
    /* Each header of the head once, value trimmed; not the trailers. */
    void (*header)(void *arg, str name, str value);
    void (*body)(void *arg, str part);
};

enum http_parser_result {
    PARSER_MORE,           /* everything was used, the message is not complete */
    PARSER_DONE,           /* the message is complete */
    PARSER_BAD,            /* it is malformed */
    PARSER_UNKNOWN_METHOD, /* llhttp knows a closed list */
};

struct http_parser *http_parser_new(const struct http_parser_events *events, void *arg);
void http_parser_free(struct http_parser *p);
/* Ready for the next request. */
void http_parser_reset(struct http_parser *p);

/* The complete head, all at once. DONE: there is no body. */
enum http_parser_result http_parser_head(struct http_parser *p, str head);
/* 0 or 1, after the head. */
int http_parser_version_minor(const struct http_parser *p);
/* Body bytes; *used says how many of them belong to this message. */
enum http_parser_result http_parser_body(struct http_parser *p, str in, size_t *used);

#endif
