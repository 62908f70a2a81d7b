// SPDX-License-Identifier: Apache-2.0
/* The parts of a scrape: jobs, targets, the cache of series, the report that makes a batch. */
#ifndef SCRAPE_SCRAPE_INT_H
#define SCRAPE_SCRAPE_INT_H

#include "base/vec.h"
#include "format/expfmt.h"
#include "scrape/scrape.h"

/* ---- relabel.c: rules of a configuration, compiled ---- */

struct rules;
/* NULL with err when one does not compile; an empty list is fine. */
struct rules *rules_new(const struct conf_relabel *list, size_t n, bool legacy, struct err *err);
void rules_free(struct rules *r);
/* False: dropped. New text is in the arena. */
bool rules_apply(const struct rules *r, struct labels_builder *b, struct arena *a);

/* ---- job.c: one scrape_config in force ---- */

struct conf_held { /* a configuration and how many jobs use it */
    size_t refs;
    void (*unref)(void *arg);
    void *arg;
};

struct job {
    size_t refs;
    struct conf_held *held; /* NULL: made by scrape_add_emitter */
    const struct conf_scrape *conf;
    struct conf_scrape own; /* of an emitter's job */
    uint64_t fingerprint;   /* of all that a scrape depends on */
    struct rules *relabel, *metric_relabel;
    str accept;
    struct arena arena;
};
/* `protobuf_first`: unless the configuration says what formats to ask for. */
struct job *job_new(const struct conf_scrape *c, bool protobuf_first, struct conf_held *held,
                    struct err *err);
struct job *job_ref(struct job *j);
void job_unref(struct job *j);
uint64_t conf_scrape_fingerprint(const struct conf_scrape *c);

/* ---- discovery/: groups of targets ---- */

struct target_group {
    struct labels labels;
    const str *addresses;
    size_t n;
};
/* Calls `group` for each; one file per mechanism. */
typedef void (*discovery_fn)(const struct conf_scrape *c, struct arena *a,
                             void (*group)(void *arg, const struct target_group *g), void *arg);
void discovery_static(const struct conf_scrape *c, struct arena *a,
                      void (*group)(void *arg, const struct target_group *g), void *arg);

/* ---- target.c: from an address to a target ---- */

struct target_spec {
    struct labels discovered, labels; /* `labels` without __ names; in the arena given */
    str url;
    int64_t interval_ms, timeout_ms;
    uint64_t hash; /* of `labels` and the URL: what makes it the same target */
};
enum target_fate { TARGET_KEPT, TARGET_DROPPED, TARGET_WRONG };
/* As upstream's PopulateLabels. `out->discovered` is always set; WRONG sets err. */
enum target_fate target_make(const struct job *j, struct labels group, str address, struct arena *a,
                             struct target_spec *out, struct err *err);

/* ---- schedule.c ---- */

/* The first moment at or after `now` at which this target is due: its times are spread over the
 * interval by its hash and stay where they are over restarts. */
ts_ms schedule_first(ts_ms now, int64_t interval_ms, uint64_t hash);
/* The next one after `due`; skips those that passed, and counts them. */
ts_ms schedule_next(ts_ms now, ts_ms due, int64_t interval_ms, uint64_t *skipped);
/* `now`, or `due` when it is as near as timers are exact (2 ms and 1 % of the interval): timestamps
 * at equal distances compress better. */
ts_ms schedule_align(ts_ms now, ts_ms due, int64_t interval_ms);

/* ---- cache.c: what is known of a target's series ---- */

struct series {
    str key; /* as the exposition writes it; its memory holds all the text of the labels */
    uint64_t key_hash;
    struct labels labels; /* after relabelling */
    uint64_t hash;
    struct series_key store_key; /* of the labels: the store finds the series by it */
    uint32_t seen;               /* number of the scrape that had it last */
    bool dropped;                /* by relabelling */
    bool live;                   /* stored by the last scrape without a timestamp of its own */
    bool own_t;                  /* came with a timestamp that was kept */
    bool unindexed;              /* made with settings that changed: only its end is of interest */
    bool is_created;             /* it says since when its metric counts; created.c */
    uint64_t family, metric;     /* of a line that created.c knows, else 0 */
    struct arena arena;
};

struct cache {
    VEC(struct series *) list;
    uint32_t *slots; /* 1 + index into list */
    size_t slots_n;
    uint32_t scrape; /* number of the scrape under way or done last */
};
struct series *cache_get(const struct cache *c, str key);
/* Takes `s`, whose key is not there. */
void cache_add(struct cache *c, struct series *s);
struct series *series_new(str key);
void series_free(struct series *s);
/* Frees what the last scrape did not have and what is not live. No batch may refer to it. */
void cache_sweep(struct cache *c);
/* Settings changed: nothing is found any more, live series still get their end. */
void cache_forget(struct cache *c);
void cache_fini(struct cache *c);

/* ---- created.c: lines of OpenMetrics text that say since when a metric counts ---- */

struct created_at {
    uint64_t metric;
    ts_ms t;
};
/* What was read of the family at hand. Zeroed: off. */
struct created {
    bool on;
    unsigned kind; /* of the family */
    uint64_t family;
    struct strbuf name;
    VEC(struct created_at) list;
    struct created_at *table;
    size_t mask;
};
/* A line of metadata is of the family at hand. */
bool created_goes_on(const struct created *c, str family, enum metric_type type);
/* A line of another one's. What was taken of the family before must have been told. */
void created_family(struct created *c, str family, enum metric_type type);
/* Looks at a new series of the family; `ls` are its labels as they came. */
void created_note(struct created *c, struct series *s, struct labels ls);
/* True: the sample is the start of its metric, in seconds, and no sample. */
bool created_take(struct created *c, const struct series *s, double seconds);
/* The family ends: how many starts there were. If any, created_of gives each series its own, or 0;
 * until created_family. */
size_t created_begin(struct created *c);
ts_ms created_of(const struct created *c, const struct series *s);
void created_fini(struct created *c);

/* ---- report.c: one scrape of one target to a batch ---- */

enum scrape_failure { /* in the order of nunchi_scrape_failures_total in self.def */
                      SCRAPE_OK,
                      SCRAPE_FETCH,
                      SCRAPE_TIMEOUT,
                      SCRAPE_STATUS,
                      SCRAPE_BODY_TOO_LARGE,
                      SCRAPE_CONTENT_TYPE,
                      SCRAPE_PARSE,
                      SCRAPE_SAMPLE_LIMIT,
                      SCRAPE_LABEL_LIMIT,
                      SCRAPE_SERIES_LIMIT,
                      SCRAPE_TARGET_LIMIT,
                      SCRAPE_EMIT,
                      SCRAPE_OVERLOAD,
};

struct report_in {
    const struct conf_scrape *conf;
    const struct rules *metric_relabel;
    struct labels target; /* labels of the target */
    int64_t series_max;
    int64_t interval_ms, timeout_ms;
    bool created; /* lines like foo_created are start timestamps and no samples */
    struct cache *cache;
    uint64_t *metadata_hash; /* of the last scrape */
    ts_ms t;
    struct env *env; /* tells how long it took since */
    int64_t started_ns;
    enum scrape_failure failure; /* known before the body is read */
    struct err err;
    str content_type, body;
    struct emitter *emitter; /* instead of a body */
};
struct report_out {
    struct batch *batch;
    enum scrape_failure failure;
    struct err err;
    size_t scraped, added, new_series;
    size_t duplicates; /* samples of a series that came twice, dropped */
};
/* Labels in the batch may belong to the cache: it stays as it is until the batch is gone. */
void report_make(const struct report_in *in, struct report_out *out);
/* Staleness markers for all that lives, and for up and its like. */
struct batch *report_end(struct cache *c, struct labels target, bool extra, ts_ms t);

#endif
