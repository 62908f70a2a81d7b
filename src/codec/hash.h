// SPDX-License-Identifier: Apache-2.0
/* Hashes that other people's formats ask for (OpenSSL). For tables and files of ours: base/hash.h.
 */
#ifndef CODEC_HASH_H
#define CODEC_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MD5_BYTES = 16 };

/* Not for secrets. False only where the system's policy forbids MD5. */
bool md5_bytes(const void *p, size_t n, uint8_t out[MD5_BYTES]);

#endif
