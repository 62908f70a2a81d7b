// SPDX-License-Identifier: Apache-2.0
/*
 * A sealed file as its readers see it: immutable bytes of a known size, from which a batch of
 * ranges is asked for and comes later. Nobody maps a file or assumes that a read is cheap, so a
 * blob may as well lie on object storage; blob_late_* is a test double that answers late and out of
 * order.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include "base/err.h"
#include "sys/env.h"

struct blob_range {
    uint64_t off;
    size_t n;
    void *buf; /* the caller's, n bytes */
};

/* Runs once, on any thread, possibly before blob's read returned. False: err; buffers are
 * undefined. */
typedef void (*blob_done)(void *arg, bool ok, const struct err *err);

struct blob {
    const struct blob_ops *ops;
    uint64_t size;
};

struct blob_ops {
    /* `ranges` and their buffers live until done. A range past the end is ERR_CORRUPT. */
    void (*read)(struct blob *b, struct blob_range *ranges, size_t n, blob_done done, void *arg);
    void (*close)(struct blob *b);
};

/* Reads all ranges and waits, lending the pool slot of a task meanwhile. Any thread but a loop. */
bool blob_read(struct blob *b, struct blob_range *ranges, size_t n, struct err *err);
static inline void blob_close(struct blob *b)
{
    b->ops->close(b);
}

/* A file of env's disk; reads on the calling thread. */
struct blob *blob_file_open(struct disk *d, str path, struct err *err);

/*
 * A cache of pages shared by many blobs, bounded in bytes, least recently used leaves first. A
 * cached blob owns the one below it. The cache outlives its blobs.
 */
struct blob_cache;
struct blob_cache *blob_cache_new(uint64_t bytes_max);
void blob_cache_free(struct blob_cache *c);
struct blob *blob_cached(struct blob_cache *c, struct blob *below);
struct blob_cache_stats {
    uint64_t bytes, hits, misses;
};
void blob_cache_stats(struct blob_cache *c, struct blob_cache_stats *out);

/* Test double: owns `below`; a read is cut into its ranges, and each waits for its turn, in an
 * order drawn from `seed`, on a thread of its own. */
struct blob *blob_late(struct blob *below, uint64_t seed);

#endif
