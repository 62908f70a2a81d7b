// SPDX-License-Identifier: Apache-2.0
#include "model/matcher.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    enum match_op op;
    str value, text;
    bool want;
} rows[] = {
    {MATCH_EQ, STR_INIT("a"), STR_INIT("a"), true},
    {MATCH_EQ, STR_INIT("a"), STR_INIT("ab"), false},
    {MATCH_EQ, STR_INIT(""), STR_INIT(""), true},
    {MATCH_NE, STR_INIT("a"), STR_INIT("b"), true},
    {MATCH_NE, STR_INIT("a"), STR_INIT("a"), false},
    {MATCH_RE, STR_INIT("a|b"), STR_INIT("b"), true},
    {MATCH_RE, STR_INIT("a|b"), STR_INIT("ab"), false},
    {MATCH_RE, STR_INIT("a.c"), STR_INIT("a\nc"), true},
    {MATCH_RE, STR_INIT("a[0-9]+"), STR_INIT("a12"), true},
    {MATCH_RE, STR_INIT("a[0-9]+"), STR_INIT("xa12"), false},
    {MATCH_RE, STR_INIT(".*"), STR_INIT(""), true},
    {MATCH_RE, STR_INIT(".+"), STR_INIT(""), false},
    {MATCH_NRE, STR_INIT(".+"), STR_INIT(""), true},
    {MATCH_NRE, STR_INIT("a.*"), STR_INIT("abc"), false},
};

static void test_match(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct matcher m;
        assert_true(matcher_init(&m, rows[i].op, STR("l"), rows[i].value, &err));
        assert_int_equal(matcher_test(&m, rows[i].text), rows[i].want);
        assert_int_equal(matcher_test_absent(&m), matcher_test(&m, STR("")));
        matcher_fini(&m);
    }
}

static void test_bad_regex(void **state)
{
    struct err err = {0};
    struct matcher m = {.op = MATCH_EQ};
    assert_false(matcher_init(&m, MATCH_RE, STR("l"), STR("a("), &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(m.op, MATCH_EQ);
}

static void test_format(void **state)
{
    static const char *const want[] = {"l=\"a\\\"\"", "l!=\"a\\\"\"", "l=~\"a\\\"\"",
                                       "l!~\"a\\\"\""};
    for (int op = MATCH_EQ; op <= MATCH_NRE; op++) {
        struct err err = {0};
        struct matcher m;
        STRBUF_CLEANUP struct strbuf b = {0};
        assert_true(matcher_init(&m, (enum match_op)op, STR("l"), STR("a\""), &err));
        matcher_format(&m, &b);
        assert_string_equal(b.p, want[op]);
        matcher_fini(&m);
    }
    STRBUF_CLEANUP struct strbuf b = {0};
    matcher_format(&(struct matcher){.name = STR("x.y"), .value = STR("z")}, &b);
    assert_string_equal(b.p, "\"x.y\"=\"z\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_bad_regex),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
