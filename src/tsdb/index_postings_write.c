// SPDX-License-Identifier: Apache-2.0
/*
 * Making postings, name after name, so that only one name's ids are in memory: the ids of its
 * values are counted, sorted into place by those counts, and written as lists.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "tsdb/index_postings.h"

/* Each is one row of numbers of the section. */
struct out {
    struct enc names, values, counts, places, lists;
    uint64_t alone; /* the last id of a value that has one series */
    const uint32_t *final;
    uint32_t *n;     /* per symbol: series that have it as value of this name; else 0 */
    uint32_t *place; /* per symbol with n: where its next id goes */
    VEC(uint32_t) seen;
    VEC(uint32_t) ids;
};

static void put_list(const uint32_t *ids, size_t n, struct enc *out)
{
    uint32_t gap = 0;
    enc_uvar(out, ids[0]);
    for (size_t i = 1, k; i < n; i = k) {
        uint32_t here = ids[i] - ids[i - 1];
        for (k = i + 1; k < n && ids[k] - ids[k - 1] == here;)
            k++;
        size_t times = k - i;
        if (here != gap) {
            enc_uvar(out, (uint64_t)here << 1);
            gap = here;
            times--;
        }
        if (times)
            enc_uvar(out, (uint64_t)times << 1 | 1);
    }
}

static void put_posting(struct out *o, const uint32_t *ids, uint32_t n)
{
    size_t before = o->lists.n;
    enc_uvar(&o->counts, n);
    if (n == 1) {
        enc_svar(&o->places, (int64_t)ids[0] - (int64_t)o->alone);
        o->alone = ids[0];
        return;
    }
    put_list(ids, n, &o->lists);
    enc_uvar(&o->places, o->lists.n - before);
}

static int number_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void count_values(struct out *o, const struct label_column *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t value = o->final[c->at[i * c->stride]];
        if (o->n[value]++ == 0)
            vec_push(&o->seen, value);
    }
}

static void place_ids(struct out *o, const struct label_column *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        o->ids.at[o->place[o->final[c->at[i * c->stride]]]++] = c->first + i;
}

/* The columns c[0..n) are of one name; `step`: its distance to the name before. */
static void put_name(struct out *o, const struct label_column *c, size_t n, uint32_t step)
{
    uint32_t all = 0, before = 0;
    vec_clear(&o->seen);
    for (size_t i = 0; i < n; i++)
        count_values(o, &c[i]);
    qsort(o->seen.at, o->seen.n, sizeof o->seen.at[0], number_cmp);
    VEC_EACH (value, &o->seen) {
        o->place[*value] = all;
        all += o->n[*value];
    }
    vec_clear(&o->ids);
    vec_reserve(&o->ids, all);
    for (size_t i = 0; i < n; i++)
        place_ids(o, &c[i]);
    enc_uvar(&o->names, step);
    enc_uvar(&o->names, o->seen.n);
    VEC_EACH (value, &o->seen) {
        enc_uvar(&o->values, *value - before);
        before = *value;
        put_posting(o, o->ids.at + o->place[*value] - o->n[*value], o->n[*value]);
        o->n[*value] = 0;
    }
}

static int column_cmp(const void *a, const void *b)
{
    const struct label_column *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

void postings_encode(struct label_column *columns, size_t columns_n, const uint32_t *final,
                     uint32_t symbols_n, struct enc *out)
{
    struct out o = {.final = final};
    uint32_t names_n = 0, before = 0;
    o.n = mem_zalloc((symbols_n + 1UL) * sizeof *o.n);
    o.place = mem_array(symbols_n + 1UL, sizeof *o.place);
    if (columns_n)
        qsort(columns, columns_n, sizeof *columns, column_cmp);
    for (size_t i = 0, k; i < columns_n; i = k, names_n++) {
        for (k = i + 1; k < columns_n && columns[k].name == columns[i].name;)
            k++;
        put_name(&o, &columns[i], k - i, columns[i].name - before);
        before = columns[i].name;
    }
    enc_uvar(out, names_n);
    struct enc *rows[] = {&o.names, &o.values, &o.counts, &o.places, &o.lists};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enc_bytes(out, rows[i]->p, rows[i]->n);
        enc_fini(rows[i]);
    }
    vec_fini(&o.seen);
    vec_fini(&o.ids);
    free(o.n);
    free(o.place);
}
