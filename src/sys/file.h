// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the user, at paths the user wrote: configuration, secrets, certificates. Read only, any
 * path, links followed; the store's own files go through `struct disk`. These calls touch the disk:
 * never on a loop.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/arena.h"
#include "base/err.h"

/* The whole file in the arena, followed by a NUL. More than `max` bytes is ERR_LIMIT, a missing
 * file ERR_NOT_FOUND, anything that is no regular file or cannot be read ERR_IO. */
bool file_read(const char *path, size_t max, struct arena *a, str *out, struct err *err);
bool file_exists(const char *path);
/* The absolute path without links, in the arena. ERR_NOT_FOUND when there is nothing. */
bool file_real(const char *path, struct arena *a, str *out, struct err *err);
/* Paths that match the pattern (* ? [..] in the last part), sorted, at most `max`; none is no
 * error. More than `max` is ERR_LIMIT. */
bool file_glob(const char *pattern, size_t max, struct arena *a, str **out, size_t *n,
               struct err *err);

/* A file that is only ever added to, made when missing, readable by owner and group. NULL when it
 * is no regular file or cannot be written. One writer at a time. */
struct file_log;
struct file_log *file_log_open(const char *path, struct err *err);
bool file_log_add(struct file_log *f, str text, struct err *err);
void file_log_close(struct file_log *f);

#endif
