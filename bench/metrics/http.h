// SPDX-License-Identifier: Apache-2.0
/*
 * The least of an HTTP/1.1 client: one kept connection, one request at a time, blocking. Used by
 * one thread.
 */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http {
    int fd; /* -1: not connected */
    uint16_t port;
    char *in; /* what was received */
    size_t in_n, in_cap;
    int status;
    const char *body; /* of the last answer, in `in` */
    size_t body_n;
};

void http_init(struct http *c, uint16_t port);
void http_fini(struct http *c);
/* Connects when needed, sends, waits for the whole answer. False: no answer, connection closed.
 * `head` is the request with its header up to and without the empty line. */
bool http_ask(struct http *c, const char *head, const void *body, size_t n);

int64_t now_ns(void);
/* CPU time of all threads a process ever had, also ended ones; 0: no such process. */
int64_t cpu_ns(int pid);

#endif
