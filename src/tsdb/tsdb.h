// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics engine: samples in through a sink, series out through a source (model/sink.h,
 * model/source.h). What it holds: a WAL, a head in memory that covers the WAL, immutable parts.
 *
 * Promises. `done(ok)` of a write runs after the batch is durable (TSDB_DURABLE: synced; TSDB_FAST:
 * written, synced at the next tick) and visible as a whole; any selection begun after it sees it.
 * Samples of one series may come in any order of time. Of two samples with the same time the first
 * stays. Every bit pattern of a double comes back as it came in; of histograms the distribution
 * does (histogram_equal), but a hint that there was no reset is forgotten. Exemplars are bounded
 * (exemplars.h) and not part of the moment of a selection.
 */
#ifndef TSDB_TSDB_H
#define TSDB_TSDB_H

#include "model/sink.h"
#include "model/source.h"
#include "store/blob.h"
#include "sys/env.h"

struct tsdb;

enum tsdb_durability { TSDB_DURABLE, TSDB_FAST };

/* Series that match all of `m` are kept for this long; of several rules the first counts. */
struct tsdb_retention_rule {
    const struct matcher *m;
    size_t m_n;
    int64_t keep_ms; /* 0: for ever */
};

/* Rows of one step (model/tier.h) instead of samples; kept for so long. */
struct tsdb_tier {
    int64_t step_ms, keep_ms;
};

struct tsdb_options {
    struct env *env; /* with a disk; outlives the engine */
    str dir;         /* below env's disk; empty: "metrics" */
    enum tsdb_durability durability;
    int64_t retention_ms; /* 0: for ever. Counted from the newest sample or now, the earlier */
    /* Longer or shorter than retention_ms for some; read during tsdb_open only. Samples that are
     * too old are not seen any more; they leave the disk with their part, or when it is merged. */
    const struct tsdb_retention_rule *retention_by;
    size_t retention_by_n;
    /* What becomes of samples that are older than retention_ms, finest first, each step a multiple
     * of the one before and a divisor of a day, each kept for longer. At most SOURCE_TIERS_MAX,
     * copied. With tiers samples are accepted as old as the last of them keeps rows, and become
     * rows soon. */
    const struct tsdb_tier *tiers;
    size_t tiers_n;
    uint64_t retention_bytes_max; /* parts and WAL; above, the oldest part goes. 0: no limit */
    uint64_t merge_bytes_per_s;   /* what merges may read a second. 0: 64 MiB */
    int merge_percent;            /* of one CPU, 1 to 100, that many merges may take. 0: 50 */
    int64_t scrub_period_ms;      /* all of the parts is read once in it. 0: 7 d; below 0: never */
    uint64_t memory_bytes_max;    /* of the head; near it new series are refused. 0: 1 GiB */
    uint64_t cache_bytes_max;     /* pages of parts. 0: 16 MiB */
    uint64_t wal_bytes_max;       /* flush when it is larger. 0: 64 MiB */
    uint64_t segment_bytes;       /* of the WAL. 0: default */
    int64_t exemplars_max;        /* kept at most; below 0: none. 0: 100,000 */
    int64_t flush_age_ms;  /* flush when the head's first sample came this long ago. 0: 2 h */
    unsigned shards;       /* power of two; 0: as many as CPUs */
    size_t capture_series; /* a selection looks at so many at most while batches wait. 0: 4,096 */
    /* A counter whose start is told and newer than all that is known of its series was 0 then: that
     * sample is stored too, as upstream's created-timestamp-zero-ingestion does, unless it is an
     * hour older than the sample that tells. A histogram was empty. */
    bool start_zeros;
    bool stepped; /* simulation: no thread, commits happen in tsdb_step */
    /* Only to be read: no lock is taken and nothing on disk changes, so a server may be using the
     * directory; writes fail, and tsdb_tick and tsdb_flush may not be called. */
    bool read_only;
    struct blob *(*wrap_blob)(void *arg, struct blob *b); /* tests; NULL: none */
    void *wrap_arg;
};

/* What starting found; all zero after an orderly stop. */
struct tsdb_recovery {
    uint64_t wal_records, wal_samples; /* replayed */
    uint64_t wal_damaged;              /* records lost to damage */
    uint64_t wal_torn;                 /* torn ends, never acknowledged */
    uint64_t orphan_samples;           /* their series' definition was lost */
    uint64_t orphan_lsn;               /* record of the first of them */
    uint64_t parts, parts_quarantined, parts_adopted;
    bool catalog_rebuilt;
    struct err first; /* why the first part was put away; kind NONE: none was */
    int64_t duration_ns;
};

/* Opens or creates; replays the WAL; ready when it returns. ERR_EXISTS: another process has it.
 * Read only: ERR_NOT_FOUND when there is nothing, ERR_UNAVAILABLE when a server changed the
 * directory again and again meanwhile. */
struct tsdb *tsdb_open(const struct tsdb_options *o, struct tsdb_recovery *report, struct err *err);
/* Flushes the head when its WAL is long, so that the next start is short; commits and syncs what
 * waits. No writes, selections or ticks may be under way. */
void tsdb_close(struct tsdb *db);

/* As exemplars_max. Any thread. */
void tsdb_set_exemplars_max(struct tsdb *db, int64_t max);

/* Write side. Works on the calling thread up to the queueing of the WAL record and never waits for
 * disk; `done` runs on the committer's thread, or before write returns when nothing was queued. */
struct sink *tsdb_sink(struct tsdb *db);
/* Read side. `budget_use` is called with the samples that each read decodes. */
struct source *tsdb_source(struct tsdb *db);

/*
 * Background work that is due: sync (TSDB_FAST), flush, merge, retention, scrub. Call it about each
 * second from one background task (a second call at the same time returns at once). Does at most
 * one piece of work and returns true when there is more to do now. False with err->kind set: it
 * failed and will be tried again.
 */
bool tsdb_tick(struct tsdb *db, struct err *err);
/* Flushes the whole head into a part, now. */
bool tsdb_flush(struct tsdb *db, struct err *err);
/* Flushes and does all merges that are due, whatever their budget. */
bool tsdb_settle(struct tsdb *db, struct err *err);
/*
 * Deletes the samples of the series that match all of `m` (at least one matcher) with start <= t <=
 * end, as far as they were acknowledged before: they are hidden at once, durably, and leave the
 * disk when their part is merged or cleaned. Exemplars of that time are deleted too. Samples that
 * come later are not concerned. Label names and values of which nothing is left may be told until
 * then. Flushes the head. ERR_INVALID, ERR_LIMIT (too many deletions that were not cleaned), or
 * what the disk says. Any thread but a loop.
 */
bool tsdb_delete(struct tsdb *db, const struct matcher *m, size_t m_n, ts_ms start, ts_ms end,
                 struct err *err);
/* Writes every part anew that holds deleted samples. ERR_NO_SPACE: no room for that. */
bool tsdb_clean_tombstones(struct tsdb *db, struct err *err);

/*
 * Makes the new directory `dir` (below the disk of the engine; parents are made) a store by itself
 * that holds what was acknowledged before: the head is flushed, parts are hard links, so it takes
 * no room until merges write them anew. tsdb_open can open it. ERR_EXISTS: `dir` is there. After a
 * failure it is removed. Any thread but a loop.
 */
bool tsdb_snapshot(struct tsdb *db, str dir, struct err *err);

/* One part on disk. */
struct tsdb_part {
    uint64_t id, bytes, series, samples;
    unsigned level;           /* 0: from the head, or imported; n: merged n times */
    ts_ms min_t, max_t;       /* of what it has, hidden or not; min_t > max_t: nothing */
    const uint64_t *replaces; /* ids of the parts that it was merged from */
    size_t replaces_n;
    bool damaged; /* it cannot be read, or a page of it */
};
/* The live parts in order of acceptance, in the arena. */
size_t tsdb_parts(struct tsdb *db, struct arena *a, struct tsdb_part **out);

/* Stepped mode: commits what waits; false when nothing did. */
bool tsdb_step(struct tsdb *db);

struct tsdb_stats {
    uint64_t series;      /* in the head */
    uint64_t label_pairs; /* in the head; one that several shards have counts in each */
    uint64_t chunks;      /* sealed and open, in the head */
    uint64_t head_samples;
    uint64_t part_samples;
    uint64_t parts, part_bytes;
    uint64_t wal_bytes, wal_segments, wal_commits, wal_records_per_commit_max;
    uint64_t memory_bytes;      /* of the head, as counted against the budget */
    ts_ms min_t, max_t;         /* of the head; min_t > max_t: it is empty */
    ts_ms all_min_t, all_max_t; /* of head and parts */
    uint64_t stored, duplicate, conflicting, refused; /* samples since open */
};
void tsdb_stats(struct tsdb *db, struct tsdb_stats *out);

/* What there is of a series: from indexes where samples need not be looked at to know it. */
struct tsdb_extent {
    uint64_t samples;  /* 0: none, and no times */
    ts_ms first, last; /* times of samples */
};
struct selection;
/* Of series i of a selection of tsdb_source, which has no limits. Threads as reads. */
bool tsdb_extent(struct selection *sel, size_t i, struct tsdb_extent *out, struct err *err);

/* One line of a cardinality table. */
struct tsdb_top {
    str name;
    uint64_t n;
};
struct tsdb_cardinality {
    struct tsdb_top *series_by_metric, *values_by_label, *bytes_by_label, *series_by_pair;
    size_t series_by_metric_n, values_by_label_n, bytes_by_label_n, series_by_pair_n;
    uint64_t label_pairs; /* distinct, in the head */
};
/* The `limit` largest of each, falling, ties by name, of the head; in the arena. Pairs are
 * "name=value". */
void tsdb_cardinality(struct tsdb *db, size_t limit, struct arena *a, struct tsdb_cardinality *out);

#endif
