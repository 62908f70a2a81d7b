// SPDX-License-Identifier: Apache-2.0
/*
 * Remote write requests in a file: made once, sent to each server. As Prometheus' sender does it,
 * each series belongs to one connection, a request holds the next `samples_max` samples of its
 * connection, each as a TimeSeries of its own, protobuf in snappy.
 */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

enum { CONNECTIONS = 4 };

struct request {
    uint32_t connection, samples, size, raw_size;
    const uint8_t *body;
};

struct requests {
    struct request *rows; /* in order of time */
    size_t n;
    uint64_t samples, raw_bytes, bytes;
    void *map;
    size_t map_n;
};

/* Ends the program with a message when the file cannot be written. */
void requests_write(struct stream *s, const char *path, uint32_t samples_max);
void requests_open(struct requests *r, const char *path);
void requests_close(struct requests *r);

#endif
