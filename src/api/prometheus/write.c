// SPDX-License-Identifier: Apache-2.0
/*
 * POST /api/v1/write, remote write 1.0 and 2.0: the answer is sent when the samples are on stable
 * storage. What is wrong with some samples is a 400 while the others are stored, so that the sender
 * does not repeat them.
 */
#include "api/prometheus/prometheus_int.h"
#include "codec/snappy.h"
#include "format/remote_write2.h"

enum protocol { WRITE_1_0, WRITE_2_0 };

/* Which message the sender says this is; as upstream, 1.0 when it says nothing. False: one that
 * nobody here reads. */
static bool protocol_of(str type, enum protocol *out)
{
    str rest = type, param;
    *out = WRITE_1_0;
    str_cut(&rest, ';', &param);
    while (rest.p && str_cut(&rest, ';', &param)) {
        str value = str_trim(param);
        if (!str_starts(value, STR("proto=")))
            continue;
        value = str_sub(value, 6, value.n);
        *out = str_eqz(value, "io.prometheus.write.v2.Request") ? WRITE_2_0 : WRITE_1_0;
        return *out == WRITE_2_0 || str_eqz(value, "prometheus.WriteRequest");
    }
    return true;
}

static bool headers_check(struct call *c, enum protocol *protocol, struct err *err)
{
    str type = http_header_get(c->req, STR("Content-Type"));
    str coding = http_header_get(c->req, STR("Content-Encoding"));
    if (type.n && !http_media_type_is(type, STR("application/x-protobuf")))
        return err_set(err, ERR_INVALID,
                       "Content-Type is \"%.*s\", expected application/x-protobuf", STR_ARG(type));
    if (!protocol_of(type, protocol))
        return err_set(err, ERR_INVALID,
                       "the message of \"%.*s\" is not known here: send "
                       "proto=io.prometheus.write.v2.Request or proto=prometheus.WriteRequest",
                       STR_ARG(type));
    if (coding.n && !str_eq_nocase(coding, STR("snappy")))
        return err_set(err, ERR_INVALID, "Content-Encoding is \"%.*s\", expected snappy",
                       STR_ARG(coding));
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

static bool unpack(struct call *c, struct batch *b, bytes *plain, struct err *err)
{
    return snappy_decode(c->req->body, c->api->write_body_bytes_max, &b->arena, plain, err);
}

static void write_1_0(struct call *c, struct batch *b)
{
    struct remote_write_skipped skipped;
    struct err err;
    bytes plain;
    if (unpack(c, b, &plain, &err) &&
        remote_write_decode(plain, &remote_write_default_limits, b, &skipped, &err)) {
        c->api->sink->write(c->api->sink, b, on_done, c);
        return;
    }
    batch_free(b);
    reply_text(c, status_of(&err), "%s\n", err.msg);
}

/* ---- 2.0 ---- */

struct write2 {
    struct call *call;
    struct remote_write2_counts counts;
};

/* What of the request is stored now: senders count by these headers. Samples that were not are
 * taken off the floats first; the store does not tell which kind they were. */
static void put_written(struct write2 *w, bool ok, size_t failed)
{
    struct arena *a = w->call->req->arena;
    struct http_header *h = arena_array(a, struct http_header, 3);
    size_t floats = w->counts.samples, histograms = w->counts.histograms;
    size_t of_floats = failed < floats ? failed : floats, rest = failed - of_floats;
    floats = ok ? floats - of_floats : 0;
    histograms = ok && rest < histograms ? histograms - rest : 0;
    h[0] = (struct http_header){STR("X-Prometheus-Remote-Write-Samples-Written"),
                                arena_printf(a, "%zu", floats)};
    h[1] = (struct http_header){STR("X-Prometheus-Remote-Write-Histograms-Written"),
                                arena_printf(a, "%zu", histograms)};
    h[2] = (struct http_header){STR("X-Prometheus-Remote-Write-Exemplars-Written"),
                                arena_printf(a, "%zu", ok ? w->counts.exemplars : 0)};
    w->call->headers = h;
    w->call->headers_n = 3;
}

static void on_done2(void *arg, bool ok, const struct batch_result *r, const struct err *err)
{
    struct write2 *w = arg;
    size_t failed = r->conflicting + r->out_of_bounds + r->refused + r->invalid;
    size_t all = failed + w->counts.left_out;
    put_written(w, ok, failed);
    if (!ok)
        reply_text(w->call, status_of(err), "%s\n", err->msg);
    else if (all)
        reply_text(w->call, 400, "%zu samples stored, %zu not: %s\n", r->stored, all,
                   w->counts.left_out ? w->counts.first.msg : r->first.msg);
    else
        reply_empty(w->call, 204);
}

static void write_2_0(struct call *c, struct batch *b)
{
    struct write2 *w = arena_new(c->req->arena, struct write2);
    struct err err;
    bytes plain;
    w->call = c;
    if (unpack(c, b, &plain, &err) &&
        remote_write2_decode(plain, &remote_write_default_limits, b, &w->counts, &err)) {
        c->api->sink->write(c->api->sink, b, on_done2, w);
        return;
    }
    batch_free(b);
    put_written(w, false, 0);
    reply_text(c, status_of(&err), "%s\n", err.msg);
}

void prometheus_write(struct call *c)
{
    enum protocol protocol = WRITE_1_0;
    struct err err;
    if (!headers_check(c, &protocol, &err)) {
        reply_text(c, 415, "%s\n", err.msg);
        return;
    }
    struct batch *b = batch_new();
    if (protocol == WRITE_2_0)
        write_2_0(c, b);
    else
        write_1_0(c, b);
}
