// SPDX-License-Identifier: Apache-2.0
/* First byte: flags. Then the pattern, a zero, and the text. Fast forms and RE2 must agree on
 * UTF-8. */
#include <assert.h>

#include "base/strbuf.h"
#include "codec/regex.h"
#include "codec/regex_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { GROUPS = 5 };

static struct regex_re2 *compile_re2(str pattern, int flags)
{
    const char *problem;
    char buf[64];
    struct regex_span where;
    return regex_re2_new((struct regex_span){pattern.p, pattern.n}, flags & REGEX_DOT_NL, &problem,
                         &where, buf, sizeof buf);
}

static void compare(const struct regex *re, const struct regex_re2 *oracle, int flags, str text)
{
    str got[GROUPS];
    struct regex_span want[GROUPS];
    bool a = regex_match(re, text, got, GROUPS);
    bool b = regex_re2_match(oracle, (struct regex_span){text.p, text.n}, 0, flags & REGEX_ANCHORED,
                             want, GROUPS);
    assert(a == b && regex_test(re, text) == b);
    for (size_t i = 0; a && i < GROUPS; i++)
        assert(!got[i].p == !want[i].p && got[i].n == want[i].n);
    if (b && flags & REGEX_ANCHORED)
        assert(str_starts(text, regex_prefix(re)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2 || n > 300)
        return 0;
    int flags = data[0] & (REGEX_ANCHORED | REGEX_DOT_NL);
    str text = str_of((const char *)data + 1, n - 1), pattern;
    if (!str_cut(&text, 0, &pattern) || !text.p)
        text = STR("");
    struct err err = {0};
    struct regex *re = regex_compile(pattern, flags, &err);
    assert(re || err.msg[0]);
    if (!re)
        return 0;
    struct regex_re2 *oracle = compile_re2(pattern, flags);
    if (oracle && str_utf8_valid(text))
        compare(re, oracle, flags, text);
    struct strbuf out STRBUF_CLEANUP = {0};
    str groups[GROUPS];
    if (regex_match(re, text, groups, GROUPS))
        regex_expand(re, pattern, groups, GROUPS, &out);
    regex_re2_free(oracle);
    regex_free(re);
    return 0;
}
