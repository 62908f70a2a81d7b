// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "base/strbuf.h"
#include "base/test.h"

static void shows_line_and_caret(void **state)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    str text = STR("groups:\n- name: a\n  exprs: up\n");
    struct err e;
    assert_false(err_at(&e, ERR_INVALID, (struct pos){3, 3}, "unknown field \"%s\"", "exprs"));
    snprintf(e.file, sizeof e.file, "rules.yml");
    err_hint(&e, "did you mean \"expr\"?");
    err_print(&e, "error", text, &out);
    assert_str(strbuf_str(&out), STR("rules.yml:3:3: error: unknown field \"exprs\"\n"
                                     "     3 |   exprs: up\n"
                                     "       |   ^\n"
                                     "hint: did you mean \"expr\"?\n"));
}

static void keeps_one_message_on_one_line(void **state)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    struct err e;
    err_set(&e, ERR_INVALID, "bad value \"a\nb\x1b[31m\"");
    err_print(&e, "error", STR(""), &out);
    assert_str(strbuf_str(&out), STR("error: bad value \"a\\x0ab\\x1b[31m\"\n"));
}

static void sends_no_orders_to_the_terminal(void **state)
{
    static const struct {
        const char *line, *shown;
    } rows[] = {
        {"a\x1b[2J", "a [2J"},
        {"a\x7fz", "a z"},
        {"a\xc2\x9b"
         "2Jz",
         "a  2Jz"},
        {"a\x9b"
         "2Jz",
         "a 2Jz"},
        {"a\xffz", "a z"},
        {"a\xc3", "a "},
        {"s\xc3\xb6ul", "s\xc3\xb6ul"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf out = {0}, want = {0};
        struct err e;
        err_at(&e, ERR_INVALID, (struct pos){1, 1}, "m");
        err_print(&e, "error", str_from_z(rows[i].line), &out);
        strbuf_addf(&want, "1:1: error: m\n     1 | %s\n       | ^\n", rows[i].shown);
        assert_str(strbuf_str(&out), strbuf_str(&want));
    }
}

static void wraps_and_cuts(void **state)
{
    struct err e;
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    err_set(&e, ERR_IO, "%s", longer);
    err_wrap(&e, "opening %s", "f");
    assert_str(str_sub(str_from_z(e.msg), 0, 14), STR("opening f: xxx"));
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void finds_positions(void **state)
{
    struct pos p = pos_of(STR("ab\ncd"), 4);
    assert_int_equal(p.line, 2);
    assert_int_equal(p.col, 2);
    p = pos_of(STR(""), 10);
    assert_int_equal(p.line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_line_and_caret),
        cmocka_unit_test(keeps_one_message_on_one_line),
        cmocka_unit_test(sends_no_orders_to_the_terminal),
        cmocka_unit_test(wraps_and_cuts),
        cmocka_unit_test(finds_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
