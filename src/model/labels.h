// SPDX-License-Identifier: Apache-2.0
/*
 * A label set: name/value pairs sorted by name in byte order, each name once, no empty value (an
 * empty value means that the label is not there). A view: the array and the text belong to an arena
 * or an index. The metric name is the label "__name__".
 */
#ifndef MODEL_LABELS_H
#define MODEL_LABELS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

struct label {
    str name, value;
};

struct labels {
    const struct label *at;
    size_t n;
};

#define LABEL_NAME STR("__name__")

/* Empty view when there is none. */
str labels_get(struct labels ls, str name);
static inline str labels_metric_name(struct labels ls)
{
    return labels_get(ls, LABEL_NAME);
}
bool labels_eq(struct labels a, struct labels b);
/* Order of names and values in turn; a prefix comes first. */
int labels_cmp(struct labels a, struct labels b);
/* The same for equal sets in every process of this version; 0 is never returned. */
uint64_t labels_hash(struct labels ls);
/* What is hashed: name 0xff value 0xff ..., which only equal sets have in common. */
size_t labels_bytes_size(struct labels ls);
void labels_bytes(struct labels ls, char *to);
/* Deep copy into the arena. */
struct labels labels_dup(struct arena *a, struct labels ls);

/* name{a="b",c="d"} as PromQL writes it, values escaped, names that are no identifiers quoted. */
void labels_format(struct labels ls, struct strbuf *out);

/* A label's name, quoted when it is no identifier, and its value, quoted and escaped. */
void label_name_format(str name, struct strbuf *out);
void label_value_format(str value, struct strbuf *out);
/* Sorts by name in byte order; labels of one name keep no order. */
void label_sort(struct label *at, size_t n);

/* [a-zA-Z_:][a-zA-Z0-9_:]* and [a-zA-Z_][a-zA-Z0-9_]* */
bool metric_name_is_legacy(str s);
bool label_name_is_legacy(str s);

/*
 * Builds a set: start from another or from nothing, set and delete, then take it. Names may come in
 * any order; setting an empty value deletes. Text is referred to, not copied: it must live as long
 * as the result. Owned by one thread; reusable after labels_builder_take.
 */
struct labels_builder {
    struct label *at;
    size_t n, cap;
};
/* On raw memory; end with labels_builder_fini. */
void labels_builder_init(struct labels_builder *b, struct labels base);
/* Starts again from `base` and keeps the memory. */
void labels_builder_reset(struct labels_builder *b, struct labels base);
void labels_builder_set(struct labels_builder *b, str name, str value);
str labels_builder_get(const struct labels_builder *b, str name);
/* The sorted set; only the array is in the arena. The builder is empty afterwards. */
struct labels labels_builder_take(struct labels_builder *b, struct arena *a);
void labels_builder_fini(struct labels_builder *b);

#endif
