// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cmd/cmd.h"
#include "promql/promql.h"

static const struct option_row options[] = {
    {"enable-feature", OPTION_LIST, "NAME,...", NULL,
     "metricsql: understand what MetricsQL adds, too."},
};

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    struct promql_parse_options all = {.features = PROMQL_UPSTREAM_FEATURES};
    struct err err;
    if (!cmd_promql_features(&values[0], &all.features, &err))
        return cmd_fail(&err);
    if (args_n != 1) {
        err_set(&err, ERR_INVALID, args_n ? "more than one expression" : "no expression to format");
        err_hint(&err, "nunchi format 'sum by (job) (up)'");
        return cmd_fail(&err);
    }
    struct promql_expr *e = promql_parse(str_from_z(args[0]), &all, &err);
    if (!e) {
        err_print(&err, "error", str_from_z(args[0]), &out);
        fputs(out.p, stderr);
        return 1;
    }
    promql_pretty(e, PROMQL_PRETTY_WIDTH, &out);
    promql_expr_free(e);
    puts(out.p);
    return 0;
}

const struct command cmd_format = {
    .name = "format",
    .args = "EXPR",
    .summary = "check a PromQL expression and lay it out",
    .text =
        "Prints the expression in its canonical form, broken into indented lines where it is "
        "long. Parts of\nthe language that are behind a feature flag are understood. Exits with "
        "1 when the expression is\nwrong, and says where.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
