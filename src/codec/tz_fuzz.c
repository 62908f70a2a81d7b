// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a time zone file; what is decoded has an offset of at most a week at every moment.
 */
#include <stdlib.h>

#include "codec/tz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = {INT64_MIN, -4000000000, 0, 1720000000, 4000000000, INT64_MAX};
    struct err err;
    struct tz *z = tz_decode(str_of((const char *)data, size), &err);
    if (!z)
        return 0;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        if (labs(tz_offset(z, moments[i])) > 170 * 3600)
            abort();
    tz_free(z);
    return 0;
}
