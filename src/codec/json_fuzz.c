// SPDX-License-Identifier: Apache-2.0
/* What the reader takes is valid UTF-8, writes back, and reads again as the same text. */
#include <assert.h>

#include "base/strbuf.h"
#include "codec/json.h"
#include "codec/json_int.h"
#include "codec/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void copy(const struct json_value *v, struct json_writer *w)
{
    bool object = v->type == JSON_OBJECT;
    if (v->type == JSON_STRING) {
        json_put_str(w, v->text);
    } else if (v->type == JSON_NUMBER) {
        double number;
        assert(json_as_f64(v, &number));
        json_put_raw(w, v->text);
    } else if (object || v->type == JSON_ARRAY) {
        object ? json_open_object(w) : json_open_array(w);
        for (size_t i = 0; i < v->n; i++) {
            if (object)
                json_put_key(w, v->members[i].key);
            copy(object ? &v->members[i].value : &v->items[i], w);
        }
        object ? json_close_object(w) : json_close_array(w);
    } else if (v->type == JSON_NULL) {
        json_put_null(w);
    } else {
        json_put_bool(w, v->type == JSON_TRUE);
    }
}

static bool rewrite(str text, struct strbuf *out)
{
    struct arena a ARENA_CLEANUP;
    arena_init(&a, 64 << 20);
    struct err err = {0};
    struct json_value *v;
    if (!json_parse(text, &a, &v, &err)) {
        assert(err.kind != ERR_NONE && err.msg[0]);
        return false;
    }
    assert(str_utf8_valid(text));
    struct json_writer w = json_writer(out);
    copy(v, &w);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str text = str_of((const char *)data, n);
    assert(json_plain(text.p, n) == json_plain_scalar(text.p, n));
    struct strbuf once STRBUF_CLEANUP = {0}, twice STRBUF_CLEANUP = {0};
    if (rewrite(text, &once)) {
        bool again = rewrite(strbuf_str(&once), &twice);
        assert(again && str_eq(strbuf_str(&once), strbuf_str(&twice)));
    }
    /* Any bytes become a valid string. */
    struct strbuf quoted STRBUF_CLEANUP = {0}, same STRBUF_CLEANUP = {0};
    json_quote(text, &quoted);
    bool ok = rewrite(strbuf_str(&quoted), &same);
    assert(ok);
    return 0;
}
