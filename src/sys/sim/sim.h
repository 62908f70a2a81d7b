// SPDX-License-Identifier: Apache-2.0
/*
 * A simulated outside world for tests: the same `struct env` as the system's, made from one seed.
 * The same seed and the same calls give the same results, whatever the machine does meanwhile.
 *
 *     struct sim *s = sim_new(seed);
 *     struct env env = sim_env(s);
 *     ... run the code under test on `env` ...
 *     for (uint64_t outcome = 0; outcome < 1000; outcome++) {
 *         struct sim *after = sim_power_cut(s, outcome);
 *         struct env again = sim_env(after);
 *         ... open the store, check that everything acknowledged is there ...
 *         sim_free(after);
 *     }
 *     sim_free(s);
 *
 * CLOCK. Stands still until a test moves it. Nothing sleeps.
 *
 * DISK. In memory, with the contract of env.h and what it leaves open:
 *
 * - Bytes written since the last good `sync` of their file are not safe. In a power cut each sector
 *   of 512 bytes keeps, independently of the others, any of the states it had since that sync: a
 *   write may be lost, kept or torn, and later writes may survive earlier ones. Sectors are atomic.
 * - The size is one more such state: a file may come back longer than its data (zeros at the end)
 * or shorter than what survived.
 * - Names created, linked, renamed and removed since the last good `sync_dir` of their directory
 * are not safe; any of these steps may be lost while later ones survive. Steps that concern the
 * same name or the same file, or happen inside a directory that was renamed, keep their order. A
 * rename is atomic (there is never neither name); it is safe once the directory of the *new* name
 * was synced. A synced file whose name is lost is lost.
 * - A `sync` that fails forgets: what it was to save may be saved or not, and no later sync saves
 * it. Reads still show it (the page cache), as on Linux.
 * - A `write` that fails leaves any prefix. One that passes the capacity writes what fits.
 * - Locks are held until sim_process_ended, and are gone in copies.
 *
 * Every outcome of a cut draws its own habits (all lost, all kept, a coin for each sector, any
 * state, or one moment for all), so a few dozen outcomes hold the extremes as well as mixtures.
 *
 * A process that is killed (kill -9) loses nothing that was written: that is sim_clone.
 *
 * THREADS. The disk, the clock and the entropy may be used from any thread; the calls of this
 * header too, except that copies and sim_free need the code under test to stand still.
 */
#ifndef SYS_SIM_SIM_H
#define SYS_SIM_SIM_H

#include "sys/env.h"

struct sim;

/* Wall clock 2026-01-01T00:00:00Z, monotonic clock 1 s, empty disk of 16 GiB. */
struct sim *sim_new(uint64_t seed);
/* Gives everything back, also files that are still open. */
void sim_free(struct sim *s);
/* Valid until sim_free. */
struct env sim_env(struct sim *s);

/* Both clocks go on. */
void sim_advance_ms(struct sim *s, int64_t ms);
/* The wall clock jumps; the monotonic one does not notice. */
void sim_set_wall_ms(struct sim *s, ts_ms now);
/* A number from the seed, for tests that need random choices of their own. */
uint64_t sim_random(struct sim *s);

/* ---- cuts and copies: a new sim, owned by the caller; `s` stays as it is ---- */

/* The disk as found when the power comes back, everything on it safe; other `outcome`, other luck.
 * Without faults and locks, statistics at zero. Costs little: unchanged pages are shared. */
struct sim *sim_power_cut(struct sim *s, uint64_t outcome);
/* What another process finds after this one was killed: all that was written, still not safe. */
struct sim *sim_clone(struct sim *s);
/* Releases the locks: the next "process" may open the same sim. */
void sim_process_ended(struct sim *s);

/* ---- faults ---- */

enum sim_call {
    SIM_OPEN,
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC,
    SIM_ALLOCATE,
    SIM_TRUNCATE,
    SIM_SIZE,
    SIM_RENAME,
    SIM_LINK,
    SIM_UNLINK,
    SIM_MKDIR,
    SIM_RMDIR,
    SIM_SYNC_DIR,
    SIM_STAT,
    SIM_LIST,
    SIM_FREE_BYTES,
    SIM_LOCK,
    SIM_CALLS
};
#define SIM_BIT(call) (1u << (call))
/* Calls that change something. */
#define SIM_CHANGES                                                                                \
    (SIM_BIT(SIM_OPEN) | SIM_BIT(SIM_WRITE) | SIM_BIT(SIM_SYNC) | SIM_BIT(SIM_ALLOCATE) |          \
     SIM_BIT(SIM_TRUNCATE) | SIM_BIT(SIM_RENAME) | SIM_BIT(SIM_LINK) | SIM_BIT(SIM_UNLINK) |       \
     SIM_BIT(SIM_MKDIR) | SIM_BIT(SIM_RMDIR) | SIM_BIT(SIM_SYNC_DIR) | SIM_BIT(SIM_LOCK))

enum sim_fault_kind {
    SIM_IO_ERROR, /* ERR_IO */
    SIM_NO_SPACE, /* ERR_NO_SPACE */
    /* The power goes in the middle of the call: what it changes is begun but not safe, it and all
     * that follow fail with ERR_IO. Then take sim_power_cut. */
    SIM_POWER_LOSS,
};

struct sim_fault {
    enum sim_fault_kind kind;
    unsigned calls; /* SIM_BIT()s that count; 0: all */
    uint64_t nth;   /* which of them fails first, from 1 = the next */
    uint64_t times; /* how many fail; 0: once; UINT64_MAX: until sim_fault_clear */
};
/*
 * Arms the one fault, replacing an earlier one. The usual loop ends when the work passes untouched:
 *     for (n = 1;; n++) { s = sim_new(seed); sim_fault(s, {.nth = n}); work(s);
 *                         if (!sim_fault_fired(s)) break; ... }
 */
void sim_fault(struct sim *s, struct sim_fault f);
void sim_fault_clear(struct sim *s);
/* How many calls the armed fault (or the last one) made fail. */
uint64_t sim_fault_fired(struct sim *s);

/* Bytes that files may hold in all; may be below what they hold now (then nothing more fits). */
void sim_set_capacity(struct sim *s, uint64_t size_bytes);
uint64_t sim_used(struct sim *s);

/* ---- at rest: behind the back of the code under test, safe at once, never counted or failed ----
 */

/* Flips one bit (0..7) of the byte at `off`; false when the file does not reach there. */
bool sim_flip(struct sim *s, str path, uint64_t off, unsigned bit);
bool sim_cut_file(struct sim *s, str path, uint64_t size);
/* Makes or replaces a file and the directories above it. */
void sim_put(struct sim *s, str path, bytes content);
/* The content, in the arena; false when there is no such file. */
bool sim_get(struct sim *s, str path, struct arena *a, bytes *out);
/* Paths of all regular files, sorted, in the arena. */
void sim_files(struct sim *s, struct arena *a, str **paths, size_t *n);

/* ---- statistics ---- */

struct sim_stats {
    uint64_t calls[SIM_CALLS], failed[SIM_CALLS]; /* failed: by a fault or for lack of space */
    uint64_t bytes_read, bytes_written;
    size_t files_open;
};
struct sim_stats sim_stats(struct sim *s);
const char *sim_call_name(enum sim_call c);

#endif
