// SPDX-License-Identifier: Apache-2.0
#include "api/route.h"

#include "api/tables.h"
#include "base/test.h"

static void run(struct call *c)
{
}

// clang-format off
static const struct route rows[] = {
ROUTE(GET,        "/",                      MAY_READ, READS,   SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, run),
ROUTE(GET | POST, "/api/v1/query",          MAY_READ, READS,   ANY_ORIGIN,  UNLIMITED, NO_FLAG, 9, ON_LOOP, run),
ROUTE(GET,        "/api/v1/label/*/values", MAY_READ, READS,   ANY_ORIGIN,  UNLIMITED, NO_FLAG, 0, ON_LOOP, run),
ROUTE(POST,       "/-/reload",              MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, NO_FLAG, 9, ON_LOOP, run),
};
// clang-format on
static const struct route_table table = {rows, TESTS_N(rows)};

static void finds_rows(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        int row; /* -1: none */
        const char *segment;
        unsigned allowed;
    } cases[] = {
        {HTTP_GET, "/", 0, NULL, 0},
        {HTTP_HEAD, "/", 0, NULL, 0},
        {HTTP_POST, "/api/v1/query", 1, NULL, 0},
        {HTTP_PUT, "/api/v1/query", -1, NULL, GET | POST},
        {HTTP_GET, "/api/v1/query/", -1, NULL, 0},
        {HTTP_GET, "/api/v1/label/job/values", 2, "job", 0},
        {HTTP_GET, "/api/v1/label/a%2Fb/values", 2, "a/b", 0},
        {HTTP_GET, "/api/v1/label//values", -1, NULL, 0},
        {HTTP_GET, "/api/v1/label/%00/values", -1, NULL, 0},
        {HTTP_GET, "/api/v1/label/*/values", 2, "*", 0},
        {HTTP_GET, "/%61pi/v1/query", 1, NULL, 0},
        {HTTP_GET, "/-/reload", -1, NULL, POST},
        {HTTP_GET, "//", -1, NULL, 0},
        {HTTP_GET, "/api/v1/../v1/query", -1, NULL, 0},
    };
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        ARENA_CLEANUP struct arena a;
        str segments[CALL_SEGMENTS_MAX];
        size_t n;
        unsigned allowed;
        arena_init(&a, 0);
        const struct route *r = route_find(&table, 1, cases[i].method, str_from_z(cases[i].path),
                                           &a, segments, &n, &allowed);
        if ((r ? (int)(r - rows) : -1) != cases[i].row)
            fail_msg("%s found row %d", cases[i].path, r ? (int)(r - rows) : -1);
        if (!r)
            assert_int_equal(allowed, cases[i].allowed);
        if (cases[i].segment)
            assert_str(segments[0], str_from_z(cases[i].segment));
    }
}

static void tells_clashes(void **state)
{
    static const struct route more[] = {
        ROUTE(GET, "/api/*/query", MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP,
              run),
    };
    const struct route_table one[] = {table}, two[] = {table, {more, 1}};
    struct err err;
    assert_true(route_tables_check(one, 1, &err));
    assert_false(route_tables_check(two, 2, &err));
    assert_non_null(strstr(err.msg, "/api/*/query"));
}

/* A rule for every row of the real tables: what changes something is not open to other origins. */
static void guards_what_changes(void **state)
{
    const struct route_table *tables[] = {&admin_routes, &prometheus_routes, &ui_routes};
    for (size_t t = 0; t < TESTS_N(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct route *r = &tables[t]->at[i];
            if (r->effect == CHANGES) {
                assert_int_equal(r->cors, SAME_ORIGIN);
                assert_int_equal(r->methods & (1 << HTTP_GET), 0);
                assert_true(r->permission == MAY_INGEST || r->permission == MAY_ADMIN);
            }
            if (r->where == ON_QUERY)
                assert_int_equal(r->limit, LIMIT_QUERY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_rows),
        cmocka_unit_test(tells_clashes),
        cmocka_unit_test(guards_what_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
