// SPDX-License-Identifier: Apache-2.0
/*
 * Time zones: what a file of the tz database (RFC 8536, "TZif") says. Immutable once decoded, so
 * any number of threads may ask. Leap seconds are not known here, as in Unix time.
 */
#ifndef CODEC_TZ_H
#define CODEC_TZ_H

#include "base/err.h"
#include "base/str.h"

enum { TZ_FILE_BYTES_MAX = 256 * 1024 };

struct tz;

/* NULL with ERR_CORRUPT when the bytes are no zone. */
struct tz *tz_decode(str file, struct err *err);
void tz_free(struct tz *z);
/* Seconds east of UTC at a moment, in Unix seconds; of moments before the first that the file
 * knows, the offset of then. */
int32_t tz_offset(const struct tz *z, int64_t unix_s);

#endif
