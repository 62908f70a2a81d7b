// SPDX-License-Identifier: Apache-2.0
/*
 * The moment of a large selection. Its series are captured a slice at a time, so that batches are
 * not held up, and yet as they were at one moment: while it lasts, whoever changes a series for the
 * first time notes what it was. A series without a note did not change. Notes live in the arena
 * that the selection gave, which is safe because it is used under the gate only: by the selection
 * for reading, by whoever notes for writing.
 *
 * A flush may move chunks meanwhile, that changes nothing of what is read; but it publishes its
 * part only when no moment lasts, as a capture must not miss what a list of parts of before does
 * not have.
 */
#ifndef TSDB_MOMENT_H
#define TSDB_MOMENT_H

#include <pthread.h>

#include "base/arena.h"

struct head;
struct series;
struct capture;
struct moment_page;

struct moment {
    struct moment *prev, *next;
    struct arena *arena;
    struct moment_page *first, *last;
    size_t n;       /* notes, at most one of a series */
    uint32_t began; /* by moments.clock */
};

/* Of a head. */
struct moments {
    pthread_mutex_t lock; /* readers of the gate come and go at once */
    pthread_cond_t ended;
    struct moment *first; /* under `lock` and the gate, for reading; or the gate, for writing */
    uint32_t clock;       /* as `first`: how many began. It may wrap, as no series is left alone
                             for 2^31 moments */
    bool closed;          /* under the gate: none may begin */
};

void moments_init(struct moments *m);
void moments_fini(struct moments *m);
/* None may begin until moments_open, and those that last end; neither lock is held. */
void moments_close(struct head *h);
/* Under the gate, for writing. */
void moments_open(struct head *h);

/* Under the gate, for reading. */
void moment_begin(struct head *h, struct moment *m, struct arena *a);
void moment_end(struct head *h, struct moment *m);
/* Under the gate, for writing, while a moment lasts: before the samples of `s` change. */
void moments_note(struct head *h, struct series *s);
/* The captures of the series at[0..n) become those of the moment. After its end; no lock. */
void moment_settle(const struct moment *m, const struct series *const *at, struct capture *captures,
                   size_t n);

#endif
