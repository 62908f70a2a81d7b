// SPDX-License-Identifier: Apache-2.0
/*
 * POST /api/v1/otlp/v1/metrics, OTLP over HTTP in protobuf and JSON: the answer is sent when the
 * samples are on stable storage. Data points that cannot be taken are counted in a partial success,
 * as the protocol says, and the others are stored. Errors are a google.rpc.Status in the encoding
 * of the request; those that are worth another try are a 503 with Retry-After, also a full disk.
 */
#include <stdio.h>

#include "api/prometheus/prometheus_int.h"
#include "codec/zstd.h"
#include "format/otlp.h"
#include "sys/self.h"

/* Of google.rpc.Code. */
enum { INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, UNAVAILABLE = 14 };

struct export
{
    struct call *call;
    enum otlp_encoding encoding;
    struct otlp_counts counts;
};

static const char *content_type(const struct export *e)
{
    return e->encoding == OTLP_JSON ? "application/json" : "application/x-protobuf";
}

static void answer_status(struct export *e, int status, int code, str message)
{
    struct reply r;
    self_add(SELF_OTLP_REQUESTS_REFUSED, 1);
    if (status == 503) {
        struct http_header *h = arena_new(e->call->req->arena, struct http_header);
        *h = (struct http_header){STR("Retry-After"), STR("1")};
        e->call->headers = h;
        e->call->headers_n = 1;
    }
    reply_begin(&r, e->call, status, content_type(e));
    otlp_put_status(e->encoding, code, message, &r.buf);
    reply_end(&r, true);
}

static void answer_error(struct export *e, const struct err *err)
{
    str message = str_from_z(err->msg);
    if (err->kind == ERR_INVALID)
        answer_status(e, 400, INVALID_ARGUMENT, message);
    else if (err->kind == ERR_LIMIT)
        answer_status(e, 413, RESOURCE_EXHAUSTED, message);
    else
        answer_status(e, 503, UNAVAILABLE, message);
}

static size_t not_stored(const struct batch_result *r)
{
    return r->conflicting + r->out_of_bounds + r->refused + r->invalid;
}

/* The store counts samples and the protocol points: of a histogram several samples may be one. */
static size_t rejected_of(const struct export *e, const struct batch_result *r)
{
    size_t n = e->counts.rejected + not_stored(r);
    return n < e->counts.points ? n : e->counts.points;
}

static void account(const struct export *e, size_t rejected)
{
    self_add(SELF_OTLP_POINTS_ACCEPTED, (int64_t)(e->counts.points - rejected));
    self_add(SELF_OTLP_POINTS_REJECTED, (int64_t)rejected);
    self_add(SELF_OTLP_EXEMPLARS_LEFT_OUT, (int64_t)e->counts.exemplars_left_out);
    self_add(SELF_OTLP_LABEL_COLLISIONS, (int64_t)e->counts.collisions);
}

static void on_done(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct export *e = arg;
    struct reply r;
    if (!ok) {
        answer_error(e, err);
        return;
    }
    size_t rejected = rejected_of(e, result);
    const char *why = e->counts.rejected ? e->counts.first.msg : result->first.msg;
    account(e, rejected);
    reply_begin(&r, e->call, 200, content_type(e));
    otlp_put_response(e->encoding, rejected, rejected ? str_from_z(why) : STR(""), &r.buf);
    reply_end(&r, true);
}

/* The body without its coding, in the batch's arena or the request's. */
static bool unpack(struct export *e, struct batch *b, bytes *plain, struct err *err)
{
    struct http_request *req = e->call->req;
    str coding = http_header_get(req, STR("Content-Encoding"));
    size_t max = e->call->api->write_body_bytes_max;
    *plain = req->body;
    if (!coding.n || str_eq_nocase(coding, STR("identity")))
        return true;
    if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("deflate")))
        return gzip_decode(req->body, max, &b->arena, plain, err);
    if (str_eq_nocase(coding, STR("zstd")))
        return zstd_decode(req->body, max, &b->arena, plain, err);
    return err_set(err, ERR_INVALID,
                   "Content-Encoding is \"%.*s\", expected gzip, zstd, deflate or none",
                   STR_ARG(coding));
}

static bool from_json(struct export *e, struct batch *b, bytes *body, struct err *err)
{
    STRBUF_CLEANUP struct strbuf made = {0};
    if (!otlp_json_to_protobuf(str_from_bytes(*body), e->call->api->write_body_bytes_max, &made,
                               err))
        return false;
    *body = bytes_from_str(arena_dup(&b->arena, strbuf_str(&made)));
    return true;
}

static bool decode(struct export *e, struct batch *b, struct err *err)
{
    SNAP_CLEANUP struct snap_ref ref = snap_get(&e->call->api->config);
    const struct api_config *config = ref.value;
    struct otlp_options o = {.conf = config->otlp,
                             .deltas = e->call->api->otlp_deltas,
                             .lookback_ms = e->call->api->query.lookback_ms};
    bytes body;
    return unpack(e, b, &body, err) &&
           (e->encoding == OTLP_PROTOBUF || from_json(e, b, &body, err)) &&
           otlp_metrics_decode(body, &o, b, &e->counts, err);
}

void prometheus_otlp_metrics(struct call *c)
{
    str type = http_header_get(c->req, STR("Content-Type"));
    struct export *e = arena_new(c->req->arena, struct export);
    struct err err = {0};
    bool protobuf = http_media_type_is(type, STR("application/x-protobuf"));
    e->call = c;
    e->encoding = protobuf ? OTLP_PROTOBUF : OTLP_JSON;
    if (!protobuf && !http_media_type_is(type, STR("application/json"))) {
        err_set(&err, ERR_INVALID,
                "Content-Type is \"%.*s\", expected application/x-protobuf or application/json",
                STR_ARG(type));
        answer_status(e, 415, INVALID_ARGUMENT, str_from_z(err.msg));
        return;
    }
    struct batch *b = batch_new();
    if (decode(e, b, &err)) {
        c->api->sink->write(c->api->sink, b, on_done, e);
        return;
    }
    batch_free(b);
    if (err.pos.line)
        err_wrap(&err, "%u:%u", err.pos.line, err.pos.col);
    answer_error(e, &err);
}
