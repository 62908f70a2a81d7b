// SPDX-License-Identifier: Apache-2.0
/*
 * Parts that have rows of a tier instead of samples, docs/formats/part.md "Parts of tiers". To all
 * that looks for series they are parts as others (index.h), whose series have a sample of 0 at the
 * end of each row.
 */
#ifndef TSDB_TIER_PART_H
#define TSDB_TIER_PART_H

#include "model/labels.h"
#include "tsdb/index.h"
#include "tsdb/tier_block.h"

struct tier_writer;
/* Takes `w`, as index_writer_new does. */
struct tier_writer *tier_writer_new(struct part_writer *w, int64_t step_ms);
/* Labels are larger than those before; rows in order, at least one. */
void tier_writer_series(struct tier_writer *x, struct labels ls, const struct tier_row *rows,
                        size_t n);
void tier_writer_metadata(struct tier_writer *x, const struct metadata *m);
/* Sets PART_TIER, and what index_writer_finish sets. */
bool tier_writer_finish(struct tier_writer *x, struct part_info *info, uint64_t *size,
                        struct err *err);
void tier_writer_abort(struct tier_writer *x);

/* Where the rows of each series are. Immutable; refers to the part. */
struct tier_dir;
struct tier_dir *tier_dir_load(struct part *p, struct err *err);
void tier_dir_free(struct tier_dir *d);
/* Appends the rows of series `id` (as in the index). */
bool tier_dir_read(const struct tier_dir *d, uint32_t id, struct tier_rows *out, struct err *err);

#endif
