// SPDX-License-Identifier: Apache-2.0
/*
 * A small server for the tests in this folder. Prints "port N" for each listen address, serves
 * until its standard input ends, stops gracefully and prints "stopped".
 *
 *   /echo            what was received, as text          /imm      100 bytes at once
 *   /upload          length of the buffered body         /work     answered from the pool
 *   /consume         length of a streamed body; with ?hold it waits for /release before reading
 *   /stream?n=BYTES  that many bytes, streamed           /broken   a stream that ends incomplete
 *   /long            waits until the peer has gone       /refuse   401 before the body
 *   /bad             an answer with a broken header      /counters the process' own counters
 */
#include <assert.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/strbuf.h"
#include "net/http_server.h"
#include "net/http_target.h"
#include "net/tls.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/self.h"

enum { LOOPS_MAX = 8 };

static struct pool *pool;
static struct http_server *server;
static struct loop *loops[LOOPS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool released; /* guarded by lock */
static atomic_int gone_seen, streams_cut;

static void answer(struct http_request *req, struct strbuf *b)
{
    http_respond(req, &(struct http_response){.status = 200, .body = strbuf_str(b)});
}

static void echo(struct http_request *req)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    strbuf_addf(&b, "method=%.*s\ntarget=%.*s\npath=%.*s\nquery=%.*s\nhost=%.*s\nversion=1.%d\n",
                STR_ARG(req->method_name), STR_ARG(req->target), STR_ARG(req->path),
                STR_ARG(req->query), STR_ARG(req->host), req->version_minor);
    strbuf_addf(&b, "tls=%d client=%.*s\n", req->tls, STR_ARG(req->tls_client));
    for (size_t i = 0; i < req->headers_n; i++)
        strbuf_addf(&b, "header %.*s=%.*s\n", STR_ARG(req->headers[i].name),
                    STR_ARG(req->headers[i].value));
    strbuf_addf(&b, "body=%.*s\n", (int)req->body.n, (const char *)req->body.p);
    answer(req, &b);
}

static void immediate(struct http_request *req)
{
    static const char body[] = "0123456789012345678901234567890123456789012345678"
                               "01234567890123456789012345678901234567890123456789\n";
    http_respond(req, &(struct http_response){.status = 200,
                                              .body = str_of(body, sizeof body - 1),
                                              .body_owner = HTTP_BODY_KEEP});
}

static void upload(struct http_request *req)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    strbuf_addf(&b, "%zu\n", req->body.n);
    answer(req, &b);
}

static void counters(struct http_request *req)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    struct http_server_load load;
    struct rusage ru;
    http_server_load(server, &load);
    getrusage(RUSAGE_SELF, &ru);
    for (int i = 0; i < SELF_N; i++)
        strbuf_addf(&b, "%s{%s} %lld\n", self_rows[i].name, self_rows[i].value,
                    (long long)self_get((enum self_id)i));
    strbuf_addf(&b, "connections %zu\nrequests %zu\nbodies %llu\ngone %d\ncut %d\nmaxrss_kb %ld\n",
                load.connections, load.requests, (unsigned long long)load.bodies_bytes,
                atomic_load(&gone_seen), atomic_load(&streams_cut), ru.ru_maxrss);
    answer(req, &b);
}

static void bad(struct http_request *req)
{
    struct http_header h = {STR("X-Bad"), STR("a\r\nSet-Cookie: b")};
    http_respond(req, &(struct http_response){.status = 200, .headers = &h, .headers_n = 1});
}

static void release(struct http_request *req)
{
    pthread_mutex_lock(&lock);
    released = true;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&lock);
    http_respond_text(req, 200, "released");
}

static void task_work(void *arg)
{
    http_respond_text(arg, 200, "worked");
}

static void task_consume(void *arg)
{
    struct http_request *req = arg;
    static const size_t cap = 64 << 10;
    char *buf = mem_alloc(cap);
    size_t total = 0;
    ssize_t n;
    if (str_eq(req->query, STR("hold"))) {
        pool_block_begin();
        pthread_mutex_lock(&lock);
        while (!released)
            pthread_cond_wait(&cond, &lock);
        pthread_mutex_unlock(&lock);
        pool_block_end();
    }
    while ((n = http_body_read(req, buf, cap)) > 0)
        total += (size_t)n;
    free(buf);
    http_respond_text(req, n < 0 ? 400 : 200, "%zu", total);
}

static void task_stream(void *arg)
{
    struct http_request *req = arg;
    struct http_params params = {0};
    struct err err;
    uint64_t n = 0;
    size_t piece = 100 << 10;
    if (!http_params_add(req->query, req->arena, &params, &err) ||
        !u64_parse(http_params_get(&params, STR("n")), &n)) {
        http_respond_text(req, 400, "n=BYTES is missing");
        return;
    }
    char *data = mem_alloc(piece);
    memset(data, 'x', piece);
    http_stream_start(req, &(struct http_response){.status = 200});
    bool ok = true;
    for (; ok && n > 0; n -= n < piece ? n : piece)
        ok = http_stream_write(req, str_of(data, n < piece ? n : piece));
    if (!ok)
        atomic_fetch_add(&streams_cut, 1);
    free(data);
    http_stream_end(req, ok);
}

static void task_broken(void *arg)
{
    struct http_request *req = arg;
    http_stream_start(req, &(struct http_response){.status = 200});
    bool ok = http_stream_write(req, STR("half"));
    http_stream_end(req, !ok);
}

static void on_gone(void *arg)
{
    atomic_fetch_add(&gone_seen, 1);
    pthread_mutex_lock(&lock);
    *(bool *)arg = true;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&lock);
}

static void task_long(void *arg)
{
    struct http_request *req = arg;
    bool *gone = req->user;
    pool_block_begin();
    pthread_mutex_lock(&lock);
    while (!*gone)
        pthread_cond_wait(&cond, &lock);
    pthread_mutex_unlock(&lock);
    pool_block_end();
    http_respond_text(req, 503, "nobody waits");
}

static void start_long(struct http_request *req)
{
    req->user = arena_new(req->arena, bool);
    http_on_gone(req, on_gone, req->user);
    pool_submit(pool, POOL_QUERY, task_long, req);
}

static const struct route {
    const char *path;
    enum http_plan_kind kind;
    uint64_t body_max;
    void (*now)(struct http_request *req);
    void (*task)(void *arg);
} routes[] = {
    {"/imm", HTTP_PLAN_BODY, 1 << 20, immediate, NULL},
    {"/echo", HTTP_PLAN_BODY, 1 << 20, echo, NULL},
    {"/upload", HTTP_PLAN_BODY, 64 << 20, upload, NULL},
    {"/nobody", HTTP_PLAN_NO_BODY, 0, immediate, NULL},
    {"/work", HTTP_PLAN_BODY, 1 << 20, NULL, task_work},
    {"/consume", HTTP_PLAN_STREAM, 1 << 30, NULL, task_consume},
    {"/stream", HTTP_PLAN_BODY, 0, NULL, task_stream},
    {"/broken", HTTP_PLAN_BODY, 0, NULL, task_broken},
    {"/long", HTTP_PLAN_BODY, 0, start_long, NULL},
    {"/release", HTTP_PLAN_BODY, 0, release, NULL},
    {"/counters", HTTP_PLAN_BODY, 0, counters, NULL},
    {"/bad", HTTP_PLAN_BODY, 0, bad, NULL},
};

static struct http_plan on_head(void *arg, struct http_request *req)
{
    (void)arg;
    if (str_eq(req->path, STR("/refuse")))
        return (struct http_plan){.kind = HTTP_PLAN_RESPOND,
                                  .response = {.status = 401, .body = STR("who are you?\n")}};
    const struct route *r = &routes[1]; /* anything unknown is echoed */
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (str_eqz(req->path, routes[i].path))
            r = &routes[i];
    req->user = (void *)(uintptr_t)r;
    return (struct http_plan){.kind = r->kind, .body_max_bytes = r->body_max};
}

static void on_request(void *arg, struct http_request *req)
{
    (void)arg;
    const struct route *r = req->user;
    if (r->now)
        r->now(req);
    else if (!pool_submit(pool, POOL_QUERY, r->task, req))
        http_respond_text(req, 503, "the queue is full");
}

static void *loop_thread(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void on_stopped(void *arg)
{
    size_t n = *(size_t *)arg;
    for (size_t i = 0; i < n; i++)
        loop_stop(loops[i]);
}

static struct http_server_options options = {
    .handler = {.on_head = on_head, .on_request = on_request}};

static unsigned number(const char *s)
{
    return (unsigned)strtoul(s, NULL, 10);
}

static bool options_parse(int argc, char **argv, struct tls_server_options *tls)
{
    static const struct option table[] = {{"loops", required_argument, NULL, 'l'},
                                          {"header-deadline-ms", required_argument, NULL, 'h'},
                                          {"body-idle-ms", required_argument, NULL, 'b'},
                                          {"write-idle-ms", required_argument, NULL, 'w'},
                                          {"keepalive-ms", required_argument, NULL, 'k'},
                                          {"address-cap", required_argument, NULL, 'a'},
                                          {"bodies-max", required_argument, NULL, 'm'},
                                          {"cert", required_argument, NULL, 'C'},
                                          {"key", required_argument, NULL, 'K'},
                                          {"client-ca", required_argument, NULL, 'A'},
                                          {0}};
    options.loops_n = 1;
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (c) {
        case 'l':
            options.loops_n = number(optarg);
            break;
        case 'h':
            options.limits.header_deadline_ms = number(optarg);
            break;
        case 'b':
            options.limits.body_idle_ms = number(optarg);
            break;
        case 'w':
            options.limits.write_idle_ms = number(optarg);
            break;
        case 'k':
            options.limits.keepalive_ms = number(optarg);
            break;
        case 'a':
            options.limits.address_connections_max = number(optarg);
            break;
        case 'm':
            options.limits.bodies_max_bytes = number(optarg);
            break;
        case 'C':
            tls->cert_file = optarg;
            break;
        case 'K':
            tls->key_file = optarg;
            break;
        case 'A':
            tls->client_ca_file = optarg;
            break;
        default:
            return false;
        }
    }
    return options.loops_n > 0 && options.loops_n <= LOOPS_MAX;
}

int main(int argc, char **argv)
{
    struct tls_server_options tls = {0};
    struct http_listen listen[2] = {{.address = "127.0.0.1:0"}, {.address = "127.0.0.1:0"}};
    struct err err;
    pthread_t threads[LOOPS_MAX];
    if (!options_parse(argc, argv, &tls))
        return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (tls.cert_file && !(listen[1].tls = tls_server_new(&tls, &err))) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    pool = pool_new(&(struct pool_options){.slots = 2});
    size_t loops_n = options.loops_n;
    for (size_t i = 0; i < loops_n; i++)
        loops[i] = loop_new("io");
    options.loops = loops;
    options.listen = listen;
    options.listen_n = listen[1].tls ? 2 : 1;
    server = http_server_new(&options, &err);
    if (!server) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    http_server_start(server);
    for (size_t i = 0; i < loops_n; i++)
        pthread_create(&threads[i], NULL, loop_thread, loops[i]);
    for (size_t i = 0; i < options.listen_n; i++)
        printf("port %u\n", http_server_port(server, i));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    http_server_stop(server, 30000, on_stopped, &loops_n);
    for (size_t i = 0; i < loops_n; i++)
        pthread_join(threads[i], NULL);
    pool_free(pool);
    http_server_free(server);
    for (size_t i = 0; i < loops_n; i++)
        loop_free(loops[i]);
    printf("stopped\n");
    return 0;
}
