// SPDX-License-Identifier: Apache-2.0
/*
 * Answers. A reply begins as a buffer and becomes a stream when it grows, so that a large answer
 * never stands in memory as a whole; it is compressed when the client takes zstd or gzip and it
 * is worth it.
 *
 * Exactly one of reply_error, reply_text, reply_end ends a call.
 */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/api.h"
#include "codec/gzip.h"
#include "codec/zstd.h"

struct reply {
    struct call *call;
    struct strbuf buf; /* what is not sent yet; append to it */
    const char *content_type;
    int status;
    bool started, gone;
    bool packed_already; /* set after reply_begin: never compressed here */
    struct quota *quota; /* where the buffers count; NULL: nowhere */
    size_t held;
    str coding; /* Content-Encoding; empty: none */
    struct gzip_deflate *gzip;
    struct zstd_stream *zstd;
    struct strbuf packed;
};

void reply_begin(struct reply *r, struct call *c, int status, const char *content_type);
/* Sends what has gathered once it is much. Between pieces of a long answer, on pool threads only;
 * false when nobody waits for the rest. */
bool reply_more(struct reply *r);
/* Sends the rest. `complete` false: the answer broke off, which the client will notice. */
void reply_end(struct reply *r, bool complete);

/* {"status":"error","errorType":...,"error":...} with the status of the error's kind. */
void reply_error(struct call *c, const struct err *err);
/* A short plain text. */
void reply_text(struct call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reply_empty(struct call *c, int status);

/* Ends the call's budget that long from now, by --query.timeout at the latest. ON_QUERY only. */
void call_deadline_set(struct call *c, int64_t timeout_ms);

/* Gives back the call's share of its limit; the functions above do. */
void call_leave(struct call *c);

#endif
