// SPDX-License-Identifier: Apache-2.0
/*
 * Regular expressions of everything that Prometheus and Alertmanager define: RE2, linear time.
 * `(?<name>` is read as `(?P<name>`. A compiled expression is immutable and may be shared by
 * threads.
 *
 * Fast paths: an expression that is only literals (`a|b|c`, `foo.*`, `.*`, `.+`) never reaches RE2.
 */
#ifndef CODEC_REGEX_H
#define CODEC_REGEX_H

#include "base/arena.h"
#include "base/err.h"

enum { REGEX_PATTERN_BYTES_MAX = 16 * 1024 };

enum regex_flags {
    REGEX_ANCHORED = 1, /* must match the whole text */
    REGEX_DOT_NL = 2,   /* the dot matches a newline */
};

struct regex;

struct regex *regex_compile(str pattern, int flags, struct err *err);
void regex_free(struct regex *re);
bool regex_test(const struct regex *re, str text);

/* Groups of the first match, 0 is the whole; `groups_n` of them are filled (views into text; p NULL
 * for a group that took no part). False: no match. */
bool regex_match(const struct regex *re, str text, str *groups, size_t groups_n);
/* The same of the first match that begins at `from` or behind it; what is before counts as context:
 * ^ matches at the start of the text alone. For expressions that are not anchored. */
bool regex_match_from(const struct regex *re, str text, size_t from, str *groups, size_t groups_n);
size_t regex_groups(const struct regex *re); /* capturing groups, without group 0 */
/* Number of the group with this name; -1 when there is none. */
int regex_group_named(const struct regex *re, str name);

/* Appends `template` with $1, ${1}, ${name}, $$ replaced as Go's regexp.Expand does. */
struct strbuf;
void regex_expand(const struct regex *re, str template_, const str *groups, size_t groups_n,
                  struct strbuf *out);

/* The finite set of texts the expression matches, when it is small and written as literals
 * (`a`, `a|b`, `x(1|2)`): true and the set in the arena. */
bool regex_literals(const struct regex *re, struct arena *a, str **out, size_t *n);
/* Text that every match starts with; empty when there is none. */
str regex_prefix(const struct regex *re);

#endif
