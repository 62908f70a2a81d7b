// SPDX-License-Identifier: Apache-2.0
/* node_time_*: the clock, its zone and its sources. */
#include "collect/collect_int.h"
#include "sys/host.h"

static const char folder[] = "devices/system/clocksource";

/* One sample for each name in each clocksourceN/`file`. */
static bool put_sources(struct collect_ctx *c, const str *dirs, size_t n, const char *file,
                        const char *metric, const char *help, struct err *err)
{
    put_family(c, metric, METRIC_GAUGE, help);
    for (size_t i = 0; i < n; i++) {
        str text, source, prefix = STR("clocksource");
        if (!str_starts(dirs[i], prefix))
            continue;
        if (!collect_read(c, &text, err, c->sysfs, "%s/%.*s/%s", folder, STR_ARG(dirs[i]), file))
            return false;
        text = str_trim(text);
        while (text_field(&text, &source)) {
            struct label l[] = {LABEL("clocksource", source),
                                LABEL("device", str_sub(dirs[i], prefix.n, dirs[i].n))};
            put_labels(c, metric, l, 2, 1);
        }
    }
    return true;
}

bool node_time_update(struct collect_ctx *c, struct err *err)
{
    ts_ms now = c->clock->now_ms(c->clock);
    int64_t offset_s;
    str zone, *dirs;
    size_t n;
    host_zone(now / 1000, &c->arena, &offset_s, &zone);
    put_one(c, "node_time_seconds", METRIC_GAUGE, "System time in seconds since epoch (1970).",
            (double)now / 1000);
    put_family(c, "node_time_zone_offset_seconds", METRIC_GAUGE,
               "System time zone offset in seconds.");
    put_labels(c, "node_time_zone_offset_seconds", &LABEL("time_zone", zone), 1, (double)offset_s);
    str path = arena_printf(&c->arena, "%s/%s", c->sysfs, folder);
    if (!host_list(path.p, &c->arena, &dirs, &n, err))
        return err->kind == ERR_NOT_FOUND ? (err_clear(err), true) : false;
    return put_sources(c, dirs, n, "available_clocksource", "node_time_clocksource_available_info",
                       "Available clocksources read from '/sys/devices/system/clocksource'.",
                       err) &&
           put_sources(c, dirs, n, "current_clocksource", "node_time_clocksource_current_info",
                       "Current clocksource read from '/sys/devices/system/clocksource'.", err);
}
