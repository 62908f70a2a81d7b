// SPDX-License-Identifier: Apache-2.0
/*
 * Private to net/: the strict first look at a request head, before llhttp reads it. Pure functions.
 * llhttp lets pass some forms that another parser in front of us could read differently (obs-fold,
 * a space before the colon, two spaces in the request line, an empty name); they end here.
 */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "base/arena.h"
#include "net/http_header.h"
#include "sys/self.h"

/* Why a request is refused: what is answered, and counted where. */
struct http_fault {
    int status;
    enum self_id counter;
    const char *text; /* static */
};

/* Finding the end of a head that comes in pieces; each byte is looked at once. All zero to begin.
 */
struct head_scan {
    size_t start;          /* empty lines before the request line, at most two, are skipped */
    size_t pos;            /* bytes seen */
    size_t line;           /* where the current line begins */
    size_t first_line_end; /* 0: the request line is not complete */
};

/*
 * `in` is everything that came so far. Returns the length of the head with its last CRLF (the head
 * begins at scan->start), 0 when more is needed, or -1 with `fault` set.
 */
ssize_t head_scan(struct head_scan *scan, str in, size_t bytes_max,
                  const struct http_fault **fault);

/* NULL when every line of the complete head is well-formed (RFC 9112 3, 5), else why not. */
const struct http_fault *head_check(str head, unsigned fields_max);

/* A copy of a head that was checked. Bytes beyond ASCII in its target, which browsers escape and
 * command lines don't, are escaped: releases of llhttp disagree about them. */
str head_copy(struct arena *a, str head);

struct head_framing {
    bool chunked;
    bool has_length;
    uint64_t length;       /* of the body; 0 without Content-Length */
    bool keep_alive;       /* what version and Connection say */
    bool keep_alive_named; /* "keep-alive" was said: HTTP/1.0 wants to hear it back */
    bool expect_continue;
    str host; /* value of the Host header; p == NULL: none */
};

/* What the headers say together (RFC 9112 3.2, 6, 9.3; RFC 9110 10.1.1); NULL when that is sound.
 */
const struct http_fault *head_framing(const struct http_header *headers, size_t n,
                                      int version_minor, struct head_framing *out);

#endif
