// SPDX-License-Identifier: Apache-2.0
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strbuf.h"

/* Reads to the end instead of trusting the size: /proc and growing files have none to trust. */
static bool read_all(int fd, const char *path, size_t max, struct strbuf *buf, struct err *err)
{
    for (;;) {
        char *at = strbuf_reserve(buf, 64 * 1024);
        ssize_t n = read(fd, at, 64 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            return true;
        buf->n += (size_t)n;
        if (buf->n > max)
            return err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
    }
}

bool file_read(const char *path, size_t max, struct arena *a, str *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    struct stat st;
    struct strbuf buf STRBUF_CLEANUP = {0};
    bool ok = false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err_set(err, ERR_IO, "cannot read %s: not a regular file", path);
    else
        ok = read_all(fd, path, max, &buf, err);
    close(fd);
    if (ok)
        *out = arena_dup(a, strbuf_str(&buf));
    return ok;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_real(const char *path, struct arena *a, str *out, struct err *err)
{
    char *real = realpath(path, NULL);
    if (!real)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    *out = arena_dup(a, str_from_z(real));
    free(real);
    return true;
}

bool file_glob(const char *pattern, size_t max, struct arena *a, str **out, size_t *n,
               struct err *err)
{
    glob_t g = {0};
    int rc = glob(pattern, 0, NULL, &g);
    if (rc != 0 && rc != GLOB_NOMATCH) {
        globfree(&g);
        return err_set(err, ERR_IO, "cannot list %s", pattern);
    }
    size_t found = rc == 0 ? g.gl_pathc : 0;
    if (found > max) {
        globfree(&g);
        return err_set(err, ERR_LIMIT, "%s matches more than %zu files", pattern, max);
    }
    *out = arena_array(a, str, found);
    for (size_t i = 0; i < found; i++)
        (*out)[i] = arena_dup(a, str_from_z(g.gl_pathv[i]));
    *n = found;
    globfree(&g);
    return true;
}

struct file_log {
    int fd;
};

struct file_log *file_log_open(const char *path, struct err *err)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0) {
        err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        err_set(err, ERR_IO, "cannot write %s: not a regular file", path);
        return NULL;
    }
    struct file_log *f = mem_new(struct file_log);
    f->fd = fd;
    return f;
}

bool file_log_add(struct file_log *f, str text, struct err *err)
{
    while (text.n) {
        ssize_t n = write(f->fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO,
                           "cannot write: %s", strerror(errno));
        text = str_sub(text, (size_t)n, text.n);
    }
    return true;
}

void file_log_close(struct file_log *f)
{
    if (f)
        close(f->fd);
    free(f);
}
