// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

void map_fini(struct map *m)
{
    free(m->entries);
    free(m->slots);
    *m = (struct map){0};
}

/* The slot of the key, or the free slot where it would go. slots_n is a power of two, never full.
 */
static uint32_t *slot_of(const struct map *m, str key, uint64_t hash)
{
    size_t mask = m->slots_n - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t e = m->slots[i];
        if (!e || (m->entries[e - 1].hash == hash && str_eq(m->entries[e - 1].key, key)))
            return &m->slots[i];
    }
}

static void grow(struct map *m)
{
    m->cap = m->cap ? m->cap * 2 : 8;
    m->entries = mem_realloc(m->entries, m->cap * sizeof *m->entries);
    free(m->slots);
    m->slots_n = m->cap * 2;
    m->slots = mem_array(m->slots_n, sizeof *m->slots);
    for (size_t i = 0; i < m->n; i++)
        *slot_of(m, m->entries[i].key, m->entries[i].hash) = (uint32_t)i + 1;
}

static struct map_entry *entry_of(const struct map *m, str key)
{
    if (!m->n)
        return NULL;
    uint32_t e = *slot_of(m, key, hash_str(key));
    return e ? &m->entries[e - 1] : NULL;
}

void *map_get(const struct map *m, str key)
{
    struct map_entry *e = entry_of(m, key);
    return e ? e->value : NULL;
}

bool map_has(const struct map *m, str key)
{
    return entry_of(m, key) != NULL;
}

bool map_put(struct map *m, str key, void *value)
{
    struct map_entry *e = entry_of(m, key);
    if (e) {
        e->value = value;
        return false;
    }
    if (m->n == m->cap)
        grow(m);
    uint64_t hash = hash_str(key);
    m->entries[m->n++] = (struct map_entry){key, hash, value};
    *slot_of(m, key, hash) = (uint32_t)m->n;
    return true;
}
