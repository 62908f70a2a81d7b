// SPDX-License-Identifier: Apache-2.0
/*
 * Opening, in this order: recover (SQLite replays its log), check the structure, fold the log into
 * the file, migrate. Folding at each opening also closes a hole after a failed sync: what recovery
 * read may come from the page cache and not be on the disk; folding writes it again and syncs,
 * before anything new is put behind it.
 */
#include "store/state.h"

#include <assert.h>
#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "store/catalog.h"
#include "store/state_int.h"
#include "sys/self.h"

enum { VALUE_BYTES_MAX = 16 << 20, LOG_KEPT_BYTES = 4 << 20 };

struct state {
    struct state_vfs vfs;
    struct env env;
    struct arena arena; /* names */
    str dir, path;
    sqlite3 *db;
    struct map queries; /* SQL to struct state_query */
    pthread_mutex_t lock;
    bool in_transaction;
    bool replaced;
    struct err why;
};

struct state_query {
    struct state *state;
    sqlite3_stmt *stmt;
    bool too_long; /* a value bound to it */
};

/* --- errors --- */

static enum err_kind kind_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return ERR_IO;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                   ? ERR_EXISTS
                   : ERR_INVALID;
    default:
        return ERR_INTERNAL;
    }
}

/* Sets the error from what SQLite, and beneath it the disk, said last. */
static bool failed(struct state *s, struct err *err)
{
    int code = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_CANTOPEN;
    enum err_kind kind = kind_of(code);
    self_add(SELF_STATE_FAILED, 1);
    if (s->vfs.sync_failed && kind == ERR_IO)
        return err_set(err, s->vfs.last.kind == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_IO,
                       "state %.*s: a sync failed, nothing is written until it is opened again: %s",
                       STR_ARG(s->path), s->vfs.last.msg);
    if ((kind == ERR_IO || kind == ERR_NO_SPACE) && s->vfs.last.kind != ERR_NONE)
        return err_set(err, s->vfs.last.kind == ERR_NO_SPACE ? ERR_NO_SPACE : kind,
                       "state %.*s: %s", STR_ARG(s->path), s->vfs.last.msg);
    return err_set(err, kind, "state %.*s: %s", STR_ARG(s->path),
                   s->db ? sqlite3_errmsg(s->db) : "cannot be opened");
}

static bool exec(struct state *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? true : failed(s, err);
}

/* --- opening --- */

/* The first column of the first row, as text in `out`; empty without a row. */
static bool first_text(struct state *s, const char *sql, char *out, size_t cap, struct err *err)
{
    sqlite3_stmt *q;
    out[0] = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
        return failed(s, err);
    int rc = sqlite3_step(q);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    sqlite3_snprintf((int)cap, out, "%s", text ? text : "");
    /* To the end: what a pragma changes is committed there. */
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(q);
    bool ok = rc == SQLITE_DONE ? true : failed(s, err);
    sqlite3_finalize(q);
    return ok;
}

static bool set_modes(struct state *s, struct err *err)
{
    char mode[32];
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (!exec(s, "PRAGMA locking_mode=EXCLUSIVE", err) || !exec(s, "PRAGMA temp_store=MEMORY", err))
        return false;
    if (!first_text(s, "PRAGMA journal_mode=WAL", mode, sizeof mode, err))
        return false;
    if (strcmp(mode, "wal") != 0)
        return err_set(err, ERR_IO, "state %.*s: cannot keep a write-ahead log (mode %s)",
                       STR_ARG(s->path), mode);
    char sql[64];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA journal_size_limit=%d", LOG_KEPT_BYTES);
    return exec(s, sql, err) && exec(s, "PRAGMA synchronous=FULL", err) &&
           exec(s, "PRAGMA foreign_keys=ON", err) && exec(s, "PRAGMA trusted_schema=OFF", err);
}

static bool check_structure(struct state *s, struct err *err)
{
    char result[256];
    if (!first_text(s, "PRAGMA quick_check(1)", result, sizeof result, err))
        return false;
    if (strcmp(result, "ok") == 0)
        return true;
    self_add(SELF_STATE_FAILED, 1);
    return err_set(err, ERR_CORRUPT, "state %.*s: %s", STR_ARG(s->path), result);
}

static bool open_file(struct state *s, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(s->path.p, &s->db, flags, s->vfs.name) != SQLITE_OK)
        return failed(s, err);
    return set_modes(s, err) && check_structure(s, err) &&
           exec(s, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

/* Puts file and log away; the log first, so that it is never taken for that of a new file. */
static bool put_away(struct state *s, const struct err *why, struct err *err)
{
    static const char *const suffixes[] = {"-wal", "-journal", ""};
    struct disk *d = s->env.disk;
    str to = arena_printf(&s->arena, "%.*s/quarantine", STR_ARG(s->dir));
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        str path = arena_printf(&s->arena, "%.*s%s", STR_ARG(s->path), suffixes[i]);
        struct disk_info info;
        struct err missing = {0};
        if (!d->ops->stat(d, path, &info, &missing)) {
            if (missing.kind == ERR_NOT_FOUND)
                continue;
            *err = missing;
            return false;
        }
        if (!quarantine_move(d, path, to, str_from_z(why->msg), err))
            return false;
        self_add(SELF_STATE_QUARANTINED, 1);
    }
    return d->ops->sync_dir(d, s->dir, err);
}

static bool open_or_replace(struct state *s, bool replace, struct err *err)
{
    if (open_file(s, err))
        return true;
    if (err->kind != ERR_CORRUPT || !replace)
        return false;
    s->why = *err;
    /* Closed without a word to the file: what stands in its log is evidence too. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(s->db);
    s->db = NULL;
    s->vfs.last = (struct err){0};
    s->replaced = true;
    return put_away(s, &s->why, err) && open_file(s, err);
}

/* --- migrations --- */

static bool module_version(struct state *s, const char *name, int64_t *version, struct err *err)
{
    struct state_query *q =
        state_query(s, "SELECT version FROM module_versions WHERE module = ?1", err);
    if (!q)
        return false;
    state_bind_str(q, 1, str_from_z(name));
    enum state_step step = state_step(q, err);
    *version = step == STATE_ROW ? state_i64(q, 0) : 0;
    sqlite3_reset(q->stmt);
    return step != STATE_ERROR;
}

static bool set_version(struct state *s, const char *name, int64_t version, struct err *err)
{
    struct state_query *q = state_query(s, "REPLACE INTO module_versions VALUES(?1, ?2)", err);
    return q && state_bind_str(q, 1, str_from_z(name)) && state_bind_i64(q, 2, version) &&
           state_run(q, err);
}

static bool migrate_module(struct state *s, const struct state_module *m, struct err *err)
{
    int64_t version;
    if (!module_version(s, m->name, &version, err))
        return false;
    if (version < 0 || (uint64_t)version > m->steps_n)
        return err_set(err, ERR_INVALID,
                       "state %.*s: tables of \"%s\" have version %lld, this program knows %zu: "
                       "written by a newer one",
                       STR_ARG(s->path), m->name, (long long)version, m->steps_n);
    for (size_t i = (size_t)version; i < m->steps_n; i++)
        if (!state_exec(s, m->steps[i], err))
            return err_wrap(err, "migration %zu of \"%s\"", i + 1, m->name);
    return (uint64_t)version == m->steps_n || set_version(s, m->name, (int64_t)m->steps_n, err);
}

/* All modules or none. */
static bool migrate(struct state *s, const struct state_options *o, struct err *err)
{
    if (!state_begin(s, err))
        return false;
    if (!state_exec(s,
                    "CREATE TABLE IF NOT EXISTS module_versions(module TEXT PRIMARY KEY, "
                    "version INTEGER NOT NULL) WITHOUT ROWID",
                    err))
        return state_rollback(s);
    for (size_t i = 0; i < o->modules_n; i++)
        if (!migrate_module(s, &o->modules[i], err))
            return state_rollback(s);
    return state_commit(s, err);
}

static bool prepare_dir(struct state *s, struct err *err)
{
    struct disk *d = s->env.disk;
    return d->ops->mkdir(d, s->dir, err) && d->ops->sync_dir(d, STR("."), err);
}

struct state *state_open(const struct env *env, const struct state_options *o, struct err *err)
{
    struct state *s = mem_new(struct state);
    s->env = *env;
    arena_init(&s->arena, 0);
    s->dir = arena_dup(&s->arena, o->dir);
    s->path = arena_printf(&s->arena, "%.*s/state.db", STR_ARG(o->dir));
    pthread_mutex_init(&s->lock, NULL);
    if (!state_vfs_init(&s->vfs, &s->env, s->dir, err)) {
        state_close(s);
        return NULL;
    }
    if (!prepare_dir(s, err) || !open_or_replace(s, o->replace_damaged, err) ||
        !migrate(s, o, err)) {
        state_close(s);
        return NULL;
    }
    return s;
}

void state_close(struct state *s)
{
    if (!s)
        return;
    assert(!s->in_transaction);
    for (size_t i = 0; i < s->queries.n; i++) {
        struct state_query *q = s->queries.entries[i].value;
        sqlite3_finalize(q->stmt);
        free(q);
    }
    map_fini(&s->queries);
    sqlite3_close(s->db);
    state_vfs_fini(&s->vfs);
    pthread_mutex_destroy(&s->lock);
    arena_fini(&s->arena);
    free(s);
}

bool state_replaced(const struct state *s, struct err *why)
{
    if (s->replaced && why)
        *why = s->why;
    return s->replaced;
}

/* --- transactions --- */

bool state_begin(struct state *s, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    assert(!s->in_transaction);
    s->in_transaction = exec(s, "BEGIN IMMEDIATE", err);
    if (!s->in_transaction)
        pthread_mutex_unlock(&s->lock);
    return s->in_transaction;
}

static void end(struct state *s)
{
    s->in_transaction = false;
    pthread_mutex_unlock(&s->lock);
}

/* Some errors end the transaction by themselves. */
static void roll_back(struct state *s)
{
    for (size_t i = 0; i < s->queries.n; i++)
        sqlite3_reset(((struct state_query *)s->queries.entries[i].value)->stmt);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

bool state_commit(struct state *s, struct err *err)
{
    assert(s->in_transaction);
    for (size_t i = 0; i < s->queries.n; i++)
        sqlite3_reset(((struct state_query *)s->queries.entries[i].value)->stmt);
    bool ended = sqlite3_get_autocommit(s->db);
    if (ended)
        err_set(err, ERR_IO, "state %.*s: the transaction was undone by an earlier failure",
                STR_ARG(s->path));
    bool ok = !ended && exec(s, "COMMIT", err);
    if (!ok)
        roll_back(s);
    end(s);
    return ok;
}

bool state_rollback(struct state *s)
{
    assert(s->in_transaction);
    roll_back(s);
    end(s);
    return false;
}

/* --- statements --- */

bool state_exec(struct state *s, const char *sql, struct err *err)
{
    assert(s->in_transaction);
    return exec(s, sql, err);
}

struct state_query *state_query(struct state *s, const char *sql, struct err *err)
{
    assert(s->in_transaction);
    struct state_query *q = map_get(&s->queries, str_from_z(sql));
    if (q) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
        q->too_long = false;
        return q;
    }
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        failed(s, err);
        return NULL;
    }
    q = mem_new(struct state_query);
    q->state = s;
    q->stmt = stmt;
    map_put(&s->queries, str_from_z(sql), q);
    return q;
}

/* A parameter that does not exist is a fault of the program, a long value one of its input. */
static bool bound(struct state_query *q, int rc)
{
    assert(rc == SQLITE_OK || rc == SQLITE_TOOBIG);
    q->too_long |= rc == SQLITE_TOOBIG;
    return true;
}

bool state_bind_i64(struct state_query *q, int param, int64_t v)
{
    return bound(q, sqlite3_bind_int64(q->stmt, param, v));
}

bool state_bind_f64(struct state_query *q, int param, double v)
{
    return bound(q, sqlite3_bind_double(q->stmt, param, v));
}

bool state_bind_str(struct state_query *q, int param, str v)
{
    return bound(
        q, sqlite3_bind_text64(q->stmt, param, v.p ? v.p : "", v.n, SQLITE_TRANSIENT, SQLITE_UTF8));
}

bool state_bind_blob(struct state_query *q, int param, bytes v)
{
    return bound(q, sqlite3_bind_blob64(q->stmt, param, v.p ? (const void *)v.p : "", v.n,
                                        SQLITE_TRANSIENT));
}

bool state_bind_null(struct state_query *q, int param)
{
    return bound(q, sqlite3_bind_null(q->stmt, param));
}

enum state_step state_step(struct state_query *q, struct err *err)
{
    assert(q->state->in_transaction);
    if (q->too_long) {
        err_set(err, ERR_LIMIT, "a value is longer than the %d bytes that the state takes",
                VALUE_BYTES_MAX);
        return STATE_ERROR;
    }
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW)
        return STATE_ROW;
    if (rc != SQLITE_DONE)
        failed(q->state, err);
    sqlite3_reset(q->stmt);
    return rc == SQLITE_DONE ? STATE_DONE : STATE_ERROR;
}

bool state_run(struct state_query *q, struct err *err)
{
    enum state_step step;
    do {
        step = state_step(q, err);
    } while (step == STATE_ROW);
    return step == STATE_DONE;
}

int64_t state_i64(const struct state_query *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

double state_f64(const struct state_query *q, int column)
{
    return sqlite3_column_double(q->stmt, column);
}

str state_str(const struct state_query *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q->stmt, column);
    return p ? str_of(p, (size_t)sqlite3_column_bytes(q->stmt, column)) : STR("");
}

bytes state_blob(const struct state_query *q, int column)
{
    const void *p = sqlite3_column_blob(q->stmt, column);
    return bytes_of(p, p ? (size_t)sqlite3_column_bytes(q->stmt, column) : 0);
}

bool state_is_null(const struct state_query *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

int64_t state_changes(const struct state *s)
{
    return sqlite3_changes64(s->db);
}
