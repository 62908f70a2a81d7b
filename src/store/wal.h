// SPDX-License-Identifier: Apache-2.0
/*
 * Write-ahead log: an ordered row of records that survive once `done` said so.
 *
 * Positions are record numbers (lsn), rising by one from 1 for ever; a gap means that records
 * failed (their callers were told) or were lost to damage. Records live in preallocated segment
 * files, docs/formats/wal.md. Group commit: a committer thread takes everything that waits, writes
 * it, syncs once, and calls back; whatever arrives meanwhile forms the next group, so there is no
 * timer.
 *
 * A segment is the unit of failure: after any error of a write or sync it is closed, all of its
 * records that were not acknowledged fail, and a new one begins. The header of each segment says
 * how far its predecessor was acknowledged; what lies behind that is never read again, so a record
 * that failed cannot come back later and contradict one that was accepted after it.
 *
 * Records may depend on earlier ones of the same segment (`segment` below), never on another one.
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "base/arena.h"
#include "base/err.h"
#include "sys/env.h"

enum {
    WAL_RECORD_BYTES_MAX = 64 << 20, /* payload of one record */
    WAL_SEGMENT_BYTES_DEFAULT = 64 << 20,
    WAL_QUEUE_BYTES_DEFAULT = 64 << 20, /* records that wait for their commit */
};

struct wal;

struct wal_options {
    struct env *env;
    str dir;                /* below env->disk, created when missing */
    str quarantine;         /* where segments go that cannot be read at all */
    uint32_t space;         /* tenant; 0 today */
    uint64_t segment_bytes; /* 0: default */
    uint64_t queue_bytes;   /* 0: default */
    bool fast;              /* call back after the write; wal_tick syncs. False: after the sync */
    bool stepped;           /* no thread; wal_step commits. For simulation */
    /* Told of each place that reading could not make sense of: file, offset in it, what is wrong.
     * NULL: only counted. */
    void (*finding)(void *arg, str path, uint64_t off, const char *what);
    void *finding_arg;
};

/* What reading at start found. */
struct wal_recovery {
    uint64_t segments, records, bytes;
    uint64_t damaged_records; /* acknowledged, but missing or unreadable */
    uint64_t damaged_places;  /* places where reading had to look for the next record */
    uint64_t torn_tails;      /* ends of segments that a crash cut; never acknowledged */
    uint64_t quarantined;     /* files moved away */
};

struct wal_record {
    uint64_t lsn;
    uint64_t segment; /* sequence number of its segment */
    uint64_t epoch;   /* the process run that wrote it: its first segment */
    uint8_t type;
    /* Behind a hole in a segment whose end is not known: it may never have been acknowledged, and
     * what it depends on may be in the hole. */
    bool doubtful;
    bytes payload; /* valid during the call */
};

/*
 * Opens the log and hands its records to `fn` in order, then starts. Segments that hold no record
 * with lsn >= `from` are skipped whole; of the others every record comes, because later ones may
 * depend on it. `fn` may fail, and then opening fails. Damage is skipped and reported, it is no
 * error.
 */
struct wal *wal_open(const struct wal_options *o, uint64_t from,
                     bool (*fn)(void *arg, const struct wal_record *r, struct err *err), void *arg,
                     struct wal_recovery *report, struct err *err);
/* Only reads, as wal_open does: nothing is written, moved or deleted, so it may stand beside the
 * process that writes (whose last records then look torn). A missing directory has no records. */
bool wal_read(const struct wal_options *o, uint64_t from,
              bool (*fn)(void *arg, const struct wal_record *r, struct err *err), void *arg,
              struct wal_recovery *report, struct err *err);
/* Commits what waits, then closes. No appends may be under way. */
void wal_close(struct wal *w);

/* Runs once per append that returned true, in order of lsn, on the committer's thread (or in
 * wal_step). ok: the record is durable as the options promise. */
typedef void (*wal_done)(void *arg, bool ok, uint64_t lsn, const struct err *err);

/* The segment that an append made now would go to. Rises; any thread. */
uint64_t wal_segment(struct wal *w);

struct wal_append {
    uint64_t segment; /* must still be wal_segment: ERR_CANCELED when it is not (encode again) */
    uint8_t type;
    void *payload; /* heap; the log owns it after success */
    size_t payload_n;
    wal_done done;
    void *arg;
};

/*
 * Queues a record; any thread. ERR_CANCELED: the segment changed; ERR_UNAVAILABLE: the queue is
 * full or the log is closing; ERR_LIMIT: too large. On failure nothing was queued and `done` will
 * not run.
 */
bool wal_append(struct wal *w, const struct wal_append *a, struct err *err);

/* Stepped mode: commits what waits now; false when nothing waited. */
bool wal_step(struct wal *w);
/* Fast mode: asks for a sync of what was written since the last one. Called about each second. */
void wal_tick(struct wal *w);
/* Later records go to a new segment, so that the old ones can be trimmed. */
void wal_roll(struct wal *w);
/* Deletes segments all of whose records have lsn < `lsn`. Failing to delete is no harm: reading
 * from a position skips them, and the next trim tries again. */
bool wal_trim(struct wal *w, uint64_t lsn, struct err *err);

struct wal_stats {
    uint64_t segments, bytes; /* on disk, written part only */
    uint64_t next_lsn;
    uint64_t commits, records;  /* since open */
    uint64_t failures;          /* groups that failed */
    uint64_t group_records_max; /* most records that one sync covered */
};
void wal_stats(struct wal *w, struct wal_stats *out);

#endif
