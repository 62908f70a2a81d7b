// SPDX-License-Identifier: Apache-2.0
/*
 * Turns what the process counts into notifications: a counter that grows is trouble that somebody
 * who looks at the server should read of, and one that rests for a minute is trouble that is over.
 */
#include <assert.h>

#include "cmd/server_int.h"
#include "sys/self.h"

enum { QUIET_TICKS = 60, SIGN_OF_LIFE_TICKS = 15 };

static const struct {
    enum notification id;
    enum self_id counter;
    str text;
} rows[] = {
    {NOTIFY_WRITES_FAIL, SELF_TSDB_BATCH_FAILED,
     STR_INIT("Writes fail: the store cannot commit them. Is the disk full? The log says why.")},
    {NOTIFY_SERIES_REFUSED, SELF_TSDB_SERIES_REFUSED,
     STR_INIT("New series are refused: the memory for recent samples (--storage.memory) is used "
              "up.")},
};
static_assert(sizeof rows / sizeof rows[0] == SERVER_WATCHED, "a state for each row");

void server_watch_tick(struct server_watch *w, struct notifications *n)
{
    for (size_t i = 0; i < SERVER_WATCHED; i++) {
        int64_t now = self_get(rows[i].counter);
        bool grew = now != w->seen[i];
        w->seen[i] = now;
        if (grew && !w->quiet_for[i])
            notifications_set(n, rows[i].id, rows[i].text);
        if (grew)
            w->quiet_for[i] = QUIET_TICKS;
        else if (w->quiet_for[i] && --w->quiet_for[i] == 0)
            notifications_clear(n, rows[i].id);
    }
    if (++w->ticks % SIGN_OF_LIFE_TICKS == 0)
        notifications_tick(n);
}

void server_watch_background(struct notifications *n, struct server_watch *w, const struct err *err)
{
    struct err shown = *err;
    bool failed = err->kind != ERR_NONE;
    if (failed && !w->background_failed) {
        err_wrap(&shown, "Work in the background fails and is tried again");
        notifications_set(n, NOTIFY_BACKGROUND_FAILED, str_from_z(shown.msg));
    } else if (!failed && w->background_failed) {
        notifications_clear(n, NOTIFY_BACKGROUND_FAILED);
    }
    w->background_failed = failed;
}
