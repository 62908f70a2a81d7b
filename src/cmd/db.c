// SPDX-License-Identifier: Apache-2.0
/* Finding and opening a storage directory for the `nunchi db` commands. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/vec.h"
#include "cmd/db_int.h"
#include "codec/date.h"
#include "promql/promql.h"
#include "sys/file.h"

static bool exists(struct disk *d, const char *path)
{
    struct disk_info info;
    struct err ignored = {0};
    return d->ops->stat(d, str_from_z(path), &info, &ignored);
}

/* The engine's own directory was named: its parent is the root. */
static bool open_parent(str real, struct arena *a, struct db_place *out, struct err *err)
{
    size_t n = real.n;
    while (n > 0 && real.p[n - 1] != '/')
        n--;
    str parent = arena_dup(a, n > 1 ? str_sub(real, 0, n - 1) : STR("/"));
    out->dir = str_sub(real, n, real.n);
    disk_system_close(out->env.disk);
    out->env.disk = disk_system_open(parent.p, err);
    return out->env.disk != NULL;
}

bool db_place_open(const char *path, bool make, struct arena *a, struct db_place *out,
                   struct err *err)
{
    str real;
    *out =
        (struct db_place){.env = {clock_system(), NULL, entropy_system()}, .dir = STR("metrics")};
    if (!make && !file_real(path, a, &real, err))
        return false;
    out->env.disk = disk_system_open(path, err);
    if (!out->env.disk)
        return false;
    if (exists(out->env.disk, "metrics/parts"))
        return true;
    if (exists(out->env.disk, "parts") && exists(out->env.disk, "catalog"))
        return file_real(path, a, &real, err) && open_parent(real, a, out, err);
    if (make)
        return true;
    return err_set(err, ERR_NOT_FOUND, "%s holds no storage of nunchi", path);
}

void db_place_close(struct db_place *p)
{
    if (p->env.disk)
        disk_system_close(p->env.disk);
    p->env.disk = NULL;
}

static void say_recovery(const struct tsdb_recovery *r)
{
    if (r->wal_damaged || r->orphan_samples)
        fprintf(stderr,
                "warning: %" PRIu64 " damaged records of the WAL and %" PRIu64
                " samples without series were left out\n",
                r->wal_damaged, r->orphan_samples);
    if (r->first.kind != ERR_NONE)
        fprintf(stderr, "warning: %" PRIu64 " unreadable parts were left out: %s\n",
                r->parts_quarantined, r->first.msg);
}

struct tsdb *db_open(struct db_place *p, bool read_only, struct err *err)
{
    struct tsdb_recovery found;
    struct tsdb_options o = {.env = &p->env, .dir = p->dir, .read_only = read_only};
    struct tsdb *db = tsdb_open(&o, &found, err);
    if (db)
        say_recovery(&found);
    else if (err->kind == ERR_EXISTS)
        err_hint(err, "stop the server first; ls, verify, dump and stat work beside it");
    return db;
}

bool db_args(const struct command *self, char **args, size_t args_n, size_t want, struct err *err)
{
    if (args_n == want)
        return true;
    err_set(err, ERR_INVALID, args_n < want ? "an argument is missing" : "too many arguments");
    return err_hint(err, "nunchi %s %s", self->name, self->args);
}

/* ---- filters ---- */

static bool read_time(const struct option_value *v, const char *name, ts_ms *out, struct err *err)
{
    if (!v->text.n)
        return true;
    return date_parse_param(v->text, out, err) || err_wrap(err, "--%s", name);
}

static bool read_match(str text, struct promql_expr **out, struct err *err)
{
    *out = promql_parse_selector(text, err);
    return *out || err_wrap(err, "--match %.*s", STR_ARG(text));
}

bool db_filter_read(const struct option_value *match, const struct option_value *start,
                    const struct option_value *end, struct arena *a, struct db_filter *out,
                    struct err *err)
{
    *out = (struct db_filter){.start = INT64_MIN, .end = INT64_MAX};
    if (!read_time(start, "start", &out->start, err) || !read_time(end, "end", &out->end, err))
        return false;
    if (out->end < out->start)
        return err_set(err, ERR_INVALID, "--end is before --start");
    out->match = arena_array(a, struct promql_expr *, match->list_n + 1);
    for (size_t i = 0; i < match->list_n; i++, out->match_n++)
        if (!read_match(match->list[i], &out->match[i], err))
            return false;
    return true;
}

void db_filter_fini(struct db_filter *f)
{
    for (size_t i = 0; i < f->match_n; i++)
        promql_expr_free(f->match[i]);
    f->match_n = 0;
}

/* ---- saying ---- */

enum { PROGRESS_EVERY_NS = 200 * 1000 * 1000 };

void db_progress_say(struct db_progress *p, const char *fmt, ...)
{
    struct clock *c = clock_system();
    int64_t now = c->mono_ns(c);
    if (!isatty(STDERR_FILENO) || (p->shown && now - p->last_ns < PROGRESS_EVERY_NS))
        return;
    va_list ap;
    va_start(ap, fmt);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fflush(stderr);
    p->shown = true;
    p->last_ns = now;
}

void db_progress_end(struct db_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

const char *db_count(uint64_t n, char out[DB_COUNT_MAX])
{
    char digits[DB_COUNT_MAX];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n), k = 0;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = 0;
    return out;
}

bool db_write_out(struct strbuf *b, struct err *err)
{
    bool ok = b->n == 0 || fwrite(b->p, 1, b->n, stdout) == b->n;
    strbuf_clear(b);
    return ok || err_set(err, ERR_IO, "cannot write to standard output");
}
