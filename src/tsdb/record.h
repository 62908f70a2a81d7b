// SPDX-License-Identifier: Apache-2.0
/*
 * The WAL record of a batch, docs/formats/wal.md "Records of the metrics engine": definitions of
 * the series that the current segment does not have yet, samples as columns, metadata, exemplars.
 * Columns are of one width each, so that a sample costs a copy and no decisions.
 */
#ifndef TSDB_RECORD_H
#define TSDB_RECORD_H

#include "model/exemplar.h"
#include "model/sink.h"
#include "store/enc.h"

enum { RECORD_BATCH = 1 };

struct record_definition {
    uint64_t number;
    struct labels labels;
};

/* Series i of the batch is number[i]; 0: left out, and so is one without samples. The exemplars are
 * a list as exemplar_rows_encode makes it; of the batch's own there is nothing. */
struct record_input {
    const struct batch *b;
    const uint64_t *number;
    bool is_plain; /* nothing is left out, and sample i is the only one of series i */
    const struct record_definition *definitions;
    size_t definitions_n;
    bytes exemplars;
};
void record_encode(struct enc *e, const struct record_input *in);

/* Series number[i] has the next count[i] >= 1 samples. */
struct record_samples {
    size_t series_n, n;
    const uint64_t *number; /* none is 0 */
    const uint64_t *count;
    const ts_ms *t;
    const double *v;
    const struct histogram *const *h; /* of each sample, NULL: a float; NULL: all are floats */
    const ts_ms *start;               /* of each sample, 0: unknown; NULL: all are unknown */
};

/* What decoding calls: definitions, then samples, then metadata, then exemplars. False ends it. */
struct record_visitor {
    bool (*define)(void *arg, uint64_t number, struct labels ls);
    bool (*samples)(void *arg, const struct record_samples *s);
    bool (*metadata)(void *arg, const struct metadata *m);
    void (*exemplar)(void *arg, struct labels series, const struct exemplar *x);
    void *arg;
};
/* False: the bytes are no record, or a visitor said so. Labels and columns live in the arena. */
bool record_decode(bytes b, struct arena *a, const struct record_visitor *v);

#endif
