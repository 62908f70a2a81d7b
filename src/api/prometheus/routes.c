// SPDX-License-Identifier: Apache-2.0
/* Prometheus' HTTP API, at the root. */
#include "api/prometheus/prometheus_int.h"
#include "api/tables.h"

enum { FORM = 1 << 20, WRITE = 32 << 20, READ = 4 << 20, EXPORT = 64 << 20 };

// clang-format off
static const struct route rows[] = {
ROUTE(GET | POST, "/api/v1/query",              MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, FORM, ON_QUERY, prometheus_query),
ROUTE(GET | POST, "/api/v1/query_range",        MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, FORM, ON_QUERY, prometheus_query_range),
ROUTE(GET | POST, "/api/v1/query_exemplars",    MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, FORM, ON_QUERY, prometheus_query_exemplars),
ROUTE(GET | POST, "/api/v1/format_query",       MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, FORM, ON_BACKGROUND, prometheus_format_query),
ROUTE(GET | POST, "/api/v1/parse_query",        MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, FORM, ON_BACKGROUND, prometheus_parse_query),
ROUTE(GET | POST, "/api/v1/series",             MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, FORM, ON_QUERY, prometheus_series),
ROUTE(GET | POST, "/api/v1/labels",             MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, FORM, ON_QUERY, prometheus_labels),
ROUTE(GET,        "/api/v1/label/*/values",     MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, 0, ON_QUERY, prometheus_label_values),
ROUTE(GET,        "/api/v1/metadata",           MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, 0, ON_QUERY, prometheus_metadata),
ROUTE(GET,        "/api/v1/targets",            MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_targets),
ROUTE(GET,        "/api/v1/targets/metadata",   MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, 0, ON_QUERY, prometheus_targets_metadata),
ROUTE(GET,        "/api/v1/scrape_pools",       MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_scrape_pools),
ROUTE(GET,        "/api/v1/rules",              MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_rules),
ROUTE(GET,        "/api/v1/alerts",             MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_alerts),
ROUTE(GET,        "/api/v1/alertmanagers",      MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_alertmanagers),
ROUTE(GET,        "/api/v1/notifications",      MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_notifications),
ROUTE(GET,        "/api/v1/notifications/live", MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_notifications_live),
ROUTE(GET,        "/api/v1/features",           MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_features),
ROUTE(GET,        "/api/v1/status/walreplay",   MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_walreplay),
ROUTE(GET,        "/api/v1/status/buildinfo",   MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_buildinfo),
ROUTE(GET,        "/api/v1/status/runtimeinfo", MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_runtimeinfo),
ROUTE(GET,        "/api/v1/status/flags",       MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_flags),
ROUTE(GET,        "/api/v1/status/config",      MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_config),
ROUTE(GET,        "/api/v1/status/tsdb",        MAY_READ, READS, ANY_ORIGIN, LIMIT_QUERY, NO_FLAG, 0, ON_QUERY, prometheus_tsdb),
ROUTE(GET,        "/api/v1/status/tsdb/blocks", MAY_READ, READS, ANY_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_tsdb_blocks),
ROUTE(GET,        "/api/v1/status/active_queries",       MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_active_queries),
ROUTE(POST,       "/api/v1/status/active_queries/*/cancel", MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, NO_FLAG, FORM, ON_BACKGROUND, prometheus_cancel_query),
ROUTE(GET,        "/api/v1/status/nunchi",      MAY_READ, READS, SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_BACKGROUND, prometheus_nunchi),
ROUTE(GET,        "/federate",                  MAY_READ, READS, SAME_ORIGIN, LIMIT_QUERY, NO_FLAG, 0, ON_QUERY, prometheus_federate),
ROUTE(POST,       "/api/v1/read",               MAY_READ, READS, SAME_ORIGIN, LIMIT_QUERY, NO_FLAG, READ, ON_QUERY, prometheus_read),
ROUTE(POST | PUT, "/api/v1/admin/tsdb/delete_series",    MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, FLAG_ADMIN_API, FORM, ON_BACKGROUND, prometheus_delete_series),
ROUTE(POST | PUT, "/api/v1/admin/tsdb/clean_tombstones", MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, FLAG_ADMIN_API, FORM, ON_BACKGROUND, prometheus_clean_tombstones),
ROUTE(POST | PUT, "/api/v1/admin/tsdb/snapshot",         MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, FLAG_ADMIN_API, FORM, ON_BACKGROUND, prometheus_snapshot),
ROUTE(POST,       "/api/v1/write",              MAY_INGEST, CHANGES, SAME_ORIGIN, LIMIT_INGEST, NO_FLAG, WRITE, ON_INGEST, prometheus_write),
ROUTE(POST,       "/api/v1/otlp/v1/metrics",    MAY_INGEST, CHANGES, SAME_ORIGIN, LIMIT_INGEST, NO_FLAG, EXPORT, ON_INGEST, prometheus_otlp_metrics),
};
// clang-format on

const struct route_table prometheus_routes = {rows, sizeof rows / sizeof rows[0]};
