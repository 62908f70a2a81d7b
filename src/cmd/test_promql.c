// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cmd/cmd.h"
#include "promql/promql.h"
#include "promql/script.h"
#include "sys/file.h"

enum { SCRIPT_BYTES_MAX = 16 << 20, SCRIPTS_MAX = 10000 };

static const struct option_row options[] = {
    {"enable-feature", OPTION_LIST, "NAME,...", NULL,
     "metricsql: what MetricsQL adds to the language. Upstream's features are on."},
};

struct totals {
    unsigned features;
    size_t passed, failed;
};

static bool run_file(str path, struct totals *totals, struct err *err)
{
    ARENA_CLEANUP struct arena arena;
    struct promql_script_report r = {0};
    str text;
    arena_init(&arena, 0);
    if (!file_read(arena_dup(&arena, path).p, SCRIPT_BYTES_MAX, &arena, &text, err))
        return false;
    promql_script_run(path, text, totals->features, &r);
    fputs(r.failures.p ? r.failures.p : "", stdout);
    totals->passed += r.passed;
    totals->failed += r.failed;
    promql_script_report_fini(&r);
    return true;
}

/* A file, or the *.test files of a directory. */
static bool run_argument(const char *arg, struct totals *totals, struct err *err)
{
    ARENA_CLEANUP struct arena arena;
    str *files;
    size_t n;
    arena_init(&arena, 0);
    size_t end = strlen(arg);
    while (end > 1 && arg[end - 1] == '/')
        end--;
    str pattern = arena_printf(&arena, "%.*s/*.test", (int)end, arg);
    if (!file_glob(pattern.p, SCRIPTS_MAX, &arena, &files, &n, err))
        return false;
    if (!n)
        return run_file(str_from_z(arg), totals, err);
    for (size_t i = 0; i < n; i++) {
        if (!run_file(files[i], totals, err))
            return false;
    }
    return true;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    struct totals totals = {0};
    struct err err;
    if (!args_n) {
        err_set(&err, ERR_INVALID, "no script to run");
        err_hint(&err, "nunchi test promql FILE|DIR...");
        return cmd_fail(&err);
    }
    if (!cmd_promql_features(&values[0], &totals.features, &err))
        return cmd_fail(&err);
    for (size_t i = 0; i < args_n; i++) {
        if (!run_argument(args[i], &totals, &err))
            return cmd_fail(&err);
    }
    printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
    return totals.failed ? 1 : 0;
}

const struct command cmd_test_promql = {
    .name = "test promql",
    .args = "FILE|DIR...",
    .summary = "run scripts in the test language of Prometheus",
    .text =
        "A script loads series and says what expressions over them must give (load, clear, eval "
        "instant,\neval range, expect). Of a directory, all files named *.test are run. Each "
        "failure is printed with\nits file and line. Exits with 1 when something failed.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
