// SPDX-License-Identifier: Apache-2.0
#include "model/relabel.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "codec/hash.h"

static const str default_separator = STR_INIT(";"), default_regex = STR_INIT("(.*)"),
                 default_replacement = STR_INIT("$1");

const str relabel_action_names[RELABEL_ACTIONS] = {
    [RELABEL_REPLACE] = STR_INIT("replace"),     [RELABEL_KEEP] = STR_INIT("keep"),
    [RELABEL_DROP] = STR_INIT("drop"),           [RELABEL_KEEPEQUAL] = STR_INIT("keepequal"),
    [RELABEL_DROPEQUAL] = STR_INIT("dropequal"), [RELABEL_HASHMOD] = STR_INIT("hashmod"),
    [RELABEL_LABELMAP] = STR_INIT("labelmap"),   [RELABEL_LABELDROP] = STR_INIT("labeldrop"),
    [RELABEL_LABELKEEP] = STR_INIT("labelkeep"), [RELABEL_LOWERCASE] = STR_INIT("lowercase"),
    [RELABEL_UPPERCASE] = STR_INIT("uppercase"),
};

str relabel_action_name(enum relabel_action a)
{
    return relabel_action_names[a];
}

bool relabel_action_parse(str s, enum relabel_action *out)
{
    for (int a = 0; a < RELABEL_ACTIONS; a++) {
        if (str_eq_nocase(relabel_action_names[a], s)) {
            *out = (enum relabel_action)a;
            return true;
        }
    }
    return false;
}

void relabel_rule_init(struct relabel_rule *r)
{
    *r = (struct relabel_rule){
        .action = RELABEL_REPLACE,
        .separator = default_separator,
        .regex = default_regex,
        .replacement = default_replacement,
    };
}

static bool name_valid(const struct relabel_rule *r, str name)
{
    return r->legacy_names ? label_name_is_legacy(name) : name.n && str_utf8_valid(name);
}

/* Length of the $1, ${1}, $name or ${name} that `s` begins with; 0 when it begins with none. */
static size_t variable(str s)
{
    bool braces = s.n > 1 && s.p[1] == '{';
    size_t from = braces ? 2 : 1, i = from;
    while (i < s.n &&
           (label_name_is_legacy(str_of(s.p + i, 1)) || (s.p[i] >= '0' && s.p[i] <= '9')))
        i++;
    if (s.n == 0 || s.p[0] != '$' || i == from)
        return 0;
    if (!braces)
        return i;
    return i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* Like a name, but with variables of the expression inside. */
static bool template_valid(const struct relabel_rule *r, str s)
{
    if (!r->legacy_names)
        return s.n && str_utf8_valid(s);
    bool first = true;
    while (s.n) {
        size_t n = variable(s);
        bool digit = s.p[0] >= '0' && s.p[0] <= '9';
        if (!n && !label_name_is_legacy(str_of(s.p, 1)) && (first || !digit))
            return false;
        s = str_sub(s, n ? n : 1, s.n);
        first = false;
    }
    return !first;
}

static bool has_variable(str s)
{
    return str_index(s, '$') >= 0;
}

/* Which fields an action reads, and how; others must be left alone where upstream says so. */
enum {
    NEEDS_TARGET = 1,
    TARGET_IS_NAME = 2,
    NO_REPLACEMENT = 4,
    ONLY_SOURCE_AND_TARGET = 8,
    ONLY_REGEX = 16,
};

static const int demands[RELABEL_ACTIONS] = {
    [RELABEL_REPLACE] = NEEDS_TARGET,
    [RELABEL_KEEPEQUAL] = NEEDS_TARGET | TARGET_IS_NAME | ONLY_SOURCE_AND_TARGET,
    [RELABEL_DROPEQUAL] = NEEDS_TARGET | TARGET_IS_NAME | ONLY_SOURCE_AND_TARGET,
    [RELABEL_HASHMOD] = NEEDS_TARGET | TARGET_IS_NAME,
    [RELABEL_LABELDROP] = ONLY_REGEX,
    [RELABEL_LABELKEEP] = ONLY_REGEX,
    [RELABEL_LOWERCASE] = NEEDS_TARGET | TARGET_IS_NAME | NO_REPLACEMENT,
    [RELABEL_UPPERCASE] = NEEDS_TARGET | TARGET_IS_NAME | NO_REPLACEMENT,
};

static bool check_names(const struct relabel_rule *r, int demand, str action, struct err *err)
{
    bool target_ok = true;
    if ((demand & NEEDS_TARGET) && r->target_label.n == 0)
        return err_set(err, ERR_INVALID, "action \"%.*s\" needs target_label", STR_ARG(action));
    if (demand & TARGET_IS_NAME)
        target_ok = name_valid(r, r->target_label);
    else if (r->action == RELABEL_REPLACE)
        target_ok = has_variable(r->target_label) ? template_valid(r, r->target_label)
                                                  : name_valid(r, r->target_label);
    if (!target_ok)
        return err_set(err, ERR_INVALID, "\"%.*s\" is no valid target_label of action \"%.*s\"",
                       STR_ARG(r->target_label), STR_ARG(action));
    if (r->action == RELABEL_LABELMAP && !template_valid(r, r->replacement))
        return err_set(err, ERR_INVALID, "\"%.*s\" is no valid replacement of action \"labelmap\"",
                       STR_ARG(r->replacement));
    return true;
}

static bool check(const struct relabel_rule *r, struct err *err)
{
    int demand = demands[r->action];
    str action = relabel_action_name(r->action);
    bool plain_regex = str_eq(r->regex, default_regex);
    bool plain_replacement = str_eq(r->replacement, default_replacement);
    bool plain_rest = str_eq(r->separator, default_separator) && r->modulus == 0;
    uint8_t sum[MD5_BYTES];

    if (r->action == RELABEL_HASHMOD && r->modulus == 0)
        return err_set(err, ERR_INVALID, "action \"hashmod\" needs a modulus that is not 0");
    if (r->action == RELABEL_HASHMOD && !md5_bytes("", 0, sum))
        return err_set(err, ERR_INVALID, "action \"hashmod\" needs MD5, which this system forbids");
    if (!check_names(r, demand, action, err))
        return false;
    if ((demand & NO_REPLACEMENT) && !plain_replacement)
        return err_set(err, ERR_INVALID, "action \"%.*s\" takes no replacement", STR_ARG(action));
    if ((demand & ONLY_SOURCE_AND_TARGET) && !(plain_regex && plain_replacement && plain_rest))
        return err_set(err, ERR_INVALID,
                       "action \"%.*s\" takes source_labels and target_label and nothing else",
                       STR_ARG(action));
    if ((demand & ONLY_REGEX) &&
        !(r->source_labels_n == 0 && r->target_label.n == 0 && plain_replacement && plain_rest))
        return err_set(err, ERR_INVALID, "action \"%.*s\" takes a regex and nothing else",
                       STR_ARG(action));
    return true;
}

bool relabel_rule_compile(struct relabel_rule *r, struct err *err)
{
    if (!check(r, err))
        return false;
    r->compiled = regex_compile(r->regex, REGEX_ANCHORED | REGEX_DOT_NL, err);
    return r->compiled != NULL;
}

void relabel_rule_fini(struct relabel_rule *r)
{
    if (r->compiled)
        regex_free(r->compiled);
    r->compiled = NULL;
}

static str source_value(const struct relabel_rule *r, const struct labels_builder *b,
                        struct arena *a)
{
    if (r->source_labels_n == 0)
        return STR("");
    if (r->source_labels_n == 1)
        return labels_builder_get(b, r->source_labels[0]);
    size_t n = 0;
    for (size_t i = 0; i < r->source_labels_n; i++)
        n += labels_builder_get(b, r->source_labels[i]).n + r->separator.n;
    char *text = arena_alloc(a, n);
    n = 0;
    for (size_t i = 0; i < r->source_labels_n; i++) {
        str v = labels_builder_get(b, r->source_labels[i]);
        if (i && r->separator.n) {
            memcpy(text + n, r->separator.p, r->separator.n);
            n += r->separator.n;
        }
        if (v.n)
            memcpy(text + n, v.p, v.n);
        n += v.n;
    }
    return str_of(text, n);
}

static str expand(const struct relabel_rule *r, str template_, const str *groups, size_t n,
                  struct arena *a)
{
    if (!has_variable(template_))
        return template_;
    STRBUF_CLEANUP struct strbuf out = {0};
    regex_expand(r->compiled, template_, groups, n, &out);
    return arena_dup(a, strbuf_str(&out));
}

static void replace(const struct relabel_rule *r, str value, struct labels_builder *b,
                    struct arena *a)
{
    size_t n = regex_groups(r->compiled) + 1;
    str *groups = arena_array(a, str, n);
    if (!regex_match(r->compiled, value, groups, n))
        return;
    str target = expand(r, r->target_label, groups, n, a);
    if (name_valid(r, target))
        labels_builder_set(b, target, expand(r, r->replacement, groups, n, a));
}

static void labelmap(const struct relabel_rule *r, struct labels_builder *b, struct arena *a)
{
    size_t groups_n = regex_groups(r->compiled) + 1, labels_n = b->n;
    str *groups = arena_array(a, str, groups_n);
    struct label *before = arena_alloc(a, labels_n * sizeof *before);
    if (labels_n)
        memcpy(before, b->at, labels_n * sizeof *before);
    label_sort(before, labels_n); /* two that map to one name: the last in order stays */
    for (size_t i = 0; i < labels_n; i++) {
        if (!regex_match(r->compiled, before[i].name, groups, groups_n))
            continue;
        str name = expand(r, r->replacement, groups, groups_n, a);
        if (name.n)
            labels_builder_set(b, name, before[i].value);
    }
}

/* Deletes the labels whose name matches, or does not. */
static void filter(const struct relabel_rule *r, struct labels_builder *b, bool drop_matching)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (regex_test(r->compiled, b->at[i].name) != drop_matching)
            b->at[n++] = b->at[i];
    }
    b->n = n;
}

/* The last eight bytes of the MD5, as upstream: so shards fall on the same targets. */
static str hashmod(const struct relabel_rule *r, str value, struct arena *a)
{
    uint8_t sum[MD5_BYTES] = {0};
    md5_bytes(value.p, value.n, sum); /* cannot fail: tried when the rule was compiled */
    uint64_t h = 0;
    for (int i = 8; i < MD5_BYTES; i++)
        h = h << 8 | sum[i];
    return arena_printf(a, "%llu", (unsigned long long)(h % r->modulus));
}

/* The C library's tables for all of Unicode, whatever locale the process runs in. */
static locale_t unicode;

static void open_unicode(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static size_t encode_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(c | (n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0));
    return n;
}

/* One character of valid UTF-8. */
static uint32_t decode_utf8(const char *p, size_t *n)
{
    unsigned char c = (unsigned char)p[0];
    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = *n == 1 ? c : c & (0xffu >> (*n + 1));
    for (size_t i = 1; i < *n; i++)
        v = v << 6 | ((unsigned char)p[i] & 0x3f);
    return v;
}

static uint32_t change_case(uint32_t c, bool upper)
{
    if (c < 0x80) {
        bool change = upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        return change ? c ^ 0x20 : c;
    }
    if (!unicode)
        return c;
    return (uint32_t)(upper ? towupper_l((wint_t)c, unicode) : towlower_l((wint_t)c, unicode));
}

static str with_case(str s, bool upper, struct arena *a)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_unicode);
    if (!str_utf8_valid(s))
        return s;
    char *out = arena_alloc(a, s.n * 2); /* a case pair differs by one byte at most */
    size_t n = 0, used;
    for (size_t i = 0; i < s.n; i += used)
        n += encode_utf8(change_case(decode_utf8(s.p + i, &used), upper), out + n);
    return str_of(out, n);
}

static bool apply_one(const struct relabel_rule *r, struct labels_builder *b, struct arena *a)
{
    str value = source_value(r, b, a);
    switch (r->action) {
    case RELABEL_KEEP:
        return regex_test(r->compiled, value);
    case RELABEL_DROP:
        return !regex_test(r->compiled, value);
    case RELABEL_KEEPEQUAL:
        return str_eq(labels_builder_get(b, r->target_label), value);
    case RELABEL_DROPEQUAL:
        return !str_eq(labels_builder_get(b, r->target_label), value);
    case RELABEL_REPLACE:
        replace(r, value, b, a);
        break;
    case RELABEL_HASHMOD:
        labels_builder_set(b, r->target_label, hashmod(r, value, a));
        break;
    case RELABEL_LABELMAP:
        labelmap(r, b, a);
        break;
    case RELABEL_LABELDROP:
        filter(r, b, true);
        break;
    case RELABEL_LABELKEEP:
        filter(r, b, false);
        break;
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        labels_builder_set(b, r->target_label, with_case(value, r->action == RELABEL_UPPERCASE, a));
        break;
    case RELABEL_ACTIONS:
        break;
    }
    return true;
}

bool relabel_apply(const struct relabel_rule *rules, size_t n, struct labels_builder *b,
                   struct arena *a)
{
    for (size_t i = 0; i < n; i++) {
        if (!apply_one(&rules[i], b, a))
            return false;
    }
    return true;
}
