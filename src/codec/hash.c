// SPDX-License-Identifier: Apache-2.0
#include "codec/hash.h"

#include <openssl/evp.h>

bool md5_bytes(const void *p, size_t n, uint8_t out[MD5_BYTES])
{
    return EVP_Digest(n ? p : "", n, out, NULL, EVP_md5(), NULL) == 1;
}
