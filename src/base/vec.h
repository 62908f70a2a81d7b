// SPDX-License-Identifier: Apache-2.0
/*
 * Growable array of T on the heap: `VEC(int) v = {0}; vec_push(&v, 3); v.at[0]; vec_fini(&v);`
 * All zero is a valid empty vector.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        size_t n, cap;                                                                             \
    }

/* Makes room for `extra` more elements. */
#define vec_reserve(v, extra)                                                                      \
    do {                                                                                           \
        size_t vec_need_ = (v)->n + (extra);                                                       \
        if (vec_need_ > (v)->cap) {                                                                \
            size_t vec_cap_ = (v)->cap ? (v)->cap * 2 : 8;                                         \
            if (vec_cap_ < vec_need_)                                                              \
                vec_cap_ = vec_need_;                                                              \
            (v)->at = mem_realloc((v)->at, vec_cap_ * sizeof(*(v)->at));                           \
            (v)->cap = vec_cap_;                                                                   \
        }                                                                                          \
    } while (0)

#define vec_push(v, ...)                                                                           \
    do {                                                                                           \
        vec_reserve((v), 1);                                                                       \
        (v)->at[(v)->n++] = (__VA_ARGS__);                                                         \
    } while (0)

#define vec_last(v) ((v)->at[(v)->n - 1])
#define vec_clear(v) ((v)->n = 0)
#define vec_fini(v)                                                                                \
    do {                                                                                           \
        free((v)->at);                                                                             \
        (v)->at = NULL;                                                                            \
        (v)->n = (v)->cap = 0;                                                                     \
    } while (0)

/* An empty vector has no array, and NULL + 0 is not C. */
#define VEC_EACH(it, v)                                                                            \
    for (__typeof__(*(v)->at) *it = (v)->at; it && it != (v)->at + (v)->n; it++)

#endif
