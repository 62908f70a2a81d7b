// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <inttypes.h>

#include "base/hash.h"
#include "store/catalog_int.h"

#define MAGIC "nunchiCT"

void catalog_list_fini(struct catalog_list *l)
{
    vec_fini(&l->live);
    vec_fini(&l->removed);
}

bool catalog_list_has(const uint64_t *at, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] == id)
            return true;
    return false;
}

static void see_id(struct catalog_list *l, uint64_t id)
{
    if (id > l->max_id)
        l->max_id = id;
}

void catalog_list_apply(struct catalog_list *l, const struct catalog_change *ch)
{
    for (size_t i = 0; i < ch->add_n; i++) {
        see_id(l, ch->add[i]);
        if (!catalog_list_has(l->live.at, l->live.n, ch->add[i]))
            vec_push(&l->live, ch->add[i]);
    }
    for (size_t i = 0; i < ch->remove_n; i++) {
        see_id(l, ch->remove[i]);
        size_t n = 0;
        for (size_t k = 0; k < l->live.n; k++)
            if (l->live.at[k] != ch->remove[i])
                l->live.at[n++] = l->live.at[k];
        l->live.n = n;
        vec_push(&l->removed, ch->remove[i]);
    }
    if (ch->wal_covered > l->wal_covered)
        l->wal_covered = ch->wal_covered;
}

void catalog_header_encode(struct enc *e, uint32_t kind, uint32_t space)
{
    size_t at = e->n;
    enc_bytes(e, MAGIC, 8);
    enc_u32(e, CATALOG_VERSION);
    enc_u32(e, kind);
    enc_u32(e, space);
    enc_u64(e, 0);
    enc_u32(e, crc32c(0, e->p + at, CATALOG_HEADER_BYTES - 4));
    assert(e->n - at == CATALOG_HEADER_BYTES);
}

void catalog_record_encode(struct enc *e, const struct catalog_change *ch)
{
    size_t at = e->n;
    enc_u32(e, 0);
    enc_u32(e, 0);
    enc_u64(e, ch->wal_covered);
    enc_u32(e, (uint32_t)ch->add_n);
    enc_u32(e, (uint32_t)ch->remove_n);
    enc_bytes(e, ch->add, ch->add_n * sizeof *ch->add);
    enc_bytes(e, ch->remove, ch->remove_n * sizeof *ch->remove);
    uint32_t n = (uint32_t)(e->n - at - 8);
    memcpy(e->p + at, &n, sizeof n);
    /* The length counts too: a record that shrank to nothing must not pass. */
    uint32_t crc = crc32c(crc32c(0, &n, sizeof n), e->p + at + 8, n);
    memcpy(e->p + at + 4, &crc, sizeof crc);
}

static uint64_t *take_ids(struct dec *d, uint32_t n)
{
    const uint8_t *p = n > CATALOG_IDS_MAX ? NULL : dec_take(d, (uint64_t)n * sizeof(uint64_t));
    if (!p) {
        d->bad = true;
        return NULL;
    }
    return mem_dup(p, n * sizeof(uint64_t));
}

/* One record; false when the bytes are none. */
static bool decode_record(struct dec *d, struct catalog_list *l)
{
    uint32_t n = dec_u32(d), crc = dec_u32(d);
    const uint8_t *p = dec_take(d, n);
    if (!p || crc32c(crc32c(0, &n, sizeof n), p, n) != crc)
        return false;
    struct dec r = dec_of((bytes){p, n});
    struct catalog_change ch = {.wal_covered = dec_u64(&r)};
    uint32_t add_n = dec_u32(&r), remove_n = dec_u32(&r);
    uint64_t *add MEM_CLEANUP = take_ids(&r, add_n);
    uint64_t *remove MEM_CLEANUP = take_ids(&r, remove_n);
    if (r.bad || dec_left(&r) != 0)
        return false;
    ch.add = add;
    ch.add_n = add_n;
    ch.remove = remove;
    ch.remove_n = remove_n;
    catalog_list_apply(l, &ch);
    return true;
}

bool catalog_decode(bytes file, uint32_t kind, uint32_t space, struct catalog_list *l, bool *whole,
                    struct err *err)
{
    struct dec d = dec_of(file);
    const uint8_t *head = dec_take(&d, CATALOG_HEADER_BYTES);
    uint32_t crc;
    *whole = false;
    if (!head || memcmp(head, MAGIC, 8) != 0)
        return true;
    memcpy(&crc, head + CATALOG_HEADER_BYTES - 4, sizeof crc);
    if (crc != crc32c(0, head, CATALOG_HEADER_BYTES - 4))
        return true;
    struct dec h = dec_of((bytes){head + 8, CATALOG_HEADER_BYTES - 12});
    uint32_t version = dec_u32(&h), file_kind = dec_u32(&h), file_space = dec_u32(&h);
    if (version != CATALOG_VERSION || file_kind != kind || file_space != space || dec_u64(&h) != 0)
        return err_set(err, ERR_INVALID,
                       "catalog of version %" PRIu32 ", kind %" PRIu32 ", space %" PRIu32
                       "; this program reads version %d, and kind %" PRIu32 ", space %" PRIu32
                       " belong here",
                       version, file_kind, file_space, CATALOG_VERSION, kind, space);
    while (dec_left(&d) > 0)
        if (!decode_record(&d, l))
            return true;
    *whole = true;
    return true;
}
