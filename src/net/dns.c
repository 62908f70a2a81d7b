// SPDX-License-Identifier: Apache-2.0
/*
 * c-ares on the loop: it says which sockets to watch, and one timer drives its time-outs. Answers
 * are handed out from a second timer, so no callback runs inside dns_resolve. c-ares cannot drop
 * one lookup: one whose query is over runs on by itself and its answer is only cached.
 */
#include "net/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <uv.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sys/loop.h"
#include "sys/self.h"

enum {
    CACHE_BUCKETS = 1024,
    CACHE_MAX = 4096,
    TTL_MIN_S = 5,
    TTL_MAX_S = 300,
    TRY_TIMEOUT_MS = 2000,
    TRIES = 3,
    NAME_MAX_BYTES = 253,
};

struct answer {
    union dns_addr addrs[DNS_ADDRS_MAX];
    size_t n;
};

struct cached {
    struct cached *next;
    uint64_t expires_ms;
    struct answer answer;
    char name[];
};

struct dns_query {
    struct dns *dns;
    struct dns_query *prev, *next; /* all, or the ready ones */
    struct lookup *lookup;         /* NULL: none under way */
    struct loop_timer *timer;
    dns_fn fn;
    void *arg;
    bool ready;
    struct answer answer; /* n == 0: failed, for `err` */
    struct err err;
};

struct lookup {
    struct dns *dns;
    struct dns_query *query; /* NULL: nobody waits */
    char name[NAME_MAX_BYTES + 1];
};

struct dns_socket {
    uv_poll_t poll;
    struct dns *dns;
    struct dns_socket *next;
    ares_socket_t fd;
};

struct dns {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer *tick, *deliver;
    struct dns_socket *sockets;
    struct dns_query *waiting, *ready;
    struct cached *cache[CACHE_BUCKETS];
    size_t cached_n;
};

void dns_addr_format(const struct sockaddr *sa, char out[DNS_ADDR_TEXT_MAX])
{
    const struct sockaddr_in *in = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    const void *ip =
        sa->sa_family == AF_INET6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr;
    if (!inet_ntop(sa->sa_family, ip, out, DNS_ADDR_TEXT_MAX))
        snprintf(out, DNS_ADDR_TEXT_MAX, "?");
}

/* -- cache ------------------------------------------------------------------------------------- */

static struct cached **cache_find(struct dns *d, str name)
{
    struct cached **at = &d->cache[hash_str(name) % CACHE_BUCKETS];
    while (*at && !str_eqz(name, (*at)->name))
        at = &(*at)->next;
    return at;
}

static void cache_drop(struct dns *d, struct cached **at)
{
    struct cached *c = *at;
    *at = c->next;
    free(c);
    d->cached_n--;
}

static const struct answer *cache_get(struct dns *d, str name)
{
    struct cached **at = cache_find(d, name);
    if (*at && (*at)->expires_ms <= loop_now_ms(d->loop))
        cache_drop(d, at);
    return *at ? &(*at)->answer : NULL;
}

/* Everything that `now` has passed; 0 counts as the end of time. */
static void cache_expire(struct dns *d, uint64_t now)
{
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (struct cached **at = &d->cache[i]; *at;) {
            if (now == 0 || (*at)->expires_ms <= now)
                cache_drop(d, at);
            else
                at = &(*at)->next;
        }
}

static void cache_put(struct dns *d, str name, const struct answer *a, int ttl_s)
{
    uint64_t now = loop_now_ms(d->loop);
    struct cached **at = cache_find(d, name);
    if (*at)
        cache_drop(d, at);
    if (d->cached_n >= CACHE_MAX)
        cache_expire(d, now);
    if (d->cached_n >= CACHE_MAX)
        return; /* full of live names: the next lookup asks again */
    struct cached *c = mem_zalloc(sizeof *c + name.n + 1);
    ttl_s = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s;
    c->expires_ms = now + (uint64_t)ttl_s * 1000;
    c->answer = *a;
    memcpy(c->name, name.p, name.n);
    at = cache_find(d, name); /* expiring may have moved the end of the chain */
    c->next = *at;
    *at = c;
    d->cached_n++;
}

/* -- queries ----------------------------------------------------------------------------------- */

static void query_unlink(struct dns_query *q)
{
    struct dns_query **first = q->ready ? &q->dns->ready : &q->dns->waiting;
    *(q->prev ? &q->prev->next : first) = q->next;
    if (q->next)
        q->next->prev = q->prev;
    q->prev = q->next = NULL;
}

static void query_link(struct dns_query *q, bool ready)
{
    struct dns_query **first = ready ? &q->dns->ready : &q->dns->waiting;
    q->ready = ready;
    q->next = *first;
    if (q->next)
        q->next->prev = q;
    *first = q;
}

static void query_free(struct dns_query *q)
{
    query_unlink(q);
    if (q->lookup)
        q->lookup->query = NULL;
    loop_timer_free(q->timer);
    free(q);
}

static void query_ready(struct dns_query *q)
{
    query_unlink(q);
    if (q->lookup)
        q->lookup->query = NULL;
    q->lookup = NULL;
    loop_timer_stop(q->timer);
    query_link(q, true);
    loop_timer_start(q->dns->deliver, 0);
}

static void on_deliver(void *arg)
{
    struct dns *d = arg;
    while (d->ready) {
        struct dns_query *q = d->ready;
        struct dns_query copy = *q;
        query_free(q);
        copy.fn(copy.arg, copy.answer.addrs, copy.answer.n, copy.answer.n ? NULL : &copy.err);
    }
}

static void on_query_timeout(void *arg)
{
    struct dns_query *q = arg;
    self_add(SELF_DNS_TIMEOUT, 1);
    err_set(&q->err, ERR_TIMEOUT, "looking up %s took too long", q->lookup->name);
    query_ready(q);
}

static bool answer_add(struct answer *a, const struct sockaddr *sa)
{
    if (a->n == DNS_ADDRS_MAX || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
        return false;
    union dns_addr *to = &a->addrs[a->n++];
    memset(to, 0, sizeof *to);
    if (sa->sa_family == AF_INET)
        to->in = *(const struct sockaddr_in *)(const void *)sa;
    else
        to->in6 = *(const struct sockaddr_in6 *)(const void *)sa;
    to->in.sin_port = 0; /* same place in both forms */
    return true;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *l = arg;
    struct answer a = {.n = 0};
    int ttl = TTL_MAX_S;
    (void)timeouts;
    for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next)
        if (answer_add(&a, n->ai_addr) && n->ai_ttl < ttl)
            ttl = n->ai_ttl;
    ares_freeaddrinfo(info);
    if (status != ARES_EDESTRUCTION) {
        self_add(a.n > 0 ? SELF_DNS_OK : SELF_DNS_FAILED, 1);
        if (a.n > 0)
            cache_put(l->dns, str_from_z(l->name), &a, ttl);
        if (l->query) {
            l->query->answer = a;
            if (a.n == 0)
                err_set(&l->query->err, ERR_NOT_FOUND, "cannot look up %s: %s", l->name,
                        status == ARES_SUCCESS ? "it has no address" : ares_strerror(status));
            query_ready(l->query);
        }
    }
    free(l);
}

static bool literal_parse(str name, struct answer *a)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (name.n >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return answer_add(a, (struct sockaddr *)&in);
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        return answer_add(a, (struct sockaddr *)&in6);
    return false;
}

static void tick_rearm(struct dns *d)
{
    struct timeval tv, *next = ares_timeout(d->channel, NULL, &tv);
    if (next)
        loop_timer_start(d->tick,
                         (uint64_t)next->tv_sec * 1000 + (uint64_t)(next->tv_usec + 999) / 1000);
    else
        loop_timer_stop(d->tick);
}

static void lookup_start(struct dns_query *q, str name, unsigned timeout_ms)
{
    struct dns *d = q->dns;
    struct lookup *l = mem_new(struct lookup);
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    l->dns = d;
    l->query = q;
    q->lookup = l;
    memcpy(l->name, name.p, name.n);
    loop_timer_start(q->timer, timeout_ms);
    ares_getaddrinfo(d->channel, l->name, NULL, &hints, on_answer, l);
    tick_rearm(d);
}

struct dns_query *dns_resolve(struct dns *d, str name, unsigned timeout_ms, dns_fn fn, void *arg)
{
    struct dns_query *q = mem_new(struct dns_query);
    const struct answer *known;
    q->dns = d;
    q->fn = fn;
    q->arg = arg;
    q->timer = loop_timer_new(d->loop, on_query_timeout, q);
    query_link(q, false);
    if (literal_parse(name, &q->answer)) {
        query_ready(q);
    } else if (name.n == 0 || name.n > NAME_MAX_BYTES || memchr(name.p, 0, name.n)) {
        err_set(&q->err, ERR_INVALID, "\"%.*s\" is no host name", (int)(name.n > 64 ? 64 : name.n),
                name.p);
        query_ready(q);
    } else if ((known = cache_get(d, name))) {
        self_add(SELF_DNS_CACHED, 1);
        q->answer = *known;
        query_ready(q);
    } else {
        lookup_start(q, name, timeout_ms);
    }
    return q;
}

void dns_cancel(struct dns_query *q)
{
    query_free(q);
}

/* -- c-ares' sockets and timers -----------------------------------------------------------------
 */

static void on_socket(uv_poll_t *p, int status, int events)
{
    struct dns_socket *s = p->data;
    struct dns *d = s->dns;
    ares_socket_t fd = s->fd; /* the callbacks may close it */
    bool in = status < 0 || (events & UV_READABLE), out = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(d->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
    tick_rearm(d);
}

static void on_tick(void *arg)
{
    struct dns *d = arg;
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    tick_rearm(d);
}

static void socket_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = arg;
    struct dns_socket **at = &d->sockets;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    struct dns_socket *s = *at;
    if (!readable && !writable) {
        if (s) {
            *at = s->next;
            uv_close((uv_handle_t *)&s->poll, socket_closed);
        }
        return;
    }
    if (!s) {
        s = mem_new(struct dns_socket);
        s->dns = d;
        s->fd = fd;
        s->poll.data = s;
        if (uv_poll_init(loop_uv(d->loop), &s->poll, fd) != 0) {
            free(s); /* the lookup ends by its time-out */
            return;
        }
        s->next = d->sockets;
        d->sockets = s;
    }
    uv_poll_start(&s->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_socket);
}

struct dns *dns_new(struct loop *l, struct err *err)
{
    struct dns *d = mem_new(struct dns);
    struct ares_options o = {.timeout = TRY_TIMEOUT_MS,
                             .tries = TRIES,
                             .lookups = (char[]){'f', 'b', 0},
                             .sock_state_cb = on_socket_state,
                             .sock_state_cb_data = d};
    int rc = ares_init_options(&d->channel, &o,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                   ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS) {
        free(d);
        err_set(err, ERR_IO, "cannot set up name resolution: %s", ares_strerror(rc));
        return NULL;
    }
    d->loop = l;
    d->tick = loop_timer_new(l, on_tick, d);
    d->deliver = loop_timer_new(l, on_deliver, d);
    return d;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    while (d->waiting)
        query_free(d->waiting);
    while (d->ready)
        query_free(d->ready);
    ares_destroy(d->channel); /* ends lookups and closes sockets through the callbacks above */
    loop_timer_free(d->tick);
    loop_timer_free(d->deliver);
    cache_expire(d, 0);
    free(d);
}
