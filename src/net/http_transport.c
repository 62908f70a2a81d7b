// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets, plain or under TLS. Writing tries the socket first and leaves the rest to one uv_write
 * at a time, so memory for TLS is one encrypted piece and none for plain sockets. After uv_close
 * nothing of the bytes to send is touched any more; the connection itself is freed in its callback.
 */
#include <unistd.h>

#include "net/http_server_int.h"

enum { TLS_PIECE_BYTES = 64 << 10 };

struct gone_watch {
    uv_poll_t poll;
    struct conn *conn;
    int fd; /* a duplicate: libuv watches a descriptor once only */
};

/* Drops the first n bytes of the segments. */
static unsigned segs_advance(uv_buf_t *segs, unsigned segs_n, size_t n)
{
    unsigned i = 0;
    while (i < segs_n && n >= segs[i].len)
        n -= segs[i++].len;
    if (i < segs_n) {
        segs[i].base += n;
        segs[i].len -= n;
    }
    memmove(segs, segs + i, (segs_n - i) * sizeof *segs);
    return segs_n - i;
}

static void on_written(uv_write_t *w, int status)
{
    struct conn *c = w->data;
    c->writing = false;
    if (status == UV_ECANCELED)
        return;
    if (status < 0)
        conn_lost(c, SELF_HTTP_LOST_PEER);
    else if (c->tls)
        strbuf_clear(&c->tls_out);
    else
        c->segs_n = 0;
    conn_run(c);
}

/* True when the socket took everything; else the rest is under way, or the connection is lost. */
static bool socket_write(struct conn *c, uv_buf_t *segs, unsigned n)
{
    int rc = uv_try_write((uv_stream_t *)&c->tcp, segs, n);
    if (rc < 0 && rc != UV_EAGAIN) {
        conn_lost(c, SELF_HTTP_LOST_PEER);
        return false;
    }
    if (rc > 0) {
        c->tx_bytes += (size_t)rc;
        n = segs_advance(segs, n, (size_t)rc);
    }
    if (n == 0)
        return true;
    for (unsigned i = 0; i < n; i++)
        c->tx_bytes += segs[i].len;
    c->write.data = c;
    c->writing = true;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, segs, n, on_written) != 0) {
        c->writing = false;
        conn_lost(c, SELF_HTTP_LOST_PEER);
    }
    return false;
}

static bool tls_encrypt_piece(struct conn *c)
{
    struct err err;
    if (c->segs_n == 0 || !tls_session_ready(c->tls))
        return false;
    size_t n = c->segs[0].len < TLS_PIECE_BYTES ? c->segs[0].len : TLS_PIECE_BYTES;
    if (!tls_session_write(c->tls, str_of(c->segs[0].base, n), &err)) {
        conn_lost(c, SELF_HTTP_LOST_TLS);
        return false;
    }
    c->segs_n = segs_advance(c->segs, c->segs_n, n);
    return true;
}

static void tls_flush(struct conn *c)
{
    while (!c->writing && !c->closing) {
        /* Small pieces (head, chunk line, body) share a write. */
        while (tls_session_pending_out(c->tls) < TLS_PIECE_BYTES && tls_encrypt_piece(c))
            ;
        tls_session_take_out(c->tls, &c->tls_out);
        if (c->tls_out.n == 0)
            return;
        uv_buf_t buf = uv_buf_init(c->tls_out.p, (unsigned)c->tls_out.n);
        if (socket_write(c, &buf, 1))
            strbuf_clear(&c->tls_out);
    }
}

static void tcp_flush(struct conn *c)
{
    if (c->tls)
        tls_flush(c);
    else if (!c->writing && !c->closing && c->segs_n > 0 && socket_write(c, c->segs, c->segs_n))
        c->segs_n = 0;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct conn *c = h->data;
    *buf = uv_buf_init(c->shard->read_buffer, READ_BUFFER_BYTES);
}

/*
 * The alert that says why goes out, and what the peer has under way is taken in: a close with
 * unread bytes is a reset, and a reset can overtake the alert.
 */
static void tls_fail(struct conn *c)
{
    self_add(SELF_HTTP_LOST_TLS, 1);
    tls_flush(c);
    c->tls_broken = true;
    if (c->phase != PHASE_HEAD || c->closing) {
        c->closing = true;
        return;
    }
    c->view = (str){0};
    c->phase = PHASE_LINGER;
    c->transport->shutdown(c);
}

static void tls_input(struct conn *c, bytes in)
{
    struct err err;
    enum tls_result rc;
    size_t n;
    if (c->tls_broken)
        return;
    tls_session_feed(c->tls, in);
    while ((rc = tls_session_read(c->tls, c->shard->plain_buffer, READ_BUFFER_BYTES, &n, &err)) ==
               TLS_OK &&
           n > 0) {
        if (!c->req && c->tls_name[0] == 0)
            tls_session_peer_name(c->tls, c->tls_name, sizeof c->tls_name);
        conn_input(c, str_of(c->shard->plain_buffer, n));
        conn_run(c);
        if (c->closing)
            return;
    }
    if (rc == TLS_CLOSED)
        conn_eof(c);
    else if (rc == TLS_FAILED)
        tls_fail(c);
    conn_run(c);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = s->data;
    if (n == 0)
        return;
    if (n < 0) {
        if (n == UV_EOF)
            conn_eof(c);
        else
            conn_lost(c, SELF_HTTP_LOST_PEER);
        conn_run(c);
    } else if (c->tls) {
        tls_input(c, bytes_of(buf->base, (size_t)n));
    } else {
        conn_input(c, str_of(buf->base, (size_t)n));
        conn_run(c);
    }
}

static void tcp_reading(struct conn *c, bool on)
{
    if (!on)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        conn_lost(c, SELF_HTTP_LOST_PEER);
}

static void watch_closed(uv_handle_t *h)
{
    struct gone_watch *w = h->data;
    close(w->fd);
    free(w);
}

static void on_disconnect(uv_poll_t *p, int status, int events)
{
    (void)status;
    (void)events;
    struct gone_watch *w = p->data;
    uv_poll_stop(p);
    conn_eof(w->conn);
    conn_run(w->conn);
}

static void tcp_watch(struct conn *c, bool on)
{
    struct gone_watch *w = c->gone_watch;
    uv_os_fd_t fd;
    if (!on) {
        c->gone_watch = NULL;
        if (w)
            uv_close((uv_handle_t *)&w->poll, watch_closed);
        return;
    }
    if (w || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 || (fd = dup(fd)) < 0)
        return; /* out of descriptors: the peer's leaving is seen when it is read from or written to
                 */
    w = mem_new(struct gone_watch);
    w->fd = fd;
    w->conn = c;
    w->poll.data = w;
    if (uv_poll_init(loop_uv(c->shard->loop), &w->poll, fd) != 0) {
        close(fd);
        free(w);
        return;
    }
    uv_poll_start(&w->poll, UV_DISCONNECT, on_disconnect);
    c->gone_watch = w;
}

static void on_shutdown(uv_shutdown_t *s, int status)
{
    (void)s;
    (void)status;
}

static void tcp_shutdown(struct conn *c)
{
    if (c->shut)
        return;
    c->shut = true;
    if (c->tls) {
        tls_session_close(c->tls);
        tls_flush(c);
    }
    if (!c->closing)
        uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    tls_session_free(c->tls);
    strbuf_fini(&c->tls_out);
    conn_free(c);
}

static void tcp_close(struct conn *c)
{
    tcp_watch(c, false);
    if (c->tls && !c->shut && !c->writing) {
        tls_session_close(c->tls);
        tls_session_take_out(c->tls, &c->tls_out);
        uv_buf_t buf = uv_buf_init(c->tls_out.p, (unsigned)c->tls_out.n);
        if (buf.len > 0)
            uv_try_write((uv_stream_t *)&c->tcp, &buf, 1); /* a courtesy: may fail */
    }
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

const struct transport transport_tcp = {
    .flush = tcp_flush,
    .reading = tcp_reading,
    .watch = tcp_watch,
    .shutdown = tcp_shutdown,
    .close = tcp_close,
};

static bool admit(struct shard *sh, unsigned listener, const struct sockaddr *peer)
{
    struct http_server *s = sh->server;
    struct in6_addr key = peers_key(peer);
    size_t open = atomic_load(&s->listen[listener].connections);
    enum self_id why = SELF_HTTP_CONN_REFUSED_ADDRESS_CAP;
    if (sh->stopping)
        why = SELF_HTTP_CONN_REFUSED_STOPPING;
    else if (open >= s->limits.connections_max)
        why = SELF_HTTP_CONN_REFUSED_LISTENER_CAP;
    else if (peers_add(s->peers, &key, s->limits.address_connections_max))
        return true;
    self_add(why, 1);
    return false;
}

static void on_refused(uv_handle_t *h)
{
    free(h->data);
}

struct conn *transport_accept(struct shard *sh, uv_stream_t *from, unsigned listener)
{
    struct listen_addr *a = &sh->server->listen[listener];
    struct sockaddr_in6 peer = {0};
    int peer_n = sizeof peer;
    struct conn *c = mem_new(struct conn);
    uv_tcp_init(loop_uv(sh->loop), &c->tcp);
    c->tcp.data = c;
    struct sockaddr *sa = (struct sockaddr *)(void *)&peer;
    bool ok = uv_accept(from, (uv_stream_t *)&c->tcp) == 0 &&
              uv_tcp_getpeername(&c->tcp, sa, &peer_n) == 0;
    if (!ok)
        self_add(SELF_HTTP_CONN_REFUSED_ACCEPT_ERROR, 1);
    if (!ok || !admit(sh, listener, sa)) {
        uv_close((uv_handle_t *)&c->tcp, on_refused);
        return NULL;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    pthread_mutex_lock(&a->tls_lock);
    if (a->tls)
        c->tls = tls_session_new(a->tls);
    pthread_mutex_unlock(&a->tls_lock);
    conn_init(c, sh, &transport_tcp, listener, sa);
    return c;
}
