// SPDX-License-Identifier: Apache-2.0
/* /api/v1/notifications and /api/v1/notifications/live. */
#include "api/notifications.h"

#include "api/prometheus/prometheus_int.h"

void prometheus_notifications(struct call *c)
{
    struct reply r;
    struct json_writer w;
    success_begin(&r, &w, c);
    notifications_put(c->api->notifications, &w);
    success_end(&r, &w);
}

void prometheus_notifications_live(struct call *c)
{
    notifications_subscribe(c->api->notifications, c);
}
