// SPDX-License-Identifier: Apache-2.0
/*
 * Requests: their memory, the answer's head, and the way back from workers. A worker never touches
 * the connection: it fills the request in and puts it into the shard's outbox; the loop takes the
 * whole outbox at one wake. A request lives until the loop has sent the answer (or found the
 * connection gone) and it stands in no outbox.
 */
#include <assert.h>
#include <stdio.h>

#include "net/http_server_int.h"

enum { ARENA_KEEP_BYTES = 16 << 10 };

struct req *req_new(struct shard *sh)
{
    struct req *r = sh->spare;
    if (r) {
        sh->spare = r->next;
        sh->spare_n--;
        r->next = NULL;
    } else {
        r = mem_new(struct req);
        arena_init(&r->arena, 0);
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->cond, NULL);
    }
    r->shard = sh;
    r->pub.arena = &r->arena;
    r->pub.loop = sh->loop;
    return r;
}

void req_body_free(struct req *r)
{
    if (r->body_cap)
        atomic_fetch_sub(&r->shard->server->bodies_bytes, r->body_cap);
    free(r->body_buf);
    r->body_buf = NULL;
    r->body_n = r->body_cap = 0;
}

static void answer_drop(struct req *r)
{
    if (r->body_heap)
        free((void *)(uintptr_t)r->body.p);
    r->body_heap = false;
    r->body = (str){0};
}

static void req_destroy(struct req *r)
{
    arena_fini(&r->arena);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->cond);
    free(r);
}

/* Nobody refers to it any more. */
static void req_recycle(struct req *r)
{
    struct shard *sh = r->shard;
    if (r->held)
        atomic_fetch_sub(&sh->server->requests, 1);
    req_body_free(r);
    answer_drop(r);
    pipe_clear(&r->in);
    pipe_clear(&r->out);
    if (sh->spare_n >= SPARE_REQUESTS) {
        req_destroy(r);
        return;
    }
    if (r->arena.used > ARENA_KEEP_BYTES)
        arena_fini(&r->arena);
    else
        arena_reset(&r->arena);
    struct req keep = *r;
    memset(r, 0, sizeof *r);
    r->arena = keep.arena;
    r->lock = keep.lock; /* neither locked nor waited for */
    r->cond = keep.cond;
    r->next = sh->spare;
    sh->spare = r;
    sh->spare_n++;
}

void req_free(struct req *r)
{
    pthread_mutex_lock(&r->shard->lock);
    r->finished = true;
    r->conn = NULL;
    bool posted = r->posted;
    pthread_mutex_unlock(&r->shard->lock);
    if (!posted)
        req_recycle(r);
}

bool req_finished(struct req *r)
{
    pthread_mutex_lock(&r->shard->lock);
    bool finished = r->finished;
    pthread_mutex_unlock(&r->shard->lock);
    return finished;
}

void req_gone(struct req *r)
{
    pthread_mutex_lock(&r->lock);
    if (!atomic_load(&r->gone)) {
        atomic_store(&r->gone, true);
        if (r->gone_fn)
            r->gone_fn(r->gone_arg);
        r->gone_fn = NULL;
        pthread_cond_broadcast(&r->cond);
    }
    pthread_mutex_unlock(&r->lock);
}

/* The worker that holds it frees it by answering: the outbox finds it without a connection. */
void req_detach(struct req *r)
{
    r->conn = NULL;
    if (!r->held || req_finished(r)) {
        req_free(r);
        return;
    }
    stream_body_end(r, true);
    req_gone(r);
}

bool req_on_loop(const struct req *r)
{
    return r->shard->started && pthread_equal(r->shard->thread, pthread_self());
}

static void on_outbox(void *arg)
{
    shard_outbox_run(arg);
}

void req_post(struct req *r, bool finished)
{
    struct shard *sh = r->shard;
    struct loop *loop = sh->loop;
    pthread_mutex_lock(&sh->lock);
    r->finished |= finished;
    if (!r->posted) {
        r->posted = true;
        r->next = NULL;
        *sh->outbox_end = r;
        sh->outbox_end = &r->next;
    }
    bool wake = !sh->waking;
    sh->waking = true;
    pthread_mutex_unlock(&sh->lock);
    /* From here on the request may be gone. A stopped loop refuses: http_server_free looks again.
     */
    if (wake)
        loop_post(loop, on_outbox, sh);
}

void shard_outbox_run(struct shard *sh)
{
    pthread_mutex_lock(&sh->lock);
    struct req *r = sh->outbox, *next;
    sh->outbox = NULL;
    sh->outbox_end = &sh->outbox;
    sh->waking = false;
    pthread_mutex_unlock(&sh->lock);
    /* A request of this list is not freed before its turn: `posted` keeps it. */
    while (r) {
        pthread_mutex_lock(&sh->lock);
        next = r->next;
        r->posted = false;
        r->next = NULL;
        bool finished = r->finished;
        pthread_mutex_unlock(&sh->lock);
        if (r->conn)
            conn_run(r->conn);
        else if (finished)
            req_recycle(r);
        r = next;
    }
}

static void head_add(char **at, str s)
{
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
}

static size_t head_room(const struct http_response *p)
{
    size_t room = 128;
    for (size_t i = 0; i < p->headers_n; i++)
        room += p->headers[i].name.n + p->headers[i].value.n + 4;
    return room;
}

static bool headers_ok(const struct http_response *p)
{
    for (size_t i = 0; i < p->headers_n; i++) {
        assert(http_name_ok(p->headers[i].name));
        if (!http_value_ok(p->headers[i].value))
            return false;
    }
    return true;
}

void req_head_format(struct req *r, const struct http_response *p, bool chunked)
{
    assert(p->status >= 200 && p->status <= 599);
    bool bare = p->status == 204 || p->status == 304;
    char *start = arena_alloc(&r->arena, head_room(p)), *at = start;
    at += snprintf(at, 64, "HTTP/1.1 %d %s\r\n", p->status, http_reason(p->status));
    for (size_t i = 0; i < p->headers_n; i++) {
        head_add(&at, p->headers[i].name);
        head_add(&at, STR(": "));
        head_add(&at, p->headers[i].value);
        head_add(&at, STR("\r\n"));
    }
    if (chunked)
        head_add(&at, STR("Transfer-Encoding: chunked\r\n"));
    else if (r->answer == ANSWER_WHOLE && !bare)
        at += snprintf(at, 48, "Content-Length: %zu\r\n", r->body.n);
    r->head = str_of(start, (size_t)(at - start));
    r->status = p->status;
    r->no_body = bare || r->pub.method == HTTP_HEAD;
    r->chunked = chunked;
}

void req_answer(struct req *r, const struct http_response *p)
{
    static const struct http_response broken = {.status = 500,
                                                .body =
                                                    STR_INIT("an answer header was not valid\n"),
                                                .body_owner = HTTP_BODY_KEEP};
    answer_drop(r);
    r->answer = ANSWER_WHOLE;
    r->body = p->body_owner == HTTP_BODY_COPY ? arena_dup(&r->arena, p->body) : p->body;
    r->body_heap = p->body_owner == HTTP_BODY_HEAP;
    if (!headers_ok(p)) {
        self_add(SELF_HTTP_BAD_ANSWER, 1);
        answer_drop(r);
        p = &broken;
        r->body = p->body;
    }
    req_head_format(r, p, false);
}

void req_answer_text(struct req *r, int status, const char *text)
{
    static const struct http_header headers[] = {
        {STR_INIT("Content-Type"), STR_INIT("text/plain; charset=utf-8")},
        {STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")}};
    struct http_response p = {.status = status,
                              .headers = headers,
                              .headers_n = 2,
                              .body = arena_printf(&r->arena, "%s\n", text),
                              .body_owner = HTTP_BODY_KEEP};
    req_answer(r, &p);
}

static struct req *req_of(const struct http_request *pub)
{
    return (struct req *)(uintptr_t)pub;
}

static void gone_disarm(struct req *r)
{
    pthread_mutex_lock(&r->lock);
    r->gone_fn = NULL;
    pthread_mutex_unlock(&r->lock);
}

void http_respond(struct http_request *pub, const struct http_response *p)
{
    struct req *r = req_of(pub);
    assert(r->held && r->answer == ANSWER_NONE);
    gone_disarm(r);
    req_answer(r, p);
    if (!req_on_loop(r)) {
        req_post(r, true);
        return;
    }
    pthread_mutex_lock(&r->shard->lock);
    r->finished = true;
    pthread_mutex_unlock(&r->shard->lock);
    if (r->conn)
        conn_run(r->conn);
    else
        req_free(r);
}

void http_respond_text(struct http_request *pub, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text - 1 ? (size_t)n : sizeof text - 2;
    text[len] = '\n';
    static const struct http_header headers[] = {
        {STR_INIT("Content-Type"), STR_INIT("text/plain; charset=utf-8")},
        {STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")}};
    http_respond(pub, &(struct http_response){.status = status,
                                              .headers = headers,
                                              .headers_n = 2,
                                              .body = str_of(text, len + 1)});
}

void http_on_gone(struct http_request *pub, void (*fn)(void *arg), void *arg)
{
    struct req *r = req_of(pub);
    assert(req_on_loop(r));
    pthread_mutex_lock(&r->lock);
    if (atomic_load(&r->gone)) {
        fn(arg);
    } else {
        r->gone_fn = fn;
        r->gone_arg = arg;
    }
    pthread_mutex_unlock(&r->lock);
}

void http_cut(struct http_request *pub)
{
    struct req *r = req_of(pub);
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->gone, true);
    r->gone_fn = NULL;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

bool http_gone(const struct http_request *pub)
{
    return atomic_load_explicit(&req_of(pub)->gone, memory_order_relaxed);
}

str http_header_get(const struct http_request *req, str name)
{
    return http_headers_get(req->headers, req->headers_n, name);
}

bool http_accepts(const struct http_request *req, str coding)
{
    return http_accept_allows(http_header_get(req, STR("accept-encoding")), coding);
}
