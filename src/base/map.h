// SPDX-License-Identifier: Apache-2.0
/*
 * Hash map from text to a pointer, open addressing, keys not owned (they must outlive the map, an
 * arena is the usual place). All zero is a valid empty map. Iteration is in order of insertion.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
    str key;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries; /* in order of insertion */
    size_t n, cap;
    uint32_t *slots; /* 1 + index into entries; 0: free */
    size_t slots_n;
};

void map_fini(struct map *m);
/* NULL when there is none. */
void *map_get(const struct map *m, str key);
bool map_has(const struct map *m, str key);
/* Adds or replaces; returns true when the key was new. */
bool map_put(struct map *m, str key, void *value);

#define MAP_CLEANUP __attribute__((cleanup(map_fini)))

#endif
