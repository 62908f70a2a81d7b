// SPDX-License-Identifier: Apache-2.0
/* Header fields and the strict look at a head; whole requests are in tests/http/conformance.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_head.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void test_accept(void **state)
{
    static const struct {
        const char *header, *coding; /* header NULL: missing */
        bool want;
    } cases[] = {
        {"gzip", "gzip", true},
        {"GZIP", "gzip", true},
        {"deflate, gzip;q=1.0, *;q=0.5", "gzip", true},
        {"gzip;q=0", "gzip", false},
        {"gzip; q=0.0", "gzip", false},
        {"gzip;q=0.001", "gzip", true},
        {"gzip ; q = 0.5", "gzip", true},
        {"*", "gzip", true},
        {"*;q=0", "gzip", false},
        {"gzip;q=0, *", "gzip", false},
        {"*, gzip;q=0", "gzip", false},
        {"x-gzip", "gzip", false},
        {"br", "gzip", false},
        {"", "gzip", false},
        {NULL, "gzip", false},
        {NULL, "identity", true},
        {"gzip", "identity", true},
        {"identity;q=0", "identity", false},
        {"*;q=0", "identity", false},
        {"*;q=0, identity", "identity", true},
        {"gzip;q=2", "gzip", false},
        {"gzip;q=1.001", "gzip", false},
        {"gzip;q=x", "gzip", false},
        {"gzip;q=0.0001", "gzip", false},
        {"gzip;level=9;q=0.1", "gzip", true},
        {",,gzip,", "gzip", true},
    };
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        str h = cases[i].header ? str_from_z(cases[i].header) : (str){0};
        if (http_accept_allows(h, str_from_z(cases[i].coding)) != cases[i].want)
            fail_msg("\"%s\" for %s", cases[i].header, cases[i].coding);
    }
}

static void test_fields(void **state)
{
    struct http_header h[] = {{STR("A"), STR("1")}, {STR("b-C"), STR("")}, {STR("a"), STR("2")}};
    (void)state;
    assert_true(str_eqz(http_headers_get(h, 3, STR("a")), "1"));
    assert_non_null(http_headers_get(h, 3, STR("B-c")).p);
    assert_null(http_headers_get(h, 3, STR("c")).p);
    assert_true(http_name_ok(STR("X-Forwarded-For")) && http_name_ok(STR("!#$%&'*+-.^_`|~")));
    assert_false(http_name_ok(STR("")) || http_name_ok(STR("a b")) || http_name_ok(STR("a:")) ||
                 http_name_ok(STR("a\0b")) || http_name_ok(STR("\xc3\xa9")));
    assert_true(http_value_ok(STR("")) && http_value_ok(STR("a\tb \xff")));
    assert_false(http_value_ok(STR("a\r")) || http_value_ok(STR("\nb")) ||
                 http_value_ok(STR("a\0")));
    assert_true(
        http_media_type_is(STR("Application/JSON ; charset=utf-8"), STR("application/json")));
    assert_false(http_media_type_is(STR("application/jsonx"), STR("application/json")) ||
                 http_media_type_is((str){0}, STR("a/b")));
}

/* A head that comes in pieces of every size ends at the same byte. */
static void test_scan_pieces(void **state)
{
    static const char text[] = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
    const struct http_fault *fault = NULL;
    (void)state;
    for (size_t step = 1; step < sizeof text; step++) {
        struct head_scan scan = {0};
        ssize_t n = 0;
        size_t came = 0;
        while (n == 0 && came < sizeof text - 1) {
            came = came + step < sizeof text - 1 ? came + step : sizeof text - 1;
            n = head_scan(&scan, str_of(text, came), 1024, &fault);
        }
        assert_int_equal(n, 27);
        assert_int_equal(scan.start, 2);
    }
}

static void test_scan_limits(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414},
        {"GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbbbbb", 431},
        {"\n", 400},
        {"GET / HTTP/1.1\n", 400},
        {"\x16\x03", 400},
        {" GET", 400},
        {"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400},
    };
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct head_scan scan = {0};
        const struct http_fault *fault = NULL;
        ssize_t n = head_scan(&scan, str_from_z(cases[i].text), 32, &fault);
        if (n != -1 || fault->status != cases[i].status)
            fail_msg("\"%s\": %zd, %d", cases[i].text, n, fault ? fault->status : 0);
    }
}

static void test_framing(void **state)
{
    static const struct {
        struct http_header h[4];
        int minor, status; /* 0: sound */
        bool chunked, keep_alive;
        uint64_t length;
    } cases[] = {
        {{{STR_INIT("host"), STR_INIT("x")}}, 1, 0, false, true, 0},
        {{{STR_INIT("Host"), STR_INIT("x:80")}, {STR_INIT("Content-Length"), STR_INIT("12")}},
         1,
         0,
         false,
         true,
         12},
        {{{STR_INIT("Host"), STR_INIT("[::1]:80")},
          {STR_INIT("Transfer-Encoding"), STR_INIT("Chunked")}},
         1,
         0,
         true,
         true,
         0},
        {{{STR_INIT("Host"), STR_INIT("x")}, {STR_INIT("Connection"), STR_INIT("a, CLOSE")}},
         1,
         0,
         false,
         false,
         0},
        {{{STR_INIT("Connection"), STR_INIT("keep-alive")}}, 0, 0, false, true, 0},
        {{{STR_INIT("X"), STR_INIT("y")}}, 0, 0, false, false, 0},
        {{{STR_INIT("X"), STR_INIT("y")}}, 1, 400, false, false, 0},
        {{{STR_INIT("Host"), STR_INIT("x")}, {STR_INIT("host"), STR_INIT("x")}},
         1,
         400,
         false,
         false,
         0},
        {{{STR_INIT("Host"), STR_INIT("x\"y")}}, 1, 400, false, false, 0},
        {{{STR_INIT("Host"), STR_INIT("x")},
          {STR_INIT("Content-Length"), STR_INIT("9999999999999999999")}},
         1,
         400,
         false,
         false,
         0},
        {{{STR_INIT("Host"), STR_INIT("x")}, {STR_INIT("Transfer-Encoding"), STR_INIT("")}},
         1,
         400,
         false,
         false,
         0},
        {{{STR_INIT("Host"), STR_INIT("x")},
          {STR_INIT("Transfer-Encoding"), STR_INIT("gzip,chunked")}},
         1,
         501,
         false,
         false,
         0},
        {{{STR_INIT("Host"), STR_INIT("x")}, {STR_INIT("Expect"), STR_INIT("")}},
         1,
         417,
         false,
         false,
         0},
    };
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct head_framing f = {0};
        size_t n = 0;
        while (n < 4 && cases[i].h[n].name.p)
            n++;
        const struct http_fault *fault = head_framing(cases[i].h, n, cases[i].minor, &f);
        if ((fault ? fault->status : 0) != cases[i].status || f.chunked != cases[i].chunked ||
            f.keep_alive != cases[i].keep_alive || f.length != cases[i].length)
            fail_msg("case %zu: %s", i, fault ? fault->text : "sound");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_scan_pieces), cmocka_unit_test(test_scan_limits),
        cmocka_unit_test(test_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
