// SPDX-License-Identifier: Apache-2.0
/* The totals of /proc/stat. */
#include "collect/collect_int.h"

bool parse_stat_totals(str text, struct stat_totals *out, struct err *err)
{
    struct stat_totals t = {0};
    const struct {
        str name;
        double *v;
    } rows[] = {
        {STR("intr"), &t.intr},
        {STR("ctxt"), &t.ctxt},
        {STR("processes"), &t.forks},
        {STR("btime"), &t.boot_s},
        {STR("procs_running"), &t.running},
        {STR("procs_blocked"), &t.blocked},
    };
    str rest = text, line, name;
    while (str_cut(&rest, '\n', &line)) {
        uint64_t v;
        text_field(&line, &name);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (!str_eq(name, rows[i].name))
                continue;
            if (!text_u64(&line, &v))
                return err_set(err, ERR_CORRUPT, "stat: no number after %.*s", STR_ARG(name));
            *rows[i].v = (double)v;
        }
    }
    *out = t;
    return true;
}

bool node_stat_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct stat_totals t;
    if (!collect_read_stat(c, &text, err) || !parse_stat_totals(text, &t, err))
        return false;
    put_one(c, "node_boot_time_seconds", METRIC_GAUGE, "Node boot time, in unixtime.", t.boot_s);
    put_one(c, "node_context_switches_total", METRIC_COUNTER, "Total number of context switches.",
            t.ctxt);
    put_one(c, "node_forks_total", METRIC_COUNTER, "Total number of forks.", t.forks);
    put_one(c, "node_intr_total", METRIC_COUNTER, "Total number of interrupts serviced.", t.intr);
    put_one(c, "node_procs_blocked", METRIC_GAUGE,
            "Number of processes blocked waiting for I/O to complete.", t.blocked);
    put_one(c, "node_procs_running", METRIC_GAUGE, "Number of processes in runnable state.",
            t.running);
    return true;
}
