// SPDX-License-Identifier: Apache-2.0
/*
 * Private to the HTTP server. Who owns what:
 *
 *   server  the listen addresses and everything that loops share
 *   shard   one loop's part of it; owned by that loop, but for the outbox
 *   conn    one connection; owned by its shard's loop, never seen by another thread
 *   req     one request; loop and worker take turns, what both touch at once is behind req->lock
 *
 * Everything that can happen to a connection (bytes, end of a write, an answer posted by a worker,
 * a deadline) only notes what happened and calls conn_run, which is the one place that goes on with
 * it: never re-entered, and the only one that lets the connection end.
 */
#ifndef NET_HTTP_SERVER_INT_H
#define NET_HTTP_SERVER_INT_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "net/http_head.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "sys/loop.h"
#include "sys/self.h"

enum {
    READ_BUFFER_BYTES = 64 << 10,
    PIPELINE_BYTES = 16 << 10,    /* input kept while a request is being worked on */
    PIPE_MARK_BYTES = 256 << 10,  /* streamed answer or body waiting for the other side */
    DISCARD_MAX_BYTES = 64 << 10, /* of a body nobody wants, to keep the connection */
    LINGER_MS = 2000,
    KILLS_PER_TICK = 200,
    SPARE_REQUESTS = 64,
    TAIL_BYTES = 128,
    OUT_SEGS = 16,
};

/* Which list of waiting connections: at most one at a time, all of a list wait equally long. */
enum deadline {
    DEADLINE_NONE,
    DEADLINE_HEAD,
    DEADLINE_BODY,
    DEADLINE_WRITE,
    DEADLINE_IDLE,
    DEADLINE_LINGER,
    DEADLINES,
};

struct conn;

struct deadline_list {
    struct conn *first, *last; /* first is due first */
    unsigned ms;
    bool armed;
    enum deadline kind;
    struct shard *shard;
    struct loop_timer *timer;
};

struct block {
    struct block *next;
    size_t n, off;
    char data[];
};

/* Bytes on their way between loop and worker; guarded by req->lock. */
struct pipe {
    struct block *first, *last;
    size_t queued;
};

enum req_answer { ANSWER_NONE, ANSWER_WHOLE, ANSWER_STREAM };

struct req {
    struct http_request pub;
    struct arena arena;
    struct shard *shard;
    struct conn *conn; /* loop only; NULL when it ended or the request is over */
    struct req *next;  /* in the outbox or in the spare list */

    /* Guarded by shard->lock. */
    bool posted;   /* is in the outbox */
    bool finished; /* answered: no worker touches it any more */

    bool held; /* handed to the handler by on_request; loop only */

    /* The answer. Written before `finished` or (a stream's head) before the first post. */
    enum req_answer answer;
    int status;
    str head; /* status line and headers, without the last empty line */
    str body;
    bool body_heap; /* body.p is ours to free */
    bool no_body;   /* HEAD, 204, 304 */
    bool chunked;
    char tail[TAIL_BYTES]; /* Date, Connection, empty line: added by the loop */

    pthread_mutex_t lock;
    pthread_cond_t cond;
    /* Guarded by lock. */
    struct pipe out;  /* streamed answer: worker to loop */
    bool out_started; /* head is ready */
    bool out_broken;  /* ended incomplete */
    struct pipe in;   /* streamed body: loop to worker */
    bool in_done, in_failed;
    bool in_paused; /* the loop stopped reading because `in` is full */
    void (*gone_fn)(void *arg);
    void *gone_arg;
    atomic_bool gone; /* written under lock, read anywhere */

    /* Buffered body; loop only until on_request. */
    char *body_buf;
    size_t body_n, body_cap;
};

struct transport {
    /* Takes the bytes of conn->segs: all at once, or later with transport_sent. */
    void (*flush)(struct conn *c);
    void (*reading)(struct conn *c, bool on);
    /* Notices that the peer leaves while reading is off. */
    void (*watch)(struct conn *c, bool on);
    void (*shutdown)(struct conn *c); /* our sending side, after what was flushed */
    /* Lets go of the connection; frees it later. */
    void (*close)(struct conn *c);
};

enum conn_phase {
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_WORK,   /* message complete, answer to come or on its way */
    PHASE_LINGER, /* everything said: read on until the peer closes, so that it sees our answer */
};

struct conn {
    struct shard *shard;
    const struct transport *transport;
    struct conn *prev, *next; /* all of the shard */
    unsigned listener;
    struct in6_addr peer_key;
    char peer[64];

    enum conn_phase phase;
    bool running, again; /* in conn_run; asked to go round once more */
    bool closing;        /* ends at the end of conn_run */
    bool closed;         /* it has ended */
    bool close_after;    /* no further request */
    bool linger;         /* close by way of PHASE_LINGER */
    bool eof;            /* the peer's sending side is closed */
    bool reading;        /* transport delivers input */
    bool fresh;          /* a request was completed since the deadline was set */
    bool request_done;   /* the first request was completed */

    str view;         /* input not looked at yet: in `in` or in the reader's buffer */
    struct strbuf in; /* kept over reads */

    struct http_parser *parser;
    struct head_scan scan;
    struct head_framing framing;
    struct http_header *headers; /* in the request's arena, being filled */
    size_t headers_n;
    enum http_plan_kind plan;
    uint64_t body_max, body_n;
    bool send_continue;
    bool discard; /* the body is read and thrown away */
    uint64_t discarded;
    const struct http_fault *fault; /* the request is refused for it */
    struct req *req;

    /* Output: what the transport is sending. The memory is the request's. */
    uv_buf_t segs[OUT_SEGS];
    unsigned segs_n;
    bool sending; /* segs were handed over and are not all sent */
    bool sent_head, sent_all;
    struct block *sent_blocks; /* streamed blocks inside segs; freed when sent */

    enum deadline deadline;
    struct conn *dl_prev, *dl_next;
    uint64_t due_ms, rx_bytes, tx_bytes, mark_bytes;

    /* The socket; unused by other transports. */
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool writing; /* one uv_write under way */
    bool shut;
    struct tls_session *tls;
    struct strbuf tls_out;
    bool tls_broken; /* the session failed: what still comes is not looked at */
    char tls_name[64];
    struct gone_watch *gone_watch;
};

struct shard {
    struct http_server *server;
    struct loop *loop;
    struct http_listener **listeners; /* one for each listen address; NULL: closed */
    struct conn *conns;
    size_t conns_n;
    struct deadline_list deadlines[DEADLINES];
    struct loop_timer *stop_timer;
    struct req *spare;
    unsigned spare_n;
    char *read_buffer, *plain_buffer;
    int64_t date_s;
    char date[40];
    bool started, stopping, stopped;
    pthread_t thread; /* set when started */

    pthread_mutex_t lock;
    struct req *outbox, **outbox_end; /* guarded by lock */
    bool waking;                      /* guarded by lock: a post to the loop is under way */
};

struct listen_addr {
    char *text;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at;
    unsigned port;
    bool both; /* IPv6 socket that takes IPv4 too */
    pthread_mutex_t tls_lock;
    struct tls_server *tls; /* guarded by tls_lock */
    atomic_size_t connections;
};

struct peer_table;

struct http_server {
    struct http_handler handler;
    struct http_limits limits;
    struct listen_addr *listen;
    size_t listen_n;
    struct shard *shards;
    size_t shards_n;
    int *fds; /* shards_n * listen_n; -1: taken over by the loop */
    struct peer_table *peers;
    atomic_size_t connections, requests, shards_left;
    _Atomic uint64_t bodies_bytes;
    atomic_bool stopping;
    unsigned stop_ms;
    void (*done)(void *arg);
    void *done_arg;
};

/* http_listen.c */
bool listen_parse(const char *text, struct listen_addr *out, struct err *err);
bool listen_bind(struct http_server *s, struct err *err);
void listen_start(struct shard *sh);
void listen_close(struct shard *sh);

/* http_peers.c: connections by peer address, over all loops. Thread-safe. */
struct peer_table *peers_new(void);
void peers_free(struct peer_table *t);
bool peers_add(struct peer_table *t, const struct in6_addr *key, unsigned max);
void peers_remove(struct peer_table *t, const struct in6_addr *key);
struct in6_addr peers_key(const struct sockaddr *sa);

/* http_server.c */
void server_limits_default(struct http_limits *l);
void shard_init(struct shard *sh, struct http_server *s, struct loop *l);
void shard_fini(struct shard *sh);
void shard_check_stopped(struct shard *sh);

/* http_conn.c */
void conn_init(struct conn *c, struct shard *sh, const struct transport *t, unsigned listener,
               const struct sockaddr *peer);
/* Notes an input, the end of input, or the loss of the connection. Followed by conn_run. */
void conn_input(struct conn *c, str data);
void conn_eof(struct conn *c);
void conn_lost(struct conn *c, enum self_id counter);
void conn_run(struct conn *c);
void conn_expired(struct conn *c, enum deadline kind);
/* For transport_close: nothing refers to the connection any more. */
void conn_free(struct conn *c);

/* http_h1.c: HTTP/1.1's way from bytes to requests; true when it got on. */
void h1_init(struct conn *c);
bool h1_step(struct conn *c);
void h1_refuse(struct conn *c, const struct http_fault *fault);
void h1_timeout(struct conn *c, enum deadline kind);
void h1_request_over(struct conn *c);

/* http_output.c: from answers to segments. */
bool output_step(struct conn *c);
void output_sent(struct conn *c);
void output_drop(struct conn *c);

/* http_request.c */
struct req *req_new(struct shard *sh);
void req_free(struct req *r); /* loop only; waits for its turn when it is in the outbox */
void req_body_free(struct req *r);
void req_detach(struct req *r); /* its connection ended */
bool req_finished(struct req *r);
void req_head_format(struct req *r, const struct http_response *p, bool chunked);
void req_answer(struct req *r, const struct http_response *p); /* formats, does not post */
void req_post(struct req *r, bool finished);
void req_gone(struct req *r); /* tells a worker that the peer left */
bool req_on_loop(const struct req *r);
void req_answer_text(struct req *r, int status, const char *text);
void shard_outbox_run(struct shard *sh);

/* http_stream.c */
void pipe_clear(struct pipe *p);
void pipe_add(struct pipe *p, struct block *b);
void stream_body_add(struct req *r, str part);
void stream_body_end(struct req *r, bool failed);
bool stream_body_full(struct req *r); /* and remembers that reading was stopped for it */
struct block *block_new(size_t n);

/* http_deadline.c */
void deadlines_init(struct shard *sh);
void deadlines_fini(struct shard *sh);
void deadline_set(struct conn *c, enum deadline kind);

/* http_transport.c */
extern const struct transport transport_tcp;
struct conn *transport_accept(struct shard *sh, uv_stream_t *from, unsigned listener);

#endif
