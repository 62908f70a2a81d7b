// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "cmd/query_int.h"

#define VECTOR(rows)                                                                               \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" rows "]}}"

static void test_shown(void **state)
{
    static const struct {
        const char *in, *out, *notes;
    } rows[] = {
        {VECTOR(""), "", ""},
        {VECTOR("{\"metric\":{},\"value\":[1.5,\"3\"]}"), "{}  3\n", ""},
        {VECTOR("{\"metric\":{\"b\":\"2\",\"a\":\"1\"},\"histogram\":[1,{\"count\":\"2\",\"sum\":"
                "\"9\"}]}"),
         "{a=\"1\",b=\"2\"}  histogram count=2 sum=9\n", ""},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"a\\u001bb\"]}"
         ","
         "\"warnings\":[\"w\"],\"infos\":[\"i\\n\"]}",
         "a\\x1bb\n", "warning: w\ninfo: i\\x0a\n"},
        {"{\"status\":\"success\",\"data\":[\"a\",{\"__name__\":\"up\",\"j\":\"x\"}]}",
         "a\nup{j=\"x\"}\n", ""},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf out = {0}, notes = {0};
        struct err err;
        assert_true(query_print(str_from_z(rows[i].in), &out, &notes, &err));
        assert_str(strbuf_str(&out), str_from_z(rows[i].out));
        assert_str(strbuf_str(&notes), str_from_z(rows[i].notes));
    }
}

static void test_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"status\":\"success\"}",
        "{\"status\":\"success\",\"data\":{}}",
        "{\"status\":\"success\",\"data\":[1]}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":7}}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[7]}}",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},"
        "\"values\":{}}]}}",
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no\"}",
        VECTOR("{}"),
        VECTOR("{\"metric\":{\"a\":1},\"value\":[1,\"1\"]}"),
        VECTOR("{\"metric\":{},\"value\":[1,1]}"),
        VECTOR("{\"metric\":{},\"value\":[1e300,\"1\"]}"),
        VECTOR("{\"metric\":{},\"value\":[1]}"),
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf out = {0}, notes = {0};
        struct err err = {0};
        assert_false(query_print(str_from_z(rows[i]), &out, &notes, &err));
        assert_true(err.msg[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
