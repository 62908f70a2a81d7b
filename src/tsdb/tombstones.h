// SPDX-License-Identifier: Apache-2.0
/*
 * What was deleted: matchers, a range of time, and which parts it is about. A tombstone is numbered
 * as parts are, and it hides samples of parts with smaller numbers: all of what was there when it
 * was made (the head is flushed first) and nothing that came later. Merges leave out what is
 * hidden; a tombstone with no such part left is dropped.
 *
 * A set is immutable and counted. On disk it is one small file, written anew at each change;
 * docs/formats/catalog.md.
 */
#ifndef TSDB_TOMBSTONES_H
#define TSDB_TOMBSTONES_H

#include <stdatomic.h>

#include "base/arena.h"
#include "model/matcher.h"
#include "sys/env.h"

enum { TOMBSTONES_MAX = 10000, TOMBSTONE_MATCHERS_MAX = 1000 };

struct tombstone {
    uint64_t id;
    ts_ms start, end; /* inclusive */
    struct matcher *m;
    size_t m_n;
};

struct tombstones {
    _Atomic unsigned refs;
    uint64_t version; /* unlike that of any other set of this process */
    struct arena arena;
    struct tombstone *at;
    size_t n;
};

/* An empty set with room for n; one count is the caller's. */
struct tombstones *tombstones_new(size_t n);
struct tombstones *tombstones_ref(struct tombstones *t);
void tombstones_unref(struct tombstones *t);
/* Copies; at most as often as there is room. The matchers were made before and cannot fail again.
 */
void tombstones_add(struct tombstones *t, uint64_t id, const struct matcher *m, size_t m_n,
                    ts_ms start, ts_ms end);

void tombstones_encode(const struct tombstones *t, struct strbuf *out);
/* NULL with ERR_CORRUPT; ERR_INVALID: written by a newer version. */
struct tombstones *tombstones_decode(bytes file, struct err *err);

#endif
