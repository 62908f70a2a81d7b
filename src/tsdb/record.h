// SPDX-License-Identifier: Apache-2.0
/*
 * The WAL record of a batch, docs/formats/wal.md "Records of the metrics engine": definitions of
 * the series that the current segment does not have yet, samples, metadata.
 */
#ifndef TSDB_RECORD_H
#define TSDB_RECORD_H

#include "model/sink.h"
#include "store/enc.h"

enum { RECORD_BATCH = 1 };

/* Series i of the batch is number[i]; 0: left out. define[i]: its labels are written too. */
struct record_input {
    const struct batch *b;
    const uint64_t *number;
    const bool *define;
};
void record_encode(struct enc *e, const struct record_input *in);

/* What decoding calls, in this order: all definitions, all samples, all metadata. False ends it. */
struct record_visitor {
    bool (*define)(void *arg, uint64_t number, struct labels ls);
    bool (*sample)(void *arg, uint64_t number, ts_ms t, double v);
    bool (*metadata)(void *arg, const struct metadata *m);
    void *arg;
};
/* False: the bytes are no record, or a visitor said so. Labels live in the arena. */
bool record_decode(bytes b, struct arena *a, const struct record_visitor *v);

#endif
