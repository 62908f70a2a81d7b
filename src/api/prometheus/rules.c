// SPDX-License-Identifier: Apache-2.0
/* /api/v1/rules and /api/v1/alerts. Rules are not evaluated: both are empty, in upstream's shape.
 */
#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "base/num.h"

static bool type_check(str type, struct err *err)
{
    if (!type.n || str_eqz(type, "alert") || str_eqz(type, "record"))
        return true;
    return err_set(err, ERR_INVALID, "invalid parameter \"type\": not supported value \"%.*s\"",
                   STR_ARG(type));
}

/* As Go's strconv.ParseBool. */
static bool flag_check(str text, struct err *err)
{
    static const char *const words[] = {"",  "1", "t", "T",     "TRUE",  "true", "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eqz(text, words[i]))
            return true;
    }
    return err_set(err, ERR_INVALID,
                   "invalid parameter \"exclude_alerts\": \"%.*s\" is neither true nor false",
                   STR_ARG(text));
}

/* Nothing was given out that a token could continue. */
static bool page_check(const struct call *c, struct err *err)
{
    str limit = http_params_get(&c->params, STR("group_limit"));
    str token = http_params_get(&c->params, STR("group_next_token"));
    uint64_t n;
    if (limit.n && (!u64_parse(limit, &n) || !n))
        return err_set(err, ERR_INVALID,
                       "invalid parameter \"group_limit\": \"%.*s\" is no count above 0",
                       STR_ARG(limit));
    if (token.n)
        return err_set(err, ERR_INVALID,
                       "invalid parameter \"group_next_token\": no such token \"%.*s\"",
                       STR_ARG(token));
    return true;
}

void prometheus_rules(struct call *c)
{
    SELECTORS_CLEANUP struct selectors s = {0};
    struct err err;
    if (type_check(http_params_get(&c->params, STR("type")), &err) &&
        flag_check(http_params_get(&c->params, STR("exclude_alerts")), &err) &&
        page_check(c, &err) && param_selectors(c, &s, &err))
        success_empty_lists(c, (const char *const[]){"groups"}, 1);
    else
        reply_error(c, &err);
}

void prometheus_alerts(struct call *c)
{
    success_empty_lists(c, (const char *const[]){"alerts"}, 1);
}

/* Nothing is sent to Alertmanagers: the list is empty, which is the answer clients expect. */
void prometheus_alertmanagers(struct call *c)
{
    success_empty_lists(c, (const char *const[]){"activeAlertmanagers", "droppedAlertmanagers"}, 2);
}
