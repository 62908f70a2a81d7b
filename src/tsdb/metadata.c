// SPDX-License-Identifier: Apache-2.0
/* Type, unit and help of metric families. Every flush writes all of it, so the newest part has it.
 */
#include <stdlib.h>

#include "sys/self.h"
#include "tsdb/tsdb_int.h"

void db_metadata_init(struct tsdb *db)
{
    pthread_mutex_init(&db->metadata.lock, NULL);
}

static void entry_free(struct metadata_entry *e)
{
    free(e->text);
    free(e);
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

static void set_text(struct metadata_entry *e, const struct metadata *m)
{
    char *text = mem_alloc(m->unit.n + m->help.n + 1);
    if (m->unit.n)
        memcpy(text, m->unit.p, m->unit.n);
    if (m->help.n)
        memcpy(text + m->unit.n, m->help.p, m->help.n);
    free(e->text);
    e->text = text;
    e->m = (struct metadata){.family = e->family,
                             .type = m->type,
                             .unit = {text, m->unit.n},
                             .help = {text + m->unit.n, m->help.n}};
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
    if (e && !(e->text && same(&e->m, m))) {
        set_text(e, m);
        db->metadata.dirty = true;
    }
    pthread_mutex_unlock(&db->metadata.lock);
}

void db_metadata_filter(struct tsdb *db, struct batch *b)
{
    size_t n = 0;
    pthread_mutex_lock(&db->metadata.lock);
    for (size_t i = 0; i < b->metadata_n; i++) {
        const struct metadata *m = &b->metadata[i];
        const struct metadata_entry *e = map_get(&db->metadata.map, m->family);
        if (m->family.n + m->unit.n + m->help.n > METADATA_TEXT_MAX)
            self_add(SELF_TSDB_METADATA_REFUSED, 1);
        else if (!e || !same(&e->m, m))
            b->metadata[n++] = *m;
    }
    pthread_mutex_unlock(&db->metadata.lock);
    b->metadata_n = n;
}

static int metadata_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct metadata *)a)->family, ((const struct metadata *)b)->family);
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
        at[k++] = (struct metadata){arena_dup(a, e->family), e->m.type, arena_dup(a, e->m.unit),
                                    arena_dup(a, e->m.help)};
    }
    pthread_mutex_unlock(&db->metadata.lock);
    if (k)
        qsort(at, k, sizeof *at, metadata_cmp);
    *n = limit && k > limit ? limit : k;
    *out = at;
    return true;
}
