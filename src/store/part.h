// SPDX-License-Identifier: Apache-2.0
/*
 * Part: one immutable file of named sections with a footer directory, docs/formats/part.md. What
 * the sections hold is the engine's business. A part is written under a temporary name and gets its
 * own by part_writer_finish only, after its bytes are on stable storage; it becomes live by a
 * catalog record, and not before.
 */
#ifndef STORE_PART_H
#define STORE_PART_H

#include "base/arena.h"
#include "store/blob.h"

enum {
    PART_SECTIONS_MAX = 64,
    PART_SECTION_NAME_MAX = 15,
    PART_REPLACES_MAX = 1024,
};

/* Of a part with PART_TIER: it has rows of a tier instead of samples. */
struct part_tier {
    int64_t step_ms;
    int64_t source_ms; /* step of what the rows were made of; 0: samples */
    /* What parts of that kind with ids below `before` have of times up to `until` is in rows. */
    ts_ms until;
    uint64_t before;
};

/* What a footer says about the whole part. */
struct part_info {
    uint64_t id;               /* unique in its catalog */
    uint32_t space;            /* tenant; 0 today */
    uint32_t kind;             /* whose sections these are: PART_KIND_* */
    uint32_t level;            /* 0: from the head; n: merged from parts below n */
    uint64_t features;         /* a reader refuses bits that it does not know */
    uint64_t wal_from, wal_to; /* covers records with wal_from <= lsn < wal_to */
    ts_ms min_t, max_t;        /* inclusive; min_t > max_t when there is no sample */
    uint64_t series, samples;
    const uint64_t *replaces; /* ids of the parts that were merged into it */
    size_t replaces_n;
    struct part_tier tier; /* all 0 without PART_TIER */
};

/* Of sections that a reader may not pass over: see docs/formats/part.md. */
#define PART_FEATURES_KNOWN ((uint64_t)15)
#define PART_TIER ((uint64_t)8)

enum { PART_KIND_METRICS = 1, PART_KIND_LOGS = 2 };

struct part_writer;

/* Begins `dir`/<id>.part.tmp. */
struct part_writer *part_writer_open(struct disk *d, str dir, uint64_t id, struct err *err);
/* Ends the section before and begins one. Names are given by the programmer, each once. */
void part_writer_section(struct part_writer *w, const char *name);
/* Adds to the current section. Errors stick and come out of part_writer_finish. */
void part_writer_add(struct part_writer *w, const void *p, size_t n);
/* Bytes in the current section so far. */
uint64_t part_writer_offset(const struct part_writer *w);
/* Writes the footer, syncs, renames, syncs the directory, and frees the writer, also on failure
 * (then no file is left, if the disk lets us). `size` gets the file's size. */
bool part_writer_finish(struct part_writer *w, const struct part_info *info, uint64_t *size,
                        struct err *err);
/* Gives up: removes the file and frees the writer. */
void part_writer_abort(struct part_writer *w);

struct part_section {
    char name[PART_SECTION_NAME_MAX + 1];
    uint64_t off, n;
    uint32_t crc;
};

struct part;

/* Path of part `id` below `dir`, in the arena. */
str part_path(struct arena *a, str dir, uint64_t id);
/* Reads and checks the footer; two reads. Takes `b`, also on failure. ERR_CORRUPT: this is no part
 * or a damaged one; ERR_INVALID: one of a newer version. */
struct part *part_open(struct blob *b, struct err *err);
void part_close(struct part *p);
const struct part_info *part_info(const struct part *p);
struct blob *part_blob(struct part *p);
/* All of them, in the order of their places. */
size_t part_sections(const struct part *p, const struct part_section **out);
/* NULL when there is none. */
const struct part_section *part_section(const struct part *p, const char *name);
/* Reads whole sections into `out`, in one batch, and checks their checksums. */
bool part_read_sections(struct part *p, struct arena *a, const char *const *names, size_t n,
                        bytes *out, struct err *err);
/* Decodes a footer from the last bytes of a file; for part_open and the fuzzer. */
bool part_footer_decode(bytes tail, uint64_t file_size, struct arena *a, struct part_info *info,
                        struct part_section *sections, size_t *sections_n, struct err *err);
enum { PART_FOOTER_BYTES_MAX = 64 << 10 };

#endif
