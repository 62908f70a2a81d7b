// SPDX-License-Identifier: Apache-2.0
/*
 * What was deleted: matchers, a range of time, and which parts it is about. A tombstone is numbered
 * as parts are, and it hides samples of parts with smaller numbers: all of what was there when it
 * was made (the head is flushed first) and nothing that came later. Merges leave out what is
 * hidden; a tombstone with no such part left is dropped.
 *
 * Tombstones of one selection share their matchers, and one that a newer one covers is left out, so
 * whoever deletes the same again and again has few.
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

/* From so many on parts are written anew in the background; there are never more than the other. */
enum { TOMBSTONES_MANY = 1000, TOMBSTONES_MAX = 10000, TOMBSTONE_MATCHERS_MAX = 1000 };

/* Which series: those that match all. Immutable, counted. */
struct scope {
    _Atomic unsigned refs;
    uint64_t number; /* unlike that of any other selection of this process */
    struct arena arena;
    struct matcher *m;
    size_t m_n;
    str key; /* its bytes on disk: equal for equal matchers */
};
struct scope *scope_ref(struct scope *s);
void scope_unref(struct scope *s);

struct tombstone {
    uint64_t id;
    ts_ms start, end; /* inclusive */
    struct scope *of;
};

struct tombstones {
    _Atomic unsigned refs;
    uint64_t version;     /* unlike that of any other set of this process */
    struct tombstone *at; /* those of one scope together, in order of the scopes' numbers */
    size_t n;
};

/* An empty set; one count is the caller's. */
struct tombstones *tombstones_new(void);
struct tombstones *tombstones_ref(struct tombstones *t);
void tombstones_unref(struct tombstones *t);

/* A deletion that is made now. The matchers were made before and cannot fail again. */
struct deletion {
    uint64_t id; /* above those of all tombstones */
    const struct matcher *m;
    size_t m_n;
    ts_ms start, end;
    /* The number of a tombstone may be raised to `id`: no part that is numbered from it on, and is
     * not numbered above `id`, has samples of its time. */
    bool (*may_raise)(void *arg, const struct tombstone *older);
    void *arg;
};
/* The set with it: without those of the same selection that it covers, and as one with those that
 * overlap or touch it and may be raised. */
struct tombstones *tombstones_with(const struct tombstones *t, const struct deletion *d);
/* The set without those of which `fn` says that they are not needed. */
struct tombstones *tombstones_without(const struct tombstones *t,
                                      bool (*is_needed)(void *arg, const struct tombstone *s),
                                      void *arg);

void tombstones_encode(const struct tombstones *t, struct strbuf *out);
/* NULL with ERR_CORRUPT; ERR_INVALID: written by a newer version. */
struct tombstones *tombstones_decode(bytes file, struct err *err);

#endif
