// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the engine share.
 *
 * Locks, in this order: `work` (one piece of background work at a time), head.gate, a shard,
 * parts_lock, metadata.lock. The gate also guards `parts` and `applied_lsn`: a flush swaps the list
 * of parts and drops what the head had of it in one step.
 */
#ifndef TSDB_TSDB_INT_H
#define TSDB_TSDB_INT_H

#include "base/map.h"
#include "store/catalog.h"
#include "store/wal.h"
#include "tsdb/exemplars.h"
#include "tsdb/head.h"
#include "tsdb/index.h"
#include "tsdb/tier_part.h"
#include "tsdb/tsdb.h"
#include "tsdb/veil.h"

/* A loaded index with those who use it. */
struct index_ref {
    _Atomic unsigned refs;
    struct index *x;
};

/* A live part, or one that left the list and is still read. */
struct tpart {
    _Atomic unsigned refs;
    struct tsdb *db;
    struct part *part;
    /* Under parts_lock. */
    struct index_ref *index;
    uint64_t used;
    bool bad; /* its index cannot be read */
    struct err why;
    bool removed; /* delete the file when nobody reads it any more */
    bool moved;   /* the file is in quarantine already */
    bool damaged; /* a page of it is; it is not merged */
    struct veil *veil;
    struct tier_dir *rows; /* of a part of rows, once it was asked for */
    uint64_t swept; /* kinds of series (keep_class) that were over their time; under `work` */
    /* The head's number of each series, 0: it was not there. Made once, in the background; NULL
     * until then. Numbers are never used twice, so what is removed later does no harm. */
    _Atomic(uint32_t *) links;
    _Atomic bool covered;       /* all of its series were there... */
    _Atomic uint64_t linked_at; /* ...when so many had been removed from the head */
};

enum { TIER_KINDS_MAX = 16 };

struct part_set {
    _Atomic unsigned refs;
    size_t n;
    size_t raw_n; /* the first so many have samples, those behind them rows of tiers */
    /* Of each kind of part the last word on what of it is in rows; tiers.c. */
    struct part_tier tiers[TIER_KINDS_MAX];
    size_t tiers_n;
    struct tier_span steps[TIER_KINDS_MAX]; /* what times rows are about, oldest first */
    size_t steps_n;
    struct tpart *at[]; /* in order of wal_from: of equal times the first stays */
};

enum { METADATA_VERSIONS_MAX = 8 };

struct metadata_entry {
    str family;                                /* the map's key; lives as long as the entry */
    struct metadata at[METADATA_VERSIONS_MAX]; /* oldest first; their text is one allocation each */
    size_t n;
};

/* Where scrubbing is. */
struct scrub {
    bool started;
    uint64_t part; /* its number; the next one when there is none with it */
    size_t section;
    uint64_t off; /* in the section */
    uint32_t crc; /* of what was read of it */
};

struct tsdb {
    struct sink sink; /* first: tsdb_sink */
    struct source source;
    struct tsdb_options o;
    struct env *env;
    struct arena arena;
    str dir;
    struct head head;
    struct wal *wal; /* NULL while it is replayed */
    struct catalog *catalog;
    struct page_cache *pages;

    struct part_set *parts;        /* under the gate */
    uint64_t applied_lsn;          /* under the gate: records up to here are in the head */
    int64_t first_mono_ns;         /* under the gate: first append of this generation; 0: none */
    struct tombstones *tombstones; /* under the gate; changed under `work` */
    struct keep keep;              /* immutable */
    struct tsdb_tier tiers[SOURCE_TIERS_MAX];
    size_t tiers_n; /* immutable */

    pthread_mutex_t work; /* guards up to the next empty line */
    bool frozen;          /* a flush was begun and not ended */
    uint64_t cut_lsn, cut_from;
    uint64_t wal_failures_seen;
    struct merge *merge;       /* the job under way; NULL: none */
    struct tier_job *tier_job; /* NULL: none; never beside a merge */
    uint64_t clean_upto;       /* tombstones up to this are being cleaned; 0: none */
    uint64_t cleaned;          /* up to here they were, as far as parts can be read */
    unsigned imports;          /* under way: their parts have their numbers already */
    int64_t merge_paid_ns;     /* until when its budget is used up */
    struct scrub scrub;
    int64_t scrub_paid_ns; /* as merge_paid_ns */

    pthread_mutex_t parts_lock;
    uint64_t index_bytes, use_clock;

    struct {
        pthread_mutex_t lock;
        struct map map; /* family -> struct metadata_entry */
        bool dirty;     /* not all of it is in a part */
    } metadata;

    struct exemplars *exemplars;

    int64_t sync_seen, sync_samples; /* the committer's own: samples behind which sync */

    _Atomic uint64_t stored, duplicate, conflicting, refused;
    _Atomic int64_t newest; /* largest time ever stored; INT64_MIN: none */
};

/* Times beyond this are nonsense, and leave room for arithmetic: about 142,000 years. */
#define TSDB_TIME_MAX (1LL << 52)

static inline struct tsdb *db_of_sink(struct sink *s)
{
    return (struct tsdb *)s;
}
static inline struct tsdb *db_of_source(struct source *s)
{
    return (struct tsdb *)((char *)s - offsetof(struct tsdb, source));
}

/* ---- retain.c ---- */
/* Samples before this are not kept, whatever their series; INT64_MIN: all are. */
ts_ms db_oldest(struct tsdb *db);
void db_cutoffs(struct tsdb *db, struct cutoffs *out);
bool db_keep_init(struct tsdb *db, const struct tsdb_options *o, struct err *err);
void db_keep_fini(struct tsdb *db);
/* Drops parts that are too old, or the oldest when they are too large. Under `work`. */
bool db_retain(struct tsdb *db, bool *did, struct err *err);

/* ---- delete.c ---- */
bool db_load_tombstones(struct tsdb *db, struct tsdb_recovery *report, struct err *err);
/* Those that no part has anything for. Under `work`. */
bool db_drop_tombstones(struct tsdb *db, bool *did, struct err *err);
/* When there are many: begins to write a part anew without what was deleted. Under `work`. */
bool db_clean(struct tsdb *db, bool *did, struct err *err);

/* ---- tiers.c ---- */
bool db_tiers_init(struct tsdb *db, const struct tsdb_options *o, struct err *err);
/* While a set is made: a part of rows; then once behind the last. */
void part_set_note(struct part_set *ps, const struct part_info *info);
void part_set_order_tiers(struct part_set *ps);
/* Up to here what the part has is in rows, and not to be seen in it; INT64_MIN: nothing is. */
ts_ms part_set_gone(const struct part_set *ps, const struct part_info *info);
/* Samples before this are seen as rows only. */
ts_ms part_set_raw_start(const struct part_set *ps);
/* A slice of making rows if any is due: *did. Under `work`. */
bool db_tier(struct tsdb *db, bool *did, struct err *err);
void db_tier_abort(struct tsdb *db);
/* Writes a part of rows anew without what is hidden. Under `work`. */
bool db_tier_rewrite(struct tsdb *db, struct tpart *p, struct err *err);
/* `out` and `more` together, both of this step. */
void tier_rows_add(struct tier_rows *out, int64_t step_ms, const struct tier_rows *more);
/* Appends rows of a series with behind < end <= until that are not deleted. */
bool tier_rows_read(const struct tier_dir *dir, const struct veil *v, uint32_t id, ts_ms behind,
                    ts_ms until, struct tier_rows *out, struct err *err);

/* ---- write.c ---- */
void db_write(struct sink *s, struct batch *b, batch_done done, void *arg);
void db_note_newest(struct tsdb *db, ts_ms t);

/* ---- names.c ---- */
bool db_label_names(struct source *s, const struct matcher *m, size_t m_n,
                    const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                    size_t *n, struct err *err);
bool db_label_values(struct source *s, str name, const struct matcher *m, size_t m_n,
                     const struct select_hints *h, struct budget *b, struct arena *a, str **out,
                     size_t *n, struct err *err);

/* ---- links.c ---- */
/* Remembers which series of the head the series of a part are, for a part that readers use and that
 * nobody did it for; *did: there was one. */
void db_link_part(struct tsdb *db, bool *did);
/* Of the part that a flush made of these series. Before it is published. */
void tpart_link(struct tpart *p, struct series *const *at, size_t n);

/* ---- metadata.c ---- */
enum { METADATA_MAX = 200000, METADATA_TEXT_MAX = 64 << 10 };
bool db_metadata_history(struct source *s, str family, struct arena *a, struct metadata **out,
                         size_t *n, struct err *err);
void db_metadata_init(struct tsdb *db);
void db_metadata_fini(struct tsdb *db);
void db_metadata_put(struct tsdb *db, const struct metadata *m);
/* Drops what is known already from the batch. */
void db_metadata_filter(struct tsdb *db, struct batch *b);
bool db_metadata_get(struct source *s, str family, size_t limit, struct arena *a,
                     struct metadata **out, size_t *n, struct err *err);

/* ---- parts.c ---- */
/* Makes the set from the catalog; `keep` are those of the old set. Under `work`. */
struct part_set *part_set_make(struct tsdb *db, const struct part_set *old);
void part_set_unref(struct part_set *ps);
/* Swaps the set; under the gate, for writing. The caller unrefs the old one after the gate. */
struct part_set *part_set_swap(struct tsdb *db, struct part_set *ps);
/* The set becomes what the catalog says; parts that left are deleted by their last reader. Under
 * `work`. */
void parts_publish(struct tsdb *db);
/* A page of it cannot be read: it is not merged any more. */
void tpart_damaged(struct tpart *p);
/* Its index cannot be read: the next tick puts it away. */
void tpart_bad(struct tpart *p, const struct err *why);
/* What of the part is hidden, with a count; NULL: nothing. */
struct veil *tpart_veil(struct tpart *p, const struct index *x, const struct tombstones *t);
/* Where the rows of a part of rows are, as long as the part; NULL: damaged. */
struct tier_dir *tpart_rows(struct tpart *p, struct err *err);
/* The part's index, loaded when it is not; index_ref_put gives it back. */
struct index_ref *tpart_index(struct tpart *p, struct err *err);
void index_ref_put(struct index_ref *r);

/* ---- replay.c ---- */
struct replay;
struct replay *replay_new(struct tsdb *db, uint64_t covered, struct tsdb_recovery *report);
bool replay_record(void *arg, const struct wal_record *r, struct err *err);
/* Gives what was lost its place in the report, and frees. */
void replay_end(struct replay *r);

/* ---- flush.c, merge.c ---- */
/* Under `work`. `gc`: series that were silent for two flushes leave the head. */
bool db_flush(struct tsdb *db, bool gc, struct err *err);
/* All that is known goes to the part. */
void db_write_metadata(struct tsdb *db, struct index_writer *x);
/* Until the head has nothing that was there before. Under `work`. */
bool db_flush_all(struct tsdb *db, struct err *err);
/* A slice of a merge if one is due: *did. Under `work`. */
bool db_merge(struct tsdb *db, bool *did, struct err *err);
/* Reads a piece of the parts if one is due. Under `work`. */
bool db_scrub(struct tsdb *db, bool *did, struct err *err);
/* What merges and tiers share: whether bytes may be read now, that so many were, and whether the
 * disk has room for so many more (false without an error: it has not). */
bool db_merge_budget(struct tsdb *db);
void db_merge_pay(struct tsdb *db, uint64_t size, int64_t spent_ns, int percent);
bool db_merge_space(const struct tsdb *db, uint64_t size, struct err *err);
/* Gives up the merge under way. */
void db_merge_abort(struct tsdb *db);
/* Writes a part anew without what is hidden, or begins to: what db->merge is then, slices end.
 * Under `work`. */
bool db_rewrite(struct tsdb *db, struct tpart *p, struct err *err);
/* A slice of the job, whatever its budget. Under `work`. */
bool db_merge_slice(struct tsdb *db, struct err *err);
bool db_quarantine(struct tsdb *db, bool *did, struct err *err);

/* ---- select.c ---- */
extern const struct source_ops tsdb_source_ops;

#endif
