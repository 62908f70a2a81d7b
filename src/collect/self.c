// SPDX-License-Identifier: Apache-2.0
/* What this process says of itself: sys/self.def, the process_* metrics that every client library
 * has, and nunchi_build_info. */
#include "sys/self.h"
#include "base/num.h"
#include "collect/collect_int.h"
#include "sys/host.h"

struct self_emitter {
    struct emitter base;
    struct host_units units;
};

static void put_self_rows(struct collect_ctx *c)
{
    for (int i = 0; i < SELF_N; i++) {
        const struct self_row *r = &self_rows[i];
        if (i == 0 || strcmp(r[-1].name, r->name) != 0)
            put_family(c, r->name, r->type == SELF_TYPE_GAUGE ? METRIC_GAUGE : METRIC_COUNTER,
                       r->help);
        struct label l = {str_from_z(r->label), str_from_z(r->value)};
        double v = (double)self_get((enum self_id)i);
        put_labels(c, r->name, &l, r->label[0] ? 1 : 0, r->type == SELF_TYPE_SECONDS ? v / 1e9 : v);
    }
}

/* Fields of /proc/self/stat by the numbers of proc(5). The name in field 2 may hold anything, so
 * counting begins behind its last bracket. */
enum { FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_START = 22, FIELD_VSIZE = 23, FIELD_RSS = 24 };

static bool stat_fields(str text, uint64_t field[FIELD_RSS + 1])
{
    size_t at = text.n;
    while (at && text.p[at - 1] != ')')
        at--;
    str rest = str_sub(text, at, text.n), f;
    bool ok = at > 0 && text_field(&rest, &f); /* field 3, a letter */
    for (int i = 4; ok && i <= FIELD_RSS; i++) {
        ok = text_field(&rest, &f);
        if (ok && !u64_parse(f, &field[i]))
            field[i] = 0; /* some of the others are negative */
    }
    return ok;
}

static bool put_stat(struct collect_ctx *c, const struct host_units *units, struct err *err)
{
    uint64_t f[FIELD_RSS + 1] = {0};
    struct stat_totals host;
    str text;
    double ticks = (double)units->ticks_per_s;
    if (!collect_read(c, &text, err, c->procfs, "self/stat"))
        return false;
    if (!stat_fields(text, f))
        return err_set(err, ERR_CORRUPT, "self/stat makes no sense");
    if (!collect_read_stat(c, &text, err) || !parse_stat_totals(text, &host, err))
        return false;
    put_one(c, "process_cpu_seconds_total", METRIC_COUNTER,
            "Total user and system CPU time spent in seconds.",
            (double)(f[FIELD_UTIME] + f[FIELD_STIME]) / ticks);
    put_one(c, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory size in bytes.",
            (double)f[FIELD_RSS] * (double)units->page_bytes);
    put_one(c, "process_start_time_seconds", METRIC_GAUGE,
            "Start time of the process since unix epoch in seconds.",
            host.boot_s + (double)f[FIELD_START] / ticks);
    put_one(c, "process_virtual_memory_bytes", METRIC_GAUGE, "Virtual memory size in bytes.",
            (double)f[FIELD_VSIZE]);
    return true;
}

static bool put_limits(struct collect_ctx *c, struct err *err)
{
    str *fds;
    size_t n;
    put_one(c, "process_max_fds", METRIC_GAUGE, "Maximum number of open file descriptors.",
            (double)host_limit_files());
    put_one(c, "process_virtual_memory_max_bytes", METRIC_GAUGE,
            "Maximum amount of virtual memory available in bytes.",
            (double)host_limit_memory_bytes());
    if (!host_list("/proc/self/fd", &c->arena, &fds, &n, err))
        return false;
    /* One of them is the listing's own. */
    put_one(c, "process_open_fds", METRIC_GAUGE, "Number of open file descriptors.",
            (double)(n - 1));
    return true;
}

/* Several threads call this at once: the watch, and whoever answers /metrics. */
static bool self_emit(struct emitter *e, struct emit *out, struct err *err)
{
    const struct self_emitter *s = (struct self_emitter *)e;
    struct collect_ctx ctx = {.procfs = "/proc", .out = out}, *c = &ctx;
    struct err second = {0};
    arena_init(&c->arena, 0);
    put_family(c, "nunchi_build_info", METRIC_GAUGE,
               "A metric with a constant '1' value labeled by the version of nunchi.");
    put_labels(c, "nunchi_build_info", &LABEL("version", STR(NUNCHI_VERSION)), 1, 1);
    put_self_rows(c);
    bool ok = put_stat(c, &s->units, err);
    ok = put_limits(c, ok ? err : &second) && ok;
    arena_fini(&c->arena);
    strbuf_fini(&c->path);
    strbuf_fini(&c->file);
    strbuf_fini(&c->stat);
    return ok;
}

struct emitter *collect_self_new(void)
{
    struct self_emitter *s = mem_new(struct self_emitter);
    s->base.emit = self_emit;
    s->units = host_units();
    return &s->base;
}

void collect_self_free(struct emitter *e)
{
    free(e);
}
