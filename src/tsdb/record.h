// SPDX-License-Identifier: Apache-2.0
/*
 * The WAL record of a batch, docs/formats/wal.md "Records of the metrics engine": definitions of
 * the series that the current segment does not have yet, samples as columns, metadata. Columns are
 * of one width each, so that a sample costs a copy and no decisions.
 */
#ifndef TSDB_RECORD_H
#define TSDB_RECORD_H

#include "model/sink.h"
#include "store/enc.h"

enum { RECORD_BATCH = 1 };

struct record_definition {
    uint64_t number;
    struct labels labels;
};

/* Series i of the batch is number[i]; 0: left out, and so is one without samples. */
struct record_input {
    const struct batch *b;
    const uint64_t *number;
    const struct record_definition *definitions;
    size_t definitions_n;
};
void record_encode(struct enc *e, const struct record_input *in);

/* Series number[i] has the next count[i] >= 1 samples. */
struct record_samples {
    size_t series_n, n;
    const uint64_t *number; /* none is 0 */
    const uint64_t *count;
    const ts_ms *t;
    const double *v;
};

/* What decoding calls: definitions, then samples, then metadata. False ends it. */
struct record_visitor {
    bool (*define)(void *arg, uint64_t number, struct labels ls);
    bool (*samples)(void *arg, const struct record_samples *s);
    bool (*metadata)(void *arg, const struct metadata *m);
    void *arg;
};
/* False: the bytes are no record, or a visitor said so. Labels and columns live in the arena. */
bool record_decode(bytes b, struct arena *a, const struct record_visitor *v);

#endif
