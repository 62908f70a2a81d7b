// SPDX-License-Identifier: Apache-2.0
/* The client against our own server, both on one loop in this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/http_target.h"
#include "sys/loop.h"

static struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *config, *foreign;
    unsigned port;
    /* What came back. */
    enum http_call_failure failure;
    int status;
    unsigned redirects;
    char body[4096], message[1024], address[64];
    size_t parts, body_n;
    struct http_call *to_cancel;
} f;

static struct http_plan on_head(void *arg, struct http_request *req)
{
    (void)arg;
    (void)req;
    return (struct http_plan){.kind = HTTP_PLAN_BODY, .body_max_bytes = 1 << 20};
}

static void redirect(struct http_request *req, int status, const char *to)
{
    struct http_header h = {STR("Location"), str_from_z(to)};
    http_respond(req, &(struct http_response){.status = status, .headers = &h, .headers_n = 1});
}

static void gzip_answer(struct http_request *req, size_t zeros)
{
    static char plain[1 << 20], packed[8192];
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)plain;
    z.avail_in = (uInt)zeros;
    z.next_out = (Bytef *)packed;
    z.avail_out = sizeof packed;
    deflate(&z, Z_FINISH);
    struct http_header h = {STR("Content-Encoding"), STR("gzip")};
    http_respond(req, &(struct http_response){.status = 200,
                                              .headers = &h,
                                              .headers_n = 1,
                                              .body = str_of(packed, z.total_out)});
    deflateEnd(&z);
}

static void on_request(void *arg, struct http_request *req)
{
    (void)arg;
    struct strbuf b STRBUF_CLEANUP = {0};
    char url[64];
    if (str_eq(req->path, STR("/self"))) {
        redirect(req, 302, "/show");
    } else if (str_eq(req->path, STR("/post"))) {
        redirect(req, 307, "/show");
    } else if (str_eq(req->path, STR("/loop"))) {
        redirect(req, 301, "/loop");
    } else if (str_eq(req->path, STR("/away"))) {
        snprintf(url, sizeof url, "http://127.0.0.2:%u/show", f.port);
        redirect(req, 302, url);
    } else if (str_eq(req->path, STR("/file"))) {
        redirect(req, 302, "file:///etc/passwd");
    } else if (str_eq(req->path, STR("/bomb"))) {
        gzip_answer(req, 1 << 20);
    } else if (str_eq(req->path, STR("/gzip"))) {
        gzip_answer(req, 100);
    } else {
        strbuf_addf(&b, "%.*s %.*s auth=%.*s host=%.*s type=%.*s x=%.*s body=%.*s",
                    STR_ARG(req->method_name), STR_ARG(req->target),
                    STR_ARG(http_header_get(req, STR("authorization"))), STR_ARG(req->host),
                    STR_ARG(http_header_get(req, STR("content-type"))),
                    STR_ARG(http_header_get(req, STR("x-a"))), (int)req->body.n,
                    (const char *)req->body.p);
        http_respond(req, &(struct http_response){.status = 200, .body = strbuf_str(&b)});
    }
}

static int setup(void **state)
{
    struct err err;
    (void)state;
    f.loop = loop_new("test");
    struct http_listen listen[] = {{.address = "127.0.0.1:0"}};
    f.server = http_server_new(
        &(struct http_server_options){.listen = listen,
                                      .listen_n = 1,
                                      .loops = &f.loop,
                                      .loops_n = 1,
                                      .handler = {.on_head = on_head, .on_request = on_request}},
        &err);
    assert_non_null(f.server);
    http_server_start(f.server);
    f.port = http_server_port(f.server, 0);
    f.config =
        http_client_new(f.loop, &(struct http_client_options){{.from = EGRESS_CONFIG}}, &err);
    f.foreign =
        http_client_new(f.loop, &(struct http_client_options){{.from = EGRESS_FOREIGN}}, &err);
    assert_true(f.config && f.foreign);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_client_free(f.config);
    http_client_free(f.foreign);
    http_server_free(f.server);
    loop_free(f.loop);
    return 0;
}

static void on_done(void *arg, const struct http_result *r)
{
    (void)arg;
    f.failure = r->failure;
    f.status = r->status;
    f.redirects = r->redirects;
    f.body_n = r->body.n;
    snprintf(f.body, sizeof f.body, "%.*s", (int)r->body.n, (const char *)r->body.p);
    snprintf(f.message, sizeof f.message, "%s", r->failure ? r->err.msg : "");
    snprintf(f.address, sizeof f.address, "%s", r->address);
    assert_true(r->total_s >= 0);
    loop_stop(f.loop);
}

/* A loop that was stopped stays so: each call gets a world of its own. */
static void call(bool foreign, struct http_call_options o, const char *path)
{
    struct err err;
    char url[256];
    setup(NULL);
    if (path[0] == '/')
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f.port, path);
    else
        snprintf(url, sizeof url, "%s", path);
    o.url = url;
    o.on_done = on_done;
    assert_non_null(http_call_start(foreign ? f.foreign : f.config, &o, &err));
    loop_run(f.loop);
    teardown(NULL);
}

static void test_get(void **state)
{
    (void)state;
    call(false, (struct http_call_options){0}, "/show?a=1");
    assert_int_equal(f.failure, HTTP_CALL_OK);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.address, "127.0.0.1");
    assert_non_null(strstr(f.body, "GET /show?a=1 auth= "));
}

static void test_post(void **state)
{
    struct http_header h[] = {{STR("Content-Type"), STR("text/x")}, {STR("X-A"), STR("")}};
    (void)state;
    call(false,
         (struct http_call_options){.body = {(const uint8_t *)"hello", 5},
                                    .headers = h,
                                    .headers_n = 2,
                                    .bearer = "secret"},
         "/show");
    assert_non_null(strstr(f.body, "POST /show auth=Bearer secret"));
    assert_non_null(strstr(f.body, "type=text/x x= body=hello"));
    call(false, (struct http_call_options){.body = {(const uint8_t *)"a", 1}, .method = "PUT"},
         "/show");
    assert_non_null(strstr(f.body, "PUT /show"));
    assert_non_null(strstr(f.body, "type= x= body=a"));
    call(false, (struct http_call_options){.basic_user = "u", .basic_password = "p"}, "/show");
    assert_non_null(strstr(f.body, "auth=Basic dTpw "));
}

static void test_redirects(void **state)
{
    static const struct {
        const char *path;
        enum http_call_failure failure;
        int status;
        unsigned follow;
        const char *body;
    } cases[] = {
        {"/self", HTTP_CALL_OK, 302, 0, ""},
        {"/self", HTTP_CALL_OK, 200, 3, "GET /show auth=Bearer secret"},
        {"/post", HTTP_CALL_OK, 200, 3, "POST /show auth=Bearer secret"},
        {"/loop", HTTP_CALL_REDIRECTS, 301, 3, ""},
        {"/away", HTTP_CALL_DENIED, 302, 3, ""}, /* loopback, named by a peer */
        {"/file", HTTP_CALL_BAD_URL, 302, 3, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call(false,
             (struct http_call_options){.redirects_max = cases[i].follow,
                                        .bearer = "secret",
                                        .body = {(const uint8_t *)"b", 1}},
             cases[i].path);
        if (f.failure != cases[i].failure || f.status != cases[i].status ||
            !strstr(f.body, cases[i].body))
            fail_msg("%s: failure %d, status %d, %s, %s", cases[i].path, f.failure, f.status,
                     f.body, f.message);
    }
}

static void test_failures(void **state)
{
    static const struct {
        const char *url;
        enum http_call_failure failure;
    } cases[] = {
        {"file:///etc/passwd", HTTP_CALL_BAD_URL},
        {"gopher://127.0.0.1/", HTTP_CALL_BAD_URL},
        {"127.0.0.1", HTTP_CALL_BAD_URL},
        {"http://", HTTP_CALL_BAD_URL},
        {"http://a b/", HTTP_CALL_BAD_URL},
        {"http://127.0.0.1:1/", HTTP_CALL_CONNECT},
        {"http://169.254.169.254/latest/meta-data", HTTP_CALL_DENIED},
        {"http://0xa9fea9fe/", HTTP_CALL_DENIED},
        {"http://2852039166/", HTTP_CALL_DENIED},
        {"http://[::ffff:169.254.169.254]/", HTTP_CALL_DENIED},
        {"http://[fd00:ec2::254]/", HTTP_CALL_DENIED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call(false, (struct http_call_options){0}, cases[i].url);
        if (f.failure != cases[i].failure)
            fail_msg("%s: failure %d, %s", cases[i].url, f.failure, f.message);
        assert_true(f.message[0]);
    }
}

static void test_foreign(void **state)
{
    static const char *const urls[] = {
        "/show",
        "http://localhost:1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://[::127.0.0.1]/",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        call(true, (struct http_call_options){0}, urls[i]);
        if (f.failure != HTTP_CALL_DENIED)
            fail_msg("%s: failure %d, %s", urls[i], f.failure, f.message);
    }
}

static void test_caps(void **state)
{
    (void)state;
    call(false, (struct http_call_options){.gzip = true}, "/gzip");
    assert_int_equal(f.failure, HTTP_CALL_OK);
    assert_int_equal(f.body_n, 100);
    call(false, (struct http_call_options){.gzip = true, .body_max_bytes = 1000}, "/bomb");
    assert_int_equal(f.failure, HTTP_CALL_TOO_LARGE);
    call(false, (struct http_call_options){.body_max_bytes = 10}, "/show");
    assert_int_equal(f.failure, HTTP_CALL_TOO_LARGE);
    assert_non_null(strstr(f.message, "10 bytes"));
}

static bool on_part(void *arg, bytes part)
{
    (void)part;
    f.parts++;
    return arg == NULL;
}

static void test_parts(void **state)
{
    (void)state;
    f.parts = 0;
    call(false, (struct http_call_options){.on_body = on_part}, "/show");
    assert_int_equal(f.failure, HTTP_CALL_OK);
    assert_true(f.parts > 0 && f.body_n == 0);
    call(false, (struct http_call_options){.on_body = on_part, .arg = &f}, "/show");
    assert_int_equal(f.failure, HTTP_CALL_ABORTED);
}

static void test_refused_options(void **state)
{
    struct err err;
    struct http_header split = {STR("X"), STR("a\r\nHost: b")};
    (void)state;
    setup(NULL);
    struct http_call_options o = {.url = "http://x/", .headers = &split, .headers_n = 1};
    assert_null(http_call_start(f.config, &o, &err));
    o = (struct http_call_options){.url = "http://x/", .method = "GET / HTTP/1.1\r\n"};
    assert_null(http_call_start(f.config, &o, &err));
    o = (struct http_call_options){.url = "http://x/", .bearer = "a\nb"};
    assert_null(http_call_start(f.config, &o, &err));
    assert_int_equal(http_client_calls(f.config), 0);
    teardown(NULL);
}

static void on_cancel(void *arg)
{
    (void)arg;
    http_call_cancel(f.to_cancel);
    assert_int_equal(http_client_calls(f.config), 0);
    loop_stop(f.loop);
}

static void on_never(void *arg, const struct http_result *r)
{
    (void)arg;
    (void)r;
    fail_msg("a canceled call reported");
}

static void test_cancel(void **state)
{
    struct err err;
    char url[64];
    (void)state;
    setup(NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/show", f.port);
    struct http_call_options o = {.url = url, .on_done = on_never};
    f.to_cancel = http_call_start(f.config, &o, &err);
    loop_post(f.loop, on_cancel, NULL);
    loop_run(f.loop);
    /* And one that is under way when the client ends. */
    assert_non_null(http_call_start(f.config, &o, &err));
    teardown(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),       cmocka_unit_test(test_post),
        cmocka_unit_test(test_redirects), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_foreign),   cmocka_unit_test(test_caps),
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
