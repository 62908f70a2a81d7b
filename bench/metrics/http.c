// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t cpu_ns(int pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void http_init(struct http *c, uint16_t port)
{
    *c = (struct http){.fd = -1, .port = port};
}

static void drop(struct http *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void http_fini(struct http *c)
{
    drop(c);
    free(c->in);
}

static bool dial(struct http *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool send_all(struct http *c, const char *head, const void *body, size_t n)
{
    char length[64];
    int m = snprintf(length, sizeof length, n ? "Content-Length: %zu\r\n\r\n" : "\r\n", n);
    struct iovec part[3] = {
        {(void *)(uintptr_t)head, strlen(head)}, {length, (size_t)m}, {(void *)(uintptr_t)body, n}};
    struct msghdr message = {.msg_iov = part, .msg_iovlen = 3};
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        for (size_t left = (size_t)sent; message.msg_iovlen > 0;) {
            struct iovec *first = message.msg_iov;
            size_t take = left < first->iov_len ? left : first->iov_len;
            first->iov_base = (char *)first->iov_base + take;
            first->iov_len -= take;
            left -= take;
            if (first->iov_len > 0)
                break;
            message.msg_iov++;
            message.msg_iovlen--;
        }
    }
    return true;
}

/* Receives more, at least a byte. */
static bool more(struct http *c)
{
    if (c->in_cap - c->in_n < 65536) {
        c->in_cap = c->in_cap * 2 + (1 << 18);
        c->in = realloc(c->in, c->in_cap);
        if (!c->in)
            abort();
    }
    ssize_t n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n - 1, 0);
    if (n <= 0)
        return false;
    c->in_n += (size_t)n;
    c->in[c->in_n] = 0;
    return true;
}

static bool until(struct http *c, size_t n)
{
    while (c->in_n < n)
        if (!more(c))
            return false;
    return true;
}

/* Where the line that starts at `from` ends; 0: never. */
static size_t line_end(struct http *c, size_t from)
{
    for (;;) {
        char *end = c->in_n > from ? strstr(c->in + from, "\r\n") : NULL;
        if (end)
            return (size_t)(end - c->in);
        if (!more(c))
            return 0;
    }
}

/* Moves the chunks together, behind the header. */
static bool take_chunks(struct http *c, size_t from)
{
    size_t out = from, at = from;
    for (;;) {
        size_t end = line_end(c, at);
        if (!end)
            return false;
        size_t n = strtoull(c->in + at, NULL, 16);
        if (!until(c, end + 2 + n + 2))
            return false;
        if (n == 0)
            break;
        memmove(c->in + out, c->in + end + 2, n);
        out += n;
        at = end + 2 + n + 2;
    }
    c->body_n = out - from;
    return true;
}

static bool take_answer(struct http *c)
{
    size_t at = line_end(c, 0), length = 0;
    bool chunked = false, last = false, closes = false;
    if (!at)
        return false;
    c->status = atoi(c->in + 9);
    while (at += 2, !last) {
        size_t end = line_end(c, at);
        if (!end)
            return false;
        last = end == at;
        if (strncasecmp(c->in + at, "content-length:", 15) == 0)
            length = strtoull(c->in + at + 15, NULL, 10);
        if (strncasecmp(c->in + at, "transfer-encoding: chunked", 26) == 0)
            chunked = true;
        if (strncasecmp(c->in + at, "connection: close", 17) == 0)
            closes = true;
        at = end;
    }
    c->body_n = length;
    bool ok = chunked ? take_chunks(c, at) : until(c, at + length);
    c->body = c->in + at;
    if (closes)
        drop(c);
    return ok;
}

bool http_ask(struct http *c, const char *head, const void *body, size_t n)
{
    if (c->fd < 0 && !dial(c)) {
        drop(c);
        return false;
    }
    c->in_n = 0;
    if (send_all(c, head, body, n) && take_answer(c))
        return true;
    drop(c);
    return false;
}
