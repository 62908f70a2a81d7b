// SPDX-License-Identifier: Apache-2.0
/* The C++ library's exact float conversions, behind C linkage. Private to base/num.c. */
#ifndef BASE_NUM_STD_H
#define BASE_NUM_STD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum num_status { NUM_OK, NUM_BAD, NUM_RANGE };

/* Reads all of [p, p + n): no sign '+', no special values; `hex` without the 0x. */
enum num_status num_std_parse(const char *p, size_t n, int hex, double *out);
/* Shortest scientific text of a finite value: "1.5e-07"; returns its length. */
size_t num_std_shortest(double v, char *out, size_t cap);
/* The same without exponent; the shortest text only where size is below 2^53. */
size_t num_std_fixed(double v, char *out, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
