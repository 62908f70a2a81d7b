// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "cmd/cmd.h"

enum { FILE_FLAG, LIST, ON, OFF };

static const struct option_row rows[] = {
    [FILE_FLAG] = {"config.file", OPTION_TEXT, "FILE", "a.yml", "A file."},
    [LIST] = {"web.listen-address", OPTION_LIST, "ADDRESS", NULL, "Addresses."},
    [ON] = {"web.enable", OPTION_BOOL, NULL, NULL, "Off unless said."},
    [OFF] = {"cache", OPTION_BOOL, NULL, "true", "On unless said."},
};
static const struct command command = {.name = "demo",
                                       .args = "",
                                       .summary = "s",
                                       .text = "t",
                                       .options = rows,
                                       .options_n = TESTS_N(rows)};
/* main.c has the real table. */
const struct command *const commands[] = {&command};
const size_t commands_n = 1;

static bool parse(char **argv, struct option_value *values, struct arena *a, size_t *args_n,
                  struct err *err)
{
    size_t argc = 0;
    char **args;
    while (argv[argc])
        argc++;
    return cmd_options_parse(&command, argv, argc, a, values, &args, args_n, err);
}

static void reads_every_form(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct option_value v[TESTS_N(rows)] = {0};
    struct err err;
    size_t args_n;
    char *argv[] = {(char[]){"--config.file=b.yml"},
                    (char[]){"--web.listen-address"},
                    (char[]){":1"},
                    (char[]){"--web.listen-address=:2"},
                    (char[]){"--web.enable"},
                    (char[]){"--no-cache"},
                    (char[]){"file"},
                    (char[]){"--"},
                    (char[]){"--not-a-flag"},
                    NULL};
    arena_init(&a, 0);
    assert_true(parse(argv, v, &a, &args_n, &err));
    assert_str(v[FILE_FLAG].text, STR("b.yml"));
    assert_int_equal(v[LIST].list_n, 2);
    assert_str(v[LIST].list[1], STR(":2"));
    assert_true(v[ON].on);
    assert_false(v[OFF].on);
    assert_int_equal(args_n, 2);
}

static void keeps_defaults(void **state)
{
    ARENA_CLEANUP struct arena a;
    struct option_value v[TESTS_N(rows)] = {0};
    struct err err;
    size_t args_n;
    char *argv[] = {NULL};
    arena_init(&a, 0);
    assert_true(parse(argv, v, &a, &args_n, &err));
    assert_str(v[FILE_FLAG].text, STR("a.yml"));
    assert_false(v[FILE_FLAG].given);
    assert_true(v[OFF].on);
    assert_false(v[ON].on);
}

static void refuses_with_a_hint(void **state)
{
    static const struct {
        const char *flag, *message, *hint;
    } cases[] = {
        {"--config.fil", "unknown flag \"--config.fil\"", "did you mean \"--config.file\"?"},
        {"--zzzzzzzz", "unknown flag \"--zzzzzzzz\"", "\"nunchi help demo\" lists the flags"},
        {"--config.file", "flag \"--config.file\" needs a value: FILE", ""},
        {"--web.enable=maybe", "flag \"--web.enable\" takes no value, got \"maybe\"", ""},
        {"--no-config.file", "unknown flag \"--no-config.file\"",
         "did you mean \"--config.file\"?"},
    };
    for (size_t i = 0; i < TESTS_N(cases); i++) {
        ARENA_CLEANUP struct arena a;
        struct option_value v[TESTS_N(rows)] = {0};
        struct err err;
        size_t args_n;
        char *argv[] = {strdup(cases[i].flag), NULL};
        arena_init(&a, 0);
        assert_false(parse(argv, v, &a, &args_n, &err));
        assert_string_equal(err.msg, cases[i].message);
        assert_string_equal(err.hint, cases[i].hint);
        free(argv[0]);
    }
}

static void prints_help_and_man_pages(void **state)
{
    STRBUF_CLEANUP struct strbuf help = {0}, man = {0};
    cmd_help_format(&command, &help);
    cmd_man_format(&command, &man);
    for (size_t i = 0; i < TESTS_N(rows); i++)
        assert_non_null(strstr(help.p, rows[i].name));
    assert_non_null(strstr(man.p, ".SH FLAGS"));
    assert_non_null(strstr(man.p, "\\-\\-config.file FILE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(keeps_defaults),
        cmocka_unit_test(refuses_with_a_hint),
        cmocka_unit_test(prints_help_and_man_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
