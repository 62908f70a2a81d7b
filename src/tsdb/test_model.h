// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a naive model of what the engine holds, random batches for both, and a comparison of
 * everything that can be asked.
 */
#ifndef TSDB_TEST_MODEL_H
#define TSDB_TEST_MODEL_H

#include "base/test.h"
#include "base/vec.h"
#include "sys/sim/sim.h"
#include "tsdb/tsdb.h"

enum { MODEL_SERIES = 40 };

struct model_sample {
    ts_ms t;
    double v;
    uint64_t batch;            /* which batch brought it */
    const struct histogram *h; /* NULL: a float. In the model's arena */
    ts_ms start;
};

typedef VEC(struct model_sample) model_samples;

struct model {
    struct arena arena;
    struct labels labels[MODEL_SERIES];
    uint64_t hash[MODEL_SERIES];
    bool deleted; /* something was: its names and values may still be told */
    model_samples samples[MODEL_SERIES]; /* sorted by time; the first of equal times */
    size_t asked;                        /* labels that a store asked for */
};

void model_init(struct model *m);
void model_fini(struct model *m);

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);

/* A random batch: in order, out of order, doubles, strange values; in some also histograms and
 * start timestamps. */
struct batch *model_batch(struct model *m, struct rng *r, ts_ms around);
/* Counts what the model would say, and takes the batch in. `number` marks its samples. */
void model_apply(struct model *m, const struct batch *b, uint64_t number,
                 struct batch_result *expected);

/* Every series, whole and in random ranges, through random matchers, names and values. */
void model_compare(struct model *m, struct source *s, struct rng *r, int queries);

/* Writes and waits (stepped engines), giving what done said. */
struct outcome {
    int calls;
    bool ok;
    struct batch_result result;
    struct err err;
};
void outcome_done(void *arg, bool ok, const struct batch_result *result, const struct err *err);
struct outcome write_batch(struct tsdb *db, struct batch *b);

/* All samples of the series that match `name`="value", in the arena; size 0 when there is none. */
struct columns read_series(struct source *s, struct labels ls, struct arena *a);

#endif
