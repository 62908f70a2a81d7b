// SPDX-License-Identifier: Apache-2.0
/*
 * Inside collect/: the context that collectors share, and the readers of the kernel's text formats,
 * which take text and give values, so that they can be fuzzed without files.
 */
#ifndef COLLECT_COLLECT_INT_H
#define COLLECT_COLLECT_INT_H

#include "base/strbuf.h"
#include "base/vec.h"
#include "collect/collect.h"

struct cpu_state;
struct fs_state;

struct collect_ctx {
    const char *procfs, *sysfs, *rootfs, *udev;
    struct clock *clock;
    struct emit *out;
    struct arena arena;       /* of one collection */
    struct strbuf path, file; /* reused by collect_read */
    struct strbuf stat;       /* /proc/stat, read once for two collectors */
    bool stat_read;
    struct cpu_state *cpu; /* what must be remembered between collections */
    struct fs_state *fs;
};

struct collector {
    str name;
    bool (*update)(struct collect_ctx *c, struct err *err);
};

#define COLLECTOR(x) bool node_##x##_update(struct collect_ctx *c, struct err *err);
#include "collect/collectors.def"
#undef COLLECTOR

void cpu_state_free(struct cpu_state *s);
struct fs_state *fs_state_new(const struct collect_options *o);
void fs_state_free(struct fs_state *s);

/* ---- reading ---- */

/* The file base/fmt..., valid until the next call; at most 8 MiB. */
bool collect_read(struct collect_ctx *c, str *out, struct err *err, const char *base,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool collect_read_stat(struct collect_ctx *c, str *out, struct err *err);
/* Cuts the next field off, fields being separated by spaces and tabs; false when there is none. */
bool text_field(str *rest, str *field);
/* The next field as a number. */
bool text_u64(str *rest, uint64_t *out);
bool text_f64(str *rest, double *out);

/* ---- emitting ---- */

void put_family(struct collect_ctx *c, const char *name, enum metric_type type, const char *help);
/* A sample without labels, or with some, sorted by name. */
void put(struct collect_ctx *c, const char *name, double v);
void put_labels(struct collect_ctx *c, const char *name, const struct label *l, size_t n, double v);
/* Family and its only sample. */
void put_one(struct collect_ctx *c, const char *name, enum metric_type type, const char *help,
             double v);

#define LABEL(n, v) ((struct label){STR(n), v})

/* ---- formats; arrays and text are in the arena or point into `text` ---- */

enum {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_GUEST,
    CPU_GUEST_NICE,
    CPU_MODES
};

struct cpu_times {
    uint64_t cpu;
    double s[CPU_MODES]; /* seconds */
};

/* The lines cpu0, cpu1, .. of /proc/stat. */
bool parse_stat_cpus(str text, struct arena *a, struct cpu_times **out, size_t *n, struct err *err);

struct stat_totals {
    double intr, ctxt, forks, boot_s, running, blocked;
};
bool parse_stat_totals(str text, struct stat_totals *out, struct err *err);

struct named_value {
    str name;
    double v;
};
/* /proc/meminfo with node_exporter's names: "Active_anon_bytes". */
bool parse_meminfo(str text, struct arena *a, struct named_value **out, size_t *n, struct err *err);
/* /proc/vmstat, the fields that are exported by default. */
bool parse_vmstat(str text, struct arena *a, struct named_value **out, size_t *n, struct err *err);

enum { DISK_FIELDS = 17 };
struct disk_line {
    uint64_t major, minor;
    str name;
    size_t fields_n; /* kernels differ: 11, 15, 17 */
    uint64_t f[DISK_FIELDS];
};
bool parse_diskstats(str text, struct arena *a, struct disk_line **out, size_t *n, struct err *err);
bool disk_excluded(str name);
/* The value of "E:name=" in a udev record, empty when there is none. */
str udev_property(str text, str name);

enum { NETDEV_FIELDS = 16 };
struct netdev_line {
    str name;
    uint64_t f[NETDEV_FIELDS];
};
bool parse_netdev(str text, struct arena *a, struct netdev_line **out, size_t *n, struct err *err);

struct pressure_totals {
    bool has_some, has_full;
    uint64_t some_us, full_us;
};
bool parse_pressure(str text, struct pressure_totals *out, struct err *err);

struct mount {
    str device, point, type; /* unescaped */
    str major, minor;
    bool readonly;
};
/* /proc/PID/mountinfo; without the mounts that are excluded by default, each place once. */
bool parse_mountinfo(str text, struct arena *a, struct mount **out, size_t *n, struct err *err);

#endif
