// SPDX-License-Identifier: Apache-2.0
/* Command line options, read by the table of the command. */
#include <stdio.h>

#include "base/vec.h"
#include "cmd/cmd.h"

int cmd_fail(const struct err *err)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    err_print(err, "error", STR(""), &out);
    fputs(out.p, stderr);
    return 1;
}

static bool unknown_flag(const struct command *c, str name, struct err *err)
{
    VEC(str) names = {0};
    for (size_t i = 0; i < c->options_n; i++)
        vec_push(&names, str_from_z(c->options[i].name));
    err_set(err, ERR_INVALID, "unknown flag \"--%.*s\"", STR_ARG(name));
    str near = str_nearest(name, names.at, names.n);
    if (near.n)
        err_hint(err, "did you mean \"--%.*s\"?", STR_ARG(near));
    else
        err_hint(err, "\"nunchi help %s\" lists the flags", c->name);
    vec_fini(&names);
    return false;
}

static const struct option_row *option_find(const struct command *c, str name, bool *negated)
{
    *negated = false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < c->options_n; i++) {
            const struct option_row *row = &c->options[i];
            bool may = pass == 0 || row->kind == OPTION_BOOL;
            if (may && str_eqz(name, row->name)) {
                *negated = pass == 1;
                return row;
            }
        }
        if (!str_starts(name, STR("no-")))
            return NULL;
        name = str_sub(name, 3, name.n);
    }
    return NULL;
}

static void list_add(struct option_value *v, str text, struct arena *a)
{
    str *longer = arena_array(a, str, v->list_n + 1);
    if (v->list_n)
        memcpy(longer, v->list, v->list_n * sizeof *longer);
    longer[v->list_n++] = text;
    v->list = longer;
}

static bool bool_set(struct option_value *v, str name, str text, bool has_value, bool negated,
                     struct err *err)
{
    bool known = !has_value || str_eqz(text, "true") || str_eqz(text, "false");
    if (!known || (has_value && negated))
        return err_set(err, ERR_INVALID, "flag \"--%.*s\" takes no value, got \"%.*s\"",
                       STR_ARG(name), STR_ARG(text));
    v->on = has_value ? str_eqz(text, "true") : !negated;
    v->given = true;
    return true;
}

/* Reads the flag at argv[*i], and its value when that is the next argument. */
static bool flag_parse(const struct command *c, char **argv, size_t argc, size_t *i,
                       struct arena *a, struct option_value *values, struct err *err)
{
    bool negated;
    str rest = str_from_z(argv[*i]), name;
    rest = str_sub(rest, 2, rest.n);
    ssize_t eq = str_index(rest, '=');
    name = eq < 0 ? rest : str_sub(rest, 0, (size_t)eq);
    str text = eq < 0 ? STR("") : str_sub(rest, (size_t)eq + 1, rest.n);
    const struct option_row *row = option_find(c, name, &negated);
    if (!row)
        return unknown_flag(c, name, err);
    struct option_value *v = &values[row - c->options];
    if (row->kind == OPTION_BOOL)
        return bool_set(v, name, text, eq >= 0, negated, err);
    if (eq < 0) {
        if (*i + 1 >= argc)
            return err_set(err, ERR_INVALID, "flag \"--%s\" needs a value: %s", row->name,
                           row->arg);
        text = str_from_z(argv[++*i]);
    }
    v->text = text;
    v->given = true;
    if (row->kind == OPTION_LIST)
        list_add(v, text, a);
    return true;
}

bool cmd_options_parse(const struct command *c, char **argv, size_t argc, struct arena *a,
                       struct option_value *values, char ***args, size_t *args_n, struct err *err)
{
    char **positional = arena_array(a, char *, argc + 1);
    size_t n = 0;
    bool flags_end = false;
    for (size_t i = 0; i < c->options_n; i++) {
        const struct option_row *row = &c->options[i];
        values[i].text = row->initial ? str_from_z(row->initial) : STR("");
        values[i].on = row->kind == OPTION_BOOL && str_eqz(values[i].text, "true");
    }
    for (size_t i = 0; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0)
            flags_end = true;
        else if (flags_end || strncmp(argv[i], "--", 2) != 0)
            positional[n++] = argv[i];
        else if (!flag_parse(c, argv, argc, &i, a, values, err))
            return false;
    }
    *args = positional;
    *args_n = n;
    return true;
}
