// SPDX-License-Identifier: Apache-2.0
/*
 * Where samples go: the write vtable. A batch (one scrape, one request) becomes visible at once or
 * not at all, after its commit; a query begun after `done` sees it.
 */
#ifndef MODEL_SINK_H
#define MODEL_SINK_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

/* The samples [first, first + n) of the batch's columns belong to one series. */
struct batch_series {
    struct labels labels;
    uint64_t hash; /* labels_hash(labels); producers that keep series know it already */
    uint32_t first, n;
};

/* An example of what a sample counted, mostly with a trace's id among its labels. */
struct batch_exemplar {
    uint32_t series; /* index in the batch */
    struct labels labels;
    ts_ms t;
    double v;
};

/*
 * All of it lives in `arena`, which goes with the batch. Samples of one series are in any order of
 * time. The same series may occur twice.
 */
struct batch {
    struct arena arena;
    struct batch_series *series;
    size_t series_n;
    ts_ms *t;
    double *v;
    const struct histogram **h; /* NULL: all are floats; h[i] NULL: sample i is one */
    ts_ms *start;               /* NULL: none; start[i]: since when sample i counts; 0: unknown */
    size_t samples_n;
    struct batch_exemplar *exemplars;
    size_t exemplars_n;
    struct metadata *metadata;
    size_t metadata_n;
};

/* What became of a batch. */
struct batch_result {
    size_t stored;
    size_t duplicate;     /* same time, same value: already there, no error */
    size_t conflicting;   /* same time, other value: dropped, the first one stays */
    size_t out_of_bounds; /* older than what the store still takes */
    size_t refused;       /* of new series over the memory budget */
    size_t invalid;       /* of series that break a limit on labels, dropped at the write door */
    struct err first;     /* why the first sample that was not stored was not; kind NONE: none */
};

/* `ok` false: nothing of it is stored and err says why. Runs once, on any thread, must not block.
 * The batch was freed before. */
typedef void (*batch_done)(void *arg, bool ok, const struct batch_result *result,
                           const struct err *err);

struct sink {
    /* Takes `b` (heap, owned by the sink from here on, also when it fails). */
    void (*write)(struct sink *s, struct batch *b, batch_done done, void *arg);
};

struct batch *batch_new(void);
void batch_free(struct batch *b);

#endif
