// SPDX-License-Identifier: Apache-2.0
/*
 * Raw bytes through the real connection code, from the head to the answer, on a transport without a
 * socket. The first byte chooses how the rest is cut into pieces and what the handler plans. What
 * is asserted is in the code under test; here: an answer is well-formed, and every request that the
 * handler got is one that the strict rules allow.
 */
#include <assert.h>
#include <stdlib.h>

#include "net/http_server_int.h"
#include "net/http_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct http_server *server;
static enum http_plan_kind plan_kind;
static bool closed;
static size_t answered;

static void fake_flush(struct conn *c)
{
    if (c->segs_n > 0 && c->sent_head)
        assert(c->segs[0].len > 0);
    for (unsigned i = 0; i < c->segs_n; i++)
        answered += c->segs[i].len;
    c->segs_n = 0;
}

static void fake_switch(struct conn *c, bool on)
{
    (void)c;
    (void)on;
}

static void fake_shutdown(struct conn *c)
{
    (void)c;
}

static void fake_close(struct conn *c)
{
    (void)c;
    closed = true;
}

static const struct transport transport_fake = {
    .flush = fake_flush,
    .reading = fake_switch,
    .watch = fake_switch,
    .shutdown = fake_shutdown,
    .close = fake_close,
};

static struct http_plan on_head(void *arg, struct http_request *req)
{
    (void)arg;
    assert(req->path.n > 0 && (req->path.p[0] == '/' || req->path.p[0] == '*'));
    assert(req->version_minor == 0 || req->host.n > 0);
    for (size_t i = 0; i < req->headers_n; i++)
        assert(http_name_ok(req->headers[i].name) && http_value_ok(req->headers[i].value));
    return (struct http_plan){
        .kind = plan_kind,
        .body_max_bytes = 100,
        .response = {.status = 401, .body = STR("no\n"), .body_owner = HTTP_BODY_KEEP}};
}

static void on_request(void *arg, struct http_request *req)
{
    struct http_params params = {0};
    struct err err;
    str rest = req->path, raw, segment;
    (void)arg;
    assert(req->body.n <= 100);
    while (http_segment_next(&rest, &raw))
        if (http_decode(raw, req->arena, &segment, &err))
            assert(segment.n <= raw.n && !memchr(segment.n ? segment.p : "", 0, segment.n));
    if (!http_params_add(req->query, req->arena, &params, &err)) {
        http_respond_text(req, 400, "%s", err.msg);
        return;
    }
    struct http_header echo = {STR("X-Echo"), params.n ? params.at[0].value : STR("")};
    http_respond(req, &(struct http_response){.status = http_accepts(req, STR("gzip")) ? 200 : 204,
                                              .headers = &echo,
                                              .headers_n = 1,
                                              .body = str_from_bytes(req->body)});
}

/* A shard whose loop never runs: everything happens inside conn_run. */
static void start(void)
{
    server = mem_new(struct http_server);
    server->handler = (struct http_handler){.on_head = on_head, .on_request = on_request};
    server_limits_default(&server->limits);
    server->limits.header_bytes_max = 2048;
    server->limits.header_fields_max = 10;
    server->peers = peers_new();
    server->listen = mem_new(struct listen_addr);
    server->listen_n = server->shards_n = 1;
    server->shards = mem_new(struct shard);
    shard_init(server->shards, server, loop_new("fuzz"));
    server->shards->thread = pthread_self();
    server->shards->started = true;
    deadlines_init(server->shards);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const size_t steps[] = {1 << 20, 1, 2, 3, 7, 16, 61, 500};
    struct sockaddr_in peer = {.sin_family = AF_INET};
    if (!server)
        start();
    if (n == 0)
        return 0;
    size_t step = steps[data[0] % 8];
    plan_kind = (data[0] / 8) % 3 == 2   ? HTTP_PLAN_RESPOND
                : (data[0] / 8) % 3 == 1 ? HTTP_PLAN_NO_BODY
                                         : HTTP_PLAN_BODY;
    closed = false;
    answered = 0;
    struct conn *c = mem_new(struct conn);
    conn_init(c, server->shards, &transport_fake, 0, (struct sockaddr *)(void *)&peer);
    conn_run(c);
    for (size_t at = 1; at < n && !closed; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *piece = mem_dup(data + at, len); /* exact, so that a read past it is seen */
        conn_input(c, str_of(piece, len));
        conn_run(c);
        free(piece);
    }
    if (!closed) {
        conn_eof(c);
        conn_run(c);
    }
    assert(closed);
    assert(atomic_load(&server->connections) == 0 && atomic_load(&server->requests) == 0 &&
           atomic_load(&server->bodies_bytes) == 0);
    conn_free(c);
    return 0;
}
