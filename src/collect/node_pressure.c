// SPDX-License-Identifier: Apache-2.0
/* node_pressure_*: pressure stall information. irq is newer than the others and often missing. */
#include "base/num.h"
#include "collect/collect_int.h"

static bool parse_total(str line, uint64_t *us)
{
    str field;
    while (text_field(&line, &field))
        if (str_starts(field, STR("total=")))
            return u64_parse(str_sub(field, 6, field.n), us);
    return false;
}

bool parse_pressure(str text, struct pressure_totals *out, struct err *err)
{
    struct pressure_totals p = {0};
    str rest = text, line;
    while (str_cut(&rest, '\n', &line)) {
        bool some = str_starts(line, STR("some ")), full = str_starts(line, STR("full "));
        if ((some && !parse_total(line, &p.some_us)) || (full && !parse_total(line, &p.full_us)))
            return err_set(err, ERR_CORRUPT, "pressure: a line without total");
        p.has_some |= some;
        p.has_full |= full;
    }
    *out = p;
    return p.has_some || p.has_full || err_set(err, ERR_CORRUPT, "pressure: no line known");
}

static const struct {
    const char *file, *waiting, *waiting_help, *stalled, *stalled_help;
    bool may_miss;
} rows[] = {
    {"cpu", "node_pressure_cpu_waiting_seconds_total",
     "Total time in seconds that processes have waited for CPU time", NULL, NULL, false},
    {"io", "node_pressure_io_waiting_seconds_total",
     "Total time in seconds that processes have waited due to IO congestion",
     "node_pressure_io_stalled_seconds_total",
     "Total time in seconds no process could make progress due to IO congestion", false},
    {"memory", "node_pressure_memory_waiting_seconds_total",
     "Total time in seconds that processes have waited for memory",
     "node_pressure_memory_stalled_seconds_total",
     "Total time in seconds no process could make progress due to memory congestion", false},
    {"irq", NULL, NULL, "node_pressure_irq_stalled_seconds_total",
     "Total time in seconds no process could make progress due to IRQ congestion", true},
};

/* Two divisions, as upstream: one by a million rounds differently. */
static double seconds(uint64_t us)
{
    return (double)us / 1000 / 1000;
}

bool node_pressure_update(struct collect_ctx *c, struct err *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pressure_totals p;
        str text;
        if (!collect_read(c, &text, err, c->procfs, "pressure/%s", rows[i].file)) {
            if (!rows[i].may_miss)
                return false;
            continue;
        }
        if (!parse_pressure(text, &p, err))
            return false;
        if (rows[i].waiting && p.has_some)
            put_one(c, rows[i].waiting, METRIC_COUNTER, rows[i].waiting_help, seconds(p.some_us));
        if (rows[i].stalled && p.has_full)
            put_one(c, rows[i].stalled, METRIC_COUNTER, rows[i].stalled_help, seconds(p.full_us));
    }
    return true;
}
