// SPDX-License-Identifier: Apache-2.0
/* Pieces of JSON that every answer of this API has. */
#include "api/prometheus/prometheus_int.h"
#include "codec/date.h"

void success_begin(struct reply *r, struct json_writer *w, struct call *c)
{
    reply_begin(r, c, 200, "application/json");
    *w = json_writer(&r->buf);
    json_open_object(w);
    json_pair(w, "status", STR("success"));
    json_put_key(w, STR("data"));
}

void success_end(struct reply *r, struct json_writer *w)
{
    json_close_object(w);
    reply_end(r, true);
}

void success_empty_list(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_array(&w);
    json_close_array(&w);
    success_end(&r, &w);
}

void success_empty_lists(struct call *c, const char *const *keys, size_t n)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    json_open_object(&w);
    for (size_t i = 0; i < n; i++) {
        json_put_key(&w, str_from_z(keys[i]));
        json_open_array(&w);
        json_close_array(&w);
    }
    json_close_object(&w);
    success_end(&r, &w);
}

void json_labels(struct json_writer *w, struct labels ls)
{
    json_open_object(w);
    for (size_t i = 0; i < ls.n; i++)
        json_put_pair(w, ls.at[i].name, ls.at[i].value);
    json_close_object(w);
}

void json_time(struct json_writer *w, ts_ms t)
{
    char text[DATE_TEXT_MAX];
    json_put_raw(w, str_of(text, date_format_seconds(t, text)));
}

void json_rfc3339(struct json_writer *w, ts_ms t)
{
    char text[DATE_TEXT_MAX];
    json_put_str(w, str_of(text, date_format(t, text)));
}

void json_pair(struct json_writer *w, const char *key, str value)
{
    json_put_key(w, str_from_z(key));
    json_put_str(w, value);
}

void json_pair_u64(struct json_writer *w, const char *key, uint64_t value)
{
    json_put_key(w, str_from_z(key));
    json_put_u64(w, value);
}
