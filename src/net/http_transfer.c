// SPDX-License-Identifier: Apache-2.0
/*
 * One transfer: URL -> addresses -> policy -> libcurl, pinned to what was judged. Redirects are not
 * left to libcurl: each is a transfer of its own and goes through the same door.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/http_client_int.h"

void transfer_drop(struct http_call *call)
{
    if (call->easy) {
        curl_multi_remove_handle(call->engine->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->resolve);
    curl_slist_free_all(call->connect_to);
    call->easy = NULL;
    call->headers = call->resolve = call->connect_to = NULL;
}

static void fail(struct http_call *call, enum http_call_failure failure, enum err_kind kind,
                 const char *text)
{
    struct err err = {0};
    err_set(&err, kind, "%s", text);
    call_over(call, failure, &err);
}

/* -- what libcurl hands us ----------------------------------------------------------------------
 */

static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
    struct http_call *call = arg;
    str line = str_of(p, n), name;
    (void)one;
    call->got_bytes += n;
    if (call->got_bytes > HEADERS_MAX_BYTES) {
        call->too_large = true;
        return 0;
    }
    if (str_starts(line, STR("HTTP/"))) { /* interim answers come before the real one */
        call->got.n = 0;
        return n;
    }
    str_cut(&line, ':', &name);
    if (line.p)
        vec_push(&call->got, (struct http_header){arena_dup(&call->arena, name),
                                                  arena_dup(&call->arena, str_trim(line))});
    return n;
}

static size_t on_data(char *p, size_t one, size_t n, void *arg)
{
    struct http_call *call = arg;
    long status = 0;
    (void)one;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->body_bytes += n;
    if (call->body_bytes > call->o.body_max_bytes) {
        call->too_large = true;
        return 0;
    }
    if (call->canceled)
        return 0;
    if (!call->o.on_body || status < 200 || status > 299) {
        strbuf_add(&call->body, str_of(p, n));
        return n;
    }
    call->aborted = !call->o.on_body(call->o.arg, bytes_of(p, n));
    return call->aborted ? 0 : n;
}

/* The last check, on the address that is really connected to. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_call *call = arg;
    (void)purpose;
    if ((a->family != AF_INET && a->family != AF_INET6) ||
        !egress_check(&call->engine->egress, &a->addr, &call->denied_err)) {
        call->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* -- setting up ---------------------------------------------------------------------------------
 */

static void header_add(struct http_call *call, const char *name, str value)
{
    struct strbuf line STRBUF_CLEANUP = {0};
    /* libcurl drops "Name:"; a header without a value is written with a semicolon. */
    strbuf_addf(&line, value.n ? "%s: %.*s" : "%s;", name, STR_ARG(value));
    call->headers = curl_slist_append(call->headers, line.p);
}

static bool is_credential(str name)
{
    return str_eq_nocase(name, STR("authorization")) || str_eq_nocase(name, STR("cookie")) ||
           str_eq_nocase(name, STR("proxy-authorization"));
}

static void set_headers(struct http_call *call, CURL *e)
{
    for (size_t i = 0; i < call->o.headers_n; i++)
        if (call->same_origin || !is_credential(call->o.headers[i].name))
            header_add(call, call->o.headers[i].name.p, call->o.headers[i].value);
    if (call->o.bearer && call->same_origin) {
        struct strbuf value STRBUF_CLEANUP = {0};
        strbuf_addf(&value, "Bearer %s", call->o.bearer);
        header_add(call, "Authorization", strbuf_str(&value));
    }
    call->headers = curl_slist_append(call->headers, "Expect:"); /* no extra round trip */
    if (!http_headers_get(call->o.headers, call->o.headers_n, STR("content-type")).p)
        call->headers = curl_slist_append(call->headers, "Content-Type:"); /* nothing is guessed */
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers);
    if (call->o.basic_user && call->same_origin) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, call->o.basic_user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, call->o.basic_password ? call->o.basic_password : "");
    }
}

static void set_method(struct http_call *call, CURL *e)
{
    const char *method = call->o.method;
    bool body = call->o.body.n > 0 || call->o.has_body;
    if (body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->o.body.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->o.body.n ? (const char *)call->o.body.p : "");
    }
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else if (method)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

static long tls_version(const struct http_client_tls *t)
{
    long v = t->version_min == 13 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
    if (t->version_max == 12)
        v |= CURL_SSLVERSION_MAX_TLSv1_2;
    else if (t->version_max == 13)
        v |= CURL_SSLVERSION_MAX_TLSv1_3;
    return v;
}

static void set_tls(struct http_call *call, CURL *e)
{
    const struct http_client_tls *t = &call->o.tls;
    long verify = !t->insecure_skip_verify;
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, tls_version(t));
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, verify * 2);
    if (call->same_origin && t->cert_file) {
        curl_easy_setopt(e, CURLOPT_SSLCERT, t->cert_file);
        curl_easy_setopt(e, CURLOPT_SSLKEY, t->key_file);
    }
}

/*
 * Another name for TLS: libcurl gets a URL with that name, connects to the real host all the same
 * (which is part of the key under which it keeps connections), and sends the real Host.
 */
static const char *set_server_name(struct http_call *call, CURL *e)
{
    const char *name = call->o.tls.server_name;
    if (!name || !call->https || !call->same_origin)
        return call->url;
    char port[16], *url = NULL;
    CURLU *u = curl_url();
    snprintf(port, sizeof port, "%u", call->port);
    const char *out = call->url;
    if (u && curl_url_set(u, CURLUPART_URL, call->url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_PORT, port, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        bool v6 = str_index(call->host, ':') >= 0;
        str to = arena_printf(&call->arena, v6 ? "%s:%u:[%.*s]:%u" : "%s:%u:%.*s:%u", name,
                              call->port, STR_ARG(call->host), call->port);
        str host = arena_printf(&call->arena, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(call->host),
                                call->port);
        call->connect_to = curl_slist_append(NULL, to.p);
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, call->connect_to);
        header_add(call, "Host", host);
        out = arena_dup(&call->arena, str_from_z(url)).p;
    }
    curl_free(url);
    curl_url_cleanup(u);
    return out;
}

static void set_addresses(struct http_call *call, CURL *e, const union dns_addr *addrs, size_t n)
{
    struct strbuf line STRBUF_CLEANUP = {0};
    if (str_index(call->host, ':') >= 0)
        return; /* an IPv6 literal is its own address */
    /* '+': libcurl may forget it after a minute, so names do not pile up. */
    strbuf_addf(&line, "+%.*s:%u:", STR_ARG(call->host), call->port);
    for (size_t i = 0; i < n; i++) {
        char text[DNS_ADDR_TEXT_MAX];
        dns_addr_format(&addrs[i].sa, text);
        strbuf_addf(&line, addrs[i].sa.sa_family == AF_INET6 ? "%s[%s]" : "%s%s", i ? "," : "",
                    text);
    }
    call->resolve = curl_slist_append(NULL, line.p);
    curl_easy_setopt(e, CURLOPT_RESOLVE, call->resolve);
}

static void set_callbacks(struct http_call *call, CURL *e)
{
    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, call);
}

static void set_limits(struct http_call *call, CURL *e, uint64_t left_ms)
{
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* what the environment says would pass the policy by */
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)call->o.fresh);
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, (long)call->o.fresh);
    if (call->o.gzip)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void transfer_perform(struct http_call *call, const union dns_addr *addrs, size_t n)
{
    uint64_t now = uv_hrtime();
    CURL *e = call->easy = curl_easy_init();
    if (!e || !engine_open(call->engine)) {
        fail(call, HTTP_CALL_OTHER, ERR_INTERNAL, "libcurl has no memory");
        return;
    }
    call->error[0] = 0;
    call->got.n = 0;
    call->got_bytes = 0;
    call->body_bytes = 0;
    strbuf_clear(&call->body);
    set_callbacks(call, e);
    set_limits(call, e, now < call->deadline_ns ? (call->deadline_ns - now) / 1000000 + 1 : 1);
    set_tls(call, e);
    set_addresses(call, e, addrs, n);
    const char *url = set_server_name(call, e);
    set_method(call, e);
    set_headers(call, e);
    curl_easy_setopt(e, CURLOPT_URL, url);
    if (curl_multi_add_handle(call->engine->multi, e) != CURLM_OK) {
        curl_easy_cleanup(e);
        call->easy = NULL;
        fail(call, HTTP_CALL_OTHER, ERR_INTERNAL, "libcurl refused the call");
    }
}

static void on_resolved(void *arg, const union dns_addr *addrs, size_t n, const struct err *err)
{
    struct http_call *call = arg;
    struct err denied;
    call->query = NULL;
    call->result.dns_s += (double)(uv_hrtime() - call->lookup_ns) / 1e9;
    if (n == 0) {
        call_over(call, err->kind == ERR_TIMEOUT ? HTTP_CALL_TIMEOUT : HTTP_CALL_DNS, err);
        return;
    }
    /* All of them: a name with one public and one private address is somebody's trick. */
    for (size_t i = 0; i < n; i++)
        if (!egress_check(&call->engine->egress, &addrs[i].sa, &denied)) {
            call_over(call, HTTP_CALL_DENIED, &denied);
            return;
        }
    transfer_perform(call, addrs, n);
}

/* libcurl's own reading of the URL, which also turns odd numeric hosts into plain addresses. */
static bool url_read(struct http_call *call)
{
    char *host = NULL, *port = NULL, *scheme = NULL, *url = NULL;
    CURLU *u = curl_url();
    bool ok = u &&
              curl_url_set(u, CURLUPART_URL, call->url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
              curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK;
    for (const char *p = ok ? host : ""; *p; p++)
        ok &= (unsigned char)*p > ' ' && (unsigned char)*p < 127 && *p != ',' && *p != '%';
    if (ok) {
        size_t n = strlen(host);
        bool v6 = n > 2 && host[0] == '[' && host[n - 1] == ']';
        call->host = arena_dup(&call->arena, str_of(host + v6, n - 2 * v6));
        call->port = (unsigned)strtoul(port, NULL, 10);
        call->https = scheme[4] == 's';
        call->url = arena_dup(&call->arena, str_from_z(url)).p;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(u);
    return ok;
}

void transfer_start(struct http_call *call)
{
    if (!url_read(call)) {
        fail(call, HTTP_CALL_BAD_URL, ERR_INVALID, "this is no http or https URL");
        return;
    }
    uint64_t now = call->lookup_ns = uv_hrtime();
    unsigned left_ms =
        now < call->deadline_ns ? (unsigned)((call->deadline_ns - now) / 1000000) + 1 : 1;
    call->query = dns_resolve(call->client->dns, call->host, left_ms, on_resolved, call);
}

/* -- the end of a transfer ----------------------------------------------------------------------
 */

static double info_s(CURL *e, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(e, what, &us);
    return (double)us / 1e6;
}

static double spent(double from, double to)
{
    return to > from ? to - from : 0;
}

static void read_info(struct http_call *call)
{
    struct http_result *r = &call->result;
    CURL *e = call->easy;
    long status = 0;
    char *ip = NULL;
    curl_off_t wire = 0;
    double lookup = info_s(e, CURLINFO_NAMELOOKUP_TIME_T),
           connect = info_s(e, CURLINFO_CONNECT_TIME_T),
           tls = info_s(e, CURLINFO_APPCONNECT_TIME_T),
           sent = info_s(e, CURLINFO_PRETRANSFER_TIME_T),
           first = info_s(e, CURLINFO_STARTTRANSFER_TIME_T),
           total = info_s(e, CURLINFO_TOTAL_TIME_T);
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(e, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(e, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    call->status = (int)status;
    r->address = ip && *ip ? arena_dup(&call->arena, str_from_z(ip)).p : "";
    r->wire_bytes = (uint64_t)wire;
    r->connect_s += spent(lookup, connect);
    r->tls_s += tls > 0 ? spent(connect, tls) : 0;
    r->wait_s += spent(sent, first);
    r->transfer_s += first > 0 ? spent(first, total) : 0;
}

static const char *timeout_phase(struct http_call *call)
{
    CURL *e = call->easy;
    if (info_s(e, CURLINFO_STARTTRANSFER_TIME_T) > 0)
        return "the body";
    if (info_s(e, CURLINFO_PRETRANSFER_TIME_T) > 0)
        return "waiting for the answer";
    return info_s(e, CURLINFO_CONNECT_TIME_T) > 0 && call->https ? "the TLS handshake"
                                                                 : "connecting";
}

static enum http_call_failure failure_of(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return HTTP_CALL_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_CALL_DNS;
    case CURLE_COULDNT_CONNECT:
        return HTTP_CALL_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_CALL_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return HTTP_CALL_TLS;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return HTTP_CALL_PROTOCOL;
    default:
        return HTTP_CALL_OTHER;
    }
}

static void report_failure(struct http_call *call, CURLcode code)
{
    struct err err = {0};
    if (call->denied) {
        call_over(call, HTTP_CALL_DENIED, &call->denied_err);
        return;
    }
    if (call->too_large) {
        if (call->got_bytes > HEADERS_MAX_BYTES)
            err_set(&err, ERR_LIMIT, "the answer's headers are over %d bytes", HEADERS_MAX_BYTES);
        else
            err_set(&err, ERR_LIMIT, "the answer's body is over %llu bytes",
                    (unsigned long long)call->o.body_max_bytes);
        call_over(call, HTTP_CALL_TOO_LARGE, &err);
        return;
    }
    if (call->aborted) {
        fail(call, HTTP_CALL_ABORTED, ERR_CANCELED, "the body was not wanted any further");
        return;
    }
    enum http_call_failure failure = failure_of(code);
    if (failure == HTTP_CALL_TIMEOUT)
        err_set(&err, ERR_TIMEOUT, "time-out after %u ms during %s", call->o.timeout_ms,
                timeout_phase(call));
    else
        err_set(&err, ERR_IO, "%s", call->error[0] ? call->error : curl_easy_strerror(code));
    call_over(call, failure, &err);
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Same host and port, or the same host by https instead of http on their usual ports. */
static bool same_place(str host, unsigned port, bool https, const struct http_call *call)
{
    if (!str_eq_nocase(host, call->host) || (https && !call->https))
        return false;
    return port == call->port || (!https && call->https && port == 80 && call->port == 443);
}

static void redirect(struct http_call *call, const char *to)
{
    if (call->result.redirects++ >= call->o.redirects_max) {
        struct err err = {0};
        err_set(&err, ERR_LIMIT, "more than %u redirects", call->o.redirects_max);
        call_over(call, HTTP_CALL_REDIRECTS, &err);
        return;
    }
    str host = call->host;
    unsigned port = call->port;
    bool https = call->https;
    call->url = arena_dup(&call->arena, str_from_z(to)).p;
    const char *method = call->o.method;
    bool post = method ? strcmp(method, "POST") == 0 : call->o.body.n > 0;
    if (call->status == 303 || (call->status < 303 && post)) { /* RFC 9110 15.4 */
        bool head = method && strcmp(method, "HEAD") == 0;
        call->o.method = head ? "HEAD" : NULL;
        call->o.body = (bytes){0};
        call->o.has_body = false;
    }
    transfer_drop(call);
    if (!url_read(call)) {
        fail(call, HTTP_CALL_BAD_URL, ERR_INVALID, "the redirect leads to no http or https URL");
        return;
    }
    if (!same_place(host, port, https, call)) {
        call->same_origin = false;
        call->engine = &call->client->engines[ENGINE_FOREIGN];
    }
    transfer_start(call);
}

void transfer_done(struct http_call *call, CURLcode code)
{
    char *to = NULL;
    read_info(call);
    if (code != CURLE_OK) {
        report_failure(call, code);
        return;
    }
    curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to);
    if (to && call->o.redirects_max > 0 && is_redirect(call->status))
        redirect(call, to);
    else
        call_over(call, HTTP_CALL_OK, NULL);
}
