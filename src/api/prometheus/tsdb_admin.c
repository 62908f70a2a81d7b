// SPDX-License-Identifier: Apache-2.0
/* /api/v1/admin/tsdb/{delete_series,clean_tombstones,snapshot} and /api/v1/status/tsdb/blocks. */
#include <inttypes.h>

#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "codec/date.h"
#include "promql/promql.h"
#include "tsdb/tsdb.h"

void prometheus_delete_series(struct call *c)
{
    SELECTORS_CLEANUP struct selectors s = {0};
    ts_ms start, end;
    struct err err;
    bool ok = param_selectors(c, &s, &err);
    if (ok && !s.n)
        ok = err_set(&err, ERR_INVALID, "no match[] parameter provided");
    ok = ok && param_time(c, STR("start"), INT64_MIN, &start, &err) &&
         param_time(c, STR("end"), INT64_MAX, &end, &err);
    for (size_t i = 0; ok && start <= end && i < s.n; i++) {
        size_t m_n;
        const struct matcher *m = promql_expr_matchers(s.at[i], &m_n);
        ok = tsdb_delete(c->api->tsdb, m, m_n, start, end, &err);
    }
    if (ok)
        reply_empty(c, 204);
    else
        reply_error(c, &err);
}

void prometheus_clean_tombstones(struct call *c)
{
    struct err err = {0};
    if (tsdb_clean_tombstones(c->api->tsdb, &err))
        reply_empty(c, 204);
    else
        reply_error(c, &err);
}

/* As Go's ParseBool. */
static bool param_bool(const struct call *c, str name, bool *out, struct err *err)
{
    static const char *const words[] = {"0", "f", "F", "false", "FALSE", "False",
                                        "1", "t", "T", "true",  "TRUE",  "True"};
    str text = http_params_get(&c->params, name);
    *out = false;
    if (!text.n)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *out = i >= 6;
        if (str_eqz(text, words[i]))
            return true;
    }
    return err_set(err, ERR_INVALID, "invalid parameter \"%.*s\": unable to parse boolean \"%.*s\"",
                   STR_ARG(name), STR_ARG(text));
}

/* "20171210T211224Z-2be650b6d019eb54" */
static str snapshot_name(struct call *c)
{
    struct env *env = c->api->env;
    struct date_civil d = date_civil(env_now_ms(env));
    uint64_t salt;
    env->entropy->fill(env->entropy, &salt, sizeof salt);
    return arena_printf(c->req->arena, "%04" PRId64 "%02u%02uT%02u%02u%02uZ-%016" PRIx64, d.year,
                        d.month, d.day, d.hour, d.minute, d.second, salt);
}

/*
 * Into snapshots/NAME below the storage directory: a server takes that as its --storage.path. What
 * is in memory is always in it: skip_head, which is there to save time, saves none here.
 */
void prometheus_snapshot(struct call *c)
{
    struct reply r;
    struct json_writer w;
    struct err err;
    bool skip_head;
    str name = snapshot_name(c);
    str dir = arena_printf(c->req->arena, "snapshots/%.*s/metrics", STR_ARG(name));
    if (!param_bool(c, STR("skip_head"), &skip_head, &err) ||
        !tsdb_snapshot(c->api->tsdb, dir, &err)) {
        reply_error(c, &err);
        return;
    }
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_pair(&w, "name", name);
    json_close_object(&w);
    success_end(&r, &w);
}

/* ---- blocks ---- */

/* Readers expect a ULID: 26 digits of Crockford's base 32, of which our ids fill the last 13. */
static void put_ulid(struct json_writer *w, uint64_t id)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[26];
    memset(text, '0', sizeof text);
    for (size_t i = sizeof text; id; id >>= 5)
        text[--i] = digits[id & 31];
    json_put_str(w, str_of(text, sizeof text));
}

static void put_block(struct json_writer *w, const struct tsdb_part *p)
{
    bool empty = p->min_t > p->max_t;
    json_open_object(w);
    json_put_key(w, STR("ulid"));
    put_ulid(w, p->id);
    json_put_key(w, STR("minTime"));
    json_put_i64(w, empty ? 0 : p->min_t);
    json_put_key(w, STR("maxTime")); /* behind the last sample */
    json_put_i64(w, empty ? 0 : p->max_t + 1);
    json_put_key(w, STR("stats"));
    json_open_object(w);
    json_pair_u64(w, "numSamples", p->samples);
    json_pair_u64(w, "numSeries", p->series);
    json_pair_u64(w, "numBytes", p->bytes);
    json_close_object(w);
    json_put_key(w, STR("compaction"));
    json_open_object(w);
    json_pair_u64(w, "level", p->level + 1);
    json_put_key(w, STR("sources"));
    json_open_array(w);
    for (size_t i = 0; i < p->replaces_n; i++)
        put_ulid(w, p->replaces[i]);
    if (!p->replaces_n)
        put_ulid(w, p->id);
    json_close_array(w);
    json_close_object(w);
    json_pair_u64(w, "version", 1);
    json_close_object(w);
}

void prometheus_tsdb_blocks(struct call *c)
{
    struct tsdb_part *parts;
    struct reply r;
    struct json_writer w;
    size_t n = tsdb_parts(c->api->tsdb, c->req->arena, &parts);
    success_begin(&r, &w, c);
    json_open_object(&w);
    json_put_key(&w, STR("blocks"));
    json_open_array(&w);
    for (size_t i = 0; i < n; i++)
        put_block(&w, &parts[i]);
    json_close_array(&w);
    json_close_object(&w);
    success_end(&r, &w);
}
