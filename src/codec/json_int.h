// SPDX-License-Identifier: Apache-2.0
/* Scanning shared by the reader and the writer, and its scalar twin for tests. */
#ifndef CODEC_JSON_INT_H
#define CODEC_JSON_INT_H

#include <stddef.h>

/* Length of the plain run at the start: printable ASCII but for '"' and '\\'. */
size_t json_plain_scalar(const char *p, size_t n);
size_t json_plain(const char *p, size_t n);

/* Bytes of the well-formed UTF-8 character of more than one byte at the start; 0 when there is
 * none. */
size_t json_utf8(const char *p, size_t n);

#endif
