// SPDX-License-Identifier: Apache-2.0
/*
 * Calls and engines: libcurl's multi handle driven by the loop's sockets and one timer. Nothing
 * that a caller does inside a callback of libcurl reaches libcurl: starting and ending wait for the
 * timer or the end of the current round.
 */
#include "net/http_client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "net/http_client_int.h"

enum {
    CALLS_MAX = 1500,
    TIMEOUT_MS = 30000,
    BODY_MAX = 64 << 20,
    SPARE_CONNECTIONS = 100,
};

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct watch {
    uv_poll_t poll;
    struct engine *engine;
    curl_socket_t fd;
    int events; /* of libuv, that libcurl waits for */
};

static void call_queue(struct http_call *call)
{
    struct http_client *c = call->client;
    if (call->queued)
        return;
    call->queued = true;
    call->ready_next = c->ready;
    c->ready = call;
    loop_timer_start(c->deliver, 0);
}

static void call_unqueue(struct http_call *call)
{
    struct http_call **at = &call->client->ready;
    while (*at != call)
        at = &(*at)->ready_next;
    *at = call->ready_next;
    call->queued = false;
}

static void call_free(struct http_call *call)
{
    struct http_client *c = call->client;
    if (call->queued)
        call_unqueue(call);
    if (call->query)
        dns_cancel(call->query);
    transfer_drop(call);
    *(call->prev ? &call->prev->next : &c->calls) = call->next;
    if (call->next)
        call->next->prev = call->prev;
    c->calls_n--;
    vec_fini(&call->got);
    strbuf_fini(&call->body);
    arena_fini(&call->arena);
    free(call);
}

static void outcome_count(enum http_call_failure failure)
{
    static const enum self_id rows[] = {
        [HTTP_CALL_OK] = SELF_CLIENT_OK,
        [HTTP_CALL_BAD_URL] = SELF_CLIENT_BAD_URL,
        [HTTP_CALL_DNS] = SELF_CLIENT_DNS,
        [HTTP_CALL_DENIED] = SELF_CLIENT_DENIED,
        [HTTP_CALL_CONNECT] = SELF_CLIENT_CONNECT,
        [HTTP_CALL_TLS] = SELF_CLIENT_TLS,
        [HTTP_CALL_TIMEOUT] = SELF_CLIENT_TIMEOUT,
        [HTTP_CALL_TOO_LARGE] = SELF_CLIENT_TOO_LARGE,
        [HTTP_CALL_PROTOCOL] = SELF_CLIENT_PROTOCOL,
        [HTTP_CALL_REDIRECTS] = SELF_CLIENT_REDIRECTS,
        [HTTP_CALL_ABORTED] = SELF_CLIENT_ABORTED,
        [HTTP_CALL_OTHER] = SELF_CLIENT_OTHER,
    };
    self_add(rows[failure], 1);
}

void call_over(struct http_call *call, enum http_call_failure failure, const struct err *err)
{
    struct http_result *r = &call->result;
    outcome_count(failure);
    r->failure = failure;
    if (err)
        r->err = *err;
    r->status = call->status;
    r->headers = call->got.at;
    r->headers_n = call->got.n;
    r->body = bytes_from_str(strbuf_str(&call->body));
    r->url = call->url;
    if (!r->address)
        r->address = "";
    r->total_s = (double)(uv_hrtime() - call->start_ns) / 1e9;
    call_queue(call);
}

static void on_deliver(void *arg)
{
    struct http_client *c = arg;
    struct http_call *call;
    while ((call = c->ready)) {
        c->ready = call->ready_next;
        call->queued = false;
        if (!call->canceled)
            call->o.on_done(call->o.arg, &call->result);
        call_free(call);
    }
}

static void engine_messages(struct engine *e)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(e->multi, &left))) {
        struct http_call *call;
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call) != CURLE_OK)
            continue;
        CURLcode code = m->data.result; /* `m` does not outlive what follows */
        if (!call->canceled)
            transfer_done(call, code);
    }
}

static void engine_act(struct engine *e, curl_socket_t fd, int what)
{
    int running;
    e->client->in_curl = true;
    curl_multi_socket_action(e->multi, fd, what, &running);
    e->client->in_curl = false;
    engine_messages(e);
}

static void on_engine_timer(void *arg)
{
    engine_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
    struct engine *e = arg;
    (void)multi;
    if (ms < 0)
        loop_timer_stop(e->timer);
    else
        loop_timer_start(e->timer, (uint64_t)ms);
    return 0;
}

/*
 * libuv tells a broken connection by a bad status and stops watching. libcurl is told that the
 * socket can be read and written instead: what came before the break (an answer, an alert of TLS)
 * and its reason are found by reading, and CURL_CSELECT_ERR would end the transfer with neither.
 */
static void on_ready(uv_poll_t *p, int status, int events)
{
    struct watch *w = p->data;
    int what = 0;
    if (status < 0) {
        what = CURL_CSELECT_IN | CURL_CSELECT_OUT;
        uv_poll_start(p, w->events, on_ready);
    }
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    engine_act(w->engine, w->fd, what);
}

static void watch_closed(uv_handle_t *h)
{
    free(h->data);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
    struct engine *e = arg;
    struct watch *w = watch;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(e->multi, fd, NULL);
        if (w)
            uv_close((uv_handle_t *)&w->poll, watch_closed);
        return 0;
    }
    if (!w) {
        w = mem_new(struct watch);
        w->engine = e;
        w->fd = fd;
        w->poll.data = w;
        if (uv_poll_init(loop_uv(e->client->loop), &w->poll, fd) != 0) {
            free(w); /* the transfer ends by its time-out */
            return 0;
        }
        curl_multi_assign(e->multi, fd, w);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    w->events = events;
    uv_poll_start(&w->poll, events, on_ready);
    return 0;
}

bool engine_open(struct engine *e)
{
    if (e->multi)
        return true;
    e->multi = curl_multi_init();
    if (!e->multi)
        return false;
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS,
                      (long)e->client->calls_max + SPARE_CONNECTIONS);
    e->timer = loop_timer_new(e->client->loop, on_engine_timer, e);
    return true;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_setup(void)
{
    signal(SIGPIPE, SIG_IGN); /* with CURLOPT_NOSIGNAL libcurl leaves that to us */
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(struct loop *l, const struct http_client_options *o,
                                    struct err *err)
{
    pthread_once(&curl_once, curl_setup);
    if (curl_ready != CURLE_OK) {
        err_set(err, ERR_INTERNAL, "cannot set up libcurl: %s", curl_easy_strerror(curl_ready));
        return NULL;
    }
    struct dns *dns = o->dns ? o->dns : dns_new(l, err);
    if (!dns)
        return NULL;
    struct http_client *c = mem_new(struct http_client);
    c->loop = l;
    c->dns = dns;
    c->dns_owned = !o->dns;
    c->calls_max = o->calls_max ? o->calls_max : CALLS_MAX;
    const char *ca = o->ca_file ? o->ca_file : CA_FILE;
    c->ca_file = mem_dup(ca, strlen(ca) + 1);
    c->deliver = loop_timer_new(l, on_deliver, c);
    for (int i = 0; i < ENGINES; i++)
        c->engines[i].client = c;
    c->engines[ENGINE_OWN].egress = o->egress;
    c->engines[ENGINE_FOREIGN].egress = egress_foreign(&o->egress);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->calls)
        call_free(c->calls);
    for (int i = 0; i < ENGINES; i++)
        if (c->engines[i].multi) {
            curl_multi_cleanup(c->engines[i].multi);
            loop_timer_free(c->engines[i].timer);
        }
    loop_timer_free(c->deliver);
    if (c->dns_owned)
        dns_free(c->dns);
    free(c->ca_file);
    free(c);
}

size_t http_client_calls(const struct http_client *c)
{
    return c->calls_n;
}

static const char *keep(struct http_call *call, const char *z)
{
    return z ? arena_dup(&call->arena, str_from_z(z)).p : NULL;
}

static void options_copy(struct http_call *call, const struct http_call_options *o)
{
    struct http_call_options *to = &call->o;
    struct arena *a = &call->arena;
    *to = *o;
    to->method = keep(call, o->method);
    struct http_header *h = arena_array(a, struct http_header, o->headers_n);
    for (size_t i = 0; i < o->headers_n; i++)
        h[i] = (struct http_header){arena_dup(a, o->headers[i].name),
                                    arena_dup(a, o->headers[i].value)};
    to->headers = h;
    to->body = bytes_from_str(arena_dup(a, str_from_bytes(o->body)));
    to->basic_user = keep(call, o->basic_user);
    to->basic_password = keep(call, o->basic_password);
    to->bearer = keep(call, o->bearer);
    to->tls.ca_file = keep(call, o->tls.ca_file ? o->tls.ca_file : call->client->ca_file);
    to->tls.cert_file = keep(call, o->tls.cert_file);
    to->tls.key_file = keep(call, o->tls.key_file);
    to->tls.server_name = keep(call, o->tls.server_name);
    to->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    to->body_max_bytes = o->body_max_bytes ? o->body_max_bytes : BODY_MAX;
    call->url = keep(call, o->url);
}

static bool options_check(const struct http_client *c, const struct http_call_options *o,
                          struct err *err)
{
    if (c->calls_n >= c->calls_max) {
        self_add(SELF_CLIENT_FULL, 1);
        return err_set(err, ERR_UNAVAILABLE, "%u HTTP calls are under way already", c->calls_max);
    }
    if (o->method && !http_name_ok(str_from_z(o->method)))
        return err_set(err, ERR_INVALID, "invalid HTTP method");
    for (size_t i = 0; i < o->headers_n; i++)
        if (!http_name_ok(o->headers[i].name) || !http_value_ok(o->headers[i].value))
            return err_set(err, ERR_INVALID, "invalid HTTP header \"%.*s\"",
                           (int)(o->headers[i].name.n > 64 ? 64 : o->headers[i].name.n),
                           o->headers[i].name.p);
    if (o->bearer && !http_value_ok(str_from_z(o->bearer)))
        return err_set(err, ERR_INVALID, "the bearer token has a line break");
    return true;
}

struct http_call *http_call_start(struct http_client *c, const struct http_call_options *o,
                                  struct err *err)
{
    if (!options_check(c, o, err))
        return NULL;
    struct http_call *call = mem_new(struct http_call);
    call->client = c;
    arena_init(&call->arena, 0);
    options_copy(call, o);
    call->next = c->calls;
    if (call->next)
        call->next->prev = call;
    c->calls = call;
    c->calls_n++;
    call->start_ns = uv_hrtime();
    call->deadline_ns = call->start_ns + (uint64_t)call->o.timeout_ms * 1000000;
    call->engine = &c->engines[ENGINE_OWN];
    call->same_origin = true;
    transfer_start(call);
    return call;
}

void http_call_cancel(struct http_call *call)
{
    if (call->client->in_curl) {
        call->canceled = true;
        call_queue(call);
    } else {
        call_free(call);
    }
}
