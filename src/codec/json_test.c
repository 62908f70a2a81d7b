// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "codec/json.h"
#include "codec/json_int.h"
#include "codec/json_writer.h"

static void write_tree(const struct json_value *v, struct json_writer *w)
{
    switch (v->type) {
    case JSON_OBJECT:
        json_open_object(w);
        for (size_t i = 0; i < v->n; i++) {
            json_put_key(w, v->members[i].key);
            write_tree(&v->members[i].value, w);
        }
        json_close_object(w);
        return;
    case JSON_ARRAY:
        json_open_array(w);
        for (size_t i = 0; i < v->n; i++)
            write_tree(&v->items[i], w);
        json_close_array(w);
        return;
    case JSON_STRING:
        json_put_str(w, v->text);
        return;
    case JSON_NUMBER:
        json_put_raw(w, v->text);
        return;
    case JSON_NULL:
        json_put_null(w);
        return;
    default:
        json_put_bool(w, v->type == JSON_TRUE);
    }
}

/* Text in, tree, text out. */
static void accepted(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"\t{\"a\" : 1 ,\r\n\"b\":[true,false,null]}", "{\"a\":1,\"b\":[true,false,null]}"},
        {"\"\"", "\"\""},
        {"-0", "-0"},
        {"[0,-1,1.5,1e5,1E-5,-0.0e+10]", "[0,-1,1.5,1e5,1E-5,-0.0e+10]"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\\\"\\\\/\\b\\f\\n\\r\\tA\""},
        {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\xf0\x9f\x98\x80\x7f\"", "\"\xf0\x9f\x98\x80\x7f\""},
        {"\"\\ud83d\"", "\"\xef\xbf\xbd\""},
        {"\"\\ud83d\\u0041\"", "\"\xef\xbf\xbd\x41\""},
        {"\"\\ude00\\ud83d\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\""},
        {"\"\\u0000\\u001F\"", "\"\\u0000\\u001f\""},
        {"{\"k\\n\":{\"\":[[],{}]}}", "{\"k\\n\":{\"\":[[],{}]}}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        struct json_value *v;
        if (!json_parse(str_from_z(rows[i].in), &a, &v, &err))
            fail_msg("%s: %s", rows[i].in, err.msg);
        struct strbuf b STRBUF_CLEANUP = {0};
        struct json_writer w = json_writer(&b);
        write_tree(v, &w);
        assert_true(json_writer_done(&w));
        assert_string_equal(b.p, rows[i].out);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *in;
        uint32_t line, col;
        const char *msg;
    } rows[] = {
        {"", 1, 1, "text ends where a value"},
        {" \n ", 2, 2, "text ends where a value"},
        {"[1,]", 1, 4, "expected a value, found ']'"},
        {"{\"a\":1,}", 1, 8, "expected a key in quotes"},
        {"{a:1}", 1, 2, "expected a key in quotes"},
        {"{\"a\" 1}", 1, 6, "expected ':'"},
        {"{\"a\":1 \"b\":2}", 1, 8, "expected ',' or '}'"},
        {"[1 2]", 1, 4, "expected ',' or ']'"},
        {"[1}", 1, 3, "expected ',' or ']'"},
        {"{]", 1, 2, "expected a key"},
        {"[", 1, 2, "text ends"},
        {"{\"a\":", 1, 6, "text ends"},
        {"1 2", 1, 3, "something follows"},
        {"{}\n\n x", 3, 2, "something follows"},
        {"01", 1, 1, "must not begin with 0"},
        {"-", 1, 1, "invalid number"},
        {"-01", 1, 1, "must not begin with 0"},
        {"1.", 1, 1, "follow the point"},
        {"1e", 1, 1, "follow the exponent"},
        {"1e+", 1, 1, "follow the exponent"},
        {".5", 1, 1, "expected a value"},
        {"+1", 1, 1, "expected a value"},
        {"NaN", 1, 1, "expected a value"},
        {"tru", 1, 1, "expected a value"},
        {"truex", 1, 5, "something follows"},
        {"'a'", 1, 1, "expected a value"},
        {"\"a", 1, 1, "not closed"},
        {"\"a\\\"", 1, 1, "not closed"},
        {"\"\\x\"", 1, 2, "invalid escape"},
        {"\"\\u12g4\"", 1, 2, "invalid escape"},
        {"\"\\u12", 1, 2, "invalid escape"},
        {"\"a\nb\"", 1, 3, "control character"},
        {"\"\xff\"", 1, 2, "UTF-8"},
        {"\"\xc0\x80\"", 1, 2, "UTF-8"},
        {"\"\xed\xa0\x80\"", 1, 2, "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, 2, "UTF-8"},
        {"\"\xe2\x82\"", 1, 2, "UTF-8"},
        {"\xef\xbb\xbf{}", 1, 1, "expected a value, found byte 0xef"},
        {"// x\n1", 1, 1, "expected a value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        struct json_value *v = NULL;
        bool ok = json_parse(str_from_z(rows[i].in), &a, &v, &err);
        if (ok || v || err.pos.line != rows[i].line || err.pos.col != rows[i].col ||
            !strstr(err.msg, rows[i].msg))
            fail_msg("%s: %d %u:%u %s", rows[i].in, ok, err.pos.line, err.pos.col, err.msg);
    }
}

static void depth(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        strbuf_addz(&b, i % 2 ? "{\"a\":" : "[");
    strbuf_addz(&b, "1");
    for (int i = JSON_DEPTH_MAX; i-- > 0;)
        strbuf_addz(&b, i % 2 ? "}" : "]");
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct json_value *v;
    assert_true(json_parse(strbuf_str(&b), &a, &v, &err));
    struct strbuf deep STRBUF_CLEANUP = {0};
    strbuf_addf(&deep, "[%s]", b.p);
    assert_false(json_parse(strbuf_str(&deep), &a, &v, &err));
    assert_non_null(strstr(err.msg, "64 levels"));
}

static void limits(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    strbuf_addz(&b, "[0");
    for (int i = 0; i < JSON_NODES_MAX; i++)
        strbuf_addz(&b, ",0");
    strbuf_addz(&b, "]");
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct json_value *v;
    assert_false(json_parse(strbuf_str(&b), &a, &v, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    struct arena small ARENA_CLEANUP;
    arena_init(&small, 1000);
    strbuf_clear(&b);
    strbuf_addz(&b, "[0");
    for (int i = 0; i < 100; i++)
        strbuf_addz(&b, ",0");
    strbuf_addz(&b, "]");
    err = (struct err){0};
    assert_false(json_parse(strbuf_str(&b), &small, &v, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void tree_access(void **state)
{
    str text = STR(
        "{\"s\":\"x\",\n \"i\":-7,\"f\":1.5,\"t\":true,\"s\":\"y\",\"big\":99999999999999999999}");
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct json_value *v;
    assert_true(json_parse(text, &a, &v, &err));
    str s;
    int64_t i;
    double f;
    bool t;
    assert_true(json_as_str(json_get(v, STR("s")), &s) && str_eqz(s, "y"));
    assert_true(json_as_i64(json_get(v, STR("i")), &i) && i == -7);
    assert_true(json_as_f64(json_get(v, STR("f")), &f) && f == 1.5);
    assert_true(json_as_bool(json_get(v, STR("t")), &t) && t);
    assert_false(json_as_i64(json_get(v, STR("f")), &i));
    assert_false(json_as_i64(json_get(v, STR("big")), &i));
    assert_false(json_as_str(json_get(v, STR("none")), &s));
    assert_null(json_get(json_get(v, STR("s")), STR("s")));
    const struct json_member *twin = json_duplicate(v);
    assert_non_null(twin);
    struct pos pos = pos_of(text, twin->offset);
    assert_int_equal(pos.line, 2);
    assert_string_equal(json_type_name(v->type), "object");
}

static void pull(void **state)
{
    str text = STR("{\"a\": {\"x\":[1, 2]} ,\"b\":\"\\n\"}"), raw;
    struct err err = {0};
    struct json_reader r;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    json_reader_init(&r, text, &err);
    assert_int_equal(json_next(&r), JSON_OBJECT);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(str_eqz(r.value, "a"));
    assert_true(json_skip(&r, &raw));
    assert_true(str_eqz(raw, "{\"x\":[1, 2]}"));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_next(&r), JSON_STRING);
    assert_true(str_eqz(json_string(&r, &a), "\n"));
    assert_int_equal(json_next(&r), JSON_OBJECT_END);
    assert_int_equal(json_next(&r), JSON_END);
    assert_int_equal(json_next(&r), JSON_END);

    json_reader_init(&r, STR(" 42.5"), &err);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_true(json_number(&r) == 42.5);
    assert_false(json_fail(&r, "expected a %s", "string"));
    assert_int_equal(err.pos.col, 2);
    assert_string_equal(err.msg, "expected a string");
    assert_int_equal(json_next(&r), JSON_ERROR);
}

/* The vector scan against its scalar twin: every byte at every place of a run. */
static void scan_twins(void **state)
{
    for (size_t n = 0; n <= 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char *p = malloc(n);
                memset(p, 'x', n);
                p[at] = (char)c;
                assert_int_equal(json_plain(p, n), json_plain_scalar(p, n));
                free(p);
            }
    assert_int_equal(json_plain_scalar("a~\x7f ", 4), 4);
    assert_int_equal(json_plain_scalar("a\x80", 2), 1);
}

static void writer(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    struct json_writer w = json_writer(&b);
    json_open_object(&w);
    json_put_key(&w, STR("n"));
    json_open_array(&w);
    static const double numbers[] = {0,    -0.0, 1,   1e21,    123456789012345680000.,
                                     1e-6, 1e-7, 0.1, -2.5e-11};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_put_f64(&w, numbers[i]);
    json_put_f64(&w, NAN);
    json_put_f64(&w, INFINITY);
    json_put_i64(&w, INT64_MIN);
    json_put_u64(&w, UINT64_MAX);
    json_close_array(&w);
    json_put_key(&w, STR("s\x01\xff"));
    json_put_str(&w, STR("\xed\xa0\x80\0\x1f/"));
    json_put_key(&w, STR("nan"));
    json_put_f64(&w, NAN);
    json_close_object(&w);
    json_put_raw(&w, STR("[1]"));
    assert_string_equal(
        b.p, "{\"n\":[0,-0,1,1e+21,123456789012345680000,0.000001,1e-7,0.1,-2.5e-11,null,null,"
             "-9223372036854775808,18446744073709551615],"
             "\"s\\u0001\xef\xbf\xbd\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0000\\u001f/\","
             "\"nan\":null}\n[1]");
}

/* Long strings are escaped in pieces: nothing is lost or split where they meet. */
static void long_strings(void **state)
{
    static const char *const units[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\x01"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (size_t shift = 0; shift < 4; shift++) {
            struct strbuf text STRBUF_CLEANUP = {0}, json STRBUF_CLEANUP = {0};
            strbuf_add(&text, str_of("abc", shift));
            while (text.n < 10000)
                strbuf_addz(&text, units[u]);
            json_quote(strbuf_str(&text), &json);
            struct arena a ARENA_CLEANUP;
            arena_init(&a, 0);
            struct err err = {0};
            struct json_value *v;
            assert_true(json_parse(strbuf_str(&json), &a, &v, &err));
            assert_true(str_eq(v->text, strbuf_str(&text)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted), cmocka_unit_test(refused),     cmocka_unit_test(depth),
        cmocka_unit_test(limits),   cmocka_unit_test(tree_access), cmocka_unit_test(pull),
        cmocka_unit_test(writer),   cmocka_unit_test(scan_twins),  cmocka_unit_test(long_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
