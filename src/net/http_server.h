// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1 server on event loops. It parses strictly (RFC 9112; nothing that two parsers could read
 * in two ways is served), holds every deadline and cap itself, and hands requests to one handler.
 *
 * A request's way: head complete -> `on_head` decides (answer now, or how much body it may have) ->
 * body -> `on_request` -> somebody answers, from the loop or from any other thread, exactly once,
 * by http_respond or by the stream calls. All requests of a connection are handled one after the
 * other.
 *
 * Threads. A connection lives on one loop; the handler is called there and never blocks. A request
 * (its fields, its arena) belongs to whoever works on it: to the loop until `on_request` hands it
 * to a worker, to the worker until it answers. After the answer (http_respond, http_stream_end) the
 * request is not touched any more. It must be answered even when the peer has gone: that frees it.
 *
 * Malformed, slow and oversized requests are answered by the server itself with a short plain text
 * and counted in self.def, by reason: 400, 408, 413, 414, 417, 431, 501, 503, 505.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/http_header.h"

struct http_server;
struct loop;
struct tls_server;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_METHOD_OTHER, /* see `method_name` */
    HTTP_METHODS,
};

/* Read-only but for `user` and the arena's content. Views live as long as the request. */
struct http_request {
    enum http_method method;
    int version_minor; /* 0 or 1: HTTP/1.0 or HTTP/1.1 */
    str method_name;
    str target; /* as it was sent, not decoded */
    str path;   /* raw path part of the target: "/a%2Fb"; "*" for OPTIONS *; see http_target.h */
    str query;  /* raw, without the '?'; empty when there is none */
    str host;   /* of an absolute target, else of the Host header; empty possible in HTTP/1.0 */
    const struct http_header *headers; /* names as sent, values trimmed */
    size_t headers_n;
    bytes body;          /* complete body in `on_request`; empty for HTTP_PLAN_STREAM */
    bool tls;            /* came over TLS */
    str peer;            /* "192.0.2.1:1234" or "[2001:db8::1]:1234" */
    str tls_client;      /* common name of the verified client certificate; empty: none */
    unsigned listener;   /* index into the listen addresses */
    struct arena *arena; /* freed with the request */
    struct loop *loop;   /* the connection's */
    void *user;          /* for the handler: what on_head found, for on_request */
};

/* Value of the first header of this name (any case); an empty view with p == NULL when missing. */
str http_header_get(const struct http_request *req, str name);
/* Whether the client takes this content coding: http_accept_allows on its Accept-Encoding headers.
 */
bool http_accepts(const struct http_request *req, str coding);

enum http_body_owner {
    HTTP_BODY_COPY, /* copied by the call */
    HTTP_BODY_KEEP, /* static, or in the request's arena: not copied, not freed */
    HTTP_BODY_HEAP, /* ownership moves: freed with free() when sent */
};

/*
 * Content-Length, Date, Connection, Transfer-Encoding are the server's and never given here. Header
 * names are constants of the program (asserted to be tokens); a value with CR, LF or NUL turns the
 * answer into a 500 and is counted: check data with http_value_ok first.
 */
struct http_response {
    int status; /* 200..599 */
    const struct http_header *headers;
    size_t headers_n;
    str body;
    enum http_body_owner body_owner;
};

/* "Not Found" for 404; "Unknown" for a status without a name. */
const char *http_reason(int status);

enum http_plan_kind {
    HTTP_PLAN_NO_BODY, /* a body is refused with 413; an empty one is fine */
    HTTP_PLAN_BODY,    /* buffered, then on_request; over `body_max_bytes`: 413 */
    HTTP_PLAN_STREAM,  /* on_request at once; a worker pulls it by http_body_read */
    HTTP_PLAN_RESPOND, /* `response` now, on_request is not called; the body is not kept */
};

struct http_plan {
    enum http_plan_kind kind;
    uint64_t body_max_bytes; /* as sent, before any decompression; BODY and STREAM */
    struct http_response response;
};

struct http_handler {
    void *arg;
    /* Method, target, headers are there, the body is not: authorisation and caps. On the loop. */
    struct http_plan (*on_head)(void *arg, struct http_request *req);
    /* On the loop: answer at once, or hand over to a worker. */
    void (*on_request)(void *arg, struct http_request *req);
};

/* 0 means the default in brackets. */
struct http_limits {
    size_t header_bytes_max;          /* request line and headers [32 KiB] */
    unsigned header_fields_max;       /* [100] */
    unsigned header_deadline_ms;      /* first byte to complete head; TLS handshake [10 s] */
    unsigned body_idle_ms;            /* window for the rate below [30 s] */
    unsigned body_rate_min;           /* bytes a second, mean over the window above [256] */
    unsigned write_idle_ms;           /* no byte of an answer taken by the peer [30 s] */
    unsigned keepalive_ms;            /* idle between requests [75 s] */
    unsigned connections_max;         /* per listen address [20,000] */
    unsigned address_connections_max; /* per peer address, all listen addresses [500] */
    uint64_t bodies_max_bytes;        /* buffered bodies of all requests together [512 MiB] */
};

struct http_listen {
    const char *address; /* "127.0.0.1:9090", "[::1]:9090", ":9090" (all, v6 and v4); port 0: any */
    struct tls_server *tls; /* NULL: plain. Ownership moves to the server when new succeeds */
};

struct http_server_options {
    const struct http_listen *listen;
    size_t listen_n;
    struct loop *const *loops; /* each serves all addresses (SO_REUSEPORT when more than one) */
    size_t loops_n;
    struct http_limits limits;
    struct http_handler handler;
};

/*
 * Binds the addresses; nothing is accepted before http_server_start. Any thread. Errors name the
 * address. SIGPIPE is ignored in the process from here on. Loops must outlive the server and may or
 * may not be running yet.
 */
struct http_server *http_server_new(const struct http_server_options *o, struct err *err);
/* Begins to accept on all loops. Any thread, once. */
void http_server_start(struct http_server *s);
/*
 * Graceful: stops accepting, closes idle connections, lets requests in flight finish; what is left
 * after `deadline_ms` is closed. Then `done(arg)` once, on one of the loops. Any thread, once.
 */
void http_server_stop(struct http_server *s, unsigned deadline_ms, void (*done)(void *arg),
                      void *arg);
/*
 * When no loop runs any more (after `done`, or without it: connections are cut then), and no worker
 * holds a request any more: loops stop, the pool is freed, then the server, then the loops.
 */
void http_server_free(struct http_server *s);

/* The port that was bound for a listen address. */
unsigned http_server_port(const struct http_server *s, size_t listen);
/* New connections of that (TLS) address use `tls` from now on; ownership moves. Any thread. */
void http_server_tls_swap(struct http_server *s, size_t listen, struct tls_server *tls);

struct http_server_load {
    size_t connections, requests; /* open, and of them with a request being worked on */
    uint64_t bodies_bytes;        /* buffered now */
};
/* Any thread. */
void http_server_load(const struct http_server *s, struct http_server_load *out);

/* Answers and lets go of the request. Any thread. */
void http_respond(struct http_request *req, const struct http_response *r);
/* Status and a plain text body, a newline is added. Any thread. */
void http_respond_text(struct http_request *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Streamed answer, from a worker (never from the loop: write blocks). Chunked to HTTP/1.1, ended by
 * close to HTTP/1.0; HEAD gets the head only. `start` takes status and headers (no body). `write`
 * waits while more than 256 KiB are queued and returns false once the peer is gone (and from then
 * on; the caller stops and calls `end`). `end` with `complete` false breaks the connection, so that
 * the peer does not take a part for the whole.
 */
void http_stream_start(struct http_request *req, const struct http_response *r);
bool http_stream_write(struct http_request *req, str data) __attribute__((warn_unused_result));
void http_stream_end(struct http_request *req, bool complete);
/* Whether a write of a few bytes would not wait now, with a peer that is there. For streams that
 * others write to now and then; those may do it from any thread but the request's loop. */
bool http_stream_writable(struct http_request *req);

/*
 * Next part of a HTTP_PLAN_STREAM body: waits for at least one byte, returns their number; 0 at the
 * end; -1 when the body will not become complete (peer gone, too slow, over the cap): the request
 * is then answered as usual (with anything; the server sends its own reason if it still can). From
 * a worker, before the answer.
 */
ssize_t http_body_read(struct http_request *req, void *buf, size_t n)
    __attribute__((warn_unused_result));

/*
 * `fn(arg)` runs once on the loop when the peer leaves before the answer is complete, so that long
 * work can be cancelled; at once when it has left already. It never runs after http_respond or
 * http_stream_end returned. Call it on the loop (in on_request), for long requests only: the watch
 * costs system calls. `fn` runs under a lock: it sets a flag and calls nothing of this header. A
 * peer that closes its sending side counts as gone.
 */
void http_on_gone(struct http_request *req, void (*fn)(void *arg), void *arg);
/* As if the peer had left, but that no `fn` runs: a worker that waits in http_stream_write goes on
 * and the answer breaks off. Any thread, while the request is held. */
void http_cut(struct http_request *req);
/* Whether the peer left, as a question; any thread, while the request is held. */
bool http_gone(const struct http_request *req);

#endif
