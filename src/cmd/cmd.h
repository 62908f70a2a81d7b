// SPDX-License-Identifier: Apache-2.0
/*
 * Subcommands: one file each, one row in the table of main.c. The rows and the options' tables are
 * the only copy of what exists: help, suggestions and man pages come from them.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

enum option_kind { OPTION_TEXT, OPTION_BOOL, OPTION_LIST };

struct option_row {
    const char *name; /* without the dashes: "config.file" */
    enum option_kind kind;
    const char *arg;     /* what to write after it in the help: "FILE"; NULL for OPTION_BOOL */
    const char *initial; /* default, NULL: none */
    const char *help;    /* one sentence */
};

/* The options of one run, in the order of their table. */
struct option_value {
    str text; /* last value given, or the default */
    bool given;
    bool on;   /* OPTION_BOOL */
    str *list; /* OPTION_LIST, in the order given */
    size_t list_n;
};

struct command {
    const char *name;    /* "server", "check config" */
    const char *args;    /* "FILE", "" */
    const char *summary; /* one line, lower case */
    const char *text;    /* paragraphs for `nunchi help NAME` and the man page */
    const struct option_row *options;
    size_t options_n;
    int (*run)(const struct command *self, const struct option_value *options, char **args,
               size_t args_n);
};

extern const struct command cmd_server, cmd_check_config, cmd_db_dump, cmd_db_import, cmd_db_ls,
    cmd_db_restore, cmd_db_stat, cmd_db_verify, cmd_explain, cmd_format, cmd_query, cmd_test_promql,
    cmd_version, cmd_help;
extern const struct command *const commands[];
extern const size_t commands_n;

/* "error: ..." and its hint on stderr; returns 1 for main to return. */
int cmd_fail(const struct err *err);

/* A selector of PromQL alone; conf_input.selector. */
bool cmd_check_selector(str text, struct err *err);

/*
 * The commands whose name begins with the word `group` ("db": "db ls", ...), one line each, as the
 * overview lists them; their number. `out` may be NULL.
 */
size_t cmd_group_format(str group, struct strbuf *out);

/* --enable-feature of the tools: parts of the language, enum promql_feature or-ed to `out`. */
bool cmd_promql_features(const struct option_value *v, unsigned *out, struct err *err);

/* Help of everything (NULL) or of one command; man page text in roff. */
void cmd_help_format(const struct command *c, struct strbuf *out);
void cmd_man_format(const struct command *c, struct strbuf *out);

/*
 * Reads `--name value`, `--name=value`, `--no-name`, `--` and positional arguments. `values` has
 * one element per row. An unknown flag is ERR_INVALID with a suggestion.
 */
bool cmd_options_parse(const struct command *c, char **argv, size_t argc, struct arena *a,
                       struct option_value *values, char ***args, size_t *args_n, struct err *err);

#endif
