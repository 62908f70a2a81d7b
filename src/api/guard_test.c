// SPDX-License-Identifier: Apache-2.0
#include "api/guard.h"

#include "base/test.h"

static void tells_friend_from_foe(void **state)
{
    static const struct {
        const char *host, *origin, *site, *referer;
        bool open, tls, ok;
    } rows[] = {
        {"localhost:9090", NULL, NULL, NULL, false, false, true},
        {"127.0.0.1:9090", NULL, NULL, NULL, false, false, true},
        {"[::1]:9090", NULL, NULL, NULL, false, false, true},
        {"box:9090", NULL, NULL, NULL, false, false, true},
        {"BOX.example.org", NULL, NULL, NULL, false, false, true},
        {"metrics.example.org", NULL, NULL, NULL, false, false, true},
        {"", NULL, NULL, NULL, false, false, true},
        {"localhost:9090", "http://localhost:9090", "same-origin", NULL, false, false, true},
        {"localhost:9090", "http://localhost:9090", "none", NULL, false, false, true},
        {"localhost:9090", "https://localhost:9090", NULL, NULL, false, true, true},
        /* pages of others */
        {"localhost:9090", "http://evil.example", NULL, NULL, false, false, false},
        {"localhost:9090", "http://localhost:9091", NULL, NULL, false, false, false},
        {"localhost:9090", "https://localhost:9090", NULL, NULL, false, false, false},
        {"localhost:9090", "null", NULL, NULL, false, false, false},
        {"localhost:9090", NULL, "cross-site", NULL, false, false, false},
        {"localhost:9090", NULL, "same-site", NULL, false, false, false},
        /* names that were made to point here */
        {"evil.example:9090", NULL, NULL, NULL, false, false, false},
        {"evil.example:9090", "http://evil.example:9090", NULL, NULL, false, false, false},
        {"evil.example:9090", "http://evil.example:9090", "same-origin", NULL, true, false, false},
        {"evil.example:9090", NULL, NULL, "http://evil.example:9090/x", true, false, false},
        {"1.2.3.4.evil.example", NULL, NULL, NULL, false, false, false},
        /* a shipper that knows an open listener by a name of its network */
        {"nunchi.monitoring.svc:9090", NULL, NULL, NULL, true, false, true},
    };
    struct guard g = {.external_host = STR("metrics.example.org"),
                      .hostname = STR("box.example.org")};
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct http_header h[3];
        struct http_request req = {
            .host = str_from_z(rows[i].host), .tls = rows[i].tls, .headers = h};
        struct err err;
        if (rows[i].origin)
            h[req.headers_n++] = (struct http_header){STR("Origin"), str_from_z(rows[i].origin)};
        if (rows[i].site)
            h[req.headers_n++] =
                (struct http_header){STR("Sec-Fetch-Site"), str_from_z(rows[i].site)};
        if (rows[i].referer)
            h[req.headers_n++] = (struct http_header){STR("Referer"), str_from_z(rows[i].referer)};
        g.open = rows[i].open;
        if (guard_check(&g, &req, &err) != rows[i].ok)
            fail_msg("row %zu: host %s", i, rows[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tells_friend_from_foe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
