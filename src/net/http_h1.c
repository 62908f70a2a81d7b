// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1's way from bytes to requests. A head is collected whole and looked at strictly
 * (http_head.h) before llhttp reads it; its body goes through llhttp as it comes. While a request
 * is being worked on nothing is parsed: what the peer sends ahead waits in conn->in.
 */
#include "net/http_server_int.h"
#include "net/http_target.h"

#define FAULT(name, status, counter, text)                                                         \
    static const struct http_fault name = {status, SELF_HTTP_REFUSED_##counter, text}

FAULT(malformed, 400, HEADER, "malformed request");
FAULT(unknown_method, 501, METHOD, "this method is not implemented");
FAULT(bad_target, 400, TARGET, "malformed request target");
FAULT(bad_chunk, 400, CHUNK, "malformed chunked body");
FAULT(body_too_large, 413, BODY_TOO_LARGE, "the request body is too large");
FAULT(no_memory, 503, BODY_MEMORY, "too many large requests at once, try again later");
FAULT(head_timeout, 408, HEAD_TIMEOUT, "the request head took too long");
FAULT(body_timeout, 408, BODY_TIMEOUT, "the request body came too slowly");

static void on_method(void *arg, str method)
{
    static const str names[HTTP_METHODS] = {
        [HTTP_GET] = STR_INIT("GET"),       [HTTP_HEAD] = STR_INIT("HEAD"),
        [HTTP_POST] = STR_INIT("POST"),     [HTTP_PUT] = STR_INIT("PUT"),
        [HTTP_DELETE] = STR_INIT("DELETE"), [HTTP_OPTIONS] = STR_INIT("OPTIONS"),
        [HTTP_PATCH] = STR_INIT("PATCH"),
    };
    struct http_request *pub = &((struct conn *)arg)->req->pub;
    pub->method_name = method;
    pub->method = HTTP_METHOD_OTHER;
    for (int i = 0; i < HTTP_METHOD_OTHER; i++)
        if (str_eq(method, names[i]))
            pub->method = (enum http_method)i;
}

static void on_target(void *arg, str target)
{
    ((struct conn *)arg)->req->pub.target = target;
}

static void on_header(void *arg, str name, str value)
{
    struct conn *c = arg;
    c->headers[c->headers_n++] = (struct http_header){name, value};
}

/* Room for the body grows with what came, never with what was announced. */
static bool body_reserve(struct conn *c, struct req *r, size_t n)
{
    struct http_server *s = c->shard->server;
    size_t need = r->body_n + n, cap = r->body_cap;
    if (need <= cap)
        return true;
    cap = cap * 2 < need ? need : cap * 2;
    if (cap < 4096)
        cap = 4096;
    if (c->framing.has_length && cap > c->framing.length)
        cap = c->framing.length;
    size_t more = cap - r->body_cap;
    if (atomic_fetch_add(&s->bodies_bytes, more) + more > s->limits.bodies_max_bytes) {
        atomic_fetch_sub(&s->bodies_bytes, more);
        return false;
    }
    r->body_buf = mem_realloc(r->body_buf, cap);
    r->body_cap = cap;
    return true;
}

static void on_body(void *arg, str part)
{
    struct conn *c = arg;
    struct req *r = c->req;
    if (c->fault)
        return;
    c->body_n += part.n;
    if (c->discard) {
        c->discarded += part.n;
    } else if (c->body_n > c->body_max) {
        c->fault = &body_too_large;
    } else if (c->plan == HTTP_PLAN_STREAM) {
        stream_body_add(r, part);
    } else if (body_reserve(c, r, part.n)) {
        memcpy(r->body_buf + r->body_n, part.p, part.n);
        r->body_n += part.n;
    } else {
        c->fault = &no_memory;
    }
}

static const struct http_parser_events events = {on_method, on_target, on_header, on_body};

void h1_init(struct conn *c)
{
    c->parser = http_parser_new(&events, c);
}

static void next_request(struct conn *c)
{
    http_parser_reset(c->parser);
    c->scan = (struct head_scan){0};
    c->framing = (struct head_framing){0};
    c->headers = NULL;
    c->headers_n = 0;
    c->body_n = c->discarded = 0;
    c->discard = c->send_continue = c->sent_head = c->sent_all = false;
    c->fault = NULL;
    c->phase = PHASE_HEAD;
    c->request_done = c->fresh = true;
}

static void finish(struct conn *c)
{
    if (c->linger && !c->eof) {
        c->transport->shutdown(c);
        c->phase = PHASE_LINGER;
    } else {
        c->closing = true;
    }
}

void h1_request_over(struct conn *c)
{
    req_free(c->req);
    c->req = NULL;
    if (c->phase == PHASE_BODY && !c->close_after) {
        c->discard = true; /* answered early: the rest of the body belongs to nobody */
        return;
    }
    c->linger |= c->phase == PHASE_BODY;
    if (c->close_after)
        finish(c);
    else
        next_request(c);
}

void h1_refuse(struct conn *c, const struct http_fault *fault)
{
    self_add(fault->counter, 1);
    c->fault = fault;
    c->close_after = c->linger = true;
    c->view = (str){0};
    c->phase = PHASE_WORK;
    if (c->req && c->req->held) { /* whoever holds it answers; output puts in what is wrong */
        stream_body_end(c->req, true);
        return;
    }
    if (!c->req) {
        c->req = req_new(c->shard);
        c->req->conn = c;
    }
    if (c->req->answer != ANSWER_NONE) /* an answer of ours is on its way already */
        return;
    req_body_free(c->req);
    req_answer_text(c->req, fault->status, fault->text);
}

void h1_timeout(struct conn *c, enum deadline kind)
{
    h1_refuse(c, kind == DEADLINE_HEAD ? &head_timeout : &body_timeout);
}

static void deliver(struct conn *c)
{
    struct req *r = c->req;
    struct http_server *s = c->shard->server;
    r->held = true;
    r->pub.body = bytes_of(r->body_buf, r->body_n);
    atomic_fetch_add(&s->requests, 1);
    s->handler.on_request(s->handler.arg, &r->pub);
}

static void message_complete(struct conn *c)
{
    if (!c->req) { /* the rest of a body that was answered before */
        next_request(c);
        return;
    }
    c->phase = PHASE_WORK;
    if (c->discard)
        return;
    if (c->plan == HTTP_PLAN_STREAM)
        stream_body_end(c->req, false);
    else
        deliver(c);
}

static void plan_respond(struct conn *c, const struct http_plan *plan, bool has_body)
{
    req_answer(c->req, &plan->response);
    c->discard = true;
    /* A client that waits for "100 Continue" may send the body or not: nobody can tell. */
    if (has_body && (c->framing.expect_continue || c->framing.length > DISCARD_MAX_BYTES))
        c->close_after = c->linger = true;
}

static void plan_apply(struct conn *c, const struct http_plan *plan, bool has_body)
{
    c->plan = plan->kind;
    c->body_max = plan->kind == HTTP_PLAN_NO_BODY ? 0 : plan->body_max_bytes;
    c->phase = has_body ? PHASE_BODY : PHASE_WORK;
    if (plan->kind == HTTP_PLAN_RESPOND) {
        plan_respond(c, plan, has_body);
        return;
    }
    if (c->framing.length > c->body_max) {
        h1_refuse(c, &body_too_large);
        return;
    }
    c->send_continue = has_body && c->framing.expect_continue && c->view.n == 0;
    if (plan->kind == HTTP_PLAN_STREAM)
        deliver(c);
    if (!has_body)
        message_complete(c);
}

static const struct http_fault *target_read(struct http_request *pub)
{
    struct http_target t;
    struct err err;
    if (!http_target_split(pub->target, &t, &err))
        return &bad_target;
    if (str_eq(t.path, STR("*")) && pub->method != HTTP_OPTIONS)
        return &bad_target;
    pub->path = t.path;
    pub->query = t.query;
    if (t.authority.n > 0)
        pub->host = t.authority;
    return NULL;
}

static size_t lines_count(str head)
{
    size_t n = 0;
    for (const char *p = head.p; (p = memchr(p, '\n', (size_t)(head.p + head.n - p))); p++)
        n++;
    return n;
}

/* NULL, or why the head is refused. */
static const struct http_fault *head_read(struct conn *c, str head, bool *has_body)
{
    struct req *r = c->req;
    const struct http_fault *fault = head_check(head, c->shard->server->limits.header_fields_max);
    if (fault)
        return fault;
    head = head_copy(&r->arena, head);
    c->headers = arena_alloc(&r->arena, lines_count(head) * sizeof *c->headers);
    enum http_parser_result rc = http_parser_head(c->parser, head);
    r->pub.headers = c->headers;
    r->pub.headers_n = c->headers_n;
    r->pub.version_minor = http_parser_version_minor(c->parser);
    if (rc == PARSER_UNKNOWN_METHOD)
        return &unknown_method;
    /* Our reading of the headers is the more exact one; it goes first where both would object. */
    fault = c->headers_n > 0 || rc != PARSER_BAD
                ? head_framing(c->headers, c->headers_n, r->pub.version_minor, &c->framing)
                : NULL;
    if (fault || rc == PARSER_BAD)
        return fault ? fault : &malformed;
    if (str_eq(r->pub.method_name, STR("CONNECT")))
        return &unknown_method;
    r->pub.host = c->framing.host;
    *has_body = rc == PARSER_MORE;
    if (*has_body != (c->framing.chunked || c->framing.length > 0))
        return &malformed; /* two readers, two opinions: nobody gets to use that */
    return target_read(&r->pub);
}

static void request_begin(struct conn *c, str head)
{
    struct http_server *s = c->shard->server;
    struct req *r = c->req = req_new(c->shard);
    bool has_body = false;
    r->conn = c;
    r->pub.tls = c->tls != NULL;
    r->pub.peer = str_from_z(c->peer);
    r->pub.listener = c->listener;
    r->pub.tls_client = arena_dup(&r->arena, str_from_z(c->tls_name));
    r->pub.peer = arena_dup(&r->arena, r->pub.peer);
    const struct http_fault *fault = head_read(c, head, &has_body);
    if (fault) {
        h1_refuse(c, fault);
        return;
    }
    struct http_plan plan = s->handler.on_head(s->handler.arg, &r->pub);
    plan_apply(c, &plan, has_body);
}

static bool head_step(struct conn *c)
{
    const struct http_fault *fault = NULL;
    ssize_t n = c->view.n == 0 ? 0
                               : head_scan(&c->scan, c->view,
                                           c->shard->server->limits.header_bytes_max, &fault);
    if (n == 0) {
        c->closing |= c->eof;
        return false;
    }
    if (n < 0) {
        h1_refuse(c, fault);
        return true;
    }
    str head = str_sub(c->view, c->scan.start, c->scan.start + (size_t)n);
    c->view = str_sub(c->view, c->scan.start + (size_t)n, c->view.n);
    request_begin(c, head);
    return true;
}

/* The peer left in the middle of a body. */
static void body_cut_short(struct conn *c)
{
    if (!c->req || !c->req->held) {
        conn_lost(c, SELF_HTTP_LOST_PEER);
        return;
    }
    stream_body_end(c->req, true);
    c->close_after = true;
    c->phase = PHASE_WORK;
}

static bool body_step(struct conn *c)
{
    size_t used;
    if (c->plan == HTTP_PLAN_STREAM && !c->discard && stream_body_full(c->req))
        return false;
    if (c->view.n == 0) {
        if (c->eof)
            body_cut_short(c);
        return false;
    }
    enum http_parser_result rc = http_parser_body(c->parser, c->view, &used);
    c->view = str_sub(c->view, used, c->view.n);
    if (c->fault || rc >= PARSER_BAD) {
        if (!c->req) { /* answered already; there is nothing left to say */
            c->linger = true;
            finish(c);
        } else {
            h1_refuse(c, c->fault ? c->fault : &bad_chunk);
        }
    } else if (rc == PARSER_DONE) {
        message_complete(c);
    } else if (c->discarded > DISCARD_MAX_BYTES) {
        c->close_after = c->linger = true;
        c->view = (str){0};
        if (c->req)
            c->phase = PHASE_WORK;
        else
            finish(c);
    }
    return true;
}

bool h1_step(struct conn *c)
{
    switch (c->phase) {
    case PHASE_HEAD:
        return head_step(c);
    case PHASE_BODY:
        return body_step(c);
    case PHASE_WORK:
        if (c->close_after)
            c->view = (str){0};
        return false;
    case PHASE_LINGER:
        c->view = (str){0};
        c->closing |= c->eof;
        return false;
    }
    return false;
}
