// SPDX-License-Identifier: Apache-2.0
/*
 * Small transactional state (silences, notices sent, runs, saved objects) in one SQLite database.
 *
 * All access goes through `struct disk`. Journal mode WAL, synchronous FULL, locking mode EXCLUSIVE
 * (the process owns the storage directory, so nothing is shared and the wal-index lives on the
 * heap): once state_commit returned true a power cut loses nothing of the transaction, and nothing
 * of one that did not is seen.
 *
 *     static const char *const steps[] = {"CREATE TABLE silences(id TEXT PRIMARY KEY, ...)"};
 *     static const struct state_module module = {"alert", steps, 1};
 *
 *     if (!state_begin(s, err))
 *         return false;
 *     struct state_query *q = state_query(s, "INSERT INTO silences VALUES(?1, ?2)", err);
 *     if (!q || !state_bind_str(q, 1, id) ... || !state_run(q, err))
 *         return state_rollback(s);
 *     return state_commit(s, err);
 *
 * Threads: any, but these calls block: they belong on the blocking pool. A transaction belongs to
 * the thread that began it and holds the state's lock until commit or rollback; every query, also
 * one that only reads, runs inside one (asserted).
 *
 * Errors: ERR_NO_SPACE when the disk is full, ERR_CORRUPT for a damaged file, ERR_IO for the rest
 * of what a disk does, ERR_EXISTS for a key that is there already, ERR_INVALID for another
 * constraint. After a failed sync the state can be read but no transaction that writes succeeds
 * until it is opened again: what the disk holds is not known.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/err.h"
#include "sys/env.h"

struct state;
struct state_query;

/* The tables of one module: step i leads from version i to version i + 1. Steps are never changed
 * once released, only added. */
struct state_module {
    const char *name;
    const char *const *steps;
    size_t steps_n;
};

struct state_options {
    str dir; /* made when missing; holds state.db and its log */
    const struct state_module *modules;
    size_t modules_n;
    /* A damaged file is moved to `dir`/quarantine with the reason, and an empty one begun.
     * Otherwise it stays where it is and opening fails with ERR_CORRUPT. */
    bool replace_damaged;
};

/* Recovers, checks the file's structure and runs the migrations. NULL on error, also when the file
 * was written by a newer program. */
struct state *state_open(const struct env *env, const struct state_options *o, struct err *err);
void state_close(struct state *s);
/* True when state_open found a damaged file and began an empty one; `why` (may be NULL) says why.
 */
bool state_replaced(const struct state *s, struct err *why);

bool state_begin(struct state *s, struct err *err);
/* On false nothing of the transaction remains. */
bool state_commit(struct state *s, struct err *err);
/* Returns false, so that it ends an error path. */
bool state_rollback(struct state *s);

/* A statement without parameters and rows. */
bool state_exec(struct state *s, const char *sql, struct err *err);
/* The statement for `sql`, which must be a literal: compiled once and kept. Ready to be bound; a
 * borrow, not given back. One user at a time. */
struct state_query *state_query(struct state *s, const char *sql, struct err *err);

/* Parameters from 1. The bytes need not outlive the call. These return true, to be chained; a value
 * that is too long fails at state_step. */
bool state_bind_i64(struct state_query *q, int param, int64_t v);
bool state_bind_f64(struct state_query *q, int param, double v);
bool state_bind_str(struct state_query *q, int param, str v);
bool state_bind_blob(struct state_query *q, int param, bytes v);
bool state_bind_null(struct state_query *q, int param);

enum state_step { STATE_ROW, STATE_DONE, STATE_ERROR };
enum state_step state_step(struct state_query *q, struct err *err);
/* Runs a statement whose rows do not matter. */
bool state_run(struct state_query *q, struct err *err);

/* Columns of the row, from 0. Views are valid until the next step. */
int64_t state_i64(const struct state_query *q, int column);
double state_f64(const struct state_query *q, int column);
str state_str(const struct state_query *q, int column);
bytes state_blob(const struct state_query *q, int column);
bool state_is_null(const struct state_query *q, int column);

/* Rows that the last statement inserted, changed or deleted. */
int64_t state_changes(const struct state *s);

#endif
