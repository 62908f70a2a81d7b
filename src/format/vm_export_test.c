// SPDX-License-Identifier: Apache-2.0
#include "format/vm_export.h"

#include <math.h>

#include "base/test.h"

static void test_line(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct vm_export x;
    struct err err;
    STRBUF_CLEANUP struct strbuf text = {0};
    arena_init(&a, 0);
    str line = STR("{\"values\":[1,null,-2.5e3,\"Infinity\",\"-Inf\"],\"extra\":{\"a\":[1]},"
                   "\"timestamps\":[5,4,3,2,-1],"
                   "\"metric\":{\"job\":\"a\\nb\",\"none\":\"\",\"__name__\":\"up\"}}");
    if (!vm_export_read(line, &a, &x, &err))
        fail_msg("%s", err.msg);
    labels_format(x.labels, &text);
    assert_str(strbuf_str(&text), STR("up{job=\"a\\nb\"}"));
    assert_int_equal(x.n, 5);
    assert_true(x.t[0] == 5 && x.t[4] == -1);
    assert_true(x.v[0] == 1 && x.v[2] == -2500 && x.v[3] == INFINITY && x.v[4] == -INFINITY);
    uint64_t bits;
    memcpy(&bits, &x.v[1], sizeof bits);
    assert_true(bits == NORMAL_NAN_BITS);
}

static void test_refused(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"", ""},
        {"[]", "expected an object"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1,2]}",
         "1 values and 2 timesta"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1]}", "expected \"metric\", \"values\""},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"values\":[1],\"timestamps\":[1]}", "twice"},
        {"{\"metric\":{\"a\":\"b\",\"a\":\"c\"},\"values\":[],\"timestamps\":[]}", "twice"},
        {"{\"metric\":{},\"values\":[1],\"timestamps\":[1]}", "without labels"},
        {"{\"metric\":{\"\":\"b\"},\"values\":[1],\"timestamps\":[1]}", "no name"},
        {"{\"metric\":{\"a\":1},\"values\":[1],\"timestamps\":[1]}", "no string"},
        {"{\"metric\":[],\"values\":[1],\"timestamps\":[1]}", "no object"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[true],\"timestamps\":[1]}", "no number"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[\"x\"],\"timestamps\":[1]}", "no number"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1.5]}", "no whole number"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]} x", ""},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]", ""},
    };
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        ARENA_CLEANUP struct arena a;
        struct vm_export x;
        struct err err = {0};
        arena_init(&a, 0);
        if (vm_export_read(str_from_z(cases[i].line), &a, &x, &err))
            fail_msg("taken: %s", cases[i].line);
        if (!strstr(err.msg, cases[i].why))
            fail_msg("%s: %s", cases[i].line, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
