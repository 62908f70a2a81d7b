// SPDX-License-Identifier: Apache-2.0
/*
 * Blocks in a list, the newest in front; an allocation that does not fit the newest opens the next,
 * each twice the size of the one before up to a bound. Reset keeps the largest block.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* With the head of a block: whole pages, and nothing is lost in the allocator's size classes. */
enum { ALIGN = 16, BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t cap, n;
    _Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){.limit_bytes = limit_bytes};
}

void arena_init_quota(struct arena *a, struct quota *q)
{
    *a = (struct arena){.quota = q};
}

static void blocks_free(const struct arena *a, struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->data, b->cap);
        if (a->quota)
            quota_sub(a->quota, sizeof *b + b->cap);
        free(b);
        b = next;
    }
}

void arena_fini(struct arena *a)
{
    blocks_free(a, a->head);
    blocks_free(a, a->spare);
    *a = (struct arena){.limit_bytes = a->limit_bytes, .quota = a->quota};
}

void arena_reset(struct arena *a)
{
    struct arena_block *largest = a->spare;
    for (struct arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        struct arena_block *drop = b;
        if (!largest || b->cap > largest->cap) {
            drop = largest;
            largest = b;
        }
        if (drop) {
            drop->next = NULL;
            blocks_free(a, drop);
        }
    }
    if (largest) {
        largest->next = NULL;
        largest->n = 0;
        ASAN_POISON_MEMORY_REGION(largest->data, largest->cap);
    }
    a->head = NULL;
    a->spare = largest;
    a->used = 0;
}

static struct arena_block *block_new(const struct arena *a, size_t size)
{
    size_t all = a->head ? (sizeof *a->head + a->head->cap) * 2 : BLOCK_MIN;
    all = all > BLOCK_MAX ? BLOCK_MAX : all;
    if (all - sizeof(struct arena_block) < size)
        all = sizeof(struct arena_block) + size;
    struct arena_block *b = mem_alloc(all);
    b->cap = all - sizeof *b;
    b->n = 0;
    if (a->quota)
        quota_add(a->quota, all);
    ASAN_POISON_MEMORY_REGION(b->data, b->cap);
    return b;
}

static struct arena_block *block_for(struct arena *a, size_t size)
{
    struct arena_block *b = a->spare;
    if (b && b->cap >= size)
        a->spare = NULL;
    else
        b = block_new(a, size);
    b->next = a->head;
    a->head = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t rounded;
    if (__builtin_add_overflow(size, ALIGN - 1, &rounded))
        abort();
    rounded &= ~(size_t)(ALIGN - 1);
    struct arena_block *b = a->head;
    if (!b || b->cap - b->n < rounded)
        b = block_for(a, rounded);
    void *p = b->data + b->n;
    b->n += rounded;
    a->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *arena_try(struct arena *a, size_t n, size_t size)
{
    size_t total, after;
    if (__builtin_mul_overflow(n, size, &total) || __builtin_add_overflow(a->used, total, &after))
        return NULL;
    if ((a->limit_bytes && after > a->limit_bytes) || (a->quota && !quota_fits(a->quota, total)))
        return NULL;
    return arena_alloc(a, total);
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

str arena_dup(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (str){p, s.n};
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    p[0] = 0;
    if (n > 0)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){p, (size_t)(n < 0 ? 0 : n)};
}
