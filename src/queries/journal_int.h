// SPDX-License-Identifier: Apache-2.0
/*
 * queries.active: slots of 1 KiB, each one line: a JSON object {"query":...,"timestamp_sec":...} or
 * nothing, filled up with blanks. A text that does not fit is cut.
 */
#ifndef QUERIES_JOURNAL_INT_H
#define QUERIES_JOURNAL_INT_H

#include "base/arena.h"
#include "queries/queries.h"

enum { JOURNAL_SLOT_BYTES = 1024, JOURNAL_SLOTS_MAX = 1024 };

struct journal; /* its calls are serialised by the caller */

/* The queries in it, in the arena; then it is empty. NULL when the disk does not let it. */
struct journal *journal_open(struct disk *d, unsigned slots, struct arena *a,
                             struct query_unfinished **found, size_t *n, struct err *err);
void journal_close(struct journal *j);

/* -1 when all slots are taken, or the disk failed. */
int journal_put(struct journal *j, str text, ts_ms t);
void journal_clear(struct journal *j, int slot);

#endif
