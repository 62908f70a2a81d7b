// SPDX-License-Identifier: Apache-2.0
#include "tsdb/tombstones.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "store/enc.h"

enum { VERSION = 1, HEADER_BYTES = 24 };
#define MAGIC "nunchiTS"

/* ---- scopes ---- */

static void put_matchers(struct enc *e, const struct matcher *m, size_t n)
{
    enc_uvar(e, n);
    for (size_t i = 0; i < n; i++) {
        enc_u8(e, (uint8_t)m[i].op);
        enc_str(e, m[i].name);
        enc_str(e, m[i].value);
    }
}

/* The matchers that stand there; `key` ends behind them. NULL with err. */
static struct scope *take_scope(struct dec *d, struct err *err)
{
    static _Atomic uint64_t numbers;
    const uint8_t *from = d->p;
    uint64_t n = dec_uvar(d);
    if (d->bad || n == 0 || n > TOMBSTONE_MATCHERS_MAX) {
        err_set(err, ERR_CORRUPT, "a tombstone is malformed");
        return NULL;
    }
    struct scope *s = mem_new(struct scope);
    *s = (struct scope){.refs = 1, .number = atomic_fetch_add(&numbers, 1) + 1};
    arena_init(&s->arena, 0);
    s->m = arena_array(&s->arena, struct matcher, n);
    bool ok = true;
    for (; ok && s->m_n < n; s->m_n += ok) {
        uint8_t op = dec_u8(d);
        str name = dec_str(d), value = dec_str(d);
        if (d->bad || op > MATCH_NRE)
            ok = err_set(err, ERR_CORRUPT, "a tombstone is malformed");
        else
            ok = matcher_init(&s->m[s->m_n], (enum match_op)op, arena_dup(&s->arena, name),
                              arena_dup(&s->arena, value), err);
    }
    if (ok) {
        s->key = arena_dup(&s->arena, (str){(const char *)from, (size_t)(d->p - from)});
        return s;
    }
    scope_unref(s);
    return NULL;
}

struct scope *scope_ref(struct scope *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void scope_unref(struct scope *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->m_n; i++)
        matcher_fini(&s->m[i]);
    arena_fini(&s->arena);
    free(s);
}

/* That of the set, or a new one. */
static struct scope *scope_of(const struct tombstones *t, const struct matcher *m, size_t m_n)
{
    struct enc e = {0};
    struct err err = {0};
    struct scope *found = NULL;
    put_matchers(&e, m, m_n);
    for (size_t i = 0; i < t->n && !found; i++)
        if (str_eq(t->at[i].of->key, (str){(const char *)e.p, e.n}))
            found = scope_ref(t->at[i].of);
    if (!found) {
        struct dec d = dec_of(bytes_of(e.p, e.n));
        found = take_scope(&d, &err);
        assert(found);
    }
    enc_fini(&e);
    return found;
}

/* ---- sets ---- */

static struct tombstones *set_sized(size_t n)
{
    static _Atomic uint64_t versions;
    struct tombstones *t = mem_new(struct tombstones);
    *t = (struct tombstones){.refs = 1, .version = atomic_fetch_add(&versions, 1) + 1};
    t->at = mem_array(n + 1, sizeof *t->at);
    return t;
}

struct tombstones *tombstones_new(void)
{
    return set_sized(0);
}

struct tombstones *tombstones_ref(struct tombstones *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tombstones_unref(struct tombstones *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (size_t i = 0; i < t->n; i++)
        scope_unref(t->at[i].of);
    free(t->at);
    free(t);
}

static void push(struct tombstones *t, struct tombstone s)
{
    scope_ref(s.of);
    t->at[t->n++] = s;
}

/* The older one says nothing that `s` does not say, perhaps after `s` was made longer. */
static bool takes_over(struct tombstone *s, const struct tombstone *older, const struct deletion *d)
{
    if (older->start >= s->start && older->end <= s->end)
        return true;
    uint64_t gap = older->start > s->end   ? (uint64_t)older->start - (uint64_t)s->end
                   : s->start > older->end ? (uint64_t)s->start - (uint64_t)older->end
                                           : 0;
    if (gap > 1 || !d->may_raise(d->arg, older))
        return false;
    s->start = older->start < s->start ? older->start : s->start;
    s->end = older->end > s->end ? older->end : s->end;
    return true;
}

/* Those of its scope that are left; a range that grew may reach another one. */
static size_t absorb(struct tombstone *s, struct tombstone *at, size_t n, const struct deletion *d)
{
    for (size_t before = n + 1; n < before;) {
        size_t left = 0;
        before = n;
        for (size_t i = 0; i < n; i++)
            if (!takes_over(s, &at[i], d))
                at[left++] = at[i];
        n = left;
    }
    return n;
}

struct tombstones *tombstones_with(const struct tombstones *t, const struct deletion *d)
{
    struct tombstones *out = set_sized(t->n + 1);
    struct tombstone s = {d->id, d->start, d->end, scope_of(t, d->m, d->m_n)};
    struct tombstone *same MEM_CLEANUP = mem_array(t->n + 1, sizeof *same);
    size_t n = 0, i = 0;
    for (; i < t->n && t->at[i].of->number < s.of->number; i++)
        push(out, t->at[i]);
    for (; i < t->n && t->at[i].of == s.of; i++)
        same[n++] = t->at[i];
    n = absorb(&s, same, n, d);
    for (size_t k = 0; k < n; k++)
        push(out, same[k]);
    push(out, s);
    for (; i < t->n; i++)
        push(out, t->at[i]);
    scope_unref(s.of);
    return out;
}

struct tombstones *tombstones_without(const struct tombstones *t,
                                      bool (*is_needed)(void *arg, const struct tombstone *s),
                                      void *arg)
{
    struct tombstones *out = set_sized(t->n);
    for (size_t i = 0; i < t->n; i++)
        if (is_needed(arg, &t->at[i]))
            push(out, t->at[i]);
    return out;
}

/* ---- the file ---- */

void tombstones_encode(const struct tombstones *t, struct strbuf *out)
{
    struct enc e = {0};
    enc_bytes(&e, MAGIC, 8);
    enc_u32(&e, VERSION);
    enc_u32(&e, (uint32_t)t->n);
    enc_u32(&e, 0);
    enc_u32(&e, 0);
    for (size_t i = 0; i < t->n; i++) {
        enc_u64(&e, t->at[i].id);
        enc_u64(&e, (uint64_t)t->at[i].start);
        enc_u64(&e, (uint64_t)t->at[i].end);
        enc_bytes(&e, t->at[i].of->key.p, t->at[i].of->key.n);
    }
    uint32_t body = crc32c(0, e.p + HEADER_BYTES, e.n - HEADER_BYTES);
    memcpy(e.p + 16, &body, sizeof body);
    uint32_t head = crc32c(0, e.p, 20);
    memcpy(e.p + 20, &head, sizeof head);
    strbuf_add(out, (str){(const char *)e.p, e.n});
    enc_fini(&e);
}

static bool decode_one(struct dec *d, struct map *scopes, struct tombstones *t, struct err *err)
{
    struct tombstone s = {.id = dec_u64(d)};
    s.start = (ts_ms)dec_u64(d);
    s.end = (ts_ms)dec_u64(d);
    if (s.start > s.end)
        return err_set(err, ERR_CORRUPT, "a tombstone is malformed");
    s.of = take_scope(d, err);
    if (!s.of)
        return false;
    struct scope *known = map_get(scopes, s.of->key);
    if (known) {
        scope_unref(s.of);
        s.of = scope_ref(known);
    } else {
        map_put(scopes, s.of->key, s.of);
    }
    t->at[t->n++] = s; /* the set has the count now */
    return true;
}

static int by_scope(const void *a, const void *b)
{
    const struct tombstone *x = a, *y = b;
    if (x->of != y->of)
        return x->of->number < y->of->number ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

struct tombstones *tombstones_decode(bytes file, struct err *err)
{
    struct dec d = dec_of(file);
    const uint8_t *magic = dec_take(&d, 8);
    uint32_t version = dec_u32(&d), n = dec_u32(&d), body = dec_u32(&d), head = dec_u32(&d);
    if (d.bad || memcmp(magic, MAGIC, 8) != 0 || head != crc32c(0, file.p, 20) ||
        body != crc32c(0, d.p, dec_left(&d)) || n > TOMBSTONES_MAX) {
        err_set(err, ERR_CORRUPT, "the list of tombstones is damaged");
        return NULL;
    }
    if (version != VERSION) {
        err_set(err, ERR_INVALID, "tombstones of format version %" PRIu32 "; this program reads %d",
                version, VERSION);
        return NULL;
    }
    struct tombstones *t = set_sized(n);
    struct map scopes MAP_CLEANUP = {0};
    bool ok = true;
    while (ok && t->n < n)
        ok = decode_one(&d, &scopes, t, err);
    if (ok && dec_left(&d) == 0) {
        qsort(t->at, t->n, sizeof *t->at, by_scope);
        return t;
    }
    if (ok)
        err_set(err, ERR_CORRUPT, "the list of tombstones is malformed");
    tombstones_unref(t);
    return NULL;
}
