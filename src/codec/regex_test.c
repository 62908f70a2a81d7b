// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "codec/regex.h"
#include "codec/regex_int.h"

static struct regex *compile(const char *pattern, int flags)
{
    struct err err = {0};
    struct regex *re = regex_compile(str_from_z(pattern), flags, &err);
    if (!re)
        fail_msg("%s: %s", pattern, err.msg);
    return re;
}

static void whole_text(void **state)
{
    static const struct {
        const char *pattern, *yes, *no;
    } rows[] = {
        {"a", "a", "ab"},
        {"a|b", "b", "ab"},
        {"a|", "", "b"},
        {"x(1|2)", "x2", "x"},
        {"x(?:1|2)y", "x1y", "x3y"},
        {".*", "a\nb", NULL},
        {".+", "a", ""},
        {"foo.*", "foo", "fo"},
        {"foo.+", "food", "foo"},
        {".*foo", "xfoo", "foox"},
        {".+foo", "xfoo", "foo"},
        {".*foo.*", "a foo b", "fo"},
        {".+foo.+", "afoob", "afoo"},
        {"a|b.*", "bcd", "ac"},
        {".*a|b", "b", "ab"},
        {"a\\.b", "a.b", "axb"},
        {"a\\.*", "a..", "ab"},
        {"ab*", "abb", "abab"},
        {"a{2}", "aa", "a{2}"},
        {"(?i)abc", "ABC", "abd"},
        {"[ab]|c", "c", "d"},
        {"^a$", "a", "aa"},
        {".+.+", "\xc3\xa9x", "\xc3\xa9"},
        {"(a|b)(c|d)", "bc", "cb"},
        {"a]}", "a]}", "a"},
        {"(?<n>a)|[(?<]", "?", "(?<"},
        {"\\Q(?<\\E", "(?<", "("},
        {"a\\|b", "a|b", "a"},
        {"0|1|2|3|4|5|6|7|8|9|10", "10", "11"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *re = compile(rows[i].pattern, REGEX_ANCHORED | REGEX_DOT_NL);
        if (!regex_test(re, str_from_z(rows[i].yes)))
            fail_msg("%s should match %s", rows[i].pattern, rows[i].yes);
        if (rows[i].no && regex_test(re, str_from_z(rows[i].no)))
            fail_msg("%s should not match %s", rows[i].pattern, rows[i].no);
        regex_free(re);
    }
}

static void newlines_and_search(void **state)
{
    struct regex *re = compile("a.*", REGEX_ANCHORED);
    assert_true(regex_test(re, STR("abc")));
    assert_false(regex_test(re, STR("a\nc")));
    regex_free(re);
    re = compile("b", 0);
    str g[2];
    assert_true(regex_match(re, STR("abc"), g, 2));
    assert_true(str_eqz(g[0], "b") && !g[1].p);
    assert_false(regex_test(re, STR("xyz")));
    regex_free(re);
    re = compile("b+", 0);
    assert_true(regex_test(re, STR("abc")));
    regex_free(re);
}

static void expand(void **state)
{
    static const struct {
        const char *pattern, *text, *template, *out;
    } rows[] = {
        {"(.*)", "x", "$1", "x"},
        {"(.*)", "x", "${1}y", "xy"},
        {"(.*)", "x", "$1y", ""},
        {"(.*)", "", "[$1]", "[]"},
        {"(a|b)", "b", "$0$1$2", "bb"},
        {"(.*):(\\d+)", "host:80", "$2 at ${1}", "80 at host"},
        {"(?P<n>.*)", "x", "$n ${n} $m", "x x "},
        {"(?<n>a|b)", "a", "<$n>", "<a>"},
        {"a", "a", "$$1 $ ${ ${} ${a $", "$1 $ ${ ${} ${a $"},
        {"(a)|(b)", "b", "[$1][$2]", "[][b]"},
        {"(a)", "a", "$01 $999999999999", " "},
        {"x(1|2)", "x2", "$1", "2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *re = compile(rows[i].pattern, REGEX_ANCHORED | REGEX_DOT_NL);
        str g[10];
        assert_true(regex_match(re, str_from_z(rows[i].text), g, 10));
        struct strbuf b STRBUF_CLEANUP = {0};
        regex_expand(re, str_from_z(rows[i].template), g, 10, &b);
        if (!str_eqz(strbuf_str(&b), rows[i].out))
            fail_msg("%s on %s: %s", rows[i].template, rows[i].pattern, b.p ? b.p : "");
        regex_free(re);
    }
}

static void groups(void **state)
{
    struct regex *re = compile("(?P<a>x)(y)(?<b>z)?", REGEX_ANCHORED);
    assert_int_equal(regex_groups(re), 3);
    assert_int_equal(regex_group_named(re, STR("a")), 1);
    assert_int_equal(regex_group_named(re, STR("b")), 3);
    assert_int_equal(regex_group_named(re, STR("c")), -1);
    str g[30];
    assert_true(regex_match(re, STR("xy"), g, 30));
    assert_true(str_eqz(g[2], "y") && !g[3].p && !g[29].p);
    regex_free(re);
}

static void literals_and_prefix(void **state)
{
    static const struct {
        const char *pattern;
        size_t literals; /* 0: no set */
        const char *prefix;
    } rows[] = {
        {"a", 1, "a"},         {"a|b|a", 2, ""},    {"x(1|2)(3|4)", 4, "x"}, {"foo.*", 0, "foo"},
        {".*foo", 0, ""},      {"fo+x", 0, "f"},    {"foo\\d", 0, "foo"},    {"a|foo\\d", 0, ""},
        {"ab(c|d+)", 0, "ab"}, {"ab[(]c|d", 0, ""}, {"ab[|]c", 0, "ab"},     {"\xc3\xa9*", 0, ""},
        {"(?i)abc", 0, ""},    {"", 1, ""},         {"ab?", 0, "a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *re = compile(rows[i].pattern, REGEX_ANCHORED | REGEX_DOT_NL);
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        str *set;
        size_t n = 0;
        assert_int_equal(regex_literals(re, &a, &set, &n), rows[i].literals > 0);
        assert_int_equal(n, rows[i].literals);
        if (!str_eqz(regex_prefix(re), rows[i].prefix))
            fail_msg("%s: prefix %.*s", rows[i].pattern, STR_ARG(regex_prefix(re)));
        regex_free(re);
    }
}

static void mistakes(void **state)
{
    static const struct {
        const char *pattern, *msg;
    } rows[] = {
        {"a(b", "missing closing )"}, {"a[b", "missing closing ]"},
        {"*a", "nothing to repeat"},  {"a**", "repetition"},
        {"(?=a)", "look-around"},     {"\\8", "escape"},
        {"a\\", "backslash"},         {"a{2000}", "repetitions"},
        {"[z-a]", "range"},           {"\xff", "UTF-8"},
        {"(?P<n>a)(?P<n>b)", "name"}, {"((a{100}){100}){100}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct regex *re = regex_compile(str_from_z(rows[i].pattern), REGEX_ANCHORED, &err);
        if (re || !strstr(err.msg, rows[i].msg))
            fail_msg("%s: %s", rows[i].pattern, err.msg);
    }
    struct err err = {0};
    static char big[REGEX_PATTERN_BYTES_MAX + 1];
    assert_null(regex_compile(str_of(big, sizeof big), 0, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static uint64_t seed = 1;

static uint32_t roll(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* Patterns from pieces that the fast forms know or nearly know, against RE2 itself. */
static void agrees_with_re2(void **state)
{
    static const char *const pieces[] = {"a",   "b",        "ab",   "|",   "(",   ")",
                                         "(?:", ".*",       ".+",   ".",   "\\.", "*",
                                         "?",   "\xc3\xa9", "[ab]", "\\|", "$"};
    static const char *const letters[] = {"a", "b", "ab", ".", "\n", "\xc3\xa9", "|"};
    static const int flags[] = {REGEX_ANCHORED, REGEX_ANCHORED | REGEX_DOT_NL, REGEX_DOT_NL, 0};
    size_t compiled = 0;
    for (int round = 0; round < 60000; round++) {
        struct strbuf p STRBUF_CLEANUP = {0};
        for (uint32_t i = roll(7); i > 0; i--)
            strbuf_addz(&p, pieces[roll(sizeof pieces / sizeof *pieces)]);
        int f = flags[round % 4];
        struct err err = {0};
        struct regex *re = regex_compile(strbuf_str(&p), f, &err);
        const char *problem;
        char buf[64];
        struct regex_span where, pattern = {p.p ? p.p : "", p.n};
        struct regex_re2 *oracle =
            regex_re2_new(pattern, f & REGEX_DOT_NL, &problem, &where, buf, sizeof buf);
        if (!re != !oracle)
            fail_msg("%s: compiles in one only", pattern.p);
        for (int k = 0; re && k < 8; k++) {
            struct strbuf t STRBUF_CLEANUP = {0};
            for (uint32_t i = roll(5); i > 0; i--)
                strbuf_addz(&t, letters[roll(sizeof letters / sizeof *letters)]);
            struct regex_span text = {t.p ? t.p : "", t.n}, want[4];
            str got[4];
            bool a = regex_match(re, strbuf_str(&t), got, 4);
            bool b = regex_re2_match(oracle, text, 0, f & REGEX_ANCHORED, want, 4);
            if (a != b || regex_test(re, strbuf_str(&t)) != b)
                fail_msg("%s on %s: %d, RE2 %d", pattern.p, text.p, a, b);
            for (int g = 0; a && g < 4; g++)
                if (!got[g].p != !want[g].p || got[g].n != want[g].n)
                    fail_msg("%s on %s: group %d", pattern.p, text.p, g);
            if (b && f & REGEX_ANCHORED)
                assert_true(str_starts(strbuf_str(&t), regex_prefix(re)));
        }
        compiled += re != NULL;
        regex_free(re);
        regex_re2_free(oracle);
    }
    assert_true(compiled > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_text),
        cmocka_unit_test(newlines_and_search),
        cmocka_unit_test(expand),
        cmocka_unit_test(groups),
        cmocka_unit_test(literals_and_prefix),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(agrees_with_re2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
