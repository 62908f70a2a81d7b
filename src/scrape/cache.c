// SPDX-License-Identifier: Apache-2.0
/*
 * The series of one target by the text the exposition gives them. A scrape repeats nearly all of
 * them, so names and labels are read and relabelled once.
 */
#include "base/hash.h"
#include "scrape/scrape_int.h"

struct series *series_new(str key)
{
    struct series *s = mem_new(struct series);
    arena_init(&s->arena, 0);
    s->key = arena_dup(&s->arena, key);
    s->key_hash = hash_str(key);
    return s;
}

void series_free(struct series *s)
{
    arena_fini(&s->arena);
    free(s);
}

static size_t slot_of(const struct cache *c, str key, uint64_t hash)
{
    size_t i = hash & (c->slots_n - 1);
    for (; c->slots[i]; i = (i + 1) & (c->slots_n - 1)) {
        const struct series *s = c->list.at[c->slots[i] - 1];
        if (s->key_hash == hash && str_eq(s->key, key))
            break;
    }
    return i;
}

struct series *cache_get(const struct cache *c, str key)
{
    if (!c->slots_n)
        return NULL;
    uint32_t slot = c->slots[slot_of(c, key, hash_str(key))];
    return slot ? c->list.at[slot - 1] : NULL;
}

static void rebuild(struct cache *c, size_t slots_n)
{
    free(c->slots);
    c->slots = mem_zalloc(slots_n * sizeof *c->slots);
    c->slots_n = slots_n;
    for (size_t i = 0; i < c->list.n; i++) {
        struct series *s = c->list.at[i];
        if (!s->unindexed)
            c->slots[slot_of(c, s->key, s->key_hash)] = (uint32_t)i + 1;
    }
}

void cache_add(struct cache *c, struct series *s)
{
    if ((c->list.n + 1) * 4 > c->slots_n * 3)
        rebuild(c, c->slots_n ? c->slots_n * 2 : 64);
    vec_push(&c->list, s);
    c->slots[slot_of(c, s->key, s->key_hash)] = (uint32_t)c->list.n;
}

void cache_sweep(struct cache *c)
{
    size_t kept = 0, n = c->list.n;
    for (size_t i = 0; i < n; i++) {
        struct series *s = c->list.at[i];
        if (s->live || (!s->unindexed && s->seen == c->scrape))
            c->list.at[kept++] = s;
        else
            series_free(s);
    }
    c->list.n = kept;
    if (kept != n)
        rebuild(c, c->slots_n);
}

void cache_forget(struct cache *c)
{
    for (size_t i = 0; i < c->list.n; i++)
        c->list.at[i]->unindexed = true;
    cache_sweep(c);
    if (c->slots_n)
        rebuild(c, c->slots_n);
}

void cache_fini(struct cache *c)
{
    for (size_t i = 0; i < c->list.n; i++)
        series_free(c->list.at[i]);
    vec_fini(&c->list);
    free(c->slots);
}
