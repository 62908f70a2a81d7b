// SPDX-License-Identifier: Apache-2.0
/* Type, unit and help of metric families, with a few earlier versions. Every flush writes all of
 * it, so the newest part has it. */
#include <stdlib.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

void db_metadata_init(struct tsdb *db)
{
    pthread_mutex_init(&db->metadata.lock, NULL);
}

/* A version's text begins with its unit. */
static void version_free(struct metadata *m)
{
    free((char *)(uintptr_t)m->unit.p);
}

static void entry_free(struct metadata_entry *e)
{
    for (size_t i = 0; i < e->n; i++)
        version_free(&e->at[i]);
    free(e);
}

static const struct metadata *newest(const struct metadata_entry *e)
{
    return e && e->n ? &e->at[e->n - 1] : NULL;
}

void db_metadata_fini(struct tsdb *db)
{
    for (size_t i = 0; i < db->metadata.map.n; i++) {
        struct metadata_entry *e = db->metadata.map.entries[i].value;
        char *family = (char *)(uintptr_t)e->family.p;
        entry_free(e);
        free(family);
    }
    map_fini(&db->metadata.map);
    pthread_mutex_destroy(&db->metadata.lock);
}

static bool same(const struct metadata *a, const struct metadata *b)
{
    return a->type == b->type && str_eq(a->unit, b->unit) && str_eq(a->help, b->help);
}

static struct metadata copy_of(str family, const struct metadata *m)
{
    char *text = mem_alloc(m->unit.n + m->help.n + 1);
    if (m->unit.n)
        memcpy(text, m->unit.p, m->unit.n);
    if (m->help.n)
        memcpy(text + m->unit.n, m->help.p, m->help.n);
    return (struct metadata){.family = family,
                             .type = m->type,
                             .unit = {text, m->unit.n},
                             .help = {text + m->unit.n, m->help.n},
                             .since = m->since};
}

/* Versions are few: the oldest goes. */
static void add_version(struct metadata_entry *e, const struct metadata *m)
{
    if (e->n == METADATA_VERSIONS_MAX) {
        version_free(&e->at[0]);
        memmove(&e->at[0], &e->at[1], --e->n * sizeof e->at[0]);
    }
    e->at[e->n++] = copy_of(e->family, m);
}

/* Under the lock. */
static struct metadata_entry *entry_for(struct tsdb *db, str family)
{
    struct metadata_entry *e = map_get(&db->metadata.map, family);
    if (e)
        return e;
    if (db->metadata.map.n >= METADATA_MAX) {
        self_add(SELF_TSDB_METADATA_REFUSED, 1);
        return NULL;
    }
    e = mem_new(struct metadata_entry);
    char *key = mem_alloc(family.n + 1);
    if (family.n)
        memcpy(key, family.p, family.n);
    e->family = (str){key, family.n};
    map_put(&db->metadata.map, e->family, e);
    return e;
}

void db_metadata_put(struct tsdb *db, const struct metadata *m)
{
    pthread_mutex_lock(&db->metadata.lock);
    struct metadata_entry *e = entry_for(db, m->family);
    const struct metadata *last = newest(e);
    if (e && !(last && same(last, m))) {
        add_version(e, m);
        db->metadata.dirty = true;
    }
    pthread_mutex_unlock(&db->metadata.lock);
}

void db_metadata_filter(struct tsdb *db, struct batch *b)
{
    size_t n = 0;
    ts_ms now = env_now_ms(db->env);
    pthread_mutex_lock(&db->metadata.lock);
    for (size_t i = 0; i < b->metadata_n; i++) {
        struct metadata *m = &b->metadata[i];
        const struct metadata *last = newest(map_get(&db->metadata.map, m->family));
        if (m->family.n + m->unit.n + m->help.n > METADATA_TEXT_MAX)
            self_add(SELF_TSDB_METADATA_REFUSED, 1);
        else if (!last || !same(last, m)) {
            m->since = now;
            b->metadata[n++] = *m;
        }
    }
    pthread_mutex_unlock(&db->metadata.lock);
    b->metadata_n = n;
}

static int metadata_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct metadata *)a)->family, ((const struct metadata *)b)->family);
}

static struct metadata shown(const struct metadata *m, struct arena *a)
{
    return (struct metadata){arena_dup(a, m->family), m->type, arena_dup(a, m->unit),
                             arena_dup(a, m->help), m->since};
}

bool db_metadata_history(struct source *s, str family, struct arena *a, struct metadata **out,
                         size_t *n, struct err *err)
{
    struct tsdb *db = db_of_source(s);
    pthread_mutex_lock(&db->metadata.lock);
    const struct metadata_entry *e = map_get(&db->metadata.map, family);
    *n = e ? e->n : 0;
    *out = arena_array(a, struct metadata, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = shown(&e->at[e->n - 1 - i], a);
    pthread_mutex_unlock(&db->metadata.lock);
    return true;
}

bool db_metadata_get(struct source *s, str family, size_t limit, struct arena *a,
                     struct metadata **out, size_t *n, struct err *err)
{
    struct tsdb *db = db_of_source(s);
    size_t k = 0;
    pthread_mutex_lock(&db->metadata.lock);
    struct metadata *at = arena_array(a, struct metadata, db->metadata.map.n + 1);
    for (size_t i = 0; i < db->metadata.map.n; i++) {
        const struct metadata_entry *e = db->metadata.map.entries[i].value;
        if (family.n && !str_eq(e->family, family))
            continue;
        if (e->n)
            at[k++] = shown(newest(e), a);
    }
    pthread_mutex_unlock(&db->metadata.lock);
    if (k)
        qsort(at, k, sizeof *at, metadata_cmp);
    *n = limit && k > limit ? limit : k;
    *out = at;
    return true;
}
