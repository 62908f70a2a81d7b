// SPDX-License-Identifier: Apache-2.0
/* The columnar form of a range query's answer (format/columns.h). */
#include "format/columns.h"

#include "api/prometheus/query_int.h"

bool columns_wanted(const struct call *c, const struct promql_query *q,
                    const struct promql_result *res)
{
    str rest = http_header_get(c->req, STR("Accept")), piece;
    bool asked = false;
    while (rest.p && !asked && str_cut(&rest, ',', &piece))
        asked = http_media_type_is(str_trim(piece), STR(COLUMNS_MEDIA_TYPE));
    if (!asked || !q->step_ms || res->type != PROMQL_MATRIX)
        return false;
    for (size_t i = 0; i < res->series_n; i++)
        if (res->series[i].h)
            return false;
    return true;
}

/* The answer but for its series. */
static void envelope(struct call *c, const struct promql_query *q, const struct promql_result *res,
                     struct strbuf *out)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_pair(&w, "status", STR("success"));
    json_put_key(&w, STR("data"));
    json_open_object(&w);
    json_pair(&w, "resultType", promql_type_name(res->type));
    query_write_rest(c, q, res, &w);
    json_close_object(&w);
}

void columns_respond(struct call *c, const struct promql_query *q, const struct promql_result *res)
{
    STRBUF_CLEANUP struct strbuf said = {0};
    struct columns_dictionary d = {0};
    struct columns_grid g = {q->start, q->step_ms,
                             (uint32_t)((q->end - q->start) / q->step_ms + 1)};
    struct reply r;
    bool more = true;
    for (size_t i = 0; i < res->series_n; i++)
        columns_dictionary_add(&d, res->series[i].labels);
    envelope(c, q, res, &said);
    reply_begin(&r, c, 200, COLUMNS_MEDIA_TYPE);
    columns_put_head(&d, &g, strbuf_str(&said), res->series_n, &r.buf);
    for (size_t i = 0; i < res->series_n && more; i++) {
        const struct promql_series *s = &res->series[i];
        columns_put_series(&d, &g, &(struct columns_series){s->labels, s->n, s->t, s->v}, &r.buf);
        more = reply_more(&r);
    }
    columns_dictionary_fini(&d);
    reply_end(&r, more);
}
