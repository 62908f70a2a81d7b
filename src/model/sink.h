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

/*
 * The name under which a producer knows a series: a hash of the bytes that stand for it, which mean
 * the same labels each time. Several keys may mean one series. All zero: none.
 */
struct series_key {
    uint64_t lo, hi;
};
/* What the bytes are, so that equal bytes of two kinds give different keys. */
enum series_key_kind { SERIES_KEY_LABELS, SERIES_KEY_REMOTE_WRITE };
/* Never all zero. Under a secret of this process, so that no sender can make two series' bytes give
 * one key. Any thread. */
struct series_key series_key_of(enum series_key_kind kind, bytes b);
/* Of a label set. */
struct series_key series_key_labels(struct labels ls);

static inline bool series_key_is_none(struct series_key k)
{
    return (k.lo | k.hi) == 0;
}

/* The samples [first, first + n) of the batch's columns belong to one series. */
struct batch_series {
    struct labels labels; /* where the batch has a labeller: set by batch_label */
    uint64_t hash;        /* labels_hash(labels); producers that keep series know it already */
    uint32_t first, n;
    struct series_key key;
};

/* An example of what a sample counted, mostly with a trace's id among its labels. */
struct batch_exemplar {
    uint32_t series; /* index in the batch */
    struct labels labels;
    ts_ms t;
    double v;
};

enum label_verdict {
    LABELS_OK,
    LABELS_DROP, /* this series is not stored */
    LABELS_FAIL, /* nothing of the batch is */
};

/*
 * Gives series their labels, or refuses them, when the store asks: of series whose key it knows the
 * labels are never read, sorted, checked or compared. Each holder of a batch may put its own in
 * front of the one that is there. It lives as long as the batch or until `done`, and is asked only
 * during the store's `write`, at most once for a series, about one that has samples. Must not
 * change its mind about the bytes of a key: what was LABELS_OK once is not asked again.
 */
struct batch;
struct labeller {
    enum label_verdict (*label)(struct labeller *l, struct batch *b, struct batch_series *s,
                                struct err *err);
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
    struct labeller *labeller; /* NULL: the labels are there */
};

/* What a store does before it adds a series. `err` is set unless the verdict is LABELS_OK. */
static inline enum label_verdict batch_label(struct batch *b, struct batch_series *s,
                                             struct err *err)
{
    return b->labeller ? b->labeller->label(b->labeller, b, s, err) : LABELS_OK;
}
/* Labels all series, for who has no use for keys. LABELS_DROP: at least one was dropped, its `n` is
 * 0, and err tells the first; LABELS_FAIL: the rest was not asked. The labeller is gone then. */
enum label_verdict batch_label_all(struct batch *b, struct err *err);

/* What became of a batch. */
struct batch_result {
    size_t stored;
    size_t duplicate;     /* same time, same value: already there, no error */
    size_t conflicting;   /* same time, other value: dropped, the first one stays */
    size_t out_of_bounds; /* older than what the store still takes */
    size_t refused;       /* of new series over the memory budget */
    size_t invalid;       /* of series whose labels were refused (LABELS_DROP) */
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
