// SPDX-License-Identifier: Apache-2.0
#include "sys/process.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/strbuf.h"
#include "sys/host.h"

void process_prepare(void)
{
    struct rlimit files, cores = {0, 0};
    signal(SIGPIPE, SIG_IGN);
    umask(0027);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* fewer descriptors are no reason to stop */
    }
    (void)setrlimit(RLIMIT_CORE, &cores);
}

str process_hostname(char *buf, size_t cap)
{
    if (gethostname(buf, cap) != 0 || !buf[0])
        strncpy(buf, "localhost", cap);
    buf[cap - 1] = 0;
    return str_from_z(buf);
}

unsigned process_cpus(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

/* UINT64_MAX when the file is not there or says "max". */
static uint64_t limit_in(const char *mount, str dir, const char *name)
{
    STRBUF_CLEANUP struct strbuf path = {0}, text = {0};
    struct err err;
    uint64_t n;
    strbuf_addf(&path, "%s%.*s/%s", mount, STR_ARG(dir), name);
    if (!host_read(&text, path.p, 4096, &err) || !u64_parse(str_trim(strbuf_str(&text)), &n))
        return UINT64_MAX;
    return n;
}

/* Of the directory and those above it up to the mount. */
static uint64_t least_limit(const char *mount, str dir, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        uint64_t n = limit_in(mount, dir, name);
        least = n < least ? n : least;
        if (!dir.n)
            return least;
        while (dir.n && dir.p[dir.n - 1] != '/')
            dir.n--;
        dir.n -= dir.n > 0;
    }
}

uint64_t process_cgroup_memory_bytes(str list, const char *mount)
{
    STRBUF_CLEANUP struct strbuf old = {0};
    uint64_t least = UINT64_MAX, n;
    str line, id, kind;
    strbuf_addf(&old, "%s/memory", mount);
    while (str_cut(&list, '\n', &line)) {
        if (!str_cut(&line, ':', &id) || !str_cut(&line, ':', &kind))
            continue;
        if (kind.n == 0)
            n = least_limit(mount, line, "memory.max");
        else if (str_eqz(kind, "memory"))
            n = least_limit(old.p, line, "memory.limit_in_bytes");
        else
            continue;
        least = n < least ? n : least;
    }
    return least;
}

uint64_t process_memory_bytes(void)
{
    STRBUF_CLEANUP struct strbuf cgroups = {0};
    struct err err;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t all = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
    if (!host_read(&cgroups, "/proc/self/cgroup", 1 << 16, &err))
        return all;
    uint64_t may = process_cgroup_memory_bytes(strbuf_str(&cgroups), "/sys/fs/cgroup");
    return may < all ? may : all;
}
