// SPDX-License-Identifier: Apache-2.0
/*
 * Private to the HTTP client. A client has up to two engines, one for each policy: a redirect to
 * another host changes to the foreign one, and connections are never shared between them.
 */
#ifndef NET_HTTP_CLIENT_INT_H
#define NET_HTTP_CLIENT_INT_H

#include <curl/curl.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "net/dns.h"
#include "net/http_client.h"
#include "sys/loop.h"
#include "sys/self.h"

enum { HEADERS_MAX_BYTES = 64 << 10 };

struct engine {
    struct http_client *client;
    struct egress egress;
    CURLM *multi; /* NULL: not needed so far */
    struct loop_timer *timer;
};

enum { ENGINE_OWN, ENGINE_FOREIGN, ENGINES };

struct http_client {
    struct loop *loop;
    struct dns *dns;
    bool dns_owned;
    char *ca_file;
    unsigned calls_max;
    size_t calls_n;
    struct http_call *calls;
    struct http_call *ready; /* over or canceled: the timer below ends them */
    struct loop_timer *deliver;
    bool in_curl; /* inside a call into libcurl: its handles must not be removed */
    struct engine engines[ENGINES];
};

/* One call; over its redirects there are several transfers, one after the other. */
struct http_call {
    struct http_client *client;
    struct http_call *prev, *next;
    struct arena arena;
    struct http_call_options o; /* strings in the arena */
    bool canceled;              /* freed without on_done at the next occasion */
    bool queued;                /* in client->ready: over, or canceled */
    struct http_call *ready_next;
    uint64_t start_ns, deadline_ns, lookup_ns;

    struct engine *engine;
    struct dns_query *query;
    const char *url;
    str host; /* as curl understands it, without brackets */
    unsigned port;
    bool https, same_origin; /* credentials may be sent */
    CURL *easy;
    struct curl_slist *headers, *resolve, *connect_to;
    char error[CURL_ERROR_SIZE];
    bool denied;
    struct err denied_err;

    VEC(struct http_header) got;
    size_t got_bytes;
    struct strbuf body;
    uint64_t body_bytes;
    int status;
    bool too_large, aborted;
    struct http_result result;
};

/* http_transfer.c */
/* Resolves call->url, checks, and hands the transfer to libcurl; ends the call when that fails. */
void transfer_start(struct http_call *call);
void transfer_done(struct http_call *call, CURLcode code);
/* Lets go of what the last transfer used. */
void transfer_drop(struct http_call *call);

/* http_client.c */
bool engine_open(struct engine *e);
/* Ends the call: on_done comes soon. `err` has the message for a failure, NULL for HTTP_CALL_OK. */
void call_over(struct http_call *call, enum http_call_failure failure, const struct err *err);

#endif
