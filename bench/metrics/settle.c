// SPDX-License-Identifier: Apache-2.0
/*
 * bench-settle DIR: does at once what a server with the storage directory DIR would do within
 * hours: flushes the head, merges until no merge is due. Prints what is stored then.
 */
#include <stdio.h>

#include "base/err.h"
#include "sys/env.h"
#include "tsdb/tsdb.h"

static bool settle(struct env *env, struct err *err)
{
    struct tsdb_recovery found;
    struct tsdb_stats s;
    struct tsdb *db = tsdb_open(&(struct tsdb_options){.env = env}, &found, err);
    if (!db)
        return false;
    bool ok = tsdb_settle(db, err);
    while (ok && tsdb_tick(db, err))
        ;
    ok = ok && err->kind == ERR_NONE;
    tsdb_stats(db, &s);
    if (ok)
        printf("{\"parts\": %llu, \"part_bytes\": %llu, \"part_samples\": %llu}\n",
               (unsigned long long)s.parts, (unsigned long long)s.part_bytes,
               (unsigned long long)s.part_samples);
    tsdb_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct env env = {.clock = clock_system(), .entropy = entropy_system()};
    if (argc != 2) {
        fprintf(stderr, "usage: bench-settle DIR\n");
        return 2;
    }
    env.disk = disk_system_open(argv[1], &err);
    if (!env.disk || !settle(&env, &err)) {
        fprintf(stderr, "bench-settle: %s\n", err.msg);
        return 1;
    }
    disk_system_close(env.disk);
    return 0;
}
