// SPDX-License-Identifier: Apache-2.0
/* SQLite's file layer over `struct disk`; only state.c uses it. */
#ifndef STORE_STATE_INT_H
#define STORE_STATE_INT_H

#include <sqlite3.h>

#include "sys/env.h"

struct state_vfs {
    sqlite3_vfs base;
    char name[40];
    const struct env *env;
    str dir;
    struct err last; /* what the disk said at the last failure */
    bool sync_failed;
};

/* Registers the layer under a name of its own. `env` and the bytes of `dir` are borrowed. */
bool state_vfs_init(struct state_vfs *v, const struct env *env, str dir, struct err *err);
void state_vfs_fini(struct state_vfs *v);

#endif
