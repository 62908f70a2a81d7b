// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "codec/yaml.h"

/* A tree as one line: plain scalars bare, quoted ones in quotes, merged pairs with a +. */
static void show(const struct yaml_node *n, struct strbuf *out)
{
    if (n->tag.n)
        strbuf_addf(out, "<%.*s>", STR_ARG(n->tag));
    if (n->kind == YAML_SCALAR) {
        const char *quote = n->style == YAML_PLAIN ? "" : "\"";
        strbuf_addf(out, "%s%.*s%s", quote, STR_ARG(n->value), quote);
        return;
    }
    strbuf_addc(out, n->kind == YAML_MAPPING ? '{' : '[');
    for (size_t i = 0; i < n->n; i++) {
        if (i)
            strbuf_addz(out, ", ");
        if (n->kind == YAML_SEQUENCE) {
            show(n->items[i], out);
            continue;
        }
        strbuf_addz(out, n->pairs[i].merged ? "+" : "");
        show(n->pairs[i].key, out);
        strbuf_addz(out, ": ");
        show(n->pairs[i].value, out);
    }
    strbuf_addc(out, n->kind == YAML_MAPPING ? '}' : ']');
}

static void trees(void **state)
{
    static const struct {
        const char *text, *tree;
    } rows[] = {
        {"", ""},
        {"# nothing\n", ""},
        {"--- \n", ""},
        {"a", "a"},
        {"'a'", "\"a\""},
        {"a: 5\nb: \"5\"\nc:\n", "{a: 5, b: \"5\", c: }"},
        {"- a\n- [b, {c: d}]\n-\n", "[a, [b, {c: d}], ]"},
        {"a: |\n  x\n   y\nb: >-\n  x\n  y\n", "{a: \"x\n y\n\", b: \"x y\"}"},
        {"a: &x [1, 2]\nb: *x\n", "{a: [1, 2], b: [1, 2]}"},
        {"&k a: 1\nb: *k\n", "{a: 1, b: a}"},
        {"a: !!str 5\nb: !secret x\nc: ! 7\n",
         "{a: <tag:yaml.org,2002:str>5, b: <!secret>x, c: <!>7}"},
        {"m: &m {x: 1, y: 2}\nn:\n  y: 3\n  <<: *m\n  z: 4\n",
         "{m: {x: 1, y: 2}, n: {y: 3, z: 4, +x: 1}}"},
        {"- &a {x: 1}\n- &b {x: 2, y: 2}\n- <<: [*a, *b]\n",
         "[{x: 1}, {x: 2, y: 2}, {+x: 1, +y: 2}]"},
        {"- &a {x: 1}\n- &b {<<: *a, y: 2}\n- {<<: *b}\n",
         "[{x: 1}, {y: 2, +x: 1}, {+y: 2, +x: 1}]"},
        {"<<: {a: 1}\n", "{+a: 1}"},
        {"\"<<\": {a: 1}\n", "{\"<<\": {a: 1}}"},
        {"\xef\xbb\xbf"
         "a: 1\nb: 2\n",
         "{a: 1, b: 2}"},
        {"a: 1\r\nb:\r\n- c\r\n", "{a: 1, b: [c]}"},
        {"{a: 1, b}\n", "{a: 1, b: }"},
        {"a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        struct yaml_node *root = NULL;
        if (!yaml_parse(str_from_z(rows[i].text), &a, &root, &err))
            fail_msg("%s: %s", rows[i].text, err.msg);
        struct strbuf b STRBUF_CLEANUP = {0};
        show(root, &b);
        assert_string_equal(b.p ? b.p : "", rows[i].tree);
    }
}

static void mistakes(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        uint32_t line, col;
        const char *msg, *hint;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", ERR_INVALID, 3, 1, "key \"a\" is already set at 1:1", ""},
        {"a: 1\n'a': 2\n", ERR_INVALID, 2, 1, "key \"a\" is already set", ""},
        {"<<: {}\n<<: {}\n", ERR_INVALID, 2, 1, "key \"<<\" is already set", ""},
        {"? [x]\n: 1\n", ERR_INVALID, 1, 3, "key must be a scalar", ""},
        {"a: {{ x }}\n", ERR_INVALID, 1, 5, "key must be a scalar", "in quotes"},
        {"a: &x [1]\n*x : 2\n", ERR_INVALID, 2, 1, "key must be a scalar", ""},
        {"a: *none\n", ERR_INVALID, 1, 4, "unknown anchor \"none\"", ""},
        {"--- &x 1\n--- *x\n", ERR_INVALID, 2, 1, "a second document", ""},
        {"a: &x [*x]\n", ERR_INVALID, 1, 8, "anchor \"x\" contains itself", ""},
        {"a: &x {b: {c: *x}}\n", ERR_INVALID, 1, 15, "anchor \"x\" contains itself", ""},
        {"<<: 5\n", ERR_INVALID, 1, 5, "must have a mapping", ""},
        {"<<: [5]\n", ERR_INVALID, 1, 6, "must have a mapping", ""},
        {"a: 1\n---\nb: 2\n", ERR_INVALID, 2, 1, "a second document begins here", ""},
        {"a:\n\t- b\n", ERR_INVALID, 2, 1, "cannot start any token", "tabs"},
        {"a: @x\n", ERR_INVALID, 1, 4, "cannot start any token", "quotes"},
        {"a: b: c\n", ERR_INVALID, 1, 5, "mapping values are not allowed", "quotes"},
        {"a: 'x\n", ERR_INVALID, 1, 4, "end of stream", "closing quote"},
        {"a: [1\nb: 2\n", ERR_INVALID, 2, 2, "did not find expected ',' or ']'", "closing ]"},

        {"a: 1\n  b: 2\n", ERR_INVALID, 2, 4, "mapping values", ""},
        {"\xc3\xa4: \xe2\x82\xac [\n\xc3\xa4: *x", ERR_INVALID, 2, 0, "", ""},
        {"\xc3\xa4: [\xe2\x82\xac, *x]", ERR_INVALID, 1, 11, "unknown anchor", ""},
        {"a: \xff\n", ERR_INVALID, 1, 4, "not UTF-8", ""},
        {"a: 1\nb: \x01\n", ERR_INVALID, 2, 4, "control characters", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a ARENA_CLEANUP;
        arena_init(&a, 0);
        struct err err = {0};
        struct yaml_node *root = NULL;
        bool ok = yaml_parse(str_from_z(rows[i].text), &a, &root, &err);
        if (ok || root || err.kind != rows[i].kind || err.pos.line != rows[i].line ||
            (rows[i].col && err.pos.col != rows[i].col) || !strstr(err.msg, rows[i].msg) ||
            !strstr(err.hint, rows[i].hint))
            fail_msg("row %zu %s: %d %u:%u %s (%s)", i, rows[i].text, ok, err.pos.line, err.pos.col,
                     err.msg, err.hint);
    }
}

static void limit_is(str text, const char *msg)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node *root = NULL;
    assert_false(yaml_parse(text, &a, &root, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.msg, msg));
}

static void limits(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    for (int i = 0; i <= YAML_DEPTH_MAX; i++)
        strbuf_addc(&b, '[');
    limit_is(strbuf_str(&b), "nested deeper");

    /* Depth by aliases: each level holds the one before. */
    strbuf_clear(&b);
    strbuf_addz(&b, "- &a0 x\n");
    for (int i = 1; i <= YAML_DEPTH_MAX; i++)
        strbuf_addf(&b, "- &a%d [*a%d]\n", i, i - 1);
    limit_is(strbuf_str(&b), "nested deeper");

    strbuf_clear(&b);
    strbuf_addz(&b, "- &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i <= 9; i++) {
        strbuf_addf(&b, "- &a%d [", i);
        for (int k = 0; k < 9; k++)
            strbuf_addf(&b, "*a%d,", i - 1);
        strbuf_addz(&b, "]\n");
    }
    limit_is(strbuf_str(&b), "aliases bring in");

    strbuf_clear(&b);
    strbuf_addz(&b, "[");
    for (int i = 0; i <= YAML_NODES_MAX; i++)
        strbuf_addz(&b, "x,");
    limit_is(strbuf_str(&b), "values in one file");

    limit_is(str_of("", (size_t)YAML_BYTES_MAX + 1), "longer than");
}

/* A large mapping uses the index: all keys found, a duplicate at its end seen. */
static void many_keys(void **state)
{
    struct strbuf b STRBUF_CLEANUP = {0};
    for (int i = 0; i < 20000; i++)
        strbuf_addf(&b, "k%d: %d\n", i, i);
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node *root = NULL;
    assert_true(yaml_parse(strbuf_str(&b), &a, &root, &err));
    assert_int_equal(root->n, 20000);
    assert_true(str_eqz(yaml_get(root, STR("k17"))->value, "17"));
    assert_int_equal(root->pairs[19999].key->pos.line, 20000);
    strbuf_addz(&b, "k16: again\n");
    assert_false(yaml_parse(strbuf_str(&b), &a, &root, &err));
    assert_non_null(strstr(err.msg, "already set at 17:1"));
}

static void positions(void **state)
{
    str text = STR("job: x\n\xc3\xa4: { k: 'v' }\nlist:\n  - one\n  - two: &t 2\nlast: *t\n");
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node *root = NULL;
    assert_true(yaml_parse(text, &a, &root, &err));
    const struct yaml_node *map = root->pairs[1].value, *list = root->pairs[2].value;
    const struct {
        struct pos pos;
        uint32_t line, col;
    } rows[] = {
        {root->pos, 1, 1},
        {root->pairs[0].value->pos, 1, 6},
        {root->pairs[1].key->pos, 2, 1},
        {map->pos, 2, 5},
        {map->pairs[0].key->pos, 2, 7},
        {map->pairs[0].value->pos, 2, 10},
        {list->pos, 4, 3},
        {list->items[0]->pos, 4, 5},
        {list->items[1]->pos, 5, 5},
        {root->pairs[3].value->pos, 5, 10},
        {root->pairs[3].pos, 6, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rows[i].pos.line, rows[i].line);
        assert_int_equal(rows[i].pos.col, rows[i].col);
    }
}

static void value_positions(void **state)
{
    str text =
        STR("a: up == 0\nb: 'up == 0'\nc: |\n    up\n      == 0\n\n    and x\nd: >\n  a\n  b\n"
            "e: \"a\\nb\"\nf: !t up\n");
    static const struct {
        const char *key;
        size_t offset;
        uint32_t line, col;
    } rows[] = {
        {"a", 0, 1, 4}, {"a", 3, 1, 7},  {"b", 3, 2, 8},  {"c", 0, 4, 5},
        {"c", 3, 5, 5}, {"c", 5, 5, 7},  {"c", 11, 7, 5}, {"c", 15, 7, 9},
        {"d", 2, 8, 4}, {"e", 2, 11, 4}, {"f", 1, 12, 8}, {"a", 99, 1, 11},
    };
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node *root = NULL;
    assert_true(yaml_parse(text, &a, &root, &err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct yaml_node *n = yaml_get(root, str_from_z(rows[i].key));
        struct pos pos = yaml_value_pos(n, text, rows[i].offset);
        if (pos.line != rows[i].line || pos.col != rows[i].col)
            fail_msg("row %zu: %u:%u", i, pos.line, pos.col);
    }
}

static void meaning(void **state)
{
    str text = STR("[~, null, , '', '~', !!str ~, ! null, !!null x, nul, {}, \"\"]");
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node *root = NULL;
    assert_false(yaml_parse(text, &a, &root, &err)); /* an empty item in [] is an error */
    text = STR("[~, null, '', '~', !!str ~, ! null, !!null x, nul, {}]");
    assert_true(yaml_parse(text, &a, &root, &err));
    static const bool null[] = {true, true, false, false, false, false, true, false, false};
    assert_int_equal(root->n, sizeof null);
    for (size_t i = 0; i < root->n; i++)
        assert_int_equal(yaml_is_null(root->items[i]), null[i]);
    assert_true(yaml_is_null(NULL));
}

static void documents(void **state)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    struct err err = {0};
    struct yaml_node **docs = NULL;
    size_t n = 9;
    assert_true(yaml_parse_all(STR("a: 1\n---\n- 2\n...\n---\n"), &a, &docs, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(docs[1]->kind, YAML_SEQUENCE);
    assert_true(yaml_is_null(docs[2]));
    assert_true(yaml_parse_all(STR(""), &a, &docs, &n, &err));
    assert_int_equal(n, 0);
    /* Anchors end with their document. */
    assert_false(yaml_parse_all(STR("&x 1\n---\n*x\n"), &a, &docs, &n, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees),     cmocka_unit_test(mistakes),        cmocka_unit_test(limits),
        cmocka_unit_test(many_keys), cmocka_unit_test(positions),       cmocka_unit_test(documents),
        cmocka_unit_test(meaning),   cmocka_unit_test(value_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
