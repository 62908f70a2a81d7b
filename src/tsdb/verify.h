// SPDX-License-Identifier: Apache-2.0
/*
 * Checks a storage directory without opening it for use: every checksum of catalog, parts and WAL
 * (as far as parts do not cover it), every block and record decoded, and whether they say the same.
 * Changes nothing, takes no lock;
 * beside a server that is using the directory a part may go away meanwhile, which is no finding.
 */
#ifndef TSDB_VERIFY_H
#define TSDB_VERIFY_H

#include "store/part.h"
#include "sys/env.h"

enum { VERIFY_FINDINGS_MAX = 1000 }; /* told; more are only counted */

/* Called at the end for each thing that is wrong. `path` is below env's disk, `off` is where in it,
 * as far as that is known (else 0). */
typedef void (*verify_fn)(void *arg, str path, uint64_t off, const char *what);

struct verify_report {
    uint64_t findings;
    uint64_t parts, series, samples, part_bytes; /* checked */
    uint64_t wal_segments, wal_records, wal_bytes;
    uint64_t wal_torn; /* ends that a crash cut, or that a server is writing: never acknowledged */
    uint64_t quarantined; /* files in quarantine/ */
};

/* `dir`: of the engine, below env's disk; empty: "metrics". False: it cannot be read at all. */
bool tsdb_verify(struct env *env, str dir, verify_fn fn, void *arg, struct verify_report *out,
                 struct err *err);

/* One part: all of its bytes, its index and every block. Adds to the report. */
void tsdb_verify_part(struct part *p, str path, verify_fn fn, void *arg, struct verify_report *out);

#endif
