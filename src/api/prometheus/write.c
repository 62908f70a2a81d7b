// SPDX-License-Identifier: Apache-2.0
/*
 * POST /api/v1/write, remote write 1.0: the answer is sent when the samples are on stable storage.
 */
#include "api/prometheus/prometheus_int.h"
#include "codec/snappy.h"
#include "format/remote_write.h"

static bool headers_check(struct call *c, struct err *err, int *status)
{
    str type = http_header_get(c->req, STR("Content-Type"));
    str coding = http_header_get(c->req, STR("Content-Encoding"));
    *status = 415;
    if (type.n && !http_media_type_is(type, STR("application/x-protobuf")))
        return err_set(err, ERR_INVALID,
                       "Content-Type is \"%.*s\", expected application/x-protobuf", STR_ARG(type));
    if (str_find(type, STR("io.prometheus.write.v2.Request")) >= 0)
        return err_set(err, ERR_INVALID,
                       "remote write 2.0 is not supported yet, send 1.0 "
                       "(proto=prometheus.WriteRequest)");
    if (coding.n && !str_eq_nocase(coding, STR("snappy")))
        return err_set(err, ERR_INVALID, "Content-Encoding is \"%.*s\", expected snappy",
                       STR_ARG(coding));
    *status = 400;
    return true;
}

static int status_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_INVALID:
        return 400;
    case ERR_LIMIT:
        return 413;
    case ERR_NO_SPACE:
        return 507;
    default:
        return 503;
    }
}

/* Conflicting and refused samples make it a 400, which senders do not repeat; the rest is stored.
 */
static void on_done(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct call *c = arg;
    if (!ok) {
        reply_text(c, status_of(err), "%s\n", err->msg);
    } else if (result->conflicting || result->out_of_bounds || result->refused) {
        reply_text(c, 400, "%zu samples stored, %zu not: %s\n", result->stored,
                   result->conflicting + result->out_of_bounds + result->refused,
                   result->first.msg);
    } else {
        reply_empty(c, 204);
    }
}

static bool decode(struct call *c, struct batch *b, struct err *err)
{
    bytes plain;
    struct remote_write_skipped skipped;
    return snappy_decode(c->req->body, c->api->write_body_bytes_max, &b->arena, &plain, err) &&
           remote_write_decode(plain, &remote_write_default_limits, b, &skipped, err);
}

void prometheus_write(struct call *c)
{
    struct err err;
    int status;
    if (!headers_check(c, &err, &status)) {
        reply_text(c, status, "%s\n", err.msg);
        return;
    }
    struct batch *b = batch_new();
    if (!decode(c, b, &err)) {
        batch_free(b);
        reply_text(c, status_of(&err), "%s\n", err.msg);
        return;
    }
    c->api->sink->write(c->api->sink, b, on_done, c);
}
