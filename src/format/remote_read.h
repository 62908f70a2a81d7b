// SPDX-License-Identifier: Apache-2.0
/*
 * Remote read (prometheus/remote.proto): a request out of its snappy block, and both kinds of
 * answers, raw samples in one message or frames of XOR chunks in a stream.
 *
 * Any thread; no state.
 */
#ifndef FORMAT_REMOTE_READ_H
#define FORMAT_REMOTE_READ_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "model/matcher.h"
#include "model/source.h"

enum {
    REMOTE_READ_QUERIES_MAX = 100,
    REMOTE_READ_MATCHERS_MAX = 1000,   /* of one query */
    REMOTE_READ_FRAME_BYTES = 1 << 20, /* of chunks, after which a frame is ended */
    REMOTE_READ_CHUNK_SAMPLES = 120,
};

struct remote_read_query {
    ts_ms start, end; /* both inclusive */
    struct matcher *m;
    size_t m_n;
};

enum remote_read_type { REMOTE_READ_SAMPLES, REMOTE_READ_STREAMED };

struct remote_read_request {
    struct remote_read_query *queries;
    size_t n;
    enum remote_read_type type; /* the first of those that the client takes that we know */
};

/* Arrays in the arena, text in `body`. ERR_INVALID: not a request, a bad expression, or no kind of
 * answer that we know; ERR_LIMIT names the limit. End with remote_read_fini. */
bool remote_read_decode(bytes body, struct arena *a, struct remote_read_request *out,
                        struct err *err);
void remote_read_fini(struct remote_read_request *r);

/* Appends one series to the QueryResult in `out`; histograms with their place in time. */
void remote_read_put_series(struct labels ls, const struct columns *c, struct strbuf *out);
/* Appends a QueryResult to the ReadResponse in `out`. */
void remote_read_put_result(const struct strbuf *result, struct strbuf *out);

/* Appends the frames of one series, at least one: XOR chunks of floats, histogram chunks of the
 * others. A stale marker is a float. */
void remote_read_put_frames(struct labels ls, const struct columns *c, size_t query,
                            struct strbuf *out);

#endif
