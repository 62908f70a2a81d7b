// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>

#include "codec/json_int.h"

size_t json_utf8(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    if (n < 2 || s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    /* Overlong forms, surrogates and what is past U+10FFFF show in the second byte. */
    uint8_t low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}
