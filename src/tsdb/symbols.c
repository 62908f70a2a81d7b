// SPDX-License-Identifier: Apache-2.0
#include "tsdb/symbols.h"

#include <assert.h>

#include "base/hash.h"

void symbols_init(struct symbols *s, struct reclaim *r)
{
    *s = (struct symbols){.reclaim = r, .next = 1, .slots_n = 256};
    pthread_mutex_init(&s->lock, NULL);
    s->chunks = mem_zalloc(SYMBOLS_CHUNKS * sizeof *s->chunks);
    s->slots = mem_zalloc(s->slots_n * sizeof *s->slots);
}

static struct symbol **place(struct symbols *s, uint32_t id)
{
    return &s->chunks[id / SYMBOLS_CHUNK][id % SYMBOLS_CHUNK];
}

void symbols_fini(struct symbols *s)
{
    for (uint32_t id = 1; id < s->next; id++)
        free(*place(s, id));
    for (size_t i = 0; i < SYMBOLS_CHUNKS && s->chunks[i]; i++)
        free(s->chunks[i]);
    free(s->chunks);
    free(s->slots);
    vec_fini(&s->unused);
    pthread_mutex_destroy(&s->lock);
}

/* The slot of `text`, or the free one where it would go; under lock. */
static size_t slot_of(struct symbols *s, str text, uint64_t hash)
{
    size_t i = hash & (s->slots_n - 1);
    for (; s->slots[i]; i = (i + 1) & (s->slots_n - 1)) {
        const struct symbol *y = *place(s, s->slots[i]);
        if (y->hash == hash && str_eq((str){y->text, y->n}, text))
            break;
    }
    return i;
}

static void grow(struct symbols *s)
{
    uint32_t *old = s->slots;
    size_t n = s->slots_n;
    s->slots_n *= 2;
    s->slots = mem_zalloc(s->slots_n * sizeof *s->slots);
    for (size_t k = 0; k < n; k++) {
        if (!old[k])
            continue;
        size_t i = (*place(s, old[k]))->hash & (s->slots_n - 1);
        while (s->slots[i])
            i = (i + 1) & (s->slots_n - 1);
        s->slots[i] = old[k];
    }
    free(old);
}

static uint32_t add(struct symbols *s, size_t slot, str text, uint64_t hash)
{
    uint32_t id = s->unused.n ? s->unused.at[--s->unused.n] : s->next++;
    assert(id / SYMBOLS_CHUNK < SYMBOLS_CHUNKS);
    if (!s->chunks[id / SYMBOLS_CHUNK])
        __atomic_store_n(&s->chunks[id / SYMBOLS_CHUNK],
                         mem_zalloc(SYMBOLS_CHUNK * sizeof(struct symbol *)), __ATOMIC_RELEASE);
    struct symbol *y = mem_alloc(sizeof *y + text.n);
    *y = (struct symbol){.refs = 1, .n = (uint32_t)text.n, .hash = hash};
    memcpy(y->text, text.p, text.n);
    __atomic_store_n(place(s, id), y, __ATOMIC_RELEASE);
    s->slots[slot] = id;
    s->bytes += sizeof *y + text.n + 16;
    if (++s->live * 4 > s->slots_n * 3)
        grow(s);
    return id;
}

uint32_t symbols_ref(struct symbols *s, str text)
{
    uint64_t hash = hash_str(text);
    pthread_mutex_lock(&s->lock);
    size_t slot = slot_of(s, text, hash);
    uint32_t id = s->slots[slot];
    if (id)
        (*place(s, id))->refs++;
    else
        id = add(s, slot, text, hash);
    pthread_mutex_unlock(&s->lock);
    return id;
}

/* Closes the gap that a removed slot leaves in its row of probes. */
static void remove_slot(struct symbols *s, size_t hole)
{
    size_t mask = s->slots_n - 1;
    for (size_t i = (hole + 1) & mask; s->slots[i]; i = (i + 1) & mask) {
        size_t home = (*place(s, s->slots[i]))->hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole] = 0;
}

void symbols_unref(struct symbols *s, uint32_t id)
{
    pthread_mutex_lock(&s->lock);
    struct symbol *y = *place(s, id);
    bool last = --y->refs == 0;
    if (last) {
        remove_slot(s, slot_of(s, (str){y->text, y->n}, y->hash));
        __atomic_store_n(place(s, id), (struct symbol *)NULL, __ATOMIC_RELEASE);
        vec_push(&s->unused, id);
        s->live--;
        s->bytes -= sizeof *y + y->n + 16;
    }
    pthread_mutex_unlock(&s->lock);
    if (last)
        reclaim_retire(s->reclaim, y);
}

uint32_t symbols_find(struct symbols *s, str text)
{
    uint64_t hash = hash_str(text);
    pthread_mutex_lock(&s->lock);
    uint32_t id = s->slots[slot_of(s, text, hash)];
    pthread_mutex_unlock(&s->lock);
    return id;
}

uint64_t symbols_bytes(struct symbols *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->bytes;
    pthread_mutex_unlock(&s->lock);
    return n;
}
