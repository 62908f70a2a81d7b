// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdio.h>

#include "net/http_server_int.h"

static void peer_format(const struct sockaddr *sa, char *out, size_t cap)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;
        unsigned port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof text);
            snprintf(out, cap, "%s:%u", text, port);
        } else {
            inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
            snprintf(out, cap, "[%s]:%u", text, port);
        }
    } else {
        const struct sockaddr_in *in = (const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(out, cap, "%s:%u", text, ntohs(in->sin_port));
    }
}

void conn_init(struct conn *c, struct shard *sh, const struct transport *t, unsigned listener,
               const struct sockaddr *peer)
{
    c->shard = sh;
    c->transport = t;
    c->listener = listener;
    c->peer_key = peers_key(peer);
    peer_format(peer, c->peer, sizeof c->peer);
    h1_init(c);
    c->next = sh->conns;
    if (c->next)
        c->next->prev = c;
    sh->conns = c;
    sh->conns_n++;
    atomic_fetch_add(&sh->server->connections, 1);
    atomic_fetch_add(&sh->server->listen[listener].connections, 1);
    self_add(SELF_HTTP_CONNECTIONS, 1);
    self_add(SELF_HTTP_CONNECTIONS_TOTAL, 1);
}

static void conn_end(struct conn *c)
{
    struct shard *sh = c->shard;
    deadline_set(c, DEADLINE_NONE);
    output_drop(c);
    if (c->req)
        req_detach(c->req);
    c->req = NULL;
    *(c->prev ? &c->prev->next : &sh->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    sh->conns_n--;
    atomic_fetch_sub(&sh->server->connections, 1);
    atomic_fetch_sub(&sh->server->listen[c->listener].connections, 1);
    self_add(SELF_HTTP_CONNECTIONS, -1);
    peers_remove(sh->server->peers, &c->peer_key);
    c->transport->close(c);
    shard_check_stopped(sh);
}

void conn_free(struct conn *c)
{
    http_parser_free(c->parser);
    strbuf_fini(&c->in);
    free(c);
}

void conn_input(struct conn *c, str data)
{
    c->rx_bytes += data.n;
    if (c->view.n == 0) {
        c->view = data;
        return;
    }
    strbuf_add(&c->in, data); /* view is all of `in` between runs */
    c->view = strbuf_str(&c->in);
}

void conn_eof(struct conn *c)
{
    c->eof = true;
    if (c->req && c->req->held)
        req_gone(c->req);
}

void conn_lost(struct conn *c, enum self_id counter)
{
    if (!c->closing && c->req)
        self_add(counter, 1);
    c->closing = true;
}

/* What was not used goes (or stays) to the front of `in`. */
static void input_keep(struct conn *c)
{
    str view = c->view;
    if (view.n == 0) {
        if (c->in.cap > 0)
            strbuf_fini(&c->in);
    } else if (c->in.p && view.p >= c->in.p && view.p <= c->in.p + c->in.n) {
        memmove(c->in.p, view.p, view.n);
        c->in.n = view.n;
    } else {
        strbuf_clear(&c->in);
        strbuf_add(&c->in, view);
    }
    c->view = view.n ? strbuf_str(&c->in) : (str){0};
}

static bool wants_input(struct conn *c)
{
    if (c->eof)
        return false;
    if (c->phase == PHASE_BODY && c->plan == HTTP_PLAN_STREAM && !c->discard)
        return !stream_body_full(c->req);
    if (c->phase == PHASE_WORK && !c->close_after)
        return c->view.n < PIPELINE_BYTES;
    return true;
}

static enum deadline wanted_deadline(const struct conn *c)
{
    if (c->phase == PHASE_LINGER)
        return DEADLINE_LINGER;
    if (c->sending)
        return DEADLINE_WRITE;
    if (c->phase == PHASE_BODY)
        return c->reading ? DEADLINE_BODY : DEADLINE_NONE;
    if (c->phase == PHASE_WORK)
        return DEADLINE_NONE;
    /* From its beginning a connection has the time of a head, handshake included. */
    return c->view.n > 0 || !c->request_done ? DEADLINE_HEAD : DEADLINE_IDLE;
}

static uint64_t written(const struct conn *c)
{
    return c->tx_bytes - uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
}

static void deadline_settle(struct conn *c)
{
    enum deadline kind = wanted_deadline(c);
    if (kind == c->deadline && !c->fresh)
        return;
    c->fresh = false;
    c->mark_bytes = kind == DEADLINE_WRITE ? written(c) : c->rx_bytes;
    deadline_set(c, kind);
}

static void settle(struct conn *c)
{
    input_keep(c);
    bool on = wants_input(c);
    if (on != c->reading) {
        c->reading = on;
        c->transport->reading(c, on);
    }
    bool watch = !on && !c->eof && c->req && c->req->held;
    if (watch) {
        pthread_mutex_lock(&c->req->lock);
        watch = c->req->gone_fn != NULL || c->req->out_started;
        pthread_mutex_unlock(&c->req->lock);
    }
    if (watch != (c->gone_watch != NULL))
        c->transport->watch(c, watch);
    deadline_settle(c);
}

/* One step of output; true when there may be more to do. */
static bool output_run(struct conn *c)
{
    bool more = output_step(c);
    c->transport->flush(c);
    if (c->closing || !c->sending || c->segs_n > 0 || c->writing || c->tls_out.n > 0)
        return more && !c->sending;
    output_sent(c);
    return true;
}

void conn_run(struct conn *c)
{
    if (c->running || c->closed) {
        c->again = true;
        return;
    }
    c->running = true;
    do {
        c->again = false;
        while (!c->closing && h1_step(c))
            ;
        while (!c->closing && output_run(c))
            c->again = true;
    } while (c->again && !c->closing);
    if (!c->closing)
        settle(c);
    c->running = false;
    if (c->closing) {
        c->closed = true;
        conn_end(c);
    }
}

static bool body_fast_enough(struct conn *c)
{
    const struct http_limits *lim = &c->shard->server->limits;
    uint64_t need = (uint64_t)lim->body_rate_min * lim->body_idle_ms / 1000;
    return c->rx_bytes - c->mark_bytes >= (need ? need : 1);
}

void conn_expired(struct conn *c, enum deadline kind)
{
    bool handshake = c->tls && !tls_session_ready(c->tls);
    if (kind == DEADLINE_BODY && body_fast_enough(c)) {
        c->mark_bytes = c->rx_bytes;
        deadline_set(c, kind);
        return;
    }
    if (kind == DEADLINE_WRITE && written(c) != c->mark_bytes) {
        c->mark_bytes = written(c);
        deadline_set(c, kind);
        return;
    }
    if (kind == DEADLINE_WRITE) {
        conn_lost(c, SELF_HTTP_LOST_WRITE_TIMEOUT);
    } else if (kind == DEADLINE_HEAD && (handshake || c->view.n == 0)) {
        self_add(SELF_HTTP_REFUSED_HEAD_TIMEOUT, 1);
        c->closing = true;
    } else if (kind == DEADLINE_HEAD || (kind == DEADLINE_BODY && c->req)) {
        h1_timeout(c, kind);
    } else {
        c->closing = true;
    }
    conn_run(c);
}
