// SPDX-License-Identifier: Apache-2.0
/* Help and man pages, both from the table of commands. */
#include <stdio.h>

#include "cmd/cmd.h"

static void option_left(const struct option_row *row, struct strbuf *out)
{
    strbuf_addf(out, "--%s%s%s", row->name, row->arg ? " " : "", row->arg ? row->arg : "");
}

enum { LEFT_WIDTH = 38, LINE_WIDTH = 96 };

/* Breaks `text` into lines of at most LINE_WIDTH, each after `indent` spaces. */
static void wrap(str text, size_t indent, struct strbuf *out)
{
    size_t col = indent;
    str word;
    for (bool first = true; str_cut(&text, ' ', &word); first = false) {
        if (!first && col + 1 + word.n > LINE_WIDTH) {
            strbuf_addf(out, "\n%*s", (int)indent, "");
            col = indent;
        } else if (!first) {
            strbuf_addc(out, ' ');
            col++;
        }
        strbuf_add(out, word);
        col += word.n;
    }
    strbuf_addc(out, '\n');
}

static void option_help(const struct option_row *row, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf left = {0}, right = {0};
    option_left(row, &left);
    strbuf_addz(&right, row->help);
    if (row->initial && row->initial[0])
        strbuf_addf(&right, " Default: %s.", row->initial);
    if (row->kind == OPTION_LIST)
        strbuf_addz(&right, " May be given several times.");
    strbuf_addf(out, "  %-*s", LEFT_WIDTH - 2, left.p);
    if (left.n + 3 > LEFT_WIDTH)
        strbuf_addf(out, "\n%*s", LEFT_WIDTH, "");
    wrap(strbuf_str(&right), LEFT_WIDTH, out);
}

static void command_line(const struct command *c, struct strbuf *out)
{
    strbuf_addf(out, "  %-16s %s\n", c->name, c->summary);
}

size_t cmd_group_format(str group, struct strbuf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < commands_n; i++) {
        str name = str_from_z(commands[i]->name);
        if (name.n <= group.n || !str_starts(name, group) || name.p[group.n] != ' ')
            continue;
        n++;
        if (out)
            command_line(commands[i], out);
    }
    return n;
}

#define EXIT_STATUS                                                                                \
    "The exit status is 0 when all was well, and 1 when something failed or was refused."

static void overview(struct strbuf *out)
{
    strbuf_addz(out, "nunchi watches systems: metrics, logs, checks and alerts in one program.\n\n"
                     "Usage: nunchi COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n");
    for (size_t i = 0; i < commands_n; i++)
        command_line(commands[i], out);
    strbuf_addz(out,
                "\nStart with \"nunchi server\": it needs no configuration, watches this host and "
                "prints the\naddress of a page that shows it. \"nunchi help COMMAND\" tells "
                "more.\n" EXIT_STATUS "\n");
}

void cmd_help_format(const struct command *c, struct strbuf *out)
{
    if (!c) {
        overview(out);
        return;
    }
    strbuf_addf(out, "nunchi %s: %s\n\nUsage: nunchi %s%s%s%s\n\n", c->name, c->summary, c->name,
                c->options_n ? " [FLAGS]" : "", c->args[0] ? " " : "", c->args);
    strbuf_addf(out, "%s\n", c->text);
    if (c->options_n)
        strbuf_addz(out, "\nFlags:\n");
    for (size_t i = 0; i < c->options_n; i++)
        option_help(&c->options[i], out);
}

/* Text for roff: backslashes, dashes and leading dots would otherwise be commands. */
static void roff_add(struct strbuf *out, const char *z)
{
    for (const char *p = z; *p; p++) {
        if (*p == '\\' || *p == '-')
            strbuf_addc(out, '\\');
        if ((*p == '.' || *p == '\'') && (p == z || p[-1] == '\n'))
            strbuf_addz(out, "\\&");
        strbuf_addc(out, *p);
    }
}

static void man_overview(struct strbuf *out)
{
    strbuf_addf(out,
                ".TH NUNCHI 1 \"\" \"nunchi %s\"\n.SH NAME\nnunchi \\- watch systems: metrics, "
                "logs, checks and alerts in one program\n.SH SYNOPSIS\n.B nunchi\n.I COMMAND\n"
                "[FLAGS] [ARGUMENTS]\n.SH COMMANDS\n",
                NUNCHI_VERSION);
    for (size_t i = 0; i < commands_n; i++) {
        strbuf_addf(out, ".TP\n.B %s\n", commands[i]->name);
        roff_add(out, commands[i]->summary);
        strbuf_addc(out, '\n');
    }
    strbuf_addz(out, ".SH EXIT STATUS\n" EXIT_STATUS "\n");
}

void cmd_man_format(const struct command *c, struct strbuf *out)
{
    if (!c) {
        man_overview(out);
        return;
    }
    strbuf_addz(out, ".TH NUNCHI\\-");
    for (const char *p = c->name; *p; p++)
        strbuf_addc(out, *p == ' ' ? '-' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p));
    strbuf_addf(out, " 1 \"\" \"nunchi %s\"\n.SH NAME\nnunchi %s \\- ", NUNCHI_VERSION, c->name);
    roff_add(out, c->summary);
    strbuf_addf(out, "\n.SH SYNOPSIS\n.B nunchi %s\n%s%s\n.SH DESCRIPTION\n", c->name,
                c->options_n ? "[FLAGS] " : "", c->args);
    roff_add(out, c->text);
    strbuf_addz(out, c->options_n ? "\n.SH FLAGS\n" : "\n");
    for (size_t i = 0; i < c->options_n; i++) {
        STRBUF_CLEANUP struct strbuf left = {0};
        option_left(&c->options[i], &left);
        strbuf_addz(out, ".TP\n.B ");
        roff_add(out, left.p);
        strbuf_addc(out, '\n');
        roff_add(out, c->options[i].help);
        if (c->options[i].initial && c->options[i].initial[0]) {
            strbuf_addz(out, " Default: ");
            roff_add(out, c->options[i].initial);
            strbuf_addc(out, '.');
        }
        strbuf_addc(out, '\n');
    }
    strbuf_addz(out, ".SH EXIT STATUS\n" EXIT_STATUS "\n");
}

static const struct command *find(str name)
{
    for (size_t i = 0; i < commands_n; i++) {
        if (str_eqz(name, commands[i]->name))
            return commands[i];
    }
    return NULL;
}

enum { HELP_MAN };

static const struct option_row options[] = {
    [HELP_MAN] = {"man", OPTION_BOOL, NULL, NULL, "Print the man page in roff instead."},
};

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    STRBUF_CLEANUP struct strbuf name = {0}, out = {0};
    for (size_t i = 0; i < args_n; i++)
        strbuf_addf(&name, "%s%s", i ? " " : "", args[i]);
    const struct command *c = find(strbuf_str(&name));
    if (args_n && !c && cmd_group_format(strbuf_str(&name), &out)) {
        fputs(out.p, stdout);
        return 0;
    }
    if (args_n && !c) {
        struct err err;
        err_set(&err, ERR_NOT_FOUND, "no command \"%s\" to help with", name.p);
        err_hint(&err, "\"nunchi help\" lists the commands");
        return cmd_fail(&err);
    }
    if (values && values[HELP_MAN].on)
        cmd_man_format(c, &out);
    else
        cmd_help_format(c, &out);
    fputs(out.p, stdout);
    return 0;
}

const struct command cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "explain a command and its flags",
    .text = "Without an argument, lists the commands.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
