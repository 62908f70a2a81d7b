// SPDX-License-Identifier: Apache-2.0
/*
 * JSON (RFC 8259), read strictly, by one reader for everything: a pull reader that allocates
 * nothing, and a tree built over it.
 *
 * Refused, with a position: anything outside the grammar (comments, trailing commas, NaN, leading
 * zeros, control characters in strings), text that is not well-formed UTF-8, nesting deeper than
 * JSON_DEPTH_MAX, and anything but white space after the value. An escaped surrogate without its
 * other half is read as U+FFFD, as Go's encoding/json does. A key twice in one object is not an
 * error of the text: the tree gives the last, `json_duplicate` says so.
 *
 *     struct json_reader r;
 *     json_reader_init(&r, text, err);
 *     while ((e = json_next(&r)) > JSON_END)
 *         ...
 *     if (e == JSON_ERROR)
 *         return false;
 *
 * The text must outlive reader and tree, which hold views of it. Whoever hands text in has capped
 * its length; one value's tree has at most JSON_NODES_MAX nodes and keeps to its arena's limit.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/arena.h"
#include "base/err.h"

enum {
    JSON_DEPTH_MAX = 64,
    JSON_NODES_MAX = 1000000,
};

enum json_event {
    JSON_ERROR,
    JSON_END, /* the value is complete and nothing follows */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, /* of the member whose value comes next */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_reader {
    str value;     /* of KEY and STRING: between the quotes, not yet decoded; of NUMBER: its text */
    bool escaped;  /* `value` has escapes: use json_string */
    size_t offset; /* where the event begins in the text */
    /* private */
    str text;
    size_t at;
    uint64_t objects; /* a bit for each open level: it is an object */
    uint32_t depth;
    uint32_t state;
    struct err *err;
};

void json_reader_init(struct json_reader *r, str text, struct err *err);
/* After JSON_ERROR (the reader's `err` is set) or JSON_END the same comes again. */
enum json_event json_next(struct json_reader *r);
/* Reads the whole value after a key (or of the text, before the first event); `raw` (may be NULL)
 * is its text, checked. */
bool json_skip(struct json_reader *r, str *raw);
/* The string or key just read, decoded: a view of the text, or of the arena when it has escapes. */
str json_string(const struct json_reader *r, struct arena *a);
/* The number just read. */
double json_number(const struct json_reader *r);
/* Sets the reader's error at the current event: for values that are JSON but not what is wanted. */
bool json_fail(struct json_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct json_member;

struct json_value {
    enum json_event type; /* OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE or NULL */
    uint32_t n;           /* items or members */
    size_t offset;        /* in the text: pos_of(text, v->offset) */
    union {
        str text; /* of a string, decoded; of a number, as written */
        struct json_value *items;
        struct json_member *members;
    };
};

struct json_member {
    str key;
    size_t offset; /* of the key */
    struct json_value value;
};

/* The one value of a text, in the arena. */
bool json_parse(str text, struct arena *a, struct json_value **out, struct err *err);

/* The last member with this key; NULL when there is none or `object` is NULL or no object. */
const struct json_value *json_get(const struct json_value *object, str key);
/* The first member whose key an earlier one has; NULL when all differ. */
const struct json_member *json_duplicate(const struct json_value *object);

/* True and the value when `v` is of this type; NULL is of none. */
bool json_as_str(const struct json_value *v, str *out);
bool json_as_f64(const struct json_value *v, double *out);
/* Numbers written as integers, in range. */
bool json_as_i64(const struct json_value *v, int64_t *out);
bool json_as_bool(const struct json_value *v, bool *out);
/* "object", "array", "string", "number", "boolean", "null", for messages. */
const char *json_type_name(enum json_event type);

#endif
