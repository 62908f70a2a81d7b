// SPDX-License-Identifier: Apache-2.0
/* RE2 behind C names; only regex.c uses it. */
#ifndef CODEC_REGEX_INT_H
#define CODEC_REGEX_INT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex_re2;

/* As `str`, which C++ does not read. */
struct regex_span {
    const char *p;
    size_t n;
};

/* NULL when the pattern is refused: `*problem` says why (static text), `*where` is the part of the
 * pattern that is meant, written to `where_buf`. */
struct regex_re2 *regex_re2_new(struct regex_span pattern, bool dot_nl, const char **problem,
                                struct regex_span *where, char *where_buf, size_t where_cap);
void regex_re2_free(struct regex_re2 *re);
/* Fills all of `groups`; a group that took no part has p NULL. */
bool regex_re2_match(const struct regex_re2 *re, struct regex_span text, size_t from, bool anchored,
                     struct regex_span *groups, size_t groups_n);
size_t regex_re2_groups(const struct regex_re2 *re);
int regex_re2_group_named(const struct regex_re2 *re, struct regex_span name);

#ifdef __cplusplus
}
#endif

#endif
