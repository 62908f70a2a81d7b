// SPDX-License-Identifier: Apache-2.0
/*
 * Most series of a part are in the head too, and a selection must find out which. Comparing labels
 * costs more than reading a day of samples, so every part remembers the head's number of each of
 * its series.
 */
#include "sys/pool.h"
#include "tsdb/tsdb_int.h"

enum { SLICE = 256 };

static uint32_t number_of(const struct head *h, const struct series *s)
{
    uint64_t number = head_series_number(h, s);
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* `removed` as it was before the first look at the head. */
static void publish(struct tpart *p, uint32_t *links, size_t n, uint64_t removed)
{
    bool covered = true;
    for (size_t i = 0; i < n; i++)
        covered &= links[i] != 0;
    atomic_store(&p->covered, covered);
    atomic_store(&p->linked_at, removed);
    atomic_store(&p->links, links);
}

void tpart_link(struct tpart *p, struct series *const *at, size_t n)
{
    if (n != part_info(p->part)->series || atomic_load(&p->links))
        return;
    uint64_t removed = atomic_load(&p->db->head.removed);
    uint32_t *links = mem_array(n + 1, sizeof *links);
    for (size_t i = 0; i < n; i++)
        links[i] = number_of(&p->db->head, at[i]);
    publish(p, links, n, removed);
}

static uint32_t look_up(struct tsdb *db, struct labels ls)
{
    uint64_t hash = labels_hash(ls);
    struct shard *sh = &db->head.shards[head_shard_of(&db->head, hash)];
    pthread_rwlock_rdlock(&sh->lock);
    const struct series *s = shard_find(&db->head, sh, ls, hash);
    uint32_t number = s ? number_of(&db->head, s) : 0;
    pthread_rwlock_unlock(&sh->lock);
    return number;
}

static void link_by_labels(struct tsdb *db, struct tpart *p, const struct index *x)
{
    struct arena a ARENA_CLEANUP;
    size_t n = index_series_n(x);
    uint64_t removed = atomic_load(&db->head.removed);
    uint32_t *links = mem_array(n + 1, sizeof *links);
    arena_init(&a, 0);
    for (size_t i = 0; i < n; i++) {
        if (i % SLICE == 0) {
            pool_yield();
            arena_reset(&a);
        }
        links[i] = look_up(db, index_labels(x, (uint32_t)i, &a));
    }
    publish(p, links, n, removed);
}

void db_link_part(struct tsdb *db, bool *did)
{
    *did = false;
    for (size_t i = 0; i < db->parts->n && !*did; i++) {
        struct tpart *p = db->parts->at[i];
        pthread_mutex_lock(&db->parts_lock);
        bool used = p->index && !atomic_load(&p->links);
        pthread_mutex_unlock(&db->parts_lock);
        struct err err;
        struct index_ref *x = used ? tpart_index(p, &err) : NULL;
        if (!x)
            continue;
        link_by_labels(db, p, x->x);
        index_ref_put(x);
        *did = true;
    }
}
