// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "net/http_server_int.h"

void server_limits_default(struct http_limits *l)
{
#define DEFAULT(field, value)                                                                      \
    if (l->field == 0)                                                                             \
    l->field = (value)
    DEFAULT(header_bytes_max, 32 << 10);
    DEFAULT(header_fields_max, 100);
    DEFAULT(header_deadline_ms, 10000);
    DEFAULT(body_idle_ms, 30000);
    DEFAULT(body_rate_min, 256);
    DEFAULT(write_idle_ms, 30000);
    DEFAULT(keepalive_ms, 75000);
    DEFAULT(connections_max, 20000);
    DEFAULT(address_connections_max, 500);
    DEFAULT(bodies_max_bytes, 512 << 20);
#undef DEFAULT
}

void shard_init(struct shard *sh, struct http_server *s, struct loop *l)
{
    sh->server = s;
    sh->loop = l;
    sh->listeners = mem_zalloc(s->listen_n * sizeof *sh->listeners);
    sh->outbox_end = &sh->outbox;
    pthread_mutex_init(&sh->lock, NULL);
}

void shard_fini(struct shard *sh)
{
    struct req *r;
    while ((r = sh->spare)) {
        sh->spare = r->next;
        arena_fini(&r->arena);
        pthread_mutex_destroy(&r->lock);
        pthread_cond_destroy(&r->cond);
        free(r);
    }
    free(sh->listeners);
    free(sh->read_buffer);
    free(sh->plain_buffer);
    pthread_mutex_destroy(&sh->lock);
}

static void listens_free(struct http_server *s)
{
    for (size_t i = 0; i < s->shards_n * s->listen_n; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    for (size_t i = 0; i < s->listen_n; i++) {
        tls_server_free(s->listen[i].tls);
        pthread_mutex_destroy(&s->listen[i].tls_lock);
        free(s->listen[i].text);
    }
    free(s->listen);
    free(s->fds);
}

static bool listens_new(struct http_server *s, const struct http_server_options *o, struct err *err)
{
    s->listen_n = o->listen_n;
    s->listen = mem_zalloc(o->listen_n * sizeof *s->listen);
    s->fds = mem_array(s->shards_n * s->listen_n, sizeof *s->fds);
    for (size_t i = 0; i < s->shards_n * s->listen_n; i++)
        s->fds[i] = -1;
    bool ok = true;
    for (size_t i = 0; i < o->listen_n; i++) {
        struct listen_addr *a = &s->listen[i];
        pthread_mutex_init(&a->tls_lock, NULL);
        a->text = mem_dup(o->listen[i].address, strlen(o->listen[i].address) + 1);
        ok = ok && listen_parse(a->text, a, err);
    }
    if (ok && listen_bind(s, err)) {
        for (size_t i = 0; i < o->listen_n; i++)
            s->listen[i].tls = o->listen[i].tls;
        return true;
    }
    listens_free(s);
    return false;
}

struct http_server *http_server_new(const struct http_server_options *o, struct err *err)
{
    assert(o->loops_n > 0 && o->listen_n > 0 && o->handler.on_head && o->handler.on_request);
    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of a write, not of the process */
    struct http_server *s = mem_new(struct http_server);
    s->handler = o->handler;
    s->limits = o->limits;
    server_limits_default(&s->limits);
    s->shards_n = o->loops_n;
    if (!listens_new(s, o, err)) {
        free(s);
        return NULL;
    }
    s->peers = peers_new();
    s->shards = mem_zalloc(s->shards_n * sizeof *s->shards);
    for (size_t i = 0; i < s->shards_n; i++)
        shard_init(&s->shards[i], s, o->loops[i]);
    return s;
}

static void shard_start(void *arg)
{
    struct shard *sh = arg;
    sh->thread = pthread_self();
    sh->read_buffer = mem_alloc(READ_BUFFER_BYTES);
    sh->plain_buffer = mem_alloc(READ_BUFFER_BYTES);
    deadlines_init(sh);
    sh->started = true;
    listen_start(sh);
}

void http_server_start(struct http_server *s)
{
    for (size_t i = 0; i < s->shards_n; i++)
        loop_post(s->shards[i].loop, shard_start, &s->shards[i]);
}

/* Ends every connection that `all` or idleness lets end. */
static void conns_close(struct shard *sh, bool all)
{
    for (struct conn *c = sh->conns, *next; c; c = next) {
        next = c->next;
        if (all)
            conn_lost(c, SELF_HTTP_LOST_SHUTDOWN);
        else if (c->phase == PHASE_HEAD && c->view.n == 0)
            c->closing = true;
        if (c->closing)
            conn_run(c);
    }
}

static void on_stop_deadline(void *arg)
{
    conns_close(arg, true);
}

void shard_check_stopped(struct shard *sh)
{
    struct http_server *s = sh->server;
    if (!sh->stopping || sh->conns_n > 0 || sh->stopped)
        return;
    sh->stopped = true;
    loop_timer_free(sh->stop_timer);
    if (atomic_fetch_sub(&s->shards_left, 1) == 1 && s->done)
        s->done(s->done_arg);
}

static void shard_stop(void *arg)
{
    struct shard *sh = arg;
    sh->stopping = true;
    listen_close(sh);
    sh->stop_timer = loop_timer_new(sh->loop, on_stop_deadline, sh);
    loop_timer_start(sh->stop_timer, sh->server->stop_ms);
    conns_close(sh, false);
    shard_check_stopped(sh);
}

void http_server_stop(struct http_server *s, unsigned deadline_ms, void (*done)(void *arg),
                      void *arg)
{
    s->done = done;
    s->done_arg = arg;
    s->stop_ms = deadline_ms;
    atomic_store(&s->shards_left, s->shards_n);
    atomic_store(&s->stopping, true);
    for (size_t i = 0; i < s->shards_n; i++)
        loop_post(s->shards[i].loop, shard_stop, &s->shards[i]);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->done = NULL;
    for (size_t i = 0; i < s->shards_n; i++) {
        struct shard *sh = &s->shards[i];
        if (sh->started) {
            listen_close(sh);
            conns_close(sh, true);
            deadlines_fini(sh);
        }
        if (sh->stop_timer && !sh->stopped)
            loop_timer_free(sh->stop_timer);
        shard_outbox_run(sh); /* answers that came after their connection and the loop had ended */
        shard_fini(sh);
    }
    free(s->shards);
    listens_free(s);
    peers_free(s->peers);
    free(s);
}

unsigned http_server_port(const struct http_server *s, size_t listen)
{
    assert(listen < s->listen_n);
    return s->listen[listen].port;
}

void http_server_tls_swap(struct http_server *s, size_t listen, struct tls_server *tls)
{
    assert(listen < s->listen_n && tls);
    struct listen_addr *a = &s->listen[listen];
    pthread_mutex_lock(&a->tls_lock);
    struct tls_server *old = a->tls;
    a->tls = tls;
    pthread_mutex_unlock(&a->tls_lock);
    assert(old); /* a plain address stays plain */
    tls_server_free(old);
}

void http_server_load(const struct http_server *s, struct http_server_load *out)
{
    out->connections = atomic_load(&s->connections);
    out->requests = atomic_load(&s->requests);
    out->bodies_bytes = atomic_load(&s->bodies_bytes);
}
