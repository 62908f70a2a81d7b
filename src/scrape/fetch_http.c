// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies over HTTP. Credentials that stand in files are read again for each request, in a pool
 * task, because they are rotated under us; without such files the call starts at once.
 */
#include <stdio.h>

#include "base/num.h"
#include "net/http_client.h"
#include "scrape/scrape_int.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/pool.h"

enum {
    SECRET_BYTES_MAX = 64 * 1024,
    HEADERS_MAX = 64,
    REDIRECTS_MAX = 10,
};

struct call {
    struct fetch_http *f;
    struct call *next, *prev;
    void (*done)(void *arg, const struct scrape_response *r);
    void *arg;
    struct scrape_request r; /* texts in the arena; `conf` is the target's, not used in the task */
    struct arena arena;
    struct http_call *http; /* NULL: not started */
    bool canceled;          /* `done` must not run */
    /* What the task found, and what it looked for. */
    str username, password, credentials;
    str username_file, password_file, credentials_file;
    struct http_header headers[HEADERS_MAX];
    str header_files[HEADERS_MAX]; /* empty: the value is there */
    size_t headers_n;
    bool failed;
    struct err err;
};

struct fetch_http {
    struct scrape_fetch fetch;
    struct http_client *client;
    struct loop *loop;
    struct pool *pool;
    struct call *calls;
};

static void call_free(struct call *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->f->calls = c->next;
    if (c->next)
        c->next->prev = c->prev;
    arena_fini(&c->arena);
    free(c);
}

/* `done` may start the next fetch of the same target, so the call is gone before. */
static void give(struct call *c, const struct scrape_response *r)
{
    void (*done)(void *, const struct scrape_response *) = c->done;
    void *arg = c->arg;
    struct arena kept = c->arena; /* the answer may point into it */
    bool canceled = c->canceled;
    c->arena = (struct arena){0};
    call_free(c);
    if (!canceled)
        done(arg, r);
    arena_fini(&kept);
}

static void give_error(struct call *c, const struct err *err)
{
    struct scrape_response r = {.err = *err};
    give(c, &r);
}

/* ---- the answer ---- */

static str content_type_of(const struct http_result *r)
{
    for (size_t i = 0; i < r->headers_n; i++)
        if (str_eq_nocase(r->headers[i].name, STR("content-type")))
            return r->headers[i].value;
    return (str){0};
}

static void on_done(void *arg, const struct http_result *h)
{
    struct call *c = arg;
    struct scrape_response r = {
        .ok = h->failure == HTTP_CALL_OK,
        .too_large = h->failure == HTTP_CALL_TOO_LARGE,
        .timed_out = h->failure == HTTP_CALL_TIMEOUT,
        .err = h->err,
        .status = h->status,
        .content_type = content_type_of(h),
        .body = str_from_bytes(h->body),
        .wire_bytes = h->wire_bytes,
    };
    give(c, &r);
}

/* ---- the question ---- */

static void add_header(struct call *c, str name, str value)
{
    if (c->headers_n < HEADERS_MAX)
        c->headers[c->headers_n++] = (struct http_header){name, value};
}

static void add_file_header(struct call *c, str name, str file)
{
    if (c->headers_n == HEADERS_MAX)
        return;
    c->header_files[c->headers_n] = arena_dup(&c->arena, file);
    add_header(c, name, (str){0});
}

static void add_configured_headers(struct call *c, const struct conf_http *h)
{
    for (size_t i = 0; i < h->headers.n; i++) {
        const struct conf_header *x = &h->headers.at[i];
        str name = arena_dup(&c->arena, x->name);
        for (size_t j = 0; j < x->values.n; j++)
            add_header(c, name, arena_dup(&c->arena, x->values.at[j]));
        for (size_t j = 0; j < x->secrets.n; j++)
            add_header(c, name, arena_dup(&c->arena, x->secrets.at[j].hidden));
        for (size_t j = 0; j < x->files.n; j++)
            add_file_header(c, name, x->files.at[j]);
    }
}

static const char *z(str s)
{
    return s.n ? s.p : NULL;
}

static int tls_version(int conf)
{
    return conf == CONF_TLS13 ? 13 : conf == CONF_TLS_ANY ? 0 : 12;
}

static void start_call(struct call *c)
{
    const struct conf_scrape *conf = c->r.conf;
    const struct conf_tls *t = &conf->http.tls;
    const struct conf_authorization *auth = conf->http.authorization;
    bool bearer = auth && str_eqz(auth->type, "Bearer");
    if (auth && !bearer && c->credentials.n)
        add_header(
            c, STR("Authorization"),
            arena_printf(&c->arena, "%.*s %.*s", STR_ARG(auth->type), STR_ARG(c->credentials)));
    struct http_call_options o = {
        .url = c->r.url.p,
        .headers = c->headers,
        .headers_n = c->headers_n,
        .basic_user = conf->http.basic_auth ? c->username.p : NULL,
        .basic_password = conf->http.basic_auth ? c->password.p : NULL,
        .bearer = bearer ? z(c->credentials) : NULL,
        .tls = {.ca_file = z(t->ca_file),
                .cert_file = z(t->cert_file),
                .key_file = z(t->key_file),
                .server_name = z(t->server_name),
                .insecure_skip_verify = t->insecure_skip_verify,
                .version_min = tls_version(t->min_version),
                .version_max = tls_version(t->max_version)},
        .timeout_ms = (unsigned)(c->r.timeout_ms < 86400000 ? c->r.timeout_ms : 86400000),
        .body_max_bytes = c->r.body_max_bytes,
        .gzip = conf->enable_compression,
        .redirects_max = conf->http.follow_redirects ? REDIRECTS_MAX : 0,
        .on_done = on_done,
        .arg = c,
    };
    c->http = http_call_start(c->f->client, &o, &c->err);
    if (!c->http)
        give_error(c, &c->err);
}

/* ---- files ---- */

static bool read_secret(struct call *c, str file, str *out)
{
    if (!file.n)
        return true;
    if (!file_read(file.p, SECRET_BYTES_MAX, &c->arena, out, &c->err))
        return false;
    *out = arena_dup(&c->arena, str_trim(*out));
    return true;
}

static void files_read(void *arg)
{
    struct call *c = arg;
    if (c->canceled)
        call_free(c);
    else if (c->failed)
        give_error(c, &c->err);
    else
        start_call(c);
}

/* In a task of the pool; the call is this task's until the post. */
static void read_files(void *arg)
{
    struct call *c = arg;
    pool_block_begin();
    c->failed = !read_secret(c, c->username_file, &c->username) ||
                !read_secret(c, c->password_file, &c->password) ||
                !read_secret(c, c->credentials_file, &c->credentials);
    for (size_t i = 0; i < c->headers_n && !c->failed; i++)
        c->failed = !read_secret(c, c->header_files[i], &c->headers[i].value);
    pool_block_end();
    loop_post(c->f->loop, files_read, c);
}

static bool needs_files(const struct call *c)
{
    bool any = c->username_file.n || c->password_file.n || c->credentials_file.n;
    for (size_t i = 0; i < c->headers_n; i++)
        any = any || c->header_files[i].n;
    return any;
}

/* Runs as a post of its own, because `done` must not run from inside `start`. */
static void begin_call(void *arg)
{
    struct call *c = arg;
    if (c->canceled) {
        call_free(c);
    } else if (!needs_files(c)) {
        start_call(c);
    } else if (!pool_submit(c->f->pool, POOL_INGEST, read_files, c)) {
        err_set(&c->err, ERR_UNAVAILABLE, "too much other work is waiting");
        give_error(c, &c->err);
    }
}

static void take_credentials(struct call *c, const struct conf_http *h)
{
    struct arena *a = &c->arena;
    c->username = c->password = STR("");
    if (h->basic_auth) {
        c->username = arena_dup(a, h->basic_auth->username);
        c->password = arena_dup(a, h->basic_auth->password.hidden);
        c->username_file = arena_dup(a, h->basic_auth->username_file);
        c->password_file = arena_dup(a, h->basic_auth->password_file);
    }
    if (h->authorization) {
        c->credentials = arena_dup(a, h->authorization->credentials.hidden);
        c->credentials_file = arena_dup(a, h->authorization->credentials_file);
    }
}

/* Every digit, none more: "0.15", "1234.567". */
static str seconds_text(struct arena *a, int64_t ms)
{
    char buf[F64_TEXT_MAX];
    size_t n = f64_format((double)ms / 1000, buf);
    return arena_dup(a, str_of(buf, n));
}

static void start(struct scrape_fetch *fetch, const struct scrape_request *r,
                  void (*done)(void *arg, const struct scrape_response *r), void *arg)
{
    struct fetch_http *f = (struct fetch_http *)fetch;
    struct call *c = mem_new(struct call);
    *c = (struct call){.f = f, .done = done, .arg = arg, .r = *r, .next = f->calls};
    if (f->calls)
        f->calls->prev = c;
    f->calls = c;
    c->r.url = arena_dup(&c->arena, r->url);
    add_header(c, STR("Accept"), arena_dup(&c->arena, r->accept));
    add_header(c, STR("User-Agent"), STR("nunchi/" NUNCHI_VERSION));
    add_header(c, STR("X-Prometheus-Scrape-Timeout-Seconds"),
               seconds_text(&c->arena, r->timeout_ms));
    add_configured_headers(c, &r->conf->http);
    take_credentials(c, &r->conf->http);
    loop_post(f->loop, begin_call, c);
}

static void cancel(struct scrape_fetch *fetch, void *arg)
{
    struct fetch_http *f = (struct fetch_http *)fetch;
    for (struct call *c = f->calls; c; c = c->next) {
        if (c->arg != arg || c->canceled)
            continue;
        c->canceled = true;
        if (c->http) {
            http_call_cancel(c->http);
            call_free(c);
        } /* else a task or a post has it, and frees it */
        return;
    }
}

struct scrape_fetch *scrape_fetch_http_new(struct http_client *client, struct loop *loop,
                                           struct pool *pool)
{
    struct fetch_http *f = mem_new(struct fetch_http);
    f->fetch = (struct scrape_fetch){start, cancel};
    f->client = client;
    f->loop = loop;
    f->pool = pool;
    return &f->fetch;
}

/* What is left was canceled, and the post or task that would have freed it comes no more. */
void scrape_fetch_http_free(struct scrape_fetch *fetch)
{
    struct fetch_http *f = (struct fetch_http *)fetch;
    while (f && f->calls)
        call_free(f->calls);
    free(f);
}
