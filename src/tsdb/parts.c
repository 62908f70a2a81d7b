// SPDX-License-Identifier: Apache-2.0
/*
 * The live parts as readers hold them: a counted set of counted parts. Indexes are loaded when they
 * are first asked for and stay as long as the memory for them lasts; the one that was not used for
 * longest goes first.
 */
#include <inttypes.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

void index_ref_put(struct index_ref *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    index_free(r->x);
    free(r);
}

static void tpart_unref(struct tpart *p)
{
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    struct tsdb *db = p->db;
    if (p->index) {
        pthread_mutex_lock(&db->parts_lock);
        db->index_bytes -= index_bytes(p->index->x);
        pthread_mutex_unlock(&db->parts_lock);
        index_ref_put(p->index);
    }
    veil_unref(p->veil);
    if (p->moved)
        part_close(p->part);
    else if (p->removed)
        catalog_drop(db->catalog, p->part);
    /* Else the catalog still has it, and closes it. */
    tier_dir_free(p->rows);
    free(p->links);
    free(p);
}

void part_set_unref(struct part_set *ps)
{
    if (!ps || atomic_fetch_sub(&ps->refs, 1) != 1)
        return;
    for (size_t i = 0; i < ps->n; i++)
        tpart_unref(ps->at[i]);
    free(ps);
}

static struct tpart *find_part(const struct part_set *ps, const struct part *p)
{
    for (size_t i = 0; ps && i < ps->n; i++)
        if (ps->at[i]->part == p)
            return ps->at[i];
    return NULL;
}

struct part_set *part_set_make(struct tsdb *db, const struct part_set *old)
{
    struct part *const *parts;
    size_t n = catalog_parts(db->catalog, &parts);
    struct part_set *ps = mem_zalloc(sizeof *ps + n * sizeof ps->at[0]);
    ps->refs = 1;
    for (size_t i = 0; i < n; i++)
        ps->raw_n += part_info(parts[i])->tier.step_ms == 0;
    size_t raw = 0, rows = ps->raw_n;
    for (size_t i = 0; i < n; i++) {
        struct tpart *p = find_part(old, parts[i]);
        if (!p) {
            p = mem_new(struct tpart);
            p->db = db;
            p->part = parts[i];
        }
        atomic_fetch_add(&p->refs, 1);
        bool is_raw = part_info(parts[i])->tier.step_ms == 0;
        ps->at[is_raw ? raw++ : rows++] = p;
        if (!is_raw)
            part_set_note(ps, part_info(parts[i]));
    }
    ps->n = n;
    part_set_order_tiers(ps);
    return ps;
}

struct part_set *part_set_swap(struct tsdb *db, struct part_set *ps)
{
    struct part_set *old = db->parts;
    db->parts = ps;
    return old;
}

/* Parts that left are deleted by their last reader. */
void parts_publish(struct tsdb *db)
{
    struct part_set *ps = part_set_make(db, db->parts);
    pthread_rwlock_wrlock(&db->head.gate);
    struct part_set *old = part_set_swap(db, ps);
    pthread_rwlock_unlock(&db->head.gate);
    for (size_t i = 0; i < old->n; i++) {
        bool stays = false;
        for (size_t k = 0; k < ps->n; k++)
            stays = stays || ps->at[k] == old->at[i];
        old->at[i]->removed = !stays;
    }
    part_set_unref(old);
}

void tpart_bad(struct tpart *p, const struct err *why)
{
    pthread_mutex_lock(&p->db->parts_lock);
    p->bad = true;
    p->why = *why;
    pthread_mutex_unlock(&p->db->parts_lock);
}

void tpart_damaged(struct tpart *p)
{
    pthread_mutex_lock(&p->db->parts_lock);
    p->damaged = true;
    pthread_mutex_unlock(&p->db->parts_lock);
}

struct veil *tpart_veil(struct tpart *p, const struct index *x, const struct tombstones *t)
{
    struct tsdb *db = p->db;
    pthread_mutex_lock(&db->parts_lock);
    struct veil *last = p->veil;
    if (last)
        atomic_fetch_add(&last->refs, 1);
    pthread_mutex_unlock(&db->parts_lock);
    if (last && last->version == t->version)
        return last;
    struct veil *v = veil_new(x, part_info(p->part), t, &db->keep, last);
    veil_unref(last);
    if (!v)
        return NULL;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_lock(&db->parts_lock);
    struct veil *old = p->veil;
    p->veil = v;
    pthread_mutex_unlock(&db->parts_lock);
    veil_unref(old);
    return v;
}

/* Under parts_lock: gives up the index that was not used for longest, until they fit. */
static void evict(struct tsdb *db, const struct part_set *ps, const struct tpart *keep)
{
    while (db->index_bytes > db->o.cache_bytes_max) {
        struct tpart *oldest = NULL;
        for (size_t i = 0; i < ps->n; i++) {
            struct tpart *p = ps->at[i];
            if (p != keep && p->index && (!oldest || p->used < oldest->used))
                oldest = p;
        }
        if (!oldest)
            return;
        db->index_bytes -= index_bytes(oldest->index->x);
        index_ref_put(oldest->index);
        oldest->index = NULL;
    }
}

/* The loaded index with a count added, or NULL. */
static struct index_ref *take_loaded(struct tpart *p)
{
    if (!p->index)
        return NULL;
    atomic_fetch_add(&p->index->refs, 1);
    p->used = ++p->db->use_clock;
    return p->index;
}

static struct index_ref *put_loaded(struct tpart *p, struct index *x)
{
    struct tsdb *db = p->db;
    pthread_mutex_lock(&db->parts_lock);
    struct index_ref *r = take_loaded(p);
    if (r) { /* another reader was faster */
        pthread_mutex_unlock(&db->parts_lock);
        index_free(x);
        return r;
    }
    r = mem_new(struct index_ref);
    r->x = x;
    r->refs = 1;
    p->index = r;
    db->index_bytes += index_bytes(x);
    r = take_loaded(p);
    pthread_mutex_unlock(&db->parts_lock);
    return r;
}

struct index_ref *tpart_index(struct tpart *p, struct err *err)
{
    pthread_mutex_lock(&p->db->parts_lock);
    struct index_ref *r = take_loaded(p);
    bool bad = p->bad;
    if (bad)
        *err = p->why;
    pthread_mutex_unlock(&p->db->parts_lock);
    if (r || bad)
        return r;
    struct index *x = index_load(p->part, err);
    if (x)
        return put_loaded(p, x);
    if (err->kind == ERR_CORRUPT)
        tpart_bad(p, err);
    return NULL;
}

struct tier_dir *tpart_rows(struct tpart *p, struct err *err)
{
    pthread_mutex_lock(&p->db->parts_lock);
    struct tier_dir *d = p->rows;
    pthread_mutex_unlock(&p->db->parts_lock);
    if (d || !(d = tier_dir_load(p->part, err)))
        return d;
    pthread_mutex_lock(&p->db->parts_lock);
    struct tier_dir *mine = d;
    if (!p->rows)
        p->rows = d;
    d = p->rows;
    pthread_mutex_unlock(&p->db->parts_lock);
    if (d != mine)
        tier_dir_free(mine);
    return d;
}

/* Gives up indexes that no longer fit. Under `work`: only there sets change. */
static void trim_indexes(struct tsdb *db)
{
    pthread_mutex_lock(&db->parts_lock);
    evict(db, db->parts, NULL);
    pthread_mutex_unlock(&db->parts_lock);
}

bool db_quarantine(struct tsdb *db, bool *did, struct err *err)
{
    *did = false;
    trim_indexes(db);
    struct tpart *bad = NULL;
    pthread_mutex_lock(&db->parts_lock);
    for (size_t i = 0; i < db->parts->n && !bad; i++)
        if (db->parts->at[i]->bad)
            bad = db->parts->at[i];
    pthread_mutex_unlock(&db->parts_lock);
    if (!bad)
        return true;
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 0);
    uint64_t id = part_info(bad->part)->id;
    str path = part_path(&a, catalog_parts_dir(db->catalog), id);
    str to = arena_printf(&a, "%.*s/quarantine", STR_ARG(db->dir));
    /* First the file, then the list: a part that the list calls removed would be deleted. */
    if (!bad->moved && !quarantine_move(db->env->disk, path, to, str_from_z(bad->why.msg), err))
        return false;
    bad->moved = true;
    self_add(SELF_PART_QUARANTINED, 1);
    struct part *removed[1];
    struct catalog_change ch = {.remove = &id, .remove_n = 1};
    if (!catalog_apply(db->catalog, &ch, removed, err))
        return false;
    struct part_set *ps = part_set_make(db, db->parts);
    pthread_rwlock_wrlock(&db->head.gate);
    struct part_set *old = part_set_swap(db, ps);
    pthread_rwlock_unlock(&db->head.gate);
    part_set_unref(old);
    *did = true;
    return true;
}
