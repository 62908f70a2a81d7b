// SPDX-License-Identifier: Apache-2.0
/*
 * Bulk import: samples that come sorted go straight into parts, past WAL and head.
 *
 *     im = tsdb_import_begin(db, &err);
 *     tsdb_import_part(im, &err);              any number of parts
 *     tsdb_import_series(im, labels, ...);         of each, series in order of labels
 *     tsdb_import_commit(im, &err);            all of it is there, or tsdb_import_abort: nothing
 *
 * All or nothing, also when the process dies: the ids of parts under way stand in the catalog as
 * removed, so the next opening deletes their files. What the store had before stays before what is
 * imported: of two samples with one time the older one wins; among imported parts the first.
 *
 * Memory: what the part at hand needs for labels and directory. One thread.
 */
#ifndef TSDB_IMPORT_H
#define TSDB_IMPORT_H

#include "model/source.h"
#include "tsdb/tsdb.h"

struct tsdb_import;

/* Flushes the head, so that all that was written before is in parts. NULL: it could not. */
struct tsdb_import *tsdb_import_begin(struct tsdb *db, struct err *err);
/* Ends the part before and begins one. */
bool tsdb_import_part(struct tsdb_import *im, struct err *err);
/* At least one sample, times strictly rising; labels behind those of the series before. Else
 * ERR_INVALID; after any error only abort is left. */
bool tsdb_import_series(struct tsdb_import *im, struct labels ls, const struct columns *c,
                        struct err *err);
/* Known from now on, also if the import is given up. */
void tsdb_import_metadata(struct tsdb_import *im, const struct metadata *m);
/* Both free the import. */
bool tsdb_import_commit(struct tsdb_import *im, struct err *err);
void tsdb_import_abort(struct tsdb_import *im);

#endif
