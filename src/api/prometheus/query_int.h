// SPDX-License-Identifier: Apache-2.0
/* The forms of a query's answer. */
#ifndef API_PROMETHEUS_QUERY_INT_H
#define API_PROMETHEUS_QUERY_INT_H

#include "api/prometheus/prometheus_int.h"
#include "promql/promql.h"

/* What follows the result: statistics and costs, the end of `data`, warnings and infos. */
void query_write_rest(struct call *c, const struct promql_query *q, const struct promql_result *res,
                      struct json_writer *w);

/* columns.c: the client asked for columns and the result has no more than they can hold. */
bool columns_wanted(const struct call *c, const struct promql_query *q,
                    const struct promql_result *res);
void columns_respond(struct call *c, const struct promql_query *q, const struct promql_result *res);

#endif
