// SPDX-License-Identifier: Apache-2.0
/* Heap memory that cannot fail: these abort when the system has none left. `free` gives it back. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull));
/* Aborts when n * size overflows. */
void *mem_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_dup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));

#define mem_new(T) ((T *)mem_zalloc(sizeof(T)))

/* For `__attribute__((cleanup))` on a pointer that `free` gives back. */
static inline void mem_free_at(void *pp)
{
    free(*(void **)pp);
}
#define MEM_CLEANUP __attribute__((cleanup(mem_free_at)))

#endif
