// SPDX-License-Identifier: Apache-2.0
/* `nunchi db import`: brings the data of another program into a storage directory. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/db_import_int.h"

enum { FROM, SKIP_WAL };

static const struct option_row options[] = {
    [FROM] = {"from", OPTION_TEXT, "prometheus|openmetrics|victoriametrics", NULL,
              "What PATH is: a data directory, a snapshot or a block of Prometheus; OpenMetrics "
              "text in which each sample has a time; lines of VictoriaMetrics' /api/v1/export."},
    [SKIP_WAL] = {"skip-wal", OPTION_BOOL, NULL, NULL,
                  "Import the blocks of a Prometheus directory without the newest samples, which "
                  "are in its wal/ only."},
};

static const struct {
    const char *name;
    bool (*read)(struct importer *i, const char *path, struct err *err);
} kinds[] = {
    {"prometheus", import_prometheus},
    {"openmetrics", import_openmetrics},
    {"victoriametrics", import_victoriametrics},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static bool kind_of(const struct option_value *v, size_t *out, struct err *err)
{
    for (*out = 0; *out < KINDS; ++*out)
        if (str_eqz(v->text, kinds[*out].name))
            return true;
    return err_set(err, ERR_INVALID,
                   v->given ? "--from is \"%.*s\", expected prometheus, openmetrics or "
                              "victoriametrics"
                            : "--from%.*s is missing: prometheus, openmetrics or victoriametrics",
                   STR_ARG(v->text));
}

static bool import_all(struct tsdb *db, struct importer *i, size_t kind, const char *path,
                       struct err *err)
{
    i->im = tsdb_import_begin(db, err);
    if (!i->im)
        return false;
    bool ok = kinds[kind].read(i, path, err);
    db_progress_end(&i->progress);
    if (ok)
        return tsdb_import_commit(i->im, err);
    tsdb_import_abort(i->im);
    return false;
}

static void say(const struct importer *i)
{
    char a[DB_COUNT_MAX], b[DB_COUNT_MAX];
    printf("imported %s samples in %" PRIu64 " part%s\n", db_count(i->samples, a), i->parts,
           i->parts == 1 ? "" : "s");
    if (i->duplicates)
        printf("%s samples had the time of an earlier one and were left out\n",
               db_count(i->duplicates, b));
    if (i->deleted)
        printf("%s samples had been deleted there and were left out\n", db_count(i->deleted, b));
    if (i->left_out.n)
        fputs(i->left_out.p, stderr);
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    struct importer i = {.skip_wal = values[SKIP_WAL].on};
    struct err err;
    size_t kind;
    arena_init(&a, 0);
    if (!db_args(self, args, args_n, 2, &err) || !kind_of(&values[FROM], &kind, &err) ||
        !db_place_open(args[0], true, &a, &place, &err))
        return cmd_fail(&err);
    struct tsdb *db = db_open(&place, false, &err);
    bool ok = db && import_all(db, &i, kind, args[1], &err);
    if (db)
        tsdb_close(db);
    if (ok)
        say(&i);
    strbuf_fini(&i.left_out);
    return ok ? 0 : cmd_fail(&err);
}

const struct command cmd_db_import = {
    .name = "db import",
    .args = "DIR PATH",
    .summary = "bring the data of Prometheus or VictoriaMetrics into a storage directory",
    .text =
        "DIR is what a server gets as --storage.path; no server may be using it. It may be new, or "
        "hold data\nalready: of two samples with one time the one that was there stays. PATH \"-\" "
        "is standard input, but\nfor Prometheus. Either all of it is imported or, after an error, "
        "nothing. The server deletes what is\nolder than its retention.",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
    .run = run,
};
