// SPDX-License-Identifier: Apache-2.0
/* Hash table from number to number. */
#include "tsdb/numbers.h"

#include "base/hash.h"
#include "base/mem.h"

enum { CAP_MIN = 16 };

void numbers_fini(struct numbers *m)
{
    free(m->keys);
    free(m->values);
    *m = (struct numbers){0};
}

static size_t slot_of(const struct numbers *m, uint64_t key)
{
    size_t i = hash_mix(key, 0x9e3779b97f4a7c15ULL) & (m->cap - 1);
    while (m->keys[i] && m->keys[i] != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

const uint32_t *numbers_get(const struct numbers *m, uint64_t key)
{
    if (m->cap == 0)
        return NULL;
    size_t i = slot_of(m, key);
    return m->keys[i] ? &m->values[i] : NULL;
}

static void rebuild(struct numbers *m, size_t cap)
{
    struct numbers old = *m;
    m->cap = cap;
    m->keys = mem_zalloc(m->cap * sizeof *m->keys);
    m->values = mem_zalloc(m->cap * sizeof *m->values);
    for (size_t k = 0; k < old.cap; k++) {
        if (!old.keys[k])
            continue;
        size_t i = slot_of(m, old.keys[k]);
        m->keys[i] = old.keys[k];
        m->values[i] = old.values[k];
    }
    numbers_fini(&old);
}

void numbers_put(struct numbers *m, uint64_t key, uint32_t value)
{
    if ((m->n + 1) * 4 > m->cap * 3)
        rebuild(m, m->cap ? m->cap * 2 : CAP_MIN);
    size_t i = slot_of(m, key);
    m->n += m->keys[i] == 0;
    m->keys[i] = key;
    m->values[i] = value;
}

void numbers_remove(struct numbers *m, uint64_t key)
{
    if (m->cap == 0)
        return;
    size_t mask = m->cap - 1, hole = slot_of(m, key);
    if (!m->keys[hole])
        return;
    /* Closes the gap in the row of probes. */
    for (size_t i = (hole + 1) & mask; m->keys[i]; i = (i + 1) & mask) {
        size_t home = hash_mix(m->keys[i], 0x9e3779b97f4a7c15ULL) & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->keys[hole] = m->keys[i];
        m->values[hole] = m->values[i];
        hole = i;
    }
    m->keys[hole] = 0;
    m->n--;
    if (m->cap > CAP_MIN && m->n * 8 < m->cap)
        rebuild(m, m->cap / 2);
}
