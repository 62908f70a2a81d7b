// SPDX-License-Identifier: Apache-2.0
/*
 * Listen addresses: parsing, binding, accepting, caps. With several loops each binds its own socket
 * with SO_REUSEPORT; a plain socket is bound first to see that no other process serves the address,
 * which SO_REUSEPORT alone would not tell.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "net/http_server_int.h"

enum { BACKLOG = 4096 };

struct http_listener {
    uv_tcp_t tcp;
    struct shard *shard;
    unsigned index;
};

static bool host_parse(str host, struct listen_addr *a)
{
    char text[64];
    if (host.n == 0) {
        a->both = true;
        a->at.in6.sin6_family = AF_INET6;
        return true;
    }
    bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (v6)
        host = str_sub(host, 1, host.n - 1);
    if (host.n >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", STR_ARG(host));
    if (str_eq(host, STR("localhost")))
        snprintf(text, sizeof text, "127.0.0.1");
    if (v6)
        return uv_ip6_addr(text, 0, &a->at.in6) == 0;
    return uv_ip4_addr(text, 0, &a->at.in) == 0;
}

bool listen_parse(const char *text, struct listen_addr *a, struct err *err)
{
    str s = str_from_z(text);
    size_t colon = s.n;
    uint64_t port;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon == 0 || !u64_parse(str_sub(s, colon, s.n), &port) || port > 65535) {
        err_set(err, ERR_INVALID, "listen address \"%s\" has no valid port", text);
        return err_hint(err, "write HOST:PORT, as in 127.0.0.1:9090 or [::1]:9090");
    }
    if (!host_parse(str_sub(s, 0, colon - 1), a)) {
        err_set(err, ERR_INVALID, "listen address \"%s\" has no valid IP address", text);
        return err_hint(err, "write HOST:PORT, as in 127.0.0.1:9090 or [::1]:9090");
    }
    a->port = (unsigned)port;
    return true;
}

static void port_set(struct listen_addr *a)
{
    /* Same place in both address forms. */
    a->at.in.sin_port = htons((uint16_t)a->port);
}

static void bind_v4_only(struct listen_addr *a)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    a->both = false;
    a->at.in = any;
    port_set(a);
}

/* A bound socket, or -1 with errno. */
static int socket_bind(struct listen_addr *a, bool shared)
{
    int on = 1, v6only = !a->both;
    int fd = socket(a->at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (a->at.sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    socklen_t n = a->at.sa.sa_family == AF_INET6 ? sizeof a->at.in6 : sizeof a->at.in;
    if (bind(fd, &a->at.sa, n) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static bool port_learn(struct listen_addr *a, int fd)
{
    struct sockaddr_in6 got;
    socklen_t n = sizeof got;
    if (getsockname(fd, (struct sockaddr *)(void *)&got, &n) != 0)
        return false;
    a->port = ntohs(got.sin6_port); /* same place in sockaddr_in */
    port_set(a);
    return true;
}

static bool address_bind(struct http_server *s, size_t i, struct err *err)
{
    struct listen_addr *a = &s->listen[i];
    port_set(a);
    bool shared = s->shards_n > 1;
    int fd = socket_bind(a, false);
    if (fd < 0 && a->both && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        bind_v4_only(a); /* a machine without IPv6 */
        fd = socket_bind(a, false);
    }
    if (fd < 0 || listen(fd, BACKLOG) != 0 || !port_learn(a, fd)) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, e == EADDRINUSE ? ERR_EXISTS : ERR_IO, "cannot listen on %s: %s",
                       a->text, strerror(e));
    }
    if (!shared) {
        s->fds[i] = fd;
        return true;
    }
    close(fd);
    for (size_t k = 0; k < s->shards_n; k++) {
        fd = socket_bind(a, true);
        if (fd < 0 || listen(fd, BACKLOG) != 0) {
            int e = errno;
            if (fd >= 0)
                close(fd);
            return err_set(err, ERR_IO, "cannot listen on %s: %s", a->text, strerror(e));
        }
        s->fds[k * s->listen_n + i] = fd;
    }
    return true;
}

bool listen_bind(struct http_server *s, struct err *err)
{
    for (size_t i = 0; i < s->listen_n; i++)
        if (!address_bind(s, i, err))
            return false;
    return true;
}

static void on_connection(uv_stream_t *from, int status)
{
    struct http_listener *l = from->data;
    struct conn *c = status == 0 ? transport_accept(l->shard, from, l->index) : NULL;
    if (c)
        conn_run(c);
    else if (status != 0)
        self_add(SELF_HTTP_CONN_REFUSED_ACCEPT_ERROR, 1);
}

static void listener_closed(uv_handle_t *h)
{
    free(h->data);
}

void listen_start(struct shard *sh)
{
    struct http_server *s = sh->server;
    int *fds = s->fds + (size_t)(sh - s->shards) * s->listen_n;
    for (size_t i = 0; i < s->listen_n; i++) {
        struct http_listener *l = mem_new(struct http_listener);
        l->shard = sh;
        l->index = (unsigned)i;
        l->tcp.data = l;
        uv_tcp_init(loop_uv(sh->loop), &l->tcp);
        sh->listeners[i] = l;
        int rc = uv_tcp_open(&l->tcp, fds[i]);
        if (rc == 0)
            fds[i] = -1;
        if (rc != 0 || uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection) != 0)
            self_add(SELF_HTTP_CONN_REFUSED_ACCEPT_ERROR, 1);
    }
}

void listen_close(struct shard *sh)
{
    for (size_t i = 0; i < sh->server->listen_n; i++) {
        if (sh->listeners[i])
            uv_close((uv_handle_t *)&sh->listeners[i]->tcp, listener_closed);
        sh->listeners[i] = NULL;
    }
}
