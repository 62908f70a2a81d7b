// SPDX-License-Identifier: Apache-2.0
#include "model/relabel.h"

#include "base/test.h"
#include "codec/json.h"

#define MAX_LABELS 8

struct row {
    const char *in; /* "name=value" parted by blanks */
    struct relabel_rule rule;
    const char *sources; /* parted by blanks */
    const char *want;    /* NULL: dropped */
};

#define RULE(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define REGEX(x) .regex = STR_INIT(x)
#define TARGET(x) .target_label = STR_INIT(x)
#define TO(x) .replacement = STR_INIT(x)

static const struct row rows[] = {
    {"a=foo b=bar", RULE(TARGET("d"), REGEX("f(.*)"), TO("ch${1}-ch${1}")), "a",
     "{a=\"foo\",b=\"bar\",d=\"choo-choo\"}"},
    {"a=foo b=bar", RULE(TARGET("c"), REGEX("(.*);(.*)"), TO("$2$1")), "a b",
     "{a=\"foo\",b=\"bar\",c=\"barfoo\"}"},
    {"a=foo", RULE(TARGET("a"), REGEX("no"), TO("x")), "a", "{a=\"foo\"}"},
    {"a=foo", RULE(TARGET("a"), REGEX("fo"), TO("x")), "a", "{a=\"foo\"}"},
    {"a=foo", RULE(TARGET("a"), TO("")), "a", "{}"},
    {"a=foo", RULE(TARGET("b"), TO("x")), "", "{a=\"foo\",b=\"x\"}"},
    {"a=foo", RULE(TARGET("b")), "none", "{a=\"foo\"}"},
    {"a=foo", RULE(TARGET("${1}_x"), TO("y")), "a", "{a=\"foo\",foo_x=\"y\"}"},
    {"a=f-o", RULE(TARGET("$1"), TO("y"), .legacy_names = true), "a", "{a=\"f-o\"}"},
    {"a=f-o", RULE(TARGET("$1"), TO("y")), "a", "{a=\"f-o\",\"f-o\"=\"y\"}"},
    {"a=foo", RULE(.action = RELABEL_KEEP, REGEX("f.*")), "a", "{a=\"foo\"}"},
    {"a=foo", RULE(.action = RELABEL_KEEP, REGEX("f")), "a", NULL},
    {"a=foo", RULE(.action = RELABEL_DROP, REGEX("f|foo")), "a", NULL},
    {"a=foo", RULE(.action = RELABEL_DROP, REGEX(".*o.*")), "b", "{a=\"foo\"}"},
    {"a=x b=x", RULE(.action = RELABEL_KEEPEQUAL, TARGET("b")), "a", "{a=\"x\",b=\"x\"}"},
    {"a=x b=y", RULE(.action = RELABEL_KEEPEQUAL, TARGET("b")), "a", NULL},
    {"a=x b=x", RULE(.action = RELABEL_DROPEQUAL, TARGET("b")), "a", NULL},
    {"a=x b=y", RULE(.action = RELABEL_DROPEQUAL, TARGET("b")), "a", "{a=\"x\",b=\"y\"}"},
    {"a=foo b=bar c=baz", RULE(.action = RELABEL_HASHMOD, TARGET("d"), .modulus = 1000), "c",
     "{a=\"foo\",b=\"bar\",c=\"baz\",d=\"976\"}"},
    {"a=1 b1=2 b2=3", RULE(.action = RELABEL_LABELMAP, REGEX("b(.*)"), TO("c_$1")), "",
     "{a=\"1\",b1=\"2\",b2=\"3\",c_1=\"2\",c_2=\"3\"}"},
    {"a=1 b1=2 b2=3", RULE(.action = RELABEL_LABELMAP, REGEX("b.*"), TO("x")), "",
     "{a=\"1\",b1=\"2\",b2=\"3\",x=\"3\"}"},
    {"a=1 b1=2 b2=3", RULE(.action = RELABEL_LABELDROP, REGEX("b.")), "", "{a=\"1\"}"},
    {"a=1 b1=2 b2=3", RULE(.action = RELABEL_LABELKEEP, REGEX("b.")), "", "{b1=\"2\",b2=\"3\"}"},
    {"a=FoÄ\xce\x91", RULE(.action = RELABEL_LOWERCASE, TARGET("b")), "a",
     "{a=\"FoÄ\xce\x91\",b=\"foä\xce\xb1\"}"},
    {"a=foä\xce\xb1", RULE(.action = RELABEL_UPPERCASE, TARGET("a")), "a", "{a=\"FOÄ\xce\x91\"}"},
    {"a=1", RULE(.action = RELABEL_UPPERCASE, TARGET("a")), "none", "{}"},
};

/* Fields that a row leaves out have their defaults. */
static struct relabel_rule with_defaults(struct relabel_rule rule)
{
    struct relabel_rule plain;
    relabel_rule_init(&plain);
    if (!rule.separator.p)
        rule.separator = plain.separator;
    if (!rule.regex.p)
        rule.regex = plain.regex;
    if (!rule.replacement.p)
        rule.replacement = plain.replacement;
    return rule;
}

static size_t split(const char *z, str *out)
{
    size_t n = 0;
    str rest = str_from_z(z), piece;
    while (rest.n && str_cut(&rest, ' ', &piece))
        out[n++] = piece;
    return n;
}

static void run(const struct row *row)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    STRBUF_CLEANUP struct strbuf out = {0};
    struct relabel_rule rule = with_defaults(row->rule);
    struct err err = {0};
    str sources[MAX_LABELS], pairs[MAX_LABELS];
    rule.source_labels_n = split(row->sources, sources);
    rule.source_labels = sources;
    if (!relabel_rule_compile(&rule, &err))
        fail_msg("%s: %s", row->in, err.msg);

    struct labels_builder b;
    labels_builder_init(&b, (struct labels){0});
    size_t n = split(row->in, pairs);
    for (size_t i = 0; i < n; i++) {
        size_t eq = (size_t)str_index(pairs[i], '=');
        labels_builder_set(&b, str_sub(pairs[i], 0, eq), str_sub(pairs[i], eq + 1, pairs[i].n));
    }
    bool kept = relabel_apply(&rule, 1, &b, &a);
    assert_int_equal(kept, row->want != NULL);
    if (kept) {
        labels_format(labels_builder_take(&b, &a), &out);
        assert_string_equal(out.p, row->want);
    }
    labels_builder_fini(&b);
    relabel_rule_fini(&rule);
}

static void test_rules(void **state)
{
    for (size_t i = 0; i < TESTS_N(rows); i++)
        run(&rows[i]);
}

static void test_order(void **state)
{
    static const str a_only[] = {STR_INIT("a")}, b_only[] = {STR_INIT("b")};
    struct relabel_rule rules[] = {
        RULE(TARGET("b"), TO("made"), .source_labels = a_only, .source_labels_n = 1),
        RULE(.action = RELABEL_DROP, REGEX("made"), .source_labels = b_only, .source_labels_n = 1),
    };
    ARENA_CLEANUP struct arena arena;
    arena_init(&arena, 0);
    struct err err = {0};
    for (size_t i = 0; i < TESTS_N(rules); i++)
        rules[i] = with_defaults(rules[i]);
    for (size_t i = 0; i < TESTS_N(rules); i++)
        assert_true(relabel_rule_compile(&rules[i], &err));
    struct labels_builder b;
    labels_builder_init(&b, (struct labels){0});
    labels_builder_set(&b, STR("a"), STR("x"));
    assert_true(relabel_apply(rules, 1, &b, &arena));
    assert_false(relabel_apply(rules, 2, &b, &arena));
    labels_builder_fini(&b);
    for (size_t i = 0; i < TESTS_N(rules); i++)
        relabel_rule_fini(&rules[i]);
}

static void test_refused(void **state)
{
    static const str one[] = {STR_INIT("a")};
    static const struct {
        struct relabel_rule rule;
        const char *part;
    } bad[] = {
        {RULE(.target_label = {0}), "needs target_label"},
        {RULE(TARGET("a-b"), .legacy_names = true), "no valid target_label"},
        {RULE(TARGET("$1-b"), .legacy_names = true), "no valid target_label"},
        {RULE(TARGET("\xff")), "no valid target_label"},
        {RULE(TARGET("a"), REGEX("(")), ""},
        {RULE(.action = RELABEL_HASHMOD, TARGET("a")), "modulus"},
        {RULE(.action = RELABEL_HASHMOD, .modulus = 2), "needs target_label"},
        {RULE(.action = RELABEL_LABELMAP, TO("a-$1"), .legacy_names = true), "replacement"},
        {RULE(.action = RELABEL_LABELMAP, TO("")), "replacement"},
        {RULE(.action = RELABEL_LOWERCASE, TARGET("a"), TO("x")), "takes no replacement"},
        {RULE(.action = RELABEL_KEEPEQUAL, TARGET("a"), REGEX("x")), "nothing else"},
        {RULE(.action = RELABEL_DROPEQUAL, TARGET("a"), .modulus = 3), "nothing else"},
        {RULE(.action = RELABEL_LABELDROP, TARGET("a")), "regex and nothing else"},
        {RULE(.action = RELABEL_LABELKEEP, .source_labels = one, .source_labels_n = 1),
         "regex and nothing else"},
    };
    for (size_t i = 0; i < TESTS_N(bad); i++) {
        struct relabel_rule rule = with_defaults(bad[i].rule);
        struct err err = {0};
        if (relabel_rule_compile(&rule, &err))
            fail_msg("row %zu was accepted", i);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.msg, bad[i].part))
            fail_msg("row %zu: %s", i, err.msg);
    }
}

static void test_templates(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } targets[] = {{"a", true},       {"$1", true},   {"${1}", true}, {"a_${1}_b$2", true},
                   {"${1", false},    {"$", false},   {"1$1", false}, {"a${}", false},
                   {"${one}1", true}, {"a.$1", false}};
    for (size_t i = 0; i < TESTS_N(targets); i++) {
        struct relabel_rule rule;
        struct err err = {0};
        relabel_rule_init(&rule);
        rule.legacy_names = true;
        rule.target_label = str_from_z(targets[i].text);
        if (relabel_rule_compile(&rule, &err) != targets[i].ok)
            fail_msg("%s", targets[i].text);
        relabel_rule_fini(&rule);
    }
}

static void test_actions(void **state)
{
    enum relabel_action a;
    for (int i = 0; i < RELABEL_ACTIONS; i++) {
        assert_true(relabel_action_parse(relabel_action_name((enum relabel_action)i), &a));
        assert_int_equal(a, i);
    }
    assert_true(relabel_action_parse(STR("LabelDrop"), &a));
    assert_int_equal(a, RELABEL_LABELDROP);
    assert_false(relabel_action_parse(STR("replac"), &a));
}

static str text_of(const struct json_value *object, const char *key, str fallback)
{
    str s;
    return json_as_str(json_get(object, str_from_z(key)), &s) ? s : fallback;
}

static struct relabel_rule rule_of(const struct json_value *v, struct arena *a)
{
    struct relabel_rule r;
    relabel_rule_init(&r);
    assert_true(relabel_action_parse(text_of(v, "action", STR("replace")), &r.action));
    r.separator = text_of(v, "separator", r.separator);
    r.regex = text_of(v, "regex", r.regex);
    r.replacement = text_of(v, "replacement", r.replacement);
    r.target_label = text_of(v, "target_label", r.target_label);
    int64_t modulus;
    if (json_as_i64(json_get(v, STR("modulus")), &modulus))
        r.modulus = (uint64_t)modulus;
    const struct json_value *sources = json_get(v, STR("source_labels"));
    str *names = arena_array(a, str, sources ? sources->n : 0);
    for (uint32_t i = 0; sources && i < sources->n; i++)
        assert_true(json_as_str(&sources->items[i], &names[i]));
    r.source_labels = names;
    r.source_labels_n = sources ? sources->n : 0;
    return r;
}

static struct labels labels_of(const struct json_value *v, struct arena *a)
{
    struct labels_builder b;
    labels_builder_init(&b, (struct labels){0});
    for (uint32_t i = 0; v && i < v->n; i++)
        labels_builder_set(&b, v->members[i].key, v->members[i].value.text);
    struct labels out = labels_builder_take(&b, a);
    labels_builder_fini(&b);
    return out;
}

static void run_case(str line)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct err err = {0};
    struct json_value *row;
    bool drop;
    assert_true(json_parse(line, &a, &row, &err));
    assert_true(json_as_bool(json_get(row, STR("drop")), &drop));
    const struct json_value *list = json_get(row, STR("relabel"));
    struct relabel_rule rules[8];
    assert_true(list->n <= TESTS_N(rules));
    for (uint32_t i = 0; i < list->n; i++) {
        rules[i] = rule_of(&list->items[i], &a);
        if (!relabel_rule_compile(&rules[i], &err))
            fail_msg("%.*s: %s", STR_ARG(line), err.msg);
    }

    struct labels_builder b;
    labels_builder_init(&b, labels_of(json_get(row, STR("input")), &a));
    bool kept = relabel_apply(rules, list->n, &b, &a);
    struct labels got = labels_builder_take(&b, &a);
    struct labels want = labels_of(json_get(row, STR("output")), &a);
    if (kept == drop || (kept && !labels_eq(got, want)))
        fail_msg("%.*s", STR_ARG(line));
    labels_builder_fini(&b);
    for (uint32_t i = 0; i < list->n; i++)
        relabel_rule_fini(&rules[i]);
}

static void test_corpus(void **state)
{
    FILE *f = fopen(corpus_or_skip("metrics/config/relabel_cases.jsonl"), "rb");
    assert_non_null(f);
    static char line[65536];
    size_t n = 0;
    for (; fgets(line, sizeof line, f); n++)
        run_case(str_trim(str_from_z(line)));
    fclose(f);
    assert_int_equal(n, 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_templates),
        cmocka_unit_test(test_actions), cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
