// SPDX-License-Identifier: Apache-2.0
/* node_load1, node_load5, node_load15. */
#include "collect/collect_int.h"

bool node_loadavg_update(struct collect_ctx *c, struct err *err)
{
    str text;
    double one, five, fifteen;
    if (!collect_read(c, &text, err, c->procfs, "loadavg"))
        return false;
    if (!text_f64(&text, &one) || !text_f64(&text, &five) || !text_f64(&text, &fifteen))
        return err_set(err, ERR_CORRUPT, "loadavg: no three numbers");
    put_one(c, "node_load1", METRIC_GAUGE, "1m load average.", one);
    put_one(c, "node_load15", METRIC_GAUGE, "15m load average.", fifteen);
    put_one(c, "node_load5", METRIC_GAUGE, "5m load average.", five);
    return true;
}
