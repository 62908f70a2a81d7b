// SPDX-License-Identifier: Apache-2.0
/* The catalog file as bytes, docs/formats/catalog.md; catalog_log.c. */
#ifndef STORE_CATALOG_INT_H
#define STORE_CATALOG_INT_H

#include "base/vec.h"
#include "store/catalog.h"
#include "store/enc.h"

enum { CATALOG_VERSION = 1, CATALOG_HEADER_BYTES = 32, CATALOG_IDS_MAX = 1 << 20 };

/* What a catalog file says. */
struct catalog_list {
    VEC(uint64_t) live;
    VEC(uint64_t) removed; /* their files may still be there */
    uint64_t wal_covered;
    uint64_t max_id;
};

void catalog_list_fini(struct catalog_list *l);
bool catalog_list_has(const uint64_t *at, size_t n, uint64_t id);
void catalog_list_apply(struct catalog_list *l, const struct catalog_change *ch);

void catalog_header_encode(struct enc *e, uint32_t kind, uint32_t space);
void catalog_record_encode(struct enc *e, const struct catalog_change *ch);
/*
 * Applies every record that checks out up to the first that does not; `whole` is false when there
 * was such a one. False with ERR_INVALID: written by a newer version or for another kind.
 */
bool catalog_decode(bytes file, uint32_t kind, uint32_t space, struct catalog_list *l, bool *whole,
                    struct err *err);

#endif
