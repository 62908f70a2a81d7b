// SPDX-License-Identifier: Apache-2.0
#include "api/reply.h"

#include <stdarg.h>

#include "codec/json_writer.h"
#include "sys/self.h"

enum { STREAM_BYTES = 256 * 1024, COMPRESS_BYTES = 1024, GZIP_LEVEL = 1, ZSTD_LEVEL = 1 };
enum { HEADERS_MAX = 6 + CALL_HEADERS_MAX };

void reply_begin(struct reply *r, struct call *c, int status, const char *content_type)
{
    *r = (struct reply){.call = c, .status = status, .content_type = content_type};
    if (c->budget)
        r->quota = &c->budget->memory;
}

static size_t headers_fill(struct reply *r, struct http_header h[HEADERS_MAX])
{
    const struct call *c = r->call;
    size_t n = 0;
    h[n++] = (struct http_header){STR("Content-Type"), str_from_z(r->content_type)};
    h[n++] = (struct http_header){STR("Cache-Control"), STR("no-store")};
    h[n++] = (struct http_header){STR("X-Content-Type-Options"), STR("nosniff")};
    if (c->route->cors == ANY_ORIGIN)
        h[n++] = (struct http_header){STR("Access-Control-Allow-Origin"), c->api->cors_origin};
    if (r->coding.n)
        h[n++] = (struct http_header){STR("Content-Encoding"), r->coding};
    h[n++] = (struct http_header){STR("Vary"), STR("Accept-Encoding, Origin")};
    for (size_t i = 0; i < c->headers_n; i++)
        h[n++] = c->headers[i];
    return n;
}

/* zstd before gzip: half the time for fewer bytes. */
static str choose_coding(const struct reply *r)
{
    const struct http_request *req = r->call->req;
    if (r->packed_already)
        return STR("");
    return http_accepts(req, STR("zstd"))   ? STR("zstd")
           : http_accepts(req, STR("gzip")) ? STR("gzip")
                                            : STR("");
}

/* The call's budget was ended: what is told so far is not the whole. */
static void cut(void *request)
{
    http_cut(request);
}

/* Becomes a stream: the head goes out, the pieces follow. */
static void start(struct reply *r)
{
    struct http_header h[HEADERS_MAX];
    r->coding = choose_coding(r);
    if (str_eqz(r->coding, "zstd"))
        r->zstd = zstd_stream_new(ZSTD_LEVEL);
    else if (r->coding.n)
        r->gzip = gzip_deflate_new(GZIP_LEVEL);
    struct http_response head = {
        .status = r->status, .headers = h, .headers_n = headers_fill(r, h)};
    http_stream_start(r->call->req, &head);
    r->started = true;
    if (r->call->budget)
        budget_on_stop(r->call->budget, cut, r->call->req);
}

static void pack(struct reply *r, bytes piece, bool last)
{
    strbuf_clear(&r->packed);
    if (r->zstd) {
        zstd_stream_push(r->zstd, piece, &r->packed);
        if (last)
            zstd_stream_finish(r->zstd, &r->packed);
        return;
    }
    gzip_deflate_push(r->gzip, piece, false, &r->packed);
    if (last)
        gzip_deflate_finish(r->gzip, &r->packed);
}

static void send_piece(struct reply *r, bool last)
{
    str piece = strbuf_str(&r->buf);
    if (r->coding.n) {
        pack(r, bytes_from_str(piece), last);
        piece = strbuf_str(&r->packed);
    }
    if (piece.n && !http_stream_write(r->call->req, piece))
        r->gone = true;
    strbuf_clear(&r->buf);
}

bool reply_more(struct reply *r)
{
    if (r->gone)
        return false;
    if (r->buf.n < STREAM_BYTES)
        return true;
    if (!r->started)
        start(r);
    quota_hold(r->quota, &r->held, r->buf.cap + r->packed.cap);
    send_piece(r, false);
    return !r->gone;
}

static void free_buffers(struct reply *r)
{
    gzip_deflate_free(r->gzip);
    zstd_stream_free(r->zstd);
    strbuf_fini(&r->buf);
    strbuf_fini(&r->packed);
    quota_hold(r->quota, &r->held, 0);
}

static void end_stream(struct reply *r, bool complete)
{
    if (complete && !r->gone)
        send_piece(r, true);
    call_leave(r->call);
    http_stream_end(r->call->req, complete && !r->gone);
}

static void end_whole(struct reply *r)
{
    struct http_header h[HEADERS_MAX];
    bytes plain = bytes_from_str(strbuf_str(&r->buf));
    r->coding = r->buf.n >= COMPRESS_BYTES ? choose_coding(r) : STR("");
    if (str_eqz(r->coding, "zstd"))
        zstd_encode(plain, ZSTD_LEVEL, &r->packed);
    else if (r->coding.n)
        gzip_encode(plain, GZIP_LEVEL, &r->packed);
    struct strbuf *body = r->coding.n ? &r->packed : &r->buf;
    struct http_response response = {
        .status = r->status,
        .headers = h,
        .headers_n = headers_fill(r, h),
    };
    if (body->p) { /* taking from an empty buffer would allocate what nobody frees */
        response.body = strbuf_str(body);
        response.body_owner = HTTP_BODY_HEAP;
        strbuf_take(body);
    }
    call_leave(r->call);
    http_respond(r->call->req, &response);
}

void reply_end(struct reply *r, bool complete)
{
    if (r->started)
        end_stream(r, complete);
    else
        end_whole(r);
    free_buffers(r);
}

static const struct {
    int status;
    const char *type;
} kinds[] = {
    [ERR_NONE] = {500, "internal"},        [ERR_INVALID] = {400, "bad_data"},
    [ERR_EXEC] = {422, "execution"},       [ERR_NOT_FOUND] = {404, "not_found"},
    [ERR_LIMIT] = {422, "execution"},      [ERR_TIMEOUT] = {503, "timeout"},
    [ERR_CANCELED] = {503, "canceled"},    [ERR_UNAVAILABLE] = {503, "unavailable"},
    [ERR_NO_SPACE] = {507, "unavailable"}, [ERR_IO] = {500, "internal"},
    [ERR_CORRUPT] = {500, "internal"},     [ERR_EXISTS] = {409, "bad_data"},
    [ERR_DENIED] = {403, "forbidden"},     [ERR_INTERNAL] = {500, "internal"},
};

/* The message as upstream shows it: the position in front, the hint behind. */
static void error_text(const struct err *err, struct strbuf *out)
{
    if (err->pos.line)
        strbuf_addf(out, "%u:%u: ", err->pos.line, err->pos.col);
    strbuf_addz(out, err->msg);
    if (err->hint[0])
        strbuf_addf(out, " (hint: %s)", err->hint);
}

void reply_error(struct call *c, const struct err *err)
{
    STRBUF_CLEANUP struct strbuf text = {0};
    struct reply r;
    struct json_writer w;
    error_text(err, &text);
    reply_begin(&r, c, kinds[err->kind].status, "application/json");
    w = json_writer(&r.buf);
    json_open_object(&w);
    json_put_key(&w, STR("status"));
    json_put_str(&w, STR("error"));
    json_put_key(&w, STR("errorType"));
    json_put_str(&w, str_from_z(kinds[err->kind].type));
    json_put_key(&w, STR("error"));
    json_put_str(&w, strbuf_str(&text));
    json_close_object(&w);
    reply_end(&r, true);
}

void reply_text(struct call *c, int status, const char *fmt, ...)
{
    struct reply r;
    va_list ap;
    reply_begin(&r, c, status, "text/plain; charset=utf-8");
    va_start(ap, fmt);
    strbuf_addv(&r.buf, fmt, ap);
    va_end(ap);
    reply_end(&r, true);
}

void reply_empty(struct call *c, int status)
{
    struct reply r;
    reply_begin(&r, c, status, "text/plain; charset=utf-8");
    reply_end(&r, true);
}
