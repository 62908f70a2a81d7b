// SPDX-License-Identifier: Apache-2.0
#include "sys/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "sys/disk_int.h"

/* EOPNOTSUPP: the file is there, but what it tells of was switched off at boot (pressure). */
static bool fail(struct err *err, int error, const char *path)
{
    bool none = error == ENOENT || error == EOPNOTSUPP;
    return err_set(err, none ? ERR_NOT_FOUND : ERR_IO, "cannot read %s: %s", path,
                   strerrordesc_np(error));
}

/* procfs has no sizes: read until the end, in pieces that most files fit into. */
static bool read_all(int fd, struct strbuf *b, const char *path, size_t max, struct err *err)
{
    for (;;) {
        char *to = strbuf_reserve(b, 8192);
        ssize_t n = read(fd, to, 8192);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, errno, path);
        b->n += (size_t)n;
        b->p[b->n] = 0;
        if (n == 0)
            return true;
        if (b->n > max)
            return err_set(err, ERR_LIMIT, "%s holds more than %zu bytes", path, max);
    }
}

bool host_read(struct strbuf *b, const char *path, size_t max, struct err *err)
{
    strbuf_clear(b);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail(err, errno, path);
    bool ok = read_all(fd, b, path, max, err);
    close(fd);
    return ok;
}

bool host_list(const char *path, struct arena *a, str **names, size_t *n, struct err *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return fail(err, errno, path);
    VEC(str) found = {0};
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            vec_push(&found, arena_dup(a, str_from_z(e->d_name)));
    closedir(dir);
    *names = arena_array(a, str, found.n);
    *n = found.n;
    if (found.n)
        memcpy(*names, found.at, found.n * sizeof(str));
    disk_names_sort(*names, *n);
    vec_fini(&found);
    return true;
}

int host_statfs(const char *path, struct host_fs *fs)
{
    struct statfs st;
    if (statfs(path, &st) != 0)
        return errno;
    *fs = (struct host_fs){
        .block_bytes = (uint64_t)st.f_bsize,
        .blocks = st.f_blocks,
        .blocks_free = st.f_bfree,
        .blocks_avail = st.f_bavail,
        .files = st.f_files,
        .files_free = st.f_ffree,
    };
    return 0;
}

void host_name(struct arena *a, struct host_name *out)
{
    struct utsname u = {0};
    uname(&u);
    *out = (struct host_name){
        .domainname = arena_dup(a, str_from_z(u.domainname)),
        .machine = arena_dup(a, str_from_z(u.machine)),
        .nodename = arena_dup(a, str_from_z(u.nodename)),
        .release = arena_dup(a, str_from_z(u.release)),
        .sysname = arena_dup(a, str_from_z(u.sysname)),
        .version = arena_dup(a, str_from_z(u.version)),
    };
}

void host_zone(int64_t sec, struct arena *a, int64_t *offset_s, str *name)
{
    time_t t = (time_t)sec;
    struct tm tm = {0};
    char zone[64];
    localtime_r(&t, &tm);
    *offset_s = tm.tm_gmtoff;
    *name = arena_dup(a, str_of(zone, strftime(zone, sizeof zone, "%Z", &tm)));
}

static uint64_t soft_limit(int which)
{
    struct rlimit r;
    if (getrlimit((__rlimit_resource_t)which, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return r.rlim_cur;
}

uint64_t host_limit_files(void)
{
    return soft_limit(RLIMIT_NOFILE);
}

uint64_t host_limit_memory_bytes(void)
{
    return soft_limit(RLIMIT_AS);
}

struct host_units host_units(void)
{
    return (struct host_units){.page_bytes = sysconf(_SC_PAGESIZE),
                               .ticks_per_s = sysconf(_SC_CLK_TCK)};
}
