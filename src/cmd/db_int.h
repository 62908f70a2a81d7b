// SPDX-License-Identifier: Apache-2.0
/* What the `nunchi db` commands share. */
#ifndef CMD_DB_INT_H
#define CMD_DB_INT_H

#include "cmd/cmd.h"
#include "model/matcher.h"
#include "sys/env.h"
#include "tsdb/tsdb.h"

/* A storage directory on this machine. */
struct db_place {
    struct env env;
    str dir; /* of the metrics engine, below env.disk */
};

/*
 * Takes the directory that a server has as --storage.path, or that of the engine inside it, or a
 * snapshot. `make`: it may be missing or empty, and is made. Text in the arena. End with
 * db_place_close, also after a failure.
 */
bool db_place_open(const char *path, bool make, struct arena *a, struct db_place *out,
                   struct err *err);
void db_place_close(struct db_place *p);
#define DB_PLACE_CLEANUP __attribute__((cleanup(db_place_close)))

/* Opens the engine: to be read, beside a server perhaps; or to be written, which no server may be
 * using. What opening found wrong is said on stderr. */
struct tsdb *db_open(struct db_place *p, bool read_only, struct err *err);

/* The one argument that is a directory; false with a hint that shows the command's arguments. */
bool db_args(const struct command *self, char **args, size_t args_n, size_t want, struct err *err);

struct promql_expr;
/* --match, --start and --end. */
struct db_filter {
    struct promql_expr **match; /* n selectors; none: all series */
    size_t match_n;
    ts_ms start, end; /* both inclusive */
};
bool db_filter_read(const struct option_value *match, const struct option_value *start,
                    const struct option_value *end, struct arena *a, struct db_filter *out,
                    struct err *err);
void db_filter_fini(struct db_filter *f);
#define DB_FILTER_CLEANUP __attribute__((cleanup(db_filter_fini)))

/* One line on stderr that is written over again and again while something long goes on; nothing
 * when stderr is no terminal. Owned by one thread. */
struct db_progress {
    bool shown;
    int64_t last_ns;
};
void db_progress_say(struct db_progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Removes the line. */
void db_progress_end(struct db_progress *p);

/* "1234567" as "1,234,567". */
enum { DB_COUNT_MAX = 32 };
const char *db_count(uint64_t n, char out[DB_COUNT_MAX]);
/* Writes what is in the buffer to stdout and empties it; ERR_IO. */
bool db_write_out(struct strbuf *b, struct err *err);

#endif
