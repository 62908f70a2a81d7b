// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include "base/strbuf.h"
#include "base/test.h"

static void cuts_pieces(void **state)
{
    static const struct {
        const char *text;
        size_t pieces;
        const char *last;
    } rows[] = {{"a,,b", 3, "b"}, {"", 1, ""}, {",", 2, ""}, {"abc", 1, "abc"}};
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        str rest = str_from_z(rows[i].text), piece = {0};
        size_t n = 0;
        while (str_cut(&rest, ',', &piece))
            n++;
        assert_int_equal(n, rows[i].pieces);
        assert_str(piece, str_from_z(rows[i].last));
    }
}

static void searches_and_trims(void **state)
{
    assert_int_equal(str_find(STR("hello"), STR("llo")), 2);
    assert_int_equal(str_find(STR("hello"), STR("")), 0);
    assert_int_equal(str_find(STR("lo"), STR("hello")), -1);
    assert_int_equal(str_index(STR("abc"), 'c'), 2);
    assert_int_equal(str_index(STR(""), 'c'), -1);
    assert_str(str_trim(STR(" \t a b\r\n")), STR("a b"));
    assert_str(str_sub(STR("abc"), 2, 99), STR("c"));
    assert_str(str_sub(STR("abc"), 9, 1), STR(""));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
}

static void tells_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"plain text of more than eight bytes", true},
        {"\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xf4\x90\x80\x80", false},
        {"\xc0\xaf", false},
        {"\xe0\x80\x80", false},
        {"\xed\xa0\x80", false},
        {"\xf0\x80\x80\x80", false},
        {"\x80", false},
        {"\xc3", false},
        {"12345678\xff", false},
        {"\xf5\x80\x80\x80", false},
    };
    for (size_t i = 0; i < TESTS_N(rows); i++)
        assert_int_equal(str_utf8_valid(str_from_z(rows[i].text)), rows[i].valid);
}

static void suggests_the_nearest(void **state)
{
    static const str names[] = {STR_INIT("expr"), STR_INIT("record"), STR_INIT("scrape_interval")};
    assert_str(str_nearest(STR("exprs"), names, 3), STR("expr"));
    assert_str(str_nearest(STR("scrape_intreval"), names, 3), STR("scrape_interval"));
    assert_str(str_nearest(STR("zzz"), names, 3), STR(""));
    assert_str(str_nearest(STR(""), names, 3), STR(""));
}

static void grows_text(void **state)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&b, "%d,", i);
    assert_int_equal(b.n, 3890);
    assert_int_equal(b.p[b.n], 0);
    char *taken = strbuf_take(&b);
    assert_int_equal(b.n, 0);
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_pieces), cmocka_unit_test(searches_and_trims),
        cmocka_unit_test(tells_utf8),  cmocka_unit_test(suggests_the_nearest),
        cmocka_unit_test(grows_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
