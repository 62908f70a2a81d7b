// SPDX-License-Identifier: Apache-2.0
#include "sys/process.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

uint64_t process_machine_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}
