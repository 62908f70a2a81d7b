// SPDX-License-Identifier: Apache-2.0
#include "model/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"

#define SET(...)                                                                                   \
    ((struct labels){(const struct label[]){__VA_ARGS__},                                          \
                     sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})
/* clang-format off */
#define L(n, v) {STR_INIT(n), STR_INIT(v)}
/* clang-format on */

static void assert_text(struct labels ls, const char *want)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    labels_format(ls, &b);
    assert_string_equal(b.p, want);
}

static void test_format(void **state)
{
    assert_text((struct labels){0}, "{}");
    assert_text(SET(L("__name__", "up")), "up");
    assert_text(SET(L("__name__", "up"), L("a", "b"), L("c", "d")), "up{a=\"b\",c=\"d\"}");
    assert_text(SET(L("a", "b")), "{a=\"b\"}");
    assert_text(SET(L("__name__", "my.metric"), L("x.y", "z")), "{\"my.metric\",\"x.y\"=\"z\"}");
    assert_text(SET(L("a", "\"\\\n\t\r\x01\x7f")), "{a=\"\\\"\\\\\\n\\t\\r\\x01\\x7f\"}");
    assert_text(SET(L("a", "눈치\xff")), "{a=\"눈치\\xff\"}");
    assert_text(SET(L("a", "\xe2\x82")), "{a=\"\\xe2\\x82\"}");
}

static void test_get_and_compare(void **state)
{
    struct labels a = SET(L("__name__", "up"), L("job", "x"));
    struct labels b = SET(L("__name__", "up"), L("job", "y"));
    struct labels c = SET(L("__name__", "up"));
    assert_true(str_eqz(labels_get(a, STR("job")), "x"));
    assert_int_equal(labels_get(a, STR("jo")).n, 0);
    assert_true(str_eqz(labels_metric_name(a), "up"));
    assert_true(labels_eq(a, a));
    assert_false(labels_eq(a, b));
    assert_false(labels_eq(a, c));
    assert_true(labels_cmp(a, b) < 0);
    assert_true(labels_cmp(b, a) > 0);
    assert_true(labels_cmp(c, a) < 0);
    assert_true(labels_cmp(a, c) > 0);
    assert_int_equal(labels_cmp(a, a), 0);
}

/* Processes must agree on the value (XXH3 of the pieces, each followed by 0xff): pin it. */
static void test_hash(void **state)
{
    struct labels a = SET(L("__name__", "up"), L("job", "x"));
    struct labels moved = SET(L("__name__", "up"), L("jobx", ""));
    struct labels swapped = SET(L("__name__", "job"), L("up", "x"));
    assert_int_equal(labels_hash(a), labels_hash(a));
    assert_int_not_equal(labels_hash(a), labels_hash(moved));
    assert_int_not_equal(labels_hash(a), labels_hash(swapped));
    assert_int_not_equal(labels_hash((struct labels){0}), 0);
    assert_true(labels_hash(a) == 0xb1e966065e3c83c8ULL);

    char *big = mem_alloc(10000);
    memset(big, 'x', 10000);
    struct label one = {STR("a"), {big, 10000}}, two = {STR("a"), {big, 9999}};
    assert_int_not_equal(labels_hash((struct labels){&one, 1}),
                         labels_hash((struct labels){&two, 1}));
    free(big);
}

/* Every length of name and value, against a copy made the plain way. */
static void test_hash_of_every_length(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct label l = {{text, n}, {text + 1, sizeof text - 2 - n}};
        STRBUF_CLEANUP struct strbuf packed = {0};
        strbuf_add(&packed, l.name);
        strbuf_addc(&packed, (char)0xff);
        strbuf_add(&packed, l.value);
        strbuf_addc(&packed, (char)0xff);
        assert_true(labels_hash((struct labels){&l, 1}) == hash_str(strbuf_str(&packed)));
    }
}

static void test_dup(void **state)
{
    ARENA_CLEANUP struct arena arena;
    arena_init(&arena, 0);
    struct labels a = SET(L("__name__", "up"), L("job", "x"));
    struct labels d = labels_dup(&arena, a);
    assert_true(labels_eq(a, d));
    assert_ptr_not_equal(a.at[0].name.p, d.at[0].name.p);
    assert_int_equal(labels_dup(&arena, (struct labels){0}).n, 0);
}

static void test_names(void **state)
{
    static const struct {
        str name;
        bool metric, label;
    } rows[] = {
        {STR_INIT("up"), true, true},          {STR_INIT("a:b"), true, false},
        {STR_INIT(":a"), true, false},         {STR_INIT("_"), true, true},
        {STR_INIT("a1"), true, true},          {STR_INIT("1a"), false, false},
        {STR_INIT(""), false, false},          {STR_INIT("a.b"), false, false},
        {STR_INIT("a\xc3\xa9"), false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(metric_name_is_legacy(rows[i].name), rows[i].metric);
        assert_int_equal(label_name_is_legacy(rows[i].name), rows[i].label);
    }
}

static void test_builder(void **state)
{
    ARENA_CLEANUP struct arena arena;
    arena_init(&arena, 0);
    struct labels_builder b;
    labels_builder_init(&b, SET(L("b", "1"), L("d", "2"), L("e", "")));
    labels_builder_set(&b, STR("c"), STR("3"));
    labels_builder_set(&b, STR("a"), STR("4"));
    labels_builder_set(&b, STR("d"), STR(""));
    labels_builder_set(&b, STR("zz"), STR(""));
    labels_builder_set(&b, STR("b"), STR("5"));
    assert_true(str_eqz(labels_builder_get(&b, STR("b")), "5"));
    assert_int_equal(labels_builder_get(&b, STR("d")).n, 0);
    assert_text(labels_builder_take(&b, &arena), "{a=\"4\",b=\"5\",c=\"3\"}");
    assert_text(labels_builder_take(&b, &arena), "{}");
    labels_builder_reset(&b, SET(L("x", "y")));
    assert_text(labels_builder_take(&b, &arena), "{x=\"y\"}");
    labels_builder_fini(&b);
}

static void test_sort_large(void **state)
{
    char text[200][8];
    struct label at[200];
    for (int i = 0; i < 200; i++) {
        int n = snprintf(text[i], sizeof text[i], "l%03d", (i * 77) % 200);
        at[i] = (struct label){{text[i], (size_t)n}, STR("v")};
    }
    for (size_t n = 1; n <= 200; n += 47) {
        label_sort(at, n);
        for (size_t i = 1; i < n; i++)
            assert_true(str_cmp(at[i - 1].name, at[i].name) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_get_and_compare),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_hash_of_every_length),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_builder),
        cmocka_unit_test(test_sort_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
