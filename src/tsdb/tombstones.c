// SPDX-License-Identifier: Apache-2.0
#include "tsdb/tombstones.h"

#include <assert.h>
#include <inttypes.h>

#include "base/hash.h"
#include "store/enc.h"

enum { VERSION = 1, HEADER_BYTES = 24 };
#define MAGIC "nunchiTS"

struct tombstones *tombstones_new(size_t n)
{
    static _Atomic uint64_t versions;
    struct tombstones *t = mem_new(struct tombstones);
    t->refs = 1;
    t->version = atomic_fetch_add(&versions, 1) + 1;
    arena_init(&t->arena, 0);
    t->at = arena_array(&t->arena, struct tombstone, n + 1);
    return t;
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
        for (size_t k = 0; k < t->at[i].m_n; k++)
            matcher_fini(&t->at[i].m[k]);
    arena_fini(&t->arena);
    free(t);
}

void tombstones_add(struct tombstones *t, uint64_t id, const struct matcher *m, size_t m_n,
                    ts_ms start, ts_ms end)
{
    struct err err;
    struct matcher *copy = arena_array(&t->arena, struct matcher, m_n + 1);
    for (size_t i = 0; i < m_n; i++) {
        bool ok = matcher_init(&copy[i], m[i].op, arena_dup(&t->arena, m[i].name),
                               arena_dup(&t->arena, m[i].value), &err);
        assert(ok);
        (void)ok;
    }
    t->at[t->n++] = (struct tombstone){id, start, end, copy, m_n};
}

/* ---- the file ---- */

static void encode_one(struct enc *e, const struct tombstone *s)
{
    enc_u64(e, s->id);
    enc_u64(e, (uint64_t)s->start);
    enc_u64(e, (uint64_t)s->end);
    enc_uvar(e, s->m_n);
    for (size_t i = 0; i < s->m_n; i++) {
        enc_u8(e, (uint8_t)s->m[i].op);
        enc_str(e, s->m[i].name);
        enc_str(e, s->m[i].value);
    }
}

void tombstones_encode(const struct tombstones *t, struct strbuf *out)
{
    struct enc e = {0};
    enc_bytes(&e, MAGIC, 8);
    enc_u32(&e, VERSION);
    enc_u32(&e, (uint32_t)t->n);
    enc_u32(&e, 0);
    enc_u32(&e, 0);
    for (size_t i = 0; i < t->n; i++)
        encode_one(&e, &t->at[i]);
    uint32_t body = crc32c(0, e.p + HEADER_BYTES, e.n - HEADER_BYTES);
    memcpy(e.p + 16, &body, sizeof body);
    uint32_t head = crc32c(0, e.p, 20);
    memcpy(e.p + 20, &head, sizeof head);
    strbuf_add(out, (str){(const char *)e.p, e.n});
    enc_fini(&e);
}

static bool decode_one(struct dec *d, struct tombstones *t, struct err *err)
{
    struct tombstone *s = &t->at[t->n];
    *s = (struct tombstone){.id = dec_u64(d)};
    s->start = (ts_ms)dec_u64(d);
    s->end = (ts_ms)dec_u64(d);
    uint64_t n = dec_uvar(d);
    if (d->bad || n == 0 || n > TOMBSTONE_MATCHERS_MAX)
        return err_set(err, ERR_CORRUPT, "a tombstone is malformed");
    s->m = arena_array(&t->arena, struct matcher, n);
    t->n++; /* from here on the set frees the matchers that were made */
    for (; s->m_n < n; s->m_n++) {
        uint8_t op = dec_u8(d);
        str name = dec_str(d), value = dec_str(d);
        if (d->bad || op > MATCH_NRE)
            return err_set(err, ERR_CORRUPT, "a tombstone is malformed");
        if (!matcher_init(&s->m[s->m_n], (enum match_op)op, arena_dup(&t->arena, name),
                          arena_dup(&t->arena, value), err))
            return false;
    }
    return true;
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
    struct tombstones *t = tombstones_new(n);
    bool ok = true;
    while (ok && t->n < n)
        ok = decode_one(&d, t, err);
    if (ok && dec_left(&d) == 0)
        return t;
    if (ok)
        err_set(err, ERR_CORRUPT, "the list of tombstones is malformed");
    tombstones_unref(t);
    return NULL;
}
