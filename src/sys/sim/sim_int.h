// SPDX-License-Identifier: Apache-2.0
/*
 * Inside the simulated disk.
 *
 * A node is a file or a directory. It has two states: `cur`, what calls see, and `safe`, what a
 * power cut surely leaves; between them lie `pending` (changes of one file's bytes and size, in
 * order) and, for names, the steps of the whole disk in order. A sync applies what is pending to
 * `safe`; a cut applies a part of it to a copy.
 *
 * Nodes are counted: by entries of either state, by steps, by open files. Everything is guarded by
 * the sim's lock.
 */
#ifndef SYS_SIM_SIM_INT_H
#define SYS_SIM_SIM_INT_H

#include <pthread.h>

#include "base/vec.h"
#include "sys/sim/sim.h"

enum { SIM_SECTOR = 512, SIM_PAGE = 4096 };

/* ---- bytes: an array of pages shared between copies; a missing page is zeros ---- */

struct sim_page;

struct sim_bytes {
    uint64_t size;
    struct sim_page **pages;
    size_t pages_n, pages_cap;
};

void sim_bytes_fini(struct sim_bytes *b);
struct sim_bytes sim_bytes_copy(const struct sim_bytes *b);
/* Extends with zeros; shortening gives zeros when it is extended again. */
void sim_bytes_resize(struct sim_bytes *b, uint64_t size);
/* Inside the size. */
void sim_bytes_write(struct sim_bytes *b, uint64_t off, const void *p, size_t n);
void sim_bytes_read(const struct sim_bytes *b, uint64_t off, void *p, size_t n);

/* ---- one file's changes that are not safe ---- */

struct sim_change {
    uint64_t size; /* of the file afterwards */
    uint64_t off;
    uint8_t *p; /* NULL: only the size changed */
    size_t n;
};

struct sim_node;

struct sim_entry {
    char *name;
    struct sim_node *node;
};
typedef VEC(struct sim_entry) sim_entries; /* sorted by name */

struct sim_node {
    uint64_t id; /* the same in copies: luck depends on it and not on addresses */
    size_t refs;
    size_t links, opens; /* entries in a `cur`, open files */
    bool is_dir, locked;
    struct sim_bytes cur, safe;
    VEC(struct sim_change) pending;
    sim_entries cur_names, safe_names;
    bool counted;          /* scratch of a copy */
    struct sim_node *twin; /* in the copy being made; NULL otherwise */
};

/* ---- steps on names ---- */

struct sim_assign {
    struct sim_node *dir;
    char *name;
    struct sim_node *node; /* NULL: the name goes */
};

struct sim_step {
    struct sim_assign a[2]; /* a rename has two: the new name, then the old one */
    int n;
    struct sim_node *subject; /* the file or directory it is about */
    bool lost;                /* scratch of a cut */
    bool taken;               /* scratch of a sync */
};
typedef VEC(struct sim_step) sim_steps;

struct sim_file {
    struct sim *sim;
    struct sim_node *node;
    int flags;
    struct sim_file *prev, *next;
    char *path;
};

struct sim {
    pthread_mutex_t lock;
    struct clock clock;
    struct entropy entropy;
    struct disk disk;
    uint64_t seed, random;
    ts_ms wall_ms;
    int64_t mono_ns;

    struct sim_node *root;
    sim_steps steps;
    uint64_t next_id;
    struct sim_file *files;
    uint64_t capacity, used;

    struct sim_fault fault;
    bool armed, off;
    uint64_t fault_seen, fault_fired;
    struct sim_stats stats;
};

extern const struct disk_ops sim_disk_ops;

/* Next of a stream of numbers. */
uint64_t sim_draw(uint64_t *state);

struct sim_node *sim_node_new(struct sim *s, bool is_dir);
struct sim_node *sim_node_ref(struct sim_node *n);
void sim_node_unref(struct sim_node *n);
/* Borrowed; NULL when there is none. */
struct sim_node *sim_entry_get(const sim_entries *e, str name);
/* node NULL removes. */
void sim_entry_set(sim_entries *e, str name, struct sim_node *node);
void sim_step_fini(struct sim_step *t);
/* Makes a step safe and forgets it, with the earlier ones that it builds on. */
void sim_steps_save(struct sim *s, struct sim_node *dir);
/* True when step `b` builds on the earlier step `a`. */
bool sim_steps_chained(const struct sim_step *a, const struct sim_step *b);
/* Applies the whole of `pending` to `safe`. */
void sim_node_save(struct sim_node *n);
/* Applies a part of `pending` to `b`, which is a copy of `safe`. */
void sim_node_gamble(const struct sim_node *n, struct sim_bytes *b, uint64_t luck);
void sim_pending_clear(struct sim_node *n);

/* errno of walking to `path` in the current state, 0 and the borrowed node when it is there. */
int sim_lookup(struct sim *s, str path, struct sim_node **out);
/* The name in the current state only, without a step: for sim_put. */
void sim_name_now(struct sim_node *dir, str name, struct sim_node *node);

#endif
