// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/http_target.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void eq(str got, const char *want, const char *what)
{
    if (!str_eqz(got, want))
        fail_msg("%s: got \"%.*s\", want \"%s\"", what, STR_ARG(got), want);
}

static void test_split(void **state)
{
    static const struct {
        const char *target, *authority, *path, *query; /* path NULL: refused */
    } cases[] = {
        {"/", "", "/", ""},
        {"/a/b?c=d&e", "", "/a/b", "c=d&e"},
        {"/a?", "", "/a", ""},
        {"/a?b?c", "", "/a", "b?c"},
        {"//a", "", "//a", ""},
        {"*", "", "*", ""},
        {"http://h", "h", "/", ""},
        {"http://h?q", "h", "/", "q"},
        {"HTTPS://h:1/p?q", "h:1", "/p", "q"},
        {"http://u@h/", NULL, NULL, NULL},
        {"http:///p", NULL, NULL, NULL},
        {"ftp://h/", NULL, NULL, NULL},
        {"a", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
        {"/a#b", NULL, NULL, NULL},
        {"/a b", NULL, NULL, NULL},
        {"/a\x7f", NULL, NULL, NULL},
        {"?a", NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct http_target t;
        struct err err;
        bool ok = http_target_split(str_from_z(cases[i].target), &t, &err);
        if (ok != (cases[i].path != NULL))
            fail_msg("\"%s\": %s", cases[i].target, ok ? "accepted" : err.msg);
        if (!ok)
            continue;
        eq(t.authority, cases[i].authority, cases[i].target);
        eq(t.path, cases[i].path, cases[i].target);
        eq(t.query, cases[i].query, cases[i].target);
    }
}

static void test_segments(void **state)
{
    static const struct {
        const char *path, *joined;
    } cases[] = {
        {"/", "[]"},
        {"/a", "[a]"},
        {"/a/", "[a][]"},
        {"/a//b", "[a][][b]"},
        {"/a%2Fb/c", "[a%2Fb][c]"},
        {"*", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char got[128] = "";
        str rest = str_from_z(cases[i].path), raw;
        while (http_segment_next(&rest, &raw))
            snprintf(got + strlen(got), sizeof got - strlen(got), "[%.*s]", STR_ARG(raw));
        assert_string_equal(got, cases[i].joined);
    }
}

static void test_decode(void **state)
{
    static const struct {
        const char *raw, *want; /* NULL: refused */
    } cases[] = {
        {"", ""},         {"abc", "abc"},         {"a%2Fb", "a/b"}, {"a+b", "a+b"},
        {"%3c%3E", "<>"}, {"%C3%A9", "\xc3\xa9"}, {"%25", "%"},     {"%252F", "%2F"},
        {"%00", NULL},    {"a%", NULL},           {"a%4", NULL},    {"%zz", NULL},
        {"%4", NULL},     {"%-1", NULL},          {"a%00b", NULL},  {"%0", NULL},
        {"%%41", NULL},   {"%4g", NULL},
    };
    (void)state;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (size_t i = 0; i < N(cases); i++) {
        str out;
        struct err err;
        bool ok = http_decode(str_from_z(cases[i].raw), &a, &out, &err);
        if (ok != (cases[i].want != NULL))
            fail_msg("\"%s\": %s", cases[i].raw, ok ? "accepted" : err.msg);
        if (ok)
            eq(out, cases[i].want, cases[i].raw);
    }
}

static void test_params(void **state)
{
    static const struct {
        const char *text, *joined; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"a=1&b=2", "a=1|b=2|"},
        {"a=1&a=2&a=", "a=1|a=2|a=|"},
        {"a", "a=|"},
        {"=x", "=x|"},
        {"&&a=1&&", "a=1|"},
        {"a+b=c+d", "a b=c d|"},
        {"a%3Db=c%26d", "a=b=c&d|"},
        {"q=up%7Bjob%3D%22x%22%7D", "q=up{job=\"x\"}|"},
        {"a=b=c", "a=b=c|"},
        {"match[]=x&match%5B%5D=y", "match[]=x|match[]=y|"},
        {"a;b=1", "a;b=1|"},
        {"a=%00", NULL},
        {"a=%g1", NULL},
    };
    (void)state;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    for (size_t i = 0; i < N(cases); i++) {
        struct http_params p = {0};
        struct err err;
        char got[256] = "";
        bool ok = http_params_add(str_from_z(cases[i].text), &a, &p, &err);
        if (ok != (cases[i].joined != NULL))
            fail_msg("\"%s\": %s", cases[i].text, ok ? "accepted" : err.msg);
        for (size_t k = 0; ok && k < p.n; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s=%.*s|",
                     STR_ARG(p.at[k].key), STR_ARG(p.at[k].value));
        if (ok)
            assert_string_equal(got, cases[i].joined);
        else
            assert_int_equal(p.n, 0);
    }
}

static void test_params_lists(void **state)
{
    static char many[2 * (HTTP_PARAMS_MAX + 1)];
    struct http_params p = {0};
    struct err err;
    size_t pos = 0, n = 0;
    str v;
    (void)state;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    assert_true(http_params_add(STR("m=1&x=2"), &a, &p, &err));
    assert_true(http_params_add(STR("m=3"), &a, &p, &err)); /* query, then form body */
    eq(http_params_get(&p, STR("m")), "1", "first");
    assert_null(http_params_get(&p, STR("y")).p);
    while (http_params_next(&p, STR("m"), &pos, &v))
        n++;
    assert_int_equal(n, 2);
    eq(v, "3", "last");
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 ? '&' : 'a';
    assert_false(http_params_add(str_of(many, sizeof many), &a, &p, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    memset(many, '&', sizeof many); /* costs nothing */
    assert_true(http_params_add(str_of(many, sizeof many), &a, &p, &err));
    struct arena small ARENA_CLEANUP;
    arena_init(&small, 64);
    assert_false(http_params_add(STR("a&b&c&d&e&f&g"), &small, &p, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_decode),       cmocka_unit_test(test_params),
        cmocka_unit_test(test_params_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
