// SPDX-License-Identifier: Apache-2.0
/*
 * Errors.
 *
 * A function that can fail returns bool and takes `struct err *err` last; on false the error was
 * set once and outputs are untouched. `err` is never NULL. An error is a value on the caller's
 * stack: no memory is owned. Messages are lower case, one line, and say what and which value;
 * longer ones are cut. Text of users goes through `%.*s` and is escaped where it is printed.
 *
 *     if (fd < 0)
 *         return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum err_kind {
    ERR_NONE,
    ERR_INVALID,     /* the input is wrong: 400 */
    ERR_EXEC,        /* the input is fine but cannot be carried out: 422 */
    ERR_NOT_FOUND,   /* 404 */
    ERR_LIMIT,       /* a limit of ours was passed; the message names the setting */
    ERR_TIMEOUT,     /* 503 */
    ERR_CANCELED,    /* 503, nobody waits any more */
    ERR_UNAVAILABLE, /* try again later: starting, stopping, overloaded: 503 */
    ERR_NO_SPACE,    /* disk full: 507 */
    ERR_IO,          /* the system failed */
    ERR_CORRUPT,     /* stored bytes are not what was written */
    ERR_EXISTS,      /* 409 */
    ERR_DENIED,      /* 403 */
    ERR_INTERNAL,
};

/* Where in a text: 1-based line, 1-based column in bytes; line 0 means unknown. */
struct pos {
    uint32_t line, col;
};

struct err {
    enum err_kind kind;
    struct pos pos;
    char file[256]; /* empty: not about a file */
    char msg[768];
    char hint[256]; /* empty: none */
};

/* Sets the error and returns false. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As err_set, at a place in a text. */
bool err_at(struct err *e, enum err_kind kind, struct pos pos, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Both return false, so that they chain: return err_hint(e, ...). */
bool err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "what: " before the message. */
bool err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *e);

/* Line and column of byte `offset` in `text`. */
struct pos pos_of(str text, size_t offset);

struct strbuf;
/*
 * "file:line:col: error: msg", the source line and a caret when `text` is given (the whole text the
 * position is in; empty view: none), and "hint: ..." on a line of its own. Ends with a newline.
 * `label` is "error" or "warning".
 */
void err_print(const struct err *e, const char *label, str text, struct strbuf *out);

#endif
