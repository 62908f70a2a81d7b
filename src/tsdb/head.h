// SPDX-License-Identifier: Apache-2.0
/*
 * Head: the series that are being written, in shards, with the samples that no part has yet.
 *
 * Two kinds of state with two kinds of lock:
 * - Which series there are (table, postings): the shard's rwlock.
 * - What samples a series has: `gate`, one rwlock of the whole head. Whoever appends holds it for
 *   writing for a whole batch, whoever captures holds it for reading for a whole selection. So a
 *   selection sees all of a batch or nothing, across shards; a large one leaves it now and then and
 *   is told what changed (moment.h). Captures copy a few pointers and
 * lengths a series and read the samples after the gate was left: chunks only grow behind the
 * captured length, closed ones never change, and replaced memory is retired, not freed (reclaim.h).
 * Order of locks: gate, keys, shard, symbols and reclaim.
 *
 * Generations. A flush begins by raising `gen` (O(1), under the gate). Chunks of a series whose own
 * `gen` is older are moved to `frozen` before anything is appended to it, by the appender or by the
 * flush, whoever comes first. Frozen chunks count as long as `frozen_live`; the flush publishes its
 * part and clears that in one step under the gate, and drops the chunks at leisure.
 */
#ifndef TSDB_HEAD_H
#define TSDB_HEAD_H

#include <assert.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/chunk.h"
#include "tsdb/extras.h"
#include "tsdb/flights.h"
#include "tsdb/gather.h"
#include "tsdb/head_index.h"
#include "tsdb/keys.h"
#include "tsdb/moment.h"
#include "tsdb/numbers.h"
#include "tsdb/order.h"
#include "tsdb/symbols.h"

struct sample {
    ts_ms t;
    double v;
};

/* Samples that came out of order, as they came. */
struct late {
    uint32_t n, cap;
    struct sample at[];
};

enum { LATE_MAX = CHUNK_LARGE_SAMPLES, SERIES_LABELS_MAX = 1024 };

/*
 * The first 64 bytes are all that appending looks at. Who writes a batch looks at the marks of its
 * series instead, so that these bytes stay with the thread that appends.
 */
struct series {
    uint64_t hash;        /* never changes, like id and labels */
    struct chunk *open;   /* samples in order are appended here; NULL: none. Under the gate */
    struct chunk_end end; /* of `open`; t and v stay: the newest sample ever */
    uint32_t gen;
    uint32_t id; /* index in its shard */
    uint16_t labels_n;
    bool has_last;        /* `end` has a sample */
    bool gone;            /* removed from its shard; only a late capture still sees it */
    uint32_t noted;       /* moment.h: those that began until then have its note */
    struct chunk *sealed; /* closed chunks, newest first */
    struct chunk *frozen;
    struct late *late;
    uint64_t rank;          /* under order.lock: rises with the labels; 0: none yet */
    bool forgotten;         /* under order.lock: it has no place there any more */
    _Atomic bool has_extra; /* set under the gate: extras has something of it */
    uint16_t idle;          /* flushes in a row that found nothing; the flush's own */
    uint32_t labels[];      /* name, value, name, value: symbols */
};
static_assert(offsetof(struct series, frozen) == 64, "what appending looks at");

struct shard {
    pthread_rwlock_t lock; /* guards all of it */
    struct series_table table;
    uint32_t ranked; /* under order.update: those below were given to the order */
    size_t live;
    uint32_t *slots; /* hash table: id + 1 */
    size_t slots_n;
    struct head_index index;
} __attribute__((aligned(64)));

/* A series that left its shard; its symbols stay as long as a selection may ask for its labels. */
struct leaver {
    struct series *s;
    uint64_t moment; /* reclaim.h */
};

struct head {
    pthread_rwlock_t gate;
    struct shard *shards;
    unsigned shards_n; /* power of two */
    bool start_zeros;  /* tsdb.h; immutable */
    struct symbols symbols;
    struct keys keys;
    struct reclaim reclaim;
    struct flights flights;
    struct order order;
    VEC(struct leaver) leaving;      /* head_remove.c's own; by moment */
    struct extras extras;            /* under the gate */
    struct moments moments;          /* of selections that are captured in slices */
    _Atomic uint64_t added, removed; /* series, ever */
    _Atomic uint64_t memory;         /* bytes, about */
    _Atomic uint64_t series;
    /* Under the gate. */
    uint32_t gen;
    bool frozen_live;
    uint64_t samples, chunks; /* in the head, frozen ones too while they are live */
    ts_ms min_t, max_t;       /* of what is not frozen */
};

void head_init(struct head *h, unsigned shards);
void head_fini(struct head *h);

/* What counts against the budget. */
static inline uint64_t head_memory(struct head *h)
{
    return atomic_load_explicit(&h->memory, memory_order_relaxed) + symbols_bytes(&h->symbols) +
           keys_bytes(&h->keys);
}

static inline unsigned head_shard_of(const struct head *h, uint64_t hash)
{
    return (unsigned)(hash >> 40) & (h->shards_n - 1);
}
/* A number for the WAL, unique in this process. */
static inline uint64_t head_number(const struct head *h, unsigned shard, uint32_t id)
{
    return (uint64_t)id * h->shards_n + shard + 1;
}
static inline uint64_t head_series_number(const struct head *h, const struct series *s)
{
    return head_number(h, head_shard_of(h, s->hash), s->id);
}
/* Of a series that is there. Under the lock of its shard. */
static inline struct mark *head_mark(const struct head *h, uint64_t number)
{
    return &series_table_place(&h->shards[(number - 1) % h->shards_n].table,
                               (uint32_t)((number - 1) / h->shards_n))
                ->mark;
}
/* All shards, for reading. */
void head_lock_shards(struct head *h);
void head_unlock_shards(struct head *h);

/* Asks the memory for what shard_find of these hashes will look at. Under the shard's lock. */
void shard_prefetch(const struct shard *sh, const uint64_t *hashes, size_t n);
/* Under the shard's lock, for reading at least. NULL when it is not there. */
struct series *shard_find(struct head *h, struct shard *sh, struct labels ls, uint64_t hash);
/* Under the shard's lock for writing; it must not be there. */
struct series *shard_add(struct head *h, struct shard *sh, struct labels ls, uint64_t hash);
/* Gives back what a shard with fewer series than before does not need. Under its lock for writing.
 */
void shard_shrink(struct shard *sh);
/* What a series counts as in head.memory, without samples and pairs. */
size_t series_bytes(const struct series *s);
/* Removes the series of which `idle` says so and that no batch on its way has, and everything that
 * is known of them. Takes the locks, a slice at a time, and yields between. One at a time. */
void head_remove_idle(struct head *h, uint32_t idle_min);
/* As labels_cmp. Whoever asks knows that neither is freed meanwhile. */
int series_cmp(const struct head *h, const struct series *x, const struct series *y);
/* The labels, text in the symbols, array in the arena. Under the shard's lock, or inside `reclaim`.
 */
struct labels series_labels(const struct head *h, const struct series *s, struct arena *a);
/* Ids of the series that match all, in order of id; under the shard's lock. head_match.c */
struct id_list {
    uint32_t *at;
    size_t n;
};
struct id_list shard_match(struct head *h, struct shard *sh, const struct matcher *m, size_t m_n,
                           struct arena *a);
/* Whether two rising lists have an id in common. */
bool ids_meet(const uint32_t *x, size_t x_n, const uint32_t *y, size_t y_n);
bool series_matches(const struct head *h, const struct series *s, const struct matcher *m,
                    size_t m_n);

enum append_result { APPEND_STORED, APPEND_DUPLICATE, APPEND_CONFLICTING };
/* Asks the memory for what head_append will look at: the series, and later the end of its samples.
 */
static inline void series_prefetch(const struct series *s)
{
    __builtin_prefetch(s, 1);
    __builtin_prefetch((const char *)s + 63, 1);
}
static inline void series_prefetch_end(const struct series *s)
{
    if (s->open)
        __builtin_prefetch(s->open->data + s->end.len, 1);
}
/* Under the gate, for writing. */
enum append_result head_append(struct head *h, struct series *s, ts_ms t, double v);
/* As above, of a sample that is a histogram (h not NULL: v is no matter) or has a start (not 0).
 * The histogram passes histogram_check. */
enum append_result head_append_extra(struct head *h, struct series *s, ts_ms t, double v,
                                     const struct histogram *hist, ts_ms start);
/* Moves the chunks of an older generation to `frozen`. Under the gate, for writing. */
void head_freeze(struct head *h, struct series *s);
/* Of a series without samples here: one with the time of its last sample is a new one from now on,
 * since that may have been deleted. Under the gate, for writing. */
void head_forget_last(const struct head *h, struct series *s);
/* Drops frozen chunks; under the gate, for writing, after frozen_live was cleared. */
void head_drop_frozen(struct head *h, struct series *s);

/* What a reader copies of a series under the gate. */
struct capture {
    const struct extra_capture *extra; /* NULL: nothing */
    const struct chunk *open, *sealed, *frozen;
    const struct late *late;
    ts_ms open_max_t; /* the newest sample of the series in the head, if `open` */
    double open_max_v;
    uint32_t late_n;
    uint16_t open_len;
    uint8_t open_n;
};
/* Under the gate; extras go to the arena. */
void head_capture(const struct head *h, const struct series *s, struct arena *a,
                  struct capture *out);
bool capture_overlaps(const struct capture *c, ts_ms start, ts_ms end);
/* Adds the samples that `out` wants, oldest chunk first. */
bool capture_read(const struct capture *c, struct gather *out, struct err *err);

#endif
