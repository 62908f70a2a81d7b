// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing: one writer swaps in a new immutable value, readers take a counted reference of the
 * current one and never see it change. The value is freed when its last reader is done.
 */
#ifndef SYS_SNAP_H
#define SYS_SNAP_H

#include <pthread.h>
#include <stddef.h>

struct snap_value;

struct snap {
    pthread_mutex_t lock; /* held for a pointer copy and a count only */
    struct snap_value *current;
};

void snap_init(struct snap *s);
/* Drops the current value. */
void snap_fini(struct snap *s);
/* Publishes `value`; `drop(value)` runs when nobody holds it any more, on the thread that let go.
 */
void snap_publish(struct snap *s, void *value, void (*drop)(void *value));

struct snap_ref {
    struct snap_value *v;
    void *value; /* NULL when nothing was published */
};
struct snap_ref snap_get(struct snap *s);
void snap_put(struct snap_ref *r);
#define SNAP_CLEANUP __attribute__((cleanup(snap_put)))

#endif
