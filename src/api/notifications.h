// SPDX-License-Identifier: Apache-2.0
/*
 * What the server has to tell whoever looks at it: a reload that failed, a store in trouble, a stop
 * under way. Few things, each there or not there, listed by /api/v1/notifications and pushed to the
 * subscribers of /api/v1/notifications/live as server-sent events.
 *
 * A subscriber costs no thread: its answer stays open and whoever changes a notification writes to
 * it. One that does not read loses its stream, so that no writer ever waits. Any thread but a
 * subscriber's own I/O loop.
 */
#ifndef API_NOTIFICATIONS_H
#define API_NOTIFICATIONS_H

#include "codec/json_writer.h"
#include "sys/env.h"

struct call;

enum notification {
    NOTIFY_RELOAD_FAILED,
    NOTIFY_STOPPING,
    NOTIFY_BACKGROUND_FAILED, /* flush, merge, retention */
    NOTIFY_WRITES_FAIL,
    NOTIFY_SERIES_REFUSED,
    NOTIFICATIONS,
};

struct notifications;

struct notifications *notifications_new(struct clock *clock, unsigned subscribers_max);
/* After notifications_close. */
void notifications_free(struct notifications *n);

/* It is so from now on, in these words; said again it has a new date, as upstream does. */
void notifications_set(struct notifications *n, enum notification id, str text);
void notifications_clear(struct notifications *n, enum notification id);

/* An array of {"text","date","active"}, oldest first. */
void notifications_put(struct notifications *n, struct json_writer *w);
/*
 * Answers the call with a stream that begins with what there is. At the maximum of subscribers, and
 * after notifications_close, it is answered with 204, which tells a browser to not come back.
 */
void notifications_subscribe(struct notifications *n, struct call *c);
/* Lets go of subscribers that left and gives the others a sign of life. About each 15 s. */
void notifications_tick(struct notifications *n);
/* Ends all streams; nobody can subscribe any more. More than once is fine. */
void notifications_close(struct notifications *n);

#endif
