// SPDX-License-Identifier: Apache-2.0
/* Parameters of the Prometheus API, read as upstream reads them. */
#ifndef API_PROMETHEUS_PARAMS_H
#define API_PROMETHEUS_PARAMS_H

#include "api/api.h"

/* A time: Unix seconds with a fraction, or RFC 3339. `fallback` when the parameter is not given. */
bool param_time(const struct call *c, str name, ts_ms fallback, ts_ms *out, struct err *err);
/* A time that must be given. */
bool param_time_required(const struct call *c, str name, ts_ms *out, struct err *err);
/* A duration: seconds with a fraction, or 1h30m. */
bool param_duration(const struct call *c, str name, int64_t fallback_ms, int64_t *ms,
                    struct err *err);
/* A duration that must be given. */
bool param_duration_required(const struct call *c, str name, int64_t *ms, struct err *err);
/* A count; 0 when it is not given. */
bool param_limit(const struct call *c, str name, uint64_t *out, struct err *err);

/* Makes an error of promql_parse one of the parameter that held the expression; returns false. */
bool param_expr_error(struct err *err, str name);

/* The selectors of the match[] parameters, parsed. */
struct promql_expr;
struct selectors {
    struct promql_expr **at;
    size_t n;
};
bool param_selectors(const struct call *c, struct selectors *out, struct err *err);
void selectors_fini(struct selectors *s);
#define SELECTORS_CLEANUP __attribute__((cleanup(selectors_fini)))

#endif
