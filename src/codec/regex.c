// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions in three forms, cheapest first:
 *
 * - literals: `a|b|x(1|2)`, a finite set of texts, compared or looked up;
 * - wild: literals with `.*` or `.+` before, behind or on both sides;
 * - everything else: RE2.
 *
 * The small parser below knows only what those forms need and gives up at anything else, so an
 * expression it does not understand is RE2's. Fast forms are for whole-text matches
 * (REGEX_ANCHORED). RE2 is also compiled beside a fast form when that form cannot answer
 * everything: groups inside it, names, and a dot that must not match a newline in a text that has
 * one.
 *
 * For RE2 a dot is a well-formed UTF-8 character, for the fast forms any bytes: they agree on
 * UTF-8.
 */
#include "codec/regex.h"

#include <assert.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "codec/regex_int.h"

static_assert(sizeof(str) == sizeof(struct regex_span), "groups are handed over in place");

enum {
    LITERALS_MAX = 4096,           /* texts of one set */
    LITERALS_BYTES_MAX = 64 << 10, /* their bytes: a product of groups may be long */
    LITERALS_LINEAR = 8,           /* sets up to here are compared one by one */
};

enum wild { WILD_NONE, WILD_ANY /* .* */, WILD_SOME /* .+ */ };

struct literals {
    str *at; /* each on the heap */
    size_t n, cap;
    size_t size_bytes;
};

struct regex {
    struct regex_re2 *re2; /* NULL: the fast form answers everything */
    int flags;
    size_t groups;
    bool fast;      /* `set`, `before` and `after` are the expression */
    bool one_group; /* of the fast form: a group around all of it */
    enum wild before, after;
    struct literals set;
    struct map index; /* of the set when it is large */
    str prefix;       /* on the heap */
};

/* --- sets of literals --- */

static void literals_fini(struct literals *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)(uintptr_t)l->at[i].p);
    vec_fini(l);
    l->size_bytes = 0;
}

/* Adds head followed by tail; false when the set is too large. */
static bool literals_add(struct literals *l, str head, str tail)
{
    size_t n = head.n + tail.n;
    if (l->n >= LITERALS_MAX || l->size_bytes + n > LITERALS_BYTES_MAX)
        return false;
    char *p = mem_alloc(n + 1);
    if (head.n)
        memcpy(p, head.p, head.n);
    if (tail.n)
        memcpy(p + head.n, tail.p, tail.n);
    p[n] = 0;
    vec_push(l, str_of(p, n));
    l->size_bytes += n;
    return true;
}

/* Every text of `a` followed by every text of `b` becomes `a`. */
static bool literals_product(struct literals *a, const struct literals *b)
{
    struct literals out = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < a->n; i++)
        for (size_t k = 0; ok && k < b->n; k++)
            ok = literals_add(&out, a->at[i], b->at[k]);
    literals_fini(a);
    *a = out;
    return ok;
}

static bool literals_append(struct literals *a, const struct literals *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!literals_add(a, b->at[i], STR("")))
            return false;
    return true;
}

/* --- the small parser --- */

struct scan {
    str rest;
    size_t groups;
    bool named;
    int depth;
};

enum { SCAN_DEPTH_MAX = 16 };

static bool scan_alternatives(struct scan *s, struct literals *out);

static bool is_meta(char c)
{
    return c != 0 && strchr("\\.+*?()|[{^$", c) != NULL;
}

static bool is_punct(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`' && c != '_') ||
           (c >= '{' && c <= '~');
}

static void skip(struct scan *s, size_t n)
{
    s->rest = str_sub(s->rest, n, s->rest.n);
}

static bool is_operator_next(const struct scan *s)
{
    return s->rest.n && s->rest.p[0] && strchr("*+?{", s->rest.p[0]);
}

/* The plain characters and escaped marks that come next. */
static bool scan_run(struct scan *s, struct strbuf *run)
{
    while (s->rest.n) {
        char c = s->rest.p[0];
        if (c == '\\' && s->rest.n > 1 && is_punct(s->rest.p[1])) {
            strbuf_addc(run, s->rest.p[1]);
            skip(s, 2);
            continue;
        }
        if (is_meta(c))
            break;
        strbuf_addc(run, c);
        skip(s, 1);
    }
    /* Of an operator that follows only the last character is meant. */
    return !is_operator_next(s);
}

static bool scan_group_open(struct scan *s)
{
    if (str_starts(s->rest, STR("(?:"))) {
        skip(s, 3);
        return true;
    }
    if (str_starts(s->rest, STR("(?P<")) || str_starts(s->rest, STR("(?<"))) {
        ssize_t end = str_index(s->rest, '>');
        if (end < 0)
            return false;
        s->groups++;
        s->named = true;
        skip(s, (size_t)end + 1);
        return true;
    }
    if (str_starts(s->rest, STR("(?")))
        return false;
    s->groups++;
    skip(s, 1);
    return true;
}

static bool scan_group(struct scan *s, struct literals *out)
{
    if (s->depth >= SCAN_DEPTH_MAX || !scan_group_open(s))
        return false;
    s->depth++;
    struct literals inner = {0};
    bool ok = scan_alternatives(s, &inner) && s->rest.n && s->rest.p[0] == ')';
    s->depth--;
    if (ok) {
        skip(s, 1);
        ok = !is_operator_next(s) && literals_product(out, &inner);
    }
    literals_fini(&inner);
    return ok;
}

/* Literals and groups of them in a row; stops before what is neither. */
static bool scan_row(struct scan *s, struct literals *out)
{
    if (!literals_add(out, STR(""), STR("")))
        return false;
    while (s->rest.n) {
        if (s->rest.p[0] == '(') {
            if (!scan_group(s, out))
                return false;
            continue;
        }
        struct strbuf run STRBUF_CLEANUP = {0};
        if (!scan_run(s, &run))
            return false;
        if (run.n == 0)
            return true;
        str text = strbuf_str(&run);
        struct literals one = {.at = &text, .n = 1};
        if (!literals_product(out, &one))
            return false;
    }
    return true;
}

static bool scan_alternatives(struct scan *s, struct literals *out)
{
    for (;;) {
        struct literals row = {0};
        bool ok = scan_row(s, &row) && literals_append(out, &row);
        literals_fini(&row);
        if (!ok)
            return false;
        if (!s->rest.n || s->rest.p[0] != '|')
            return true;
        skip(s, 1);
    }
}

static enum wild wild_at(str s)
{
    return str_starts(s, STR(".*")) ? WILD_ANY : str_starts(s, STR(".+")) ? WILD_SOME : WILD_NONE;
}

static void form_reset(struct regex *re)
{
    literals_fini(&re->set);
    re->before = re->after = WILD_NONE;
}

/* Reads the whole of the pattern as alternatives, or as [.*] row [.*]. */
static bool scan_form(struct regex *re, str pattern, struct scan *s)
{
    *s = (struct scan){.rest = pattern};
    if (scan_alternatives(s, &re->set) && !s->rest.n)
        return true;
    form_reset(re);
    *s = (struct scan){.rest = pattern};
    re->before = wild_at(pattern);
    skip(s, re->before ? 2 : 0);
    if (!scan_row(s, &re->set))
        return false;
    re->after = wild_at(s->rest);
    skip(s, re->after ? 2 : 0);
    if (s->rest.n)
        return false;
    /* `.+.+` counts characters where the forms know only bytes. */
    bool empty = re->set.n == 1 && re->set.at[0].n == 0;
    return !(empty && re->before && re->after);
}

/* The same, with one unnamed group around all of it seen through: `(.*)`, `(a|b)`. */
static bool scan_pattern(struct regex *re, str pattern, struct scan *s)
{
    bool wrapped = str_starts(pattern, STR("(")) && !str_starts(pattern, STR("(?")) &&
                   str_ends(pattern, STR(")"));
    if (wrapped && scan_form(re, str_sub(pattern, 1, pattern.n - 1), s) && !s->groups) {
        re->one_group = true;
        s->groups = 1;
        return true;
    }
    form_reset(re);
    return scan_form(re, pattern, s);
}

/* Removes repeated texts; a large set gets its index. */
static void index_set(struct regex *re)
{
    struct literals *l = &re->set;
    struct map seen = {0};
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (map_put(&seen, l->at[i], &l->at[n]))
            l->at[n++] = l->at[i];
        else
            free((char *)(uintptr_t)l->at[i].p);
    }
    l->n = n;
    if (n > LITERALS_LINEAR && !re->before && !re->after)
        re->index = seen;
    else
        map_fini(&seen);
}

/* --- what comes before RE2 --- */

/* Length of the character class at the start of `s`. */
static size_t class_length(str s)
{
    size_t i = 1;
    i += i < s.n && s.p[i] == '^';
    i += i < s.n && s.p[i] == ']';
    while (i < s.n && s.p[i] != ']') {
        ssize_t end = str_starts(str_sub(s, i, s.n), STR("[:"))
                          ? str_find(str_sub(s, i, s.n), STR(":]"))
                          : -1;
        i += end > 0 ? (size_t)end + 2 : s.p[i] == '\\' ? 2 : 1;
    }
    return i < s.n ? i + 1 : s.n;
}

/* Length of what stands at the start of `s`: an escape, a quoted run, a class or a character. */
static size_t unit_length(str s)
{
    if (str_starts(s, STR("\\Q"))) {
        ssize_t end = str_find(s, STR("\\E"));
        return end < 0 ? s.n : (size_t)end + 2;
    }
    if (s.p[0] == '\\')
        return s.n > 1 ? 2 : 1;
    return s.p[0] == '[' ? class_length(s) : 1;
}

/* `(?<name>` becomes `(?P<name>`, which older RE2 wants. */
static void rewrite_names(str pattern, struct strbuf *out)
{
    for (size_t i = 0; i < pattern.n;) {
        str rest = str_sub(pattern, i, pattern.n);
        if (str_starts(rest, STR("(?<")) && rest.n > 3 && rest.p[3] != '=' && rest.p[3] != '!') {
            strbuf_addz(out, "(?P<");
            i += 3;
            continue;
        }
        size_t n = unit_length(rest);
        strbuf_add(out, str_sub(rest, 0, n));
        i += n;
    }
}

static bool has_top_alternation(str pattern)
{
    int depth = 0;
    for (size_t i = 0; i < pattern.n;) {
        char c = pattern.p[i];
        if (c == '|' && depth == 0)
            return true;
        depth += (c == '(') - (c == ')');
        i += unit_length(str_sub(pattern, i, pattern.n));
    }
    return false;
}

static size_t common_prefix(str a, str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* The literal text a pattern begins with, when nothing else can match. */
static void find_prefix(struct regex *re, str pattern)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    if (re->fast && !re->before) {
        size_t n = re->set.at[0].n;
        for (size_t i = 1; i < re->set.n; i++)
            n = common_prefix(str_sub(re->set.at[0], 0, n), re->set.at[i]);
        strbuf_add(&b, str_sub(re->set.at[0], 0, n));
    } else if (!re->fast && !has_top_alternation(pattern)) {
        struct scan s = {.rest = pattern};
        if (!scan_run(&s, &b)) {
            /* The last character, all its bytes, is repeated or optional. */
            while (b.n && ((unsigned char)b.p[b.n - 1] & 0xc0) == 0x80)
                b.n--;
            b.n -= b.n > 0;
        }
    }
    size_t n = b.n;
    char *p = mem_dup(b.p ? b.p : "", n);
    re->prefix = str_of(p, n);
}

/* --- the public face --- */

static bool compile_re2(struct regex *re, str pattern, struct err *err)
{
    struct strbuf text STRBUF_CLEANUP = {0};
    rewrite_names(pattern, &text);
    char buf[128];
    struct regex_span where = {0};
    const char *problem = NULL;
    re->re2 = regex_re2_new((struct regex_span){text.p ? text.p : "", text.n},
                            re->flags & REGEX_DOT_NL, &problem, &where, buf, sizeof buf);
    if (!re->re2) {
        str shown = str_sub(pattern, 0, 200);
        err_set(err, ERR_INVALID, "regular expression \"%.*s\": %s", STR_ARG(shown), problem);
        return where.n ? err_hint(err, "the fault is at \"%.*s\"", (int)where.n, where.p) : false;
    }
    re->groups = regex_re2_groups(re->re2);
    return true;
}

/* Whether the form read by scan_pattern may be used, given how the expression is matched. */
static bool form_fits(const struct regex *re, const struct scan *s)
{
    if (re->flags & REGEX_ANCHORED)
        return true;
    return re->set.n == 1 && !re->before && !re->after && !s->groups;
}

struct regex *regex_compile(str pattern, int flags, struct err *err)
{
    if (pattern.n > REGEX_PATTERN_BYTES_MAX) {
        err_set(err, ERR_LIMIT, "regular expression of %zu bytes is longer than %d", pattern.n,
                REGEX_PATTERN_BYTES_MAX);
        return NULL;
    }
    struct regex *re = mem_new(struct regex);
    re->flags = flags;
    struct scan s;
    re->fast = scan_pattern(re, pattern, &s) && form_fits(re, &s);
    re->groups = s.groups;
    if (re->fast)
        index_set(re);
    else
        form_reset(re);
    bool newline_matters = (re->before || re->after) && !(flags & REGEX_DOT_NL);
    bool alone = re->fast && !s.named && (!s.groups || re->one_group) && !newline_matters &&
                 str_utf8_valid(pattern);
    if (!alone && !compile_re2(re, pattern, err)) {
        regex_free(re);
        return NULL;
    }
    find_prefix(re, pattern);
    return re;
}

void regex_free(struct regex *re)
{
    if (!re)
        return;
    regex_re2_free(re->re2);
    map_fini(&re->index);
    literals_fini(&re->set);
    free((char *)(uintptr_t)re->prefix.p);
    free(re);
}

static bool set_has(const struct regex *re, str text)
{
    if (re->index.n)
        return map_has(&re->index, text);
    for (size_t i = 0; i < re->set.n; i++)
        if (str_eq(re->set.at[i], text))
            return true;
    return false;
}

static bool wild_test(const struct regex *re, str literal, str text)
{
    size_t before = re->before == WILD_SOME, after = re->after == WILD_SOME;
    if (text.n < before + literal.n + after)
        return false;
    if (!re->before)
        return str_starts(text, literal);
    if (!re->after)
        return str_ends(text, literal);
    return str_find(str_sub(text, before, text.n - after), literal) >= 0;
}

static bool fast_test(const struct regex *re, str text)
{
    if (!(re->flags & REGEX_ANCHORED))
        return str_find(text, re->set.at[0]) >= 0;
    if (!re->before && !re->after)
        return set_has(re, text);
    for (size_t i = 0; i < re->set.n; i++)
        if (wild_test(re, re->set.at[i], text))
            return true;
    return false;
}

static bool re2_match(const struct regex *re, str text, str *groups, size_t n)
{
    return regex_re2_match(re->re2, (struct regex_span){text.p, text.n}, 0,
                           re->flags & REGEX_ANCHORED, (struct regex_span *)groups, n);
}

bool regex_test(const struct regex *re, str text)
{
    bool wild = re->before || re->after;
    if (re->fast && !(re->re2 && wild && str_index(text, '\n') >= 0 && !(re->flags & REGEX_DOT_NL)))
        return fast_test(re, text);
    if (re->flags & REGEX_ANCHORED && !str_starts(text, re->prefix))
        return false;
    return re2_match(re, text, NULL, 0);
}

bool regex_match(const struct regex *re, str text, str *groups, size_t groups_n)
{
    if (groups_n == 0)
        return regex_test(re, text);
    if (re->re2)
        return re2_match(re, text, groups, groups_n);
    if (!fast_test(re, text))
        return false;
    if (!text.p)
        text = STR("");
    memset(groups, 0, groups_n * sizeof *groups);
    groups[0] = text;
    if (!(re->flags & REGEX_ANCHORED)) {
        size_t at = (size_t)str_find(text, re->set.at[0]);
        groups[0] = str_sub(text, at, at + re->set.at[0].n);
    }
    if (re->one_group && groups_n > 1)
        groups[1] = text;
    return true;
}

bool regex_match_from(const struct regex *re, str text, size_t from, str *groups, size_t groups_n)
{
    if (re->re2)
        return regex_re2_match(re->re2, (struct regex_span){text.p, text.n}, from, false,
                               (struct regex_span *)groups, groups_n);
    return regex_match(re, str_sub(text, from, text.n), groups, groups_n);
}

size_t regex_groups(const struct regex *re)
{
    return re->groups;
}

int regex_group_named(const struct regex *re, str name)
{
    return re->re2 ? regex_re2_group_named(re->re2, (struct regex_span){name.p, name.n}) : -1;
}

/* Go takes every Unicode letter as part of a name; bytes of UTF-8 beyond ASCII stand in for them.
 */
static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Cuts `name` or `{name}` off the text after a dollar; false: the dollar is only a dollar. */
static bool cut_name(str *rest, str *name)
{
    size_t brace = rest->n && rest->p[0] == '{', end = brace;
    while (end < rest->n && is_name_char(rest->p[end]))
        end++;
    if (end == brace || (brace && (end == rest->n || rest->p[end] != '}')))
        return false;
    *name = str_sub(*rest, brace, end);
    *rest = str_sub(*rest, end + brace, rest->n);
    return true;
}

/* A number without leading zeros, or a name; -1: no such group. */
static int group_of(const struct regex *re, str name)
{
    int num = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9' || num >= 100000000 || (i == 1 && num == 0))
            return regex_group_named(re, name);
        num = num * 10 + (name.p[i] - '0');
    }
    return num;
}

void regex_expand(const struct regex *re, str template_, const str *groups, size_t groups_n,
                  struct strbuf *out)
{
    str rest = template_;
    for (ssize_t at; (at = str_index(rest, '$')) >= 0;) {
        strbuf_add(out, str_sub(rest, 0, (size_t)at));
        rest = str_sub(rest, (size_t)at + 1, rest.n);
        str name;
        if (str_starts(rest, STR("$"))) {
            strbuf_addc(out, '$');
            rest = str_sub(rest, 1, rest.n);
        } else if (!cut_name(&rest, &name)) {
            strbuf_addc(out, '$');
        } else {
            int group = group_of(re, name);
            if (group >= 0 && (size_t)group < groups_n && groups[group].p)
                strbuf_add(out, groups[group]);
        }
    }
    strbuf_add(out, rest);
}

bool regex_literals(const struct regex *re, struct arena *a, str **out, size_t *n)
{
    if (!re->fast || !(re->flags & REGEX_ANCHORED) || re->before || re->after)
        return false;
    *n = re->set.n;
    *out = arena_array(a, str, re->set.n);
    for (size_t i = 0; i < re->set.n; i++)
        (*out)[i] = arena_dup(a, re->set.at[i]);
    return true;
}

str regex_prefix(const struct regex *re)
{
    return re->prefix;
}
