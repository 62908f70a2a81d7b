// SPDX-License-Identifier: Apache-2.0
/* What wal.c (writing) and wal_read.c (reading) share: the bytes of docs/formats/wal.md. */
#ifndef STORE_WAL_INT_H
#define STORE_WAL_INT_H

#include "base/vec.h"
#include "store/wal.h"

enum {
    WAL_VERSION = 1,
    WAL_HEADER_BYTES = 96,
    WAL_HEADER_COPY_AT = 2048, /* second copy, so that one bad sector spares the segment */
    WAL_RECORDS_AT = 4096,
    WAL_FRAME_BYTES = 32,
    WAL_ALIGN = 8,
    WAL_MARK = 0x4b52414d, /* where looking for the next record begins: "MARK" */
};
#define WAL_MAGIC "nunchiWL"

struct wal_header {
    uint32_t space;
    uint64_t features;
    uint64_t seq, epoch, first_lsn;
    /* The segment before: how far it was acknowledged, as offset and as the lsn after its last. */
    uint64_t prev_seq, prev_end, prev_lsn;
    uint32_t salt; /* in every record of this segment, so that no payload can pass for one */
};

struct wal_frame {
    uint32_t n;
    uint64_t lsn;
    uint8_t type;
    uint32_t salt, payload_crc;
};

void wal_header_encode(const struct wal_header *h, uint8_t out[WAL_HEADER_BYTES]);
/* ERR_CORRUPT when the bytes are no header, ERR_INVALID for a newer version. */
bool wal_header_decode(const uint8_t in[WAL_HEADER_BYTES], struct wal_header *h, struct err *err);
void wal_frame_encode(const struct wal_frame *f, uint8_t out[WAL_FRAME_BYTES]);
bool wal_frame_decode(const uint8_t in[WAL_FRAME_BYTES], struct wal_frame *f);

static inline uint64_t wal_frame_span(uint64_t payload_n)
{
    return WAL_FRAME_BYTES + ((payload_n + WAL_ALIGN - 1) & ~(uint64_t)(WAL_ALIGN - 1));
}

struct wal_segment_file {
    uint64_t seq;
    uint64_t bytes;
    uint64_t next_lsn; /* after its last record */
};

/* What the writer needs to know of what is there. */
struct wal_tail {
    VEC(struct wal_segment_file) files;
    uint64_t next_seq, next_lsn;
    uint64_t prev_seq, prev_end; /* the last segment and its end; 0: there is none */
};

typedef bool (*wal_fn)(void *arg, const struct wal_record *r, struct err *err);
/* `tail` NULL: only reads, files that are of no use stay where they are. */
bool wal_scan(const struct wal_options *o, uint64_t from, wal_fn fn, void *arg,
              struct wal_recovery *report, struct wal_tail *tail, struct err *err);

/* "DIR/0000000000000001.wal" */
enum { WAL_PATH_MAX = 512 };
str wal_path(char buf[WAL_PATH_MAX], str dir, uint64_t seq);

#endif
