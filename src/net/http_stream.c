// SPDX-License-Identifier: Apache-2.0
/*
 * Streamed answers and streamed bodies: bounded pipes between a worker that may wait and a loop
 * that may not. The worker's side waits on the request's condition, lending its pool slot
 * meanwhile; the loop's side stops reading from, or taking for, the socket.
 */
#include <assert.h>
#include <stdio.h>

#include "net/http_server_int.h"
#include "sys/pool.h"

enum { BLOCK_BYTES = 64 << 10, CHUNK_FRAME_BYTES = 24 };

struct block *block_new(size_t n)
{
    struct block *b = mem_alloc(sizeof *b + n);
    b->next = NULL;
    b->n = b->off = 0;
    return b;
}

void pipe_add(struct pipe *p, struct block *b)
{
    *(p->last ? &p->last->next : &p->first) = b;
    p->last = b;
    p->queued += b->n;
}

void pipe_clear(struct pipe *p)
{
    for (struct block *b = p->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *p = (struct pipe){0};
}

static struct req *req_of(const struct http_request *pub)
{
    return (struct req *)(uintptr_t)pub;
}

static bool out_may_go_on(struct req *r)
{
    return r->out.queued < PIPE_MARK_BYTES || atomic_load(&r->gone);
}

static bool in_may_go_on(struct req *r)
{
    return r->in.first || r->in_done || r->in_failed || atomic_load(&r->gone);
}

/*
 * Waits until `ready`; returns with r->lock held. The pool slot is taken back without the lock:
 * that may wait, and the loop needs the lock.
 */
static void wait_for(struct req *r, bool (*ready)(struct req *r))
{
    pthread_mutex_lock(&r->lock);
    while (!ready(r)) {
        pthread_mutex_unlock(&r->lock);
        pool_block_begin();
        pthread_mutex_lock(&r->lock);
        while (!ready(r))
            pthread_cond_wait(&r->cond, &r->lock);
        pthread_mutex_unlock(&r->lock);
        pool_block_end();
        pthread_mutex_lock(&r->lock);
    }
}

void http_stream_start(struct http_request *pub, const struct http_response *p)
{
    static const struct http_response broken = {.status = 500};
    struct req *r = req_of(pub);
    assert(r->held && r->answer == ANSWER_NONE && p->body.n == 0);
    bool body = p->status != 204 && p->status != 304 && pub->method != HTTP_HEAD;
    for (size_t i = 0; i < p->headers_n; i++)
        if (!http_value_ok(p->headers[i].value)) {
            self_add(SELF_HTTP_BAD_ANSWER, 1);
            p = &broken;
            break;
        }
    r->answer = ANSWER_STREAM;
    req_head_format(r, p, body && pub->version_minor > 0);
    pthread_mutex_lock(&r->lock);
    r->out_started = true;
    pthread_mutex_unlock(&r->lock);
    req_post(r, false);
}

static struct block *chunk_new(const struct req *r, str data)
{
    struct block *b = block_new(data.n + CHUNK_FRAME_BYTES);
    if (r->chunked)
        b->n += (size_t)snprintf(b->data, CHUNK_FRAME_BYTES, "%zx\r\n", data.n);
    memcpy(b->data + b->n, data.p, data.n);
    b->n += data.n;
    if (r->chunked) {
        memcpy(b->data + b->n, "\r\n", 2);
        b->n += 2;
    }
    return b;
}

bool http_stream_write(struct http_request *pub, str data)
{
    struct req *r = req_of(pub);
    assert(r->answer == ANSWER_STREAM && !req_on_loop(r));
    while (data.n > 0 && !r->no_body && !http_gone(pub)) {
        size_t n = data.n < BLOCK_BYTES ? data.n : BLOCK_BYTES;
        struct block *b = chunk_new(r, str_sub(data, 0, n));
        data = str_sub(data, n, data.n);
        wait_for(r, out_may_go_on);
        bool first = r->out.first == NULL;
        pipe_add(&r->out, b);
        pthread_mutex_unlock(&r->lock);
        if (first)
            req_post(r, false);
    }
    return !http_gone(pub);
}

bool http_stream_writable(struct http_request *pub)
{
    struct req *r = req_of(pub);
    pthread_mutex_lock(&r->lock);
    bool room = r->out.queued < PIPE_MARK_BYTES;
    pthread_mutex_unlock(&r->lock);
    return room && !http_gone(pub);
}

void http_stream_end(struct http_request *pub, bool complete)
{
    struct req *r = req_of(pub);
    assert(r->answer == ANSWER_STREAM);
    pthread_mutex_lock(&r->lock);
    r->gone_fn = NULL;
    r->out_broken = !complete;
    if (complete && r->chunked) {
        struct block *b = block_new(5);
        memcpy(b->data, "0\r\n\r\n", b->n = 5);
        pipe_add(&r->out, b);
    }
    pthread_mutex_unlock(&r->lock);
    req_post(r, true);
}

ssize_t http_body_read(struct http_request *pub, void *buf, size_t cap)
{
    struct req *r = req_of(pub);
    assert(r->answer == ANSWER_NONE && !req_on_loop(r) && cap > 0);
    wait_for(r, in_may_go_on);
    struct block *b = r->in_failed || atomic_load(&r->gone) ? NULL : r->in.first, *spent = NULL;
    if (!b) {
        ssize_t rc = r->in_done && !r->in_failed && !atomic_load(&r->gone) ? 0 : -1;
        pthread_mutex_unlock(&r->lock);
        return rc;
    }
    size_t n = b->n - b->off < cap ? b->n - b->off : cap;
    memcpy(buf, b->data + b->off, n);
    b->off += n;
    r->in.queued -= n;
    if (b->off == b->n) {
        spent = b;
        r->in.first = b->next;
        if (!b->next)
            r->in.last = NULL;
    }
    bool resume = r->in_paused && r->in.queued < PIPE_MARK_BYTES / 2;
    if (resume)
        r->in_paused = false;
    pthread_mutex_unlock(&r->lock);
    free(spent);
    if (resume)
        req_post(r, false);
    return (ssize_t)n;
}

void stream_body_add(struct req *r, str part)
{
    struct block *b = block_new(part.n);
    memcpy(b->data, part.p, b->n = part.n);
    pthread_mutex_lock(&r->lock);
    pipe_add(&r->in, b);
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

void stream_body_end(struct req *r, bool failed)
{
    pthread_mutex_lock(&r->lock);
    if (!r->in_done) {
        r->in_done = true;
        r->in_failed = failed;
    }
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

bool stream_body_full(struct req *r)
{
    pthread_mutex_lock(&r->lock);
    /* Once stopped, it goes on only when the worker says so: at half the mark. */
    if (r->in.queued >= PIPE_MARK_BYTES)
        r->in_paused = true;
    bool full = r->in_paused;
    pthread_mutex_unlock(&r->lock);
    return full;
}
