// SPDX-License-Identifier: Apache-2.0
#include "base/strbuf.h"
#include "base/test.h"
#include "cmd/query_int.h"

static void lays_out_trees(void **state)
{
    static const struct {
        const char *body;
        bool figures;
        const char *want; /* begins with '!': the error holds the rest */
    } rows[] = {
        {"{\"data\":{\"explain\":{\"expr\":\"a + "
         "b\",\"parts\":[{\"expr\":\"a\",\"parts\":[{\"expr\":"
         "\"x\\n  y\"}]},{\"expr\":\"b\"}]}}}",
         false, "a + b\n|- a\n|  `- x y\n`- b\n"},
        {"{\"data\":{\"explain\":{\"expr\":\"a\",\"rows\":3,\"samples\":40,\"totalTime\":0.5,"
         "\"selfTime\":0.0015}}}",
         true,
         "   series     samples  total ms   self ms  \n"
         "        3          40   500.000     1.500  a\n"},
        {"{\"status\":\"error\",\"error\":\"too much\"}", true, "!too much"},
        {"{\"data\":{\"result\":[]}}", true, "!does not explain"},
        {"{\"data\":{\"explain\":{\"parts\":[]}}}", true, "!no tree"},
        {"<html>", true, "!no JSON"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf out = {0};
        struct err err = {0};
        bool ok = explain_print(str_from_z(rows[i].body), rows[i].figures, &out, &err);
        if (rows[i].want[0] == '!') {
            assert_false(ok);
            assert_non_null(strstr(err.msg, rows[i].want + 1));
        } else {
            assert_true(ok);
            assert_string_equal(out.p, rows[i].want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lays_out_trees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
