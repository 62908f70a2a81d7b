// SPDX-License-Identifier: Apache-2.0
/*
 * Arena: memory of one request, query or batch, given back all at once.
 *
 * Small allocations always succeed (the process aborts when the system has no memory left). An
 * arena with a limit remembers that it went over it (`arena_over`); code that may grow asks at its
 * natural borders and fails its own request. A size that a peer or user controls goes through
 * `arena_try`, which refuses what the limit does not hold.
 *
 * An arena may count what it has from the system, unused parts and spare blocks too, in a quota
 * that several arenas share (base/quota.h); the quota's bound then is one of the arena.
 *
 * Owned by one thread at a time. Blocks are kept by `arena_reset` for reuse and freed by
 * `arena_fini`.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/quota.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* block being filled */
    struct arena_block *spare;
    size_t used;         /* bytes handed out since init or reset */
    size_t limit_bytes;  /* 0: none */
    struct quota *quota; /* NULL: none */
};

/* `limit_bytes` 0 means no limit. Nothing is allocated before the first use. */
void arena_init(struct arena *a, size_t limit_bytes);
/* Without a limit of its own. The quota (may be NULL) outlives the arena. */
void arena_init_quota(struct arena *a, struct quota *q);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);

/* True once more than the limit has been handed out, or the quota is passed. */
static inline bool arena_over(const struct arena *a)
{
    return (a->limit_bytes && a->used > a->limit_bytes) || (a->quota && quota_over(a->quota));
}

/* Memory aligned to 16 bytes, not cleared. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));
/* NULL when `n * size` overflows or the limit, or the quota or one of its parents, would be
 * passed. */
void *arena_try(struct arena *a, size_t n, size_t size) __attribute__((warn_unused_result));
void *arena_zalloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));

#define arena_new(a, T) ((T *)arena_zalloc((a), sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_zalloc((a), (size_t)(n) * sizeof(T)))

/* A copy of `s` in the arena, followed by a NUL that the length does not count. */
str arena_dup(struct arena *a, str s);
str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_CLEANUP __attribute__((cleanup(arena_fini)))

#endif
