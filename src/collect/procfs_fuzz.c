// SPDX-License-Identifier: Apache-2.0
/* The readers of the kernel's text formats on any bytes; the first byte chooses the format. */
#include "collect/collect_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Everything a reader gives is touched, so that a wrong length is seen. */
static volatile uint64_t sink;

static void touch(str s)
{
    for (size_t i = 0; i < s.n; i++)
        sink += (uint8_t)s.p[i];
}

static void read_lists(char which, str text, struct arena *a, struct err *err)
{
    struct named_value *named;
    struct disk_line *disks;
    struct netdev_line *devices;
    struct mount *mounts;
    size_t n = 0;
    if ((which == 'm' && parse_meminfo(text, a, &named, &n, err)) ||
        (which == 'v' && parse_vmstat(text, a, &named, &n, err))) {
        for (size_t i = 0; i < n; i++)
            touch(named[i].name);
    } else if (which == 'd' && parse_diskstats(text, a, &disks, &n, err)) {
        for (size_t i = 0; i < n; i++)
            touch(disks[i].name);
    } else if (which == 'n' && parse_netdev(text, a, &devices, &n, err)) {
        for (size_t i = 0; i < n; i++)
            touch(devices[i].name);
    } else if (which == 'i' && parse_mountinfo(text, a, &mounts, &n, err)) {
        for (size_t i = 0; i < n; i++) {
            touch(mounts[i].device);
            touch(mounts[i].point);
            touch(mounts[i].type);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ARENA_CLEANUP struct arena a;
    struct err err = {0};
    struct cpu_times *cpus;
    struct stat_totals totals;
    struct pressure_totals pressure;
    size_t cpus_n;
    arena_init(&a, 0);
    if (n < 1 || n > 1 << 16)
        return 0;
    str text = str_of((const char *)data + 1, n - 1);
    switch (data[0]) {
    case 's':
        parse_stat_cpus(text, &a, &cpus, &cpus_n, &err);
        parse_stat_totals(text, &totals, &err);
        break;
    case 'p':
        parse_pressure(text, &pressure, &err);
        break;
    case 'u':
        touch(udev_property(text, STR("ID_MODEL")));
        disk_excluded(text);
        break;
    default:
        read_lists((char)data[0], text, &a, &err);
    }
    return 0;
}
