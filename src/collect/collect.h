// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics of this host and of this process, collected in the process itself. Names, types, help and
 * labels of the host's are node_exporter's, so dashboards and alerts made for it work.
 *
 * An emitter belongs to one thread at a time. Its emit reads files and may wait: call it on a pool
 * thread. It emits what it can; a collector that fails is told by node_scrape_collector_success.
 */
#ifndef COLLECT_COLLECT_H
#define COLLECT_COLLECT_H

#include "model/emit.h"
#include "sys/env.h"

struct host_fs;

struct collect_options {
    const char *procfs, *sysfs, *rootfs, *udev; /* NULL: /proc, /sys, /, /run/udev/data */
    const str *enabled;                         /* names of collectors */
    size_t enabled_n;                           /* 0: all */
    struct clock *clock;                        /* NULL: the system's */
    int64_t statfs_timeout_ms;                  /* for all mounts together; 0: 5,000 */
    /* For tests; NULL: host_statfs. Runs on a thread of its own. */
    int (*statfs)(const char *path, struct host_fs *fs);
};

/* NULL with ERR_INVALID and a hint when there is no such collector. */
struct emitter *collect_new(const struct collect_options *o, struct err *err);
void collect_free(struct emitter *e);

/* Names of all collectors, for help and completion. */
size_t collect_names(const str **names);

/* This process: sys/self.def, process_* as the client libraries define them, nunchi_build_info.
 * Several threads may call emit at once. */
struct emitter *collect_self_new(void);
void collect_self_free(struct emitter *e);

#endif
