// SPDX-License-Identifier: Apache-2.0
/*
 * What this process says of itself: counters and gauges listed in self.def, bumped from anywhere
 * with one relaxed atomic add, read by the collector that serves /metrics. Every drop, refusal and
 * error path has a row.
 */
#ifndef SYS_SELF_H
#define SYS_SELF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum self_id {
#define SELF(id, type, name, label, value, help) SELF_##id,
#include "sys/self.def"
#undef SELF
    SELF_N
};

enum self_type { SELF_TYPE_COUNTER, SELF_TYPE_SECONDS, SELF_TYPE_GAUGE };

struct self_row {
    enum self_type type;
    const char *name, *label, *value, *help;
};

extern const struct self_row self_rows[SELF_N];
extern _Atomic int64_t self_values[SELF_N];

static inline void self_add(enum self_id id, int64_t n)
{
    atomic_fetch_add_explicit(&self_values[id], n, memory_order_relaxed);
}
static inline void self_set(enum self_id id, int64_t v)
{
    atomic_store_explicit(&self_values[id], v, memory_order_relaxed);
}
static inline int64_t self_get(enum self_id id)
{
    return atomic_load_explicit(&self_values[id], memory_order_relaxed);
}

#endif
