// SPDX-License-Identifier: Apache-2.0
/*
 * The one write door: a sink in front of the store's sink. Everything that brings samples (scrapes,
 * remote write, rules) goes through it, so that limits and accounting are in one place.
 *
 * - A new series with too many or too long labels is dropped from its batch; its samples are
 * counted in batch_result.invalid and the first such series is named in batch_result.first. The
 * rest is stored. The door says so when the store asks for labels (model/sink.h), so what is known
 * already costs nothing here.
 * - The bytes of batches on their way are bounded. A batch over the bound is refused at once, with
 *   ERR_UNAVAILABLE: the sender waits and tries again, memory does not grow.
 * - What became of samples is counted in the nunchi_ingest_* rows of sys/self.def.
 *
 * Writes come from any thread. `done` runs once, on the writer's thread or the store's.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "model/sink.h"

struct ingest;

struct ingest_options {
    size_t labels_max;            /* 0: 64 */
    size_t label_name_bytes_max;  /* 0: 512 */
    size_t label_value_bytes_max; /* 0: 8 KiB */
    size_t in_flight_bytes_max;   /* 0: 64 MiB */
};

/* `next` must outlive it. */
struct ingest *ingest_new(struct sink *next, const struct ingest_options *o);
/* Only when every batch written to it is done. */
void ingest_free(struct ingest *in);
struct sink *ingest_sink(struct ingest *in);

#endif
