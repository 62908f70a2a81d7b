// SPDX-License-Identifier: Apache-2.0
/* `nunchi db verify`: is everything in a storage directory whole? */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/db_int.h"
#include "tsdb/verify.h"

struct findings {
    struct strbuf *out;
};

static void on_finding(void *arg, str path, uint64_t off, const char *what)
{
    struct findings *f = arg;
    strbuf_addf(f->out, "%.*s", STR_ARG(path));
    if (off)
        strbuf_addf(f->out, ", byte %" PRIu64, off);
    strbuf_addf(f->out, ": %s\n", what);
}

static void add_summary(struct strbuf *out, const struct verify_report *r)
{
    char samples[DB_COUNT_MAX], series[DB_COUNT_MAX], records[DB_COUNT_MAX];
    strbuf_addf(out,
                "%" PRIu64 " parts with %s series and %s samples, %" PRIu64
                " segments of the WAL with %s records: ",
                r->parts, db_count(r->series, series), db_count(r->samples, samples),
                r->wal_segments, db_count(r->wal_records, records));
    if (r->findings)
        strbuf_addf(out, "%" PRIu64 " findings\n", r->findings);
    else
        strbuf_addz(out, "all whole\n");
    if (r->findings > VERIFY_FINDINGS_MAX)
        strbuf_addf(out, "only the first %d findings are shown\n", VERIFY_FINDINGS_MAX);
    if (r->wal_torn)
        strbuf_addf(out,
                    "%" PRIu64
                    " ends of the WAL are torn, as a crash or a running server leaves them; "
                    "nothing there was acknowledged\n",
                    r->wal_torn);
    if (r->quarantined)
        strbuf_addf(out, "quarantine/ has %" PRIu64 " files that were put away earlier\n",
                    r->quarantined);
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    STRBUF_CLEANUP struct strbuf out = {0};
    struct findings f = {.out = &out};
    struct verify_report r;
    struct err err;
    arena_init(&a, 0);
    if (!db_args(self, args, args_n, 1, &err) || !db_place_open(args[0], false, &a, &place, &err) ||
        !tsdb_verify(&place.env, place.dir, on_finding, &f, &r, &err))
        return cmd_fail(&err);
    add_summary(&out, &r);
    if (!db_write_out(&out, &err))
        return cmd_fail(&err);
    return r.findings ? 1 : 0;
}

const struct command cmd_db_verify = {
    .name = "db verify",
    .args = "DIR",
    .summary = "check every checksum and every block of a storage directory",
    .text =
        "Reads the catalog, all parts and the WAL behind them, decodes everything, and prints what "
        "is damaged with\nits file and place. Changes nothing, also beside a running server. "
        "Exits with 1 when there was a finding.",
    .run = run,
};
