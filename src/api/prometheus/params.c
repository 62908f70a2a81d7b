// SPDX-License-Identifier: Apache-2.0
#include "api/prometheus/params.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "codec/date.h"
#include "promql/promql.h"

enum { SELECTORS_MAX = 1000 };

static bool bad_param(struct err *err, str name)
{
    return err_wrap(err, "invalid parameter \"%.*s\"", STR_ARG(name));
}

/* As upstream writes it, which clients take the place from: name, line:column, message. */
bool param_expr_error(struct err *err, str name)
{
    struct pos pos = err->pos;
    err->pos = (struct pos){0, 0};
    if (pos.line)
        err_wrap(err, "%u:%u: parse error", pos.line, pos.col);
    return bad_param(err, name);
}

bool param_time(const struct call *c, str name, ts_ms fallback, ts_ms *out, struct err *err)
{
    str text = http_params_get(&c->params, name);
    if (!text.n) {
        *out = fallback;
        return true;
    }
    return date_parse_param(text, out, err) || bad_param(err, name);
}

bool param_time_required(const struct call *c, str name, ts_ms *out, struct err *err)
{
    if (!http_params_get(&c->params, name).n) {
        err_set(err, ERR_INVALID, "cannot parse \"\" to a valid timestamp");
        return bad_param(err, name);
    }
    return param_time(c, name, 0, out, err);
}

bool param_duration(const struct call *c, str name, int64_t fallback_ms, int64_t *ms,
                    struct err *err)
{
    str text = http_params_get(&c->params, name);
    double seconds;
    if (!text.n) {
        *ms = fallback_ms;
        return true;
    }
    bool number = f64_parse(text, &seconds);
    if (!number && duration_parse(text, ms, err))
        return true;
    if (!number || isnan(seconds) || fabs(seconds) > 9e12) {
        err_set(err, ERR_INVALID, "cannot parse \"%.*s\" to a valid duration", STR_ARG(text));
        err_hint(err, "write it like 1h30m, or in seconds");
        return bad_param(err, name);
    }
    *ms = (int64_t)(seconds * 1000);
    return true;
}

bool param_duration_required(const struct call *c, str name, int64_t *ms, struct err *err)
{
    if (!http_params_get(&c->params, name).n) {
        err_set(err, ERR_INVALID, "cannot parse \"\" to a valid duration");
        return bad_param(err, name);
    }
    return param_duration(c, name, 0, ms, err);
}

bool param_limit(const struct call *c, str name, uint64_t *out, struct err *err)
{
    str text = http_params_get(&c->params, name);
    *out = 0;
    if (!text.n || u64_parse(text, out))
        return true;
    err_set(err, ERR_INVALID, "\"%.*s\" is no count", STR_ARG(text));
    return bad_param(err, name);
}

bool param_selectors(const struct call *c, struct selectors *out, struct err *err)
{
    size_t pos = 0, n = 0;
    str text;
    while (http_params_next(&c->params, STR("match[]"), &pos, &text))
        n++;
    if (n > SELECTORS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d match[] parameters", SELECTORS_MAX);
    struct selectors s = {mem_array(n + 1, sizeof(struct promql_expr *)), 0};
    for (pos = 0; http_params_next(&c->params, STR("match[]"), &pos, &text);) {
        struct promql_expr *e = promql_parse_selector(text, err);
        if (!e) {
            selectors_fini(&s);
            return param_expr_error(err, STR("match[]"));
        }
        s.at[s.n++] = e;
    }
    *out = s;
    return true;
}

void selectors_fini(struct selectors *s)
{
    for (size_t i = 0; i < s->n; i++)
        promql_expr_free(s->at[i]);
    free(s->at);
    *s = (struct selectors){0};
}
