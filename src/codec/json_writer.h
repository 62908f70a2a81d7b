// SPDX-License-Identifier: Apache-2.0
/*
 * Writes JSON to a buffer, piece by piece, without white space; values beside each other at the top
 * level are put on lines of their own (ndjson, without the last newline). Misuse (a value where a
 * key must be, an end that fits nothing, more than 64 levels) is a programmer's fault and asserted.
 * The buffer may be emptied between calls: what was written is never looked at again.
 *
 *     struct json_writer w = json_writer(&buf);
 *     json_open_object(&w);
 *     json_put_key(&w, STR("status"));
 *     json_put_str(&w, STR("success"));
 *     json_close_object(&w);
 *
 * Strings: quotes, backslashes and control characters are escaped; bytes that are not UTF-8 become
 * U+FFFD, so that the output is always valid.
 */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include "base/str.h"
#include "base/strbuf.h"

struct json_writer {
    struct strbuf *out;
    /* private */
    uint64_t objects;
    uint32_t depth;
    bool comma, keyed;
};

static inline struct json_writer json_writer(struct strbuf *out)
{
    return (struct json_writer){.out = out};
}

void json_open_object(struct json_writer *w);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w);
void json_close_array(struct json_writer *w);
void json_put_key(struct json_writer *w, str key);
void json_put_str(struct json_writer *w, str s);
/* A key and its text: as json_put_key and json_put_str. */
void json_put_pair(struct json_writer *w, str key, str value);
void json_put_i64(struct json_writer *w, int64_t v);
void json_put_u64(struct json_writer *w, uint64_t v);
/* As Go's encoding/json writes it; what is no number in JSON (NaN, infinities) becomes null. */
void json_put_f64(struct json_writer *w, double v);
void json_put_bool(struct json_writer *w, bool v);
void json_put_null(struct json_writer *w);
/* Text that is one JSON value already. */
void json_put_raw(struct json_writer *w, str json);
/* True when every level is closed again: between two values. */
bool json_writer_done(const struct json_writer *w);

/* Only the quoted and escaped string, for output that is not written by a json_writer. */
void json_quote(str s, struct strbuf *out);

#endif
