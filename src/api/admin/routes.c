// SPDX-License-Identifier: Apache-2.0
/* Doors for whoever runs the process. */
#include "api/admin/admin_int.h"
#include "api/tables.h"

// clang-format off
static const struct route rows[] = {
ROUTE(GET,        "/-/healthy", MAY_ALL,   READS,   SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, admin_healthy),
ROUTE(GET,        "/-/ready",   MAY_ALL,   READS,   SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_LOOP, admin_ready),
ROUTE(POST | PUT, "/-/reload",  MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, FLAG_LIFECYCLE, 1 << 16, ON_BACKGROUND, admin_reload),
ROUTE(POST | PUT, "/-/quit",    MAY_ADMIN, CHANGES, SAME_ORIGIN, UNLIMITED, FLAG_LIFECYCLE, 1 << 16, ON_BACKGROUND, admin_quit),
ROUTE(GET,        "/metrics",   MAY_READ,  READS,   SAME_ORIGIN, UNLIMITED, NO_FLAG, 0, ON_INGEST, admin_metrics),
};
// clang-format on

const struct route_table admin_routes = {rows, sizeof rows / sizeof rows[0]};
