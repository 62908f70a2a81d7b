// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP client on a loop (libcurl's multi interface, sockets watched by the loop). Everything is
 * called on the loop's thread; callbacks run there and do not block.
 *
 * Every call resolves its host by `dns.h`, checks all addresses against the client's egress policy
 * and connects to exactly those; the socket is checked once more when it is opened. A client has
 * one policy, so connections are never shared between policies. Connections are kept and reused.
 *
 * A client holds at most `calls_max` calls at once (1,500; the cost of a call in libcurl grows with
 * their number: use several clients on several loops beyond that). The next ones are refused.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"
#include "net/http_header.h"

struct http_client;
struct http_call;
struct loop;
struct dns;

struct http_client_options {
    struct egress egress;
    const char *ca_file; /* NULL: /etc/ssl/certs/ca-certificates.crt */
    unsigned calls_max;  /* 0: 1,500 */
    struct dns *dns;     /* borrowed, of the same loop; NULL: its own */
};

struct http_client *http_client_new(struct loop *l, const struct http_client_options *o,
                                    struct err *err);
/* Calls under way are dropped without a callback. Not from inside one. */
void http_client_free(struct http_client *c);
/* Calls under way. */
size_t http_client_calls(const struct http_client *c);

/* All strings are NUL-terminated or NULL. */
struct http_client_tls {
    const char *ca_file;     /* instead of the client's */
    const char *cert_file;   /* client certificate, PEM, with */
    const char *key_file;    /* its key */
    const char *server_name; /* to ask for (SNI) and to verify instead of the URL's host */
    bool insecure_skip_verify;
    int version_min, version_max; /* 12 or 13 for TLS 1.2, 1.3; 0: 1.2 and no maximum */
};

enum http_call_failure {
    HTTP_CALL_OK,        /* an answer came, of any status, complete */
    HTTP_CALL_BAD_URL,   /* not http or https, or malformed */
    HTTP_CALL_DNS,       /* the name has no address */
    HTTP_CALL_DENIED,    /* egress policy */
    HTTP_CALL_CONNECT,   /* refused, unreachable */
    HTTP_CALL_TLS,       /* handshake, certificate, local key files */
    HTTP_CALL_TIMEOUT,   /* the message says during what */
    HTTP_CALL_TOO_LARGE, /* body over body_max_bytes, or headers over 64 KiB */
    HTTP_CALL_PROTOCOL,  /* no HTTP, cut short, bad encoding */
    HTTP_CALL_REDIRECTS, /* more than redirects_max */
    HTTP_CALL_ABORTED,   /* on_body returned false */
    HTTP_CALL_OTHER,
};

struct http_result {
    enum http_call_failure failure;
    struct err err;                    /* when failure is not HTTP_CALL_OK */
    int status;                        /* 0: none came */
    const struct http_header *headers; /* of the last answer */
    size_t headers_n;
    bytes body;          /* decoded; empty when on_body took it */
    uint64_t wire_bytes; /* body bytes as sent, before decoding */
    const char *address; /* "192.0.2.1" that answered, or "" */
    const char *url;     /* after redirects */
    unsigned redirects;
    /* Seconds spent on each; 0 when it did not happen (a reused connection has no connect). */
    double dns_s, connect_s, tls_s, wait_s, transfer_s, total_s;
};

/* All strings are copied; NUL-terminated or NULL. 0 means the default in brackets. */
struct http_call_options {
    const char *url;
    const char *method;                /* [GET, with a body POST] */
    const struct http_header *headers; /* refused when they hold CR, LF or NUL */
    size_t headers_n;
    bytes body;    /* copied */
    bool has_body; /* send Content-Length: 0 even when it is empty */
    const char *basic_user, *basic_password;
    const char *bearer;
    struct http_client_tls tls;
    unsigned timeout_ms;     /* whole call, DNS and redirects included [30 s] */
    uint64_t body_max_bytes; /* after decoding [64 MiB] */
    bool gzip;               /* ask for gzip and decode it */
    unsigned redirects_max;  /* followed, each checked as the foreign class [0: not followed]; at
                                another host credentials are left out */
    bool fresh;              /* a new connection, closed afterwards */
    /* Parts of a 2xx body as they come; false ends the call. NULL: collected in result.body. */
    bool (*on_body)(void *arg, bytes part);
    /* Once, never from inside http_call_start. The result is valid during the call only. */
    void (*on_done)(void *arg, const struct http_result *r);
    void *arg;
};

/* NULL: `err` says why (client full, bad option). A bad URL or address is reported by on_done. */
struct http_call *http_call_start(struct http_client *c, const struct http_call_options *o,
                                  struct err *err);
/* No callback comes any more. Not after on_done; inside on_body return false instead. */
void http_call_cancel(struct http_call *call);

#endif
