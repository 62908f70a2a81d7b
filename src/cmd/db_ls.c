// SPDX-License-Identifier: Apache-2.0
/* `nunchi db ls`: what a storage directory consists of. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/db_int.h"
#include "codec/date.h"
#include "store/catalog.h"
#include "store/wal.h"

struct wal_span {
    uint64_t records, first, last;
};

static bool see_record(void *arg, const struct wal_record *r, struct err *err)
{
    struct wal_span *w = arg;
    w->first = w->records++ ? w->first : r->lsn;
    w->last = r->lsn;
    return true;
}

static void add_time(struct strbuf *out, const struct part_info *i, ts_ms t)
{
    char text[DATE_TEXT_MAX];
    size_t n = i->min_t <= i->max_t ? date_format_ms(t, text) : 0;
    strbuf_addf(out, "  %-24.*s", (int)n, text);
}

static void add_part(struct strbuf *out, struct part *p)
{
    const struct part_info *i = part_info(p);
    char series[DB_COUNT_MAX], samples[DB_COUNT_MAX], size[DB_COUNT_MAX];
    uint64_t file = part_blob(p)->size;
    strbuf_addf(out, "%016" PRIx64 "  %5" PRIu32, i->id, i->level);
    add_time(out, i, i->min_t);
    add_time(out, i, i->max_t);
    strbuf_addf(out, "  %11s  %15s  %15s", db_count(i->series, series),
                db_count(i->samples, samples), db_count(file, size));
    if (i->samples)
        strbuf_addf(out, "  %8.3f", (double)file / (double)i->samples);
    else
        strbuf_addf(out, "  %8s", "");
    strbuf_addf(out, "  %" PRIu64 "..%" PRIu64 "\n", i->wal_from, i->wal_to);
}

static bool add_wal(struct strbuf *out, struct db_place *place, uint64_t covered, struct arena *a,
                    struct err *err)
{
    struct wal_span w = {0};
    struct wal_recovery found;
    char records[DB_COUNT_MAX], size[DB_COUNT_MAX];
    struct wal_options o = {.env = &place->env,
                            .dir = arena_printf(a, "%.*s/wal", STR_ARG(place->dir))};
    if (!wal_read(&o, covered, see_record, &w, &found, err))
        return false;
    strbuf_addf(out, "\nWAL: %" PRIu64 " segments, %s records, %s bytes", found.segments,
                db_count(w.records, records), db_count(found.bytes, size));
    if (w.records)
        strbuf_addf(out, ", positions %" PRIu64 "..%" PRIu64, w.first, w.last + 1);
    strbuf_addf(out, "; parts cover what is before %" PRIu64 "\n", covered);
    return true;
}

static bool list(struct db_place *place, struct strbuf *out, struct err *err)
{
    ARENA_CLEANUP struct arena a;
    struct catalog_recovery found;
    struct part *const *parts;
    struct catalog_options o = {
        .disk = place->env.disk, .dir = place->dir, .kind = PART_KIND_METRICS, .read_only = true};
    struct catalog *c = catalog_open(&o, &found, err);
    if (!c)
        return false;
    arena_init(&a, 0);
    size_t n = catalog_parts(c, &parts);
    strbuf_addf(out, "%-16s  %5s  %-24s  %-24s  %11s  %15s  %15s  %8s  %s\n", "part", "level",
                "from", "to", "series", "samples", "bytes", "B/sample", "WAL positions");
    for (size_t i = 0; i < n; i++)
        add_part(out, parts[i]);
    bool ok = add_wal(out, place, catalog_wal_covered(c), &a, err);
    if (found.quarantined)
        strbuf_addf(out, "%" PRIu64 " parts are unreadable; nunchi db verify says why\n",
                    found.quarantined);
    catalog_close(c);
    return ok;
}

static int run(const struct command *self, const struct option_value *values, char **args,
               size_t args_n)
{
    ARENA_CLEANUP struct arena a;
    DB_PLACE_CLEANUP struct db_place place = {0};
    STRBUF_CLEANUP struct strbuf out = {0};
    struct err err;
    arena_init(&a, 0);
    if (!db_args(self, args, args_n, 1, &err) || !db_place_open(args[0], false, &a, &place, &err) ||
        !list(&place, &out, &err) || !db_write_out(&out, &err))
        return cmd_fail(&err);
    return 0;
}

const struct command cmd_db_ls = {
    .name = "db ls",
    .args = "DIR",
    .summary = "list the parts and the WAL of a storage directory",
    .text =
        "DIR is a server's --storage.path or a snapshot. Works beside a running server and changes "
        "nothing.\nA part covers the records of the WAL that its last column names; what lies "
        "behind all of them is in\nthe WAL only.",
    .run = run,
};
