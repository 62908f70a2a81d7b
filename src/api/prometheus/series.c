// SPDX-License-Identifier: Apache-2.0
/* /api/v1/series, labels, label/NAME/values and metadata: what there is, without samples. */
#include <stdlib.h>

#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "promql/promql.h"

static bool hints_read(struct call *c, struct select_hints *h, struct err *err)
{
    uint64_t limit;
    *h = (struct select_hints){.series_only = true};
    if (!param_time(c, STR("start"), INT64_MIN, &h->start, err) ||
        !param_time(c, STR("end"), INT64_MAX, &h->end, err) ||
        !param_limit(c, STR("limit"), &limit, err))
        return false;
    if (h->end < h->start)
        return err_set(err, ERR_INVALID,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    h->limit = limit;
    return true;
}

static void warn_cut(struct json_writer *w, bool cut)
{
    if (!cut)
        return;
    json_put_key(w, STR("warnings"));
    json_open_array(w);
    json_put_str(w, STR("results truncated due to limit"));
    json_close_array(w);
}

/* ---- series ---- */

/* Outlives the request, which is gone with its arena once the answer is on its way. */
struct found {
    struct selection **at;
    size_t n;
};

static void found_free(const struct source *src, struct found *f)
{
    for (size_t i = 0; i < f->n; i++)
        src->ops->release(f->at[i]);
    free(f->at);
}

static bool select_all(struct call *c, const struct selectors *s, const struct select_hints *h,
                       struct found *f, struct err *err)
{
    struct source *src = c->api->source;
    f->at = mem_array(s->n, sizeof *f->at);
    for (size_t i = 0; i < s->n; i++) {
        size_t m_n;
        const struct matcher *m = promql_expr_matchers(s->at[i], &m_n);
        struct selection *sel = src->ops->select(src, m, m_n, h, c->budget, err);
        if (!sel)
            return false;
        f->at[f->n++] = sel;
    }
    return true;
}

/* The next label set of all selections in order, each once: a merge of sorted lists. */
static bool next_series(const struct source *src, const struct found *f, size_t *at,
                        struct labels *out)
{
    bool any = false;
    for (size_t i = 0; i < f->n; i++) {
        if (at[i] == src->ops->size(f->at[i]))
            continue;
        struct labels ls = src->ops->labels(f->at[i], at[i]);
        if (!any || labels_cmp(ls, *out) < 0)
            *out = ls;
        any = true;
    }
    for (size_t i = 0; i < f->n && any; i++) {
        if (at[i] == src->ops->size(f->at[i]))
            continue;
        struct labels ls = src->ops->labels(f->at[i], at[i]);
        if (ls.at == out->at || labels_cmp(ls, *out) == 0)
            at[i]++;
    }
    return any;
}

static void respond_series(struct call *c, const struct found *f, size_t limit)
{
    struct reply r;
    struct json_writer w;
    struct labels ls;
    size_t *at = arena_array(c->arena, size_t, f->n), n = 0;
    bool cut = false;
    success_begin(&r, &w, c);
    json_open_array(&w);
    while (next_series(c->api->source, f, at, &ls)) {
        cut = limit && n == limit;
        if (cut)
            break;
        json_labels(&w, ls);
        n++;
        if (!reply_more(&r)) {
            reply_end(&r, false);
            return;
        }
    }
    json_close_array(&w);
    warn_cut(&w, cut);
    success_end(&r, &w);
}

void prometheus_series(struct call *c)
{
    SELECTORS_CLEANUP struct selectors s = {0};
    struct select_hints h;
    const struct source *src = c->api->source;
    struct found f = {0};
    struct err err;
    bool ok = hints_read(c, &h, &err) && param_selectors(c, &s, &err);
    if (ok && !s.n)
        ok = err_set(&err, ERR_INVALID, "no match[] parameter provided");
    size_t limit = ok ? h.limit : 0;
    if (ok && limit)
        h.limit = limit + 1; /* one more tells that there is more */
    if (ok && select_all(c, &s, &h, &f, &err))
        respond_series(c, &f, limit);
    else
        reply_error(c, &err);
    found_free(src, &f);
}

/* ---- names and values ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

struct strs {
    str *at;
    size_t n;
};

/* `name` empty: label names, else its values; of all series or of those some selector matches. */
static bool gather(struct call *c, str name, const struct selectors *s,
                   const struct select_hints *h, struct strs *out, struct err *err)
{
    struct source *src = c->api->source;
    struct arena *a = c->arena;
    MAP_CLEANUP struct map seen = {0};
    size_t rounds = s->n ? s->n : 1;
    for (size_t i = 0; i < rounds; i++) {
        struct strs part;
        size_t m_n = 0;
        const struct matcher *m = s->n ? promql_expr_matchers(s->at[i], &m_n) : NULL;
        bool ok =
            name.n
                ? src->ops->label_values(src, name, m, m_n, h, c->budget, a, &part.at, &part.n, err)
                : src->ops->label_names(src, m, m_n, h, c->budget, a, &part.at, &part.n, err);
        if (!ok)
            return false;
        if (rounds == 1) {
            *out = part;
            return true;
        }
        for (size_t k = 0; k < part.n; k++)
            map_put(&seen, part.at[k], NULL);
    }
    out->at = arena_array(a, str, seen.n + 1);
    out->n = seen.n;
    for (size_t i = 0; i < seen.n; i++)
        out->at[i] = seen.entries[i].key;
    qsort(out->at, out->n, sizeof *out->at, by_text);
    return true;
}

static void respond_strs(struct call *c, const struct strs *names, size_t limit)
{
    struct reply r;
    struct json_writer w;
    bool cut = limit && names->n > limit;
    size_t n = cut ? limit : names->n;
    success_begin(&r, &w, c);
    json_open_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_put_str(&w, names->at[i]);
        if (!reply_more(&r)) {
            reply_end(&r, false);
            return;
        }
    }
    json_close_array(&w);
    warn_cut(&w, cut);
    success_end(&r, &w);
}

static void names_or_values(struct call *c, str name)
{
    SELECTORS_CLEANUP struct selectors s = {0};
    struct select_hints h;
    struct strs out = {0};
    struct err err;
    bool ok = hints_read(c, &h, &err) && param_selectors(c, &s, &err);
    size_t limit = ok ? h.limit : 0;
    if (ok && limit)
        h.limit = limit + 1; /* one more tells that there is more */
    if (ok && gather(c, name, &s, &h, &out, &err))
        respond_strs(c, &out, limit);
    else
        reply_error(c, &err);
}

void prometheus_labels(struct call *c)
{
    names_or_values(c, STR(""));
}

static size_t utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(code | (0xf00 >> n & 0xf0));
    return n;
}

/* The code point of "_2e_" at text[i]; the index behind it, 0 when there is none. */
static size_t hex_escape(str text, size_t i, uint32_t *code)
{
    size_t k = i + 1;
    *code = 0;
    for (; k < text.n && k <= i + 6 && text.p[k] != '_'; k++) {
        int digit = hex_digit(text.p[k]);
        if (digit < 0)
            return 0;
        *code = *code * 16 + (uint32_t)digit;
    }
    return k < text.n && text.p[k] == '_' && k > i + 1 && *code <= 0x10ffff ? k + 1 : 0;
}

/* Names that are no identifiers come as "U__my_2e_metric": "_HEX_" is a code point, "__" an
 * underscore. What is not written so is taken as it is. */
static str unescape_name(str name, struct arena *a)
{
    char *out = arena_alloc(a, name.n * 4 + 1);
    size_t n = 0;
    if (!str_starts(name, STR("U__")))
        return name;
    for (size_t i = 3; i < name.n;) {
        uint32_t code = (uint8_t)name.p[i];
        size_t next = i + 1;
        if (code == '_' && next < name.n && name.p[next] == '_') {
            next++;
        } else if (code == '_') {
            next = hex_escape(name, i, &code);
            if (!next)
                return name;
            n += utf8_put(out + n, code);
            i = next;
            continue;
        }
        out[n++] = name.p[i];
        i = next;
    }
    return str_of(out, n);
}

void prometheus_label_values(struct call *c)
{
    str name = unescape_name(c->segments[0], c->req->arena);
    struct err err;
    if (!name.n || !str_utf8_valid(name)) {
        err_set(&err, ERR_INVALID, "invalid label name: \"%.*s\"", STR_ARG(c->segments[0]));
        reply_error(c, &err);
        return;
    }
    names_or_values(c, name);
}

/* ---- metadata ---- */

/* history=true, ours: what was told of one family before, newest first, and when. */
static void metadata_history(struct call *c, str family)
{
    struct source *src = c->api->source;
    struct metadata *rows;
    struct reply r;
    struct json_writer w;
    struct err err;
    size_t n = 0;
    if (!family.n) {
        err_set(&err, ERR_INVALID,
                "invalid parameter \"history\": it needs the parameter \"metric\"");
        reply_error(c, &err);
        return;
    }
    if (src->ops->metadata_history &&
        !src->ops->metadata_history(src, family, c->arena, &rows, &n, &err)) {
        reply_error(c, &err);
        return;
    }
    success_begin(&r, &w, c);
    json_open_object(&w);
    if (n)
        json_put_key(&w, family);
    if (n)
        json_open_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_open_object(&w);
        json_pair(&w, "type", metric_type_name(rows[i].type));
        json_pair(&w, "help", rows[i].help);
        json_pair(&w, "unit", rows[i].unit);
        json_put_key(&w, STR("since"));
        json_time(&w, rows[i].since);
        json_close_object(&w);
    }
    if (n)
        json_close_array(&w);
    json_close_object(&w);
    success_end(&r, &w);
}

void prometheus_metadata(struct call *c)
{
    if (str_eq(http_params_get(&c->params, STR("history")), STR("true"))) {
        metadata_history(c, http_params_get(&c->params, STR("metric")));
        return;
    }
    struct source *src = c->api->source;
    struct metadata *rows;
    struct reply r;
    struct json_writer w;
    struct err err;
    uint64_t limit, per_metric;
    size_t n, families = 0;
    if (!param_limit(c, STR("limit"), &limit, &err) ||
        !param_limit(c, STR("limit_per_metric"), &per_metric, &err) ||
        !src->ops->metadata(src, http_params_get(&c->params, STR("metric")), limit, c->arena, &rows,
                            &n, &err)) {
        reply_error(c, &err);
        return;
    }
    success_begin(&r, &w, c);
    json_open_object(&w);
    for (size_t i = 0; i < n && (!limit || families < limit); families++) {
        str family = rows[i].family;
        json_put_key(&w, family);
        json_open_array(&w);
        for (size_t k = 0; i < n && str_eq(rows[i].family, family); i++, k++) {
            if (per_metric && k >= per_metric)
                continue;
            json_open_object(&w);
            json_pair(&w, "type", metric_type_name(rows[i].type));
            json_pair(&w, "help", rows[i].help);
            json_pair(&w, "unit", rows[i].unit);
            json_close_object(&w);
        }
        json_close_array(&w);
    }
    json_close_object(&w);
    success_end(&r, &w);
}
