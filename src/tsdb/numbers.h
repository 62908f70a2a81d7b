// SPDX-License-Identifier: Apache-2.0
/* Hash table from numbers (never 0) to numbers. All zero is a valid empty table. */
#ifndef TSDB_NUMBERS_H
#define TSDB_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

struct numbers {
    uint64_t *keys; /* 0: free */
    uint32_t *values;
    size_t cap, n;
};

void numbers_fini(struct numbers *m);
/* NULL when it is not there; valid until the next put. */
const uint32_t *numbers_get(const struct numbers *m, uint64_t key);
void numbers_put(struct numbers *m, uint64_t key, uint32_t value);
/* Does nothing when it is not there. The table gives memory back. */
void numbers_remove(struct numbers *m, uint64_t key);

#endif
