// SPDX-License-Identifier: Apache-2.0
/* The catalog file from any bytes. */
#include "store/catalog_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct catalog_list l = {0};
    struct err err;
    bool whole;
    catalog_decode((bytes){data, n}, PART_KIND_METRICS, 0, &l, &whole, &err);
    catalog_list_fini(&l);
    return 0;
}
