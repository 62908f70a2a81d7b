// SPDX-License-Identifier: Apache-2.0
/* The route tables, one an adapter. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "api/route.h"

extern const struct route_table admin_routes;
extern const struct route_table prometheus_routes;
extern const struct route_table ui_routes;

#endif
