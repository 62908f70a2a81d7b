// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a file of requests to a server and prints what happened, as one JSON object: samples and
 * requests acknowledged, wall clock, CPU of the server, times to the acknowledgement, and the same
 * in `segments` equal pieces of the stream.
 */
#ifndef BENCH_SEND_H
#define BENCH_SEND_H

#include <stddef.h>
#include <stdint.h>

struct send_options {
    const char *path; /* of the requests */
    uint16_t port;
    int pid; /* of the server; 0: its CPU is not measured */
    unsigned connections, segments;
    size_t kill_at; /* acknowledged requests after which the server is killed; 0: never */
    size_t skip, requests_max; /* of the file; those skipped are sent before the clock starts */
};

/* 0; 1 when a request was refused or a connection broke. */
int send_run(const struct send_options *o);

#endif
