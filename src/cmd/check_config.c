// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cmd/cmd.h"
#include "conf/conf.h"
#include "promql/promql.h"

enum { KIND, STRICT };

static const struct option_row options[] = {
    [KIND] =
        {"kind", OPTION_TEXT, "prometheus|nunchi|web", NULL,
         "What the file is. Without it, a file called nunchi.yml is ours, one called web.yml or "
         "web-config.yml is for --web.config.file, and any other is a prometheus.yml."},
    [STRICT] = {"strict", OPTION_BOOL, NULL, NULL,
                "Refuse valid keys whose behaviour is not built yet, instead of a warning."},
};

static enum conf_kind kind_by_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    str name = str_from_z(slash ? slash + 1 : path);
    if (str_starts(name, STR("nunchi.")))
        return CONF_KIND_NUNCHI;
    if (str_starts(name, STR("web.")) || str_starts(name, STR("web-config.")))
        return CONF_KIND_WEB;
    return CONF_KIND_PROMETHEUS;
}

static bool kind_of(str kind, const char *path, enum conf_kind *out, struct err *err)
{
    static const struct {
        const char *name;
        enum conf_kind kind;
    } kinds[] = {
        {"prometheus", CONF_KIND_PROMETHEUS}, {"nunchi", CONF_KIND_NUNCHI}, {"web", CONF_KIND_WEB}};
    *out = kind_by_name(path);
    if (!kind.n)
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        *out = kinds[i].kind;
        if (str_eqz(kind, kinds[i].name))
            return true;
    }
    return err_set(err, ERR_INVALID, "--kind is \"%.*s\", expected prometheus, nunchi or web",
                   STR_ARG(kind));
}

bool cmd_check_selector(str text, struct err *err)
{
    struct promql_expr *e = promql_parse_selector(text, err);
    promql_expr_free(e);
    return e != NULL;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    struct err err;
    bool ok = true;
    if (!args_n) {
        err_set(&err, ERR_INVALID, "no file to check");
        err_hint(&err, "nunchi check config FILE");
        return cmd_fail(&err);
    }
    for (size_t i = 0; i < args_n; i++) {
        STRBUF_CLEANUP struct strbuf report = {0};
        enum conf_kind kind = CONF_KIND_PROMETHEUS;
        if (!kind_of(values[KIND].text, args[i], &kind, &err))
            return cmd_fail(&err);
        struct conf_input in = {
            .path = args[i], .strict = values[STRICT].on, .selector = cmd_check_selector};
        bool good = conf_check(&in, kind, &report);
        fputs(report.p ? report.p : "", good ? stdout : stderr);
        ok = ok && good;
    }
    return ok ? 0 : 1;
}

const struct command cmd_check_config = {
    .name = "check config",
    .args = "FILE...",
    .summary = "validate configuration files",
    .text =
        "Reads each file as the server would and prints every error with its place in the file. "
        "Exits with 1\nwhen a file could not be used.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
