// SPDX-License-Identifier: Apache-2.0
/* The entry point: finds the subcommand in the table and runs it. */
#include <stdio.h>

#include "cmd/cmd.h"

const struct command *const commands[] = {
    &cmd_server,    &cmd_check_config, &cmd_db_ls,      &cmd_db_verify, &cmd_db_dump,
    &cmd_db_import, &cmd_db_stat,      &cmd_db_restore, &cmd_explain,   &cmd_format,
    &cmd_query,     &cmd_test_promql,  &cmd_version,    &cmd_help};
const size_t commands_n = sizeof commands / sizeof commands[0];

/*
 * Read by jemalloc (MALLOC_CONF overrides it). Memory of a batch is taken by one thread and given
 * back by another; with the default of four arenas for each CPU every arena keeps its own holes.
 * docs/decisions/0009 has the figures.
 */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";

/* Number of arguments that name the command; 0 when they do not. */
static size_t words_matched(const char *name, char **argv, size_t argc)
{
    str rest = str_from_z(name), word;
    size_t n = 0;
    while (str_cut(&rest, ' ', &word)) {
        if (n >= argc || !str_eqz(word, argv[n]))
            return 0;
        n++;
    }
    return n;
}

static const struct command *command_find(char **argv, size_t argc, size_t *words)
{
    const struct command *best = NULL;
    *words = 0;
    for (size_t i = 0; i < commands_n; i++) {
        size_t n = words_matched(commands[i]->name, argv, argc);
        if (n > *words) {
            best = commands[i];
            *words = n;
        }
    }
    return best;
}

static int fail_unknown(const char *word)
{
    struct err err;
    str names[32];
    for (size_t i = 0; i < commands_n; i++)
        names[i] = str_from_z(commands[i]->name);
    STRBUF_CLEANUP struct strbuf group = {0};
    if (cmd_group_format(str_from_z(word), &group)) {
        err_set(&err, ERR_INVALID, "\"%s\" is the first word of a command; say which", word);
        int code = cmd_fail(&err);
        fputs(group.p, stderr);
        return code;
    }
    err_set(&err, ERR_INVALID, "unknown command \"%s\"", word);
    str near = str_nearest(str_from_z(word), names, commands_n);
    if (near.n)
        err_hint(&err, "did you mean \"nunchi %.*s\"?", STR_ARG(near));
    else
        err_hint(&err, "\"nunchi help\" lists the commands");
    return cmd_fail(&err);
}

static int run(const struct command *c, char **argv, size_t argc)
{
    ARENA_CLEANUP struct arena arena;
    struct err err;
    char **args = NULL;
    size_t args_n = 0;
    arena_init(&arena, 0);
    struct option_value *values = arena_array(&arena, struct option_value, c->options_n + 1);
    for (size_t i = 0; i < argc; i++) {
        if (str_eqz(str_from_z(argv[i]), "--help") || str_eqz(str_from_z(argv[i]), "-h")) {
            STRBUF_CLEANUP struct strbuf out = {0};
            cmd_help_format(c, &out);
            fputs(out.p, stdout);
            return 0;
        }
    }
    if (!cmd_options_parse(c, argv, argc, &arena, values, &args, &args_n, &err))
        return cmd_fail(&err);
    return c->run(c, values, args, args_n);
}

int main(int argc, char **argv)
{
    size_t words;
    if (argc < 2)
        return run(&cmd_help, argv + 1, 0);
    if (str_eqz(str_from_z(argv[1]), "--help") || str_eqz(str_from_z(argv[1]), "-h"))
        return run(&cmd_help, argv + 2, 0);
    if (str_eqz(str_from_z(argv[1]), "--version"))
        return run(&cmd_version, argv + 2, 0);
    const struct command *c = command_find(argv + 1, (size_t)argc - 1, &words);
    if (!c)
        return fail_unknown(argv[1]);
    return run(c, argv + 1 + words, (size_t)argc - 1 - words);
}
