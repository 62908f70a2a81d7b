// SPDX-License-Identifier: Apache-2.0
/*
 * node_cpu_*: /proc/stat by CPU, and the throttle counters of x86 where they exist.
 *
 * The kernel's counters may step back a little (iowait does). As upstream, a value that falls is
 * held at what it was, unless idle fell by more than three seconds: then the CPU was taken out and
 * came back, and counting starts anew.
 */
#include "base/num.h"
#include "collect/collect_int.h"
#include "sys/host.h"

struct cpu_state {
    VEC(struct cpu_times) last; /* by position in `last[i].cpu` order, as /proc/stat lists them */
    bool probed, throttles;     /* whether this host has thermal_throttle files */
};

void cpu_state_free(struct cpu_state *s)
{
    if (s)
        vec_fini(&s->last);
    free(s);
}

enum { CPUS_MAX = 65536, TICKS = 100 }; /* USER_HZ is 100 on every port of Linux we build for */

static bool parse_cpu_line(str line, struct cpu_times *out)
{
    str rest = line, name;
    text_field(&rest, &name);
    *out = (struct cpu_times){0};
    if (!u64_parse(str_sub(name, 3, name.n), &out->cpu))
        return false;
    /* Old kernels have fewer columns; the ones that are missing are zero. */
    int n = 0;
    for (uint64_t v; n < CPU_MODES && text_u64(&rest, &v); n++)
        out->s[n] = (double)v / TICKS;
    return n >= 4;
}

bool parse_stat_cpus(str text, struct arena *a, struct cpu_times **out, size_t *n, struct err *err)
{
    VEC(struct cpu_times) v = {0};
    str rest = text, line;
    bool ok = true;
    while (ok && str_cut(&rest, '\n', &line) && str_starts(line, STR("cpu"))) {
        struct cpu_times t;
        if (str_starts(line, STR("cpu ")))
            continue;
        ok = v.n < CPUS_MAX && parse_cpu_line(line, &t);
        if (ok)
            vec_push(&v, t);
    }
    if (ok && v.n) {
        *n = v.n;
        *out = arena_array(a, struct cpu_times, v.n);
        memcpy(*out, v.at, v.n * sizeof *v.at);
    }
    ok = ok && v.n;
    vec_fini(&v);
    return ok || err_set(err, ERR_CORRUPT, "stat: no line of a CPU that makes sense");
}

static struct cpu_times *last_of(struct cpu_state *s, uint64_t cpu)
{
    VEC_EACH (t, &s->last)
        if (t->cpu == cpu)
            return t;
    vec_push(&s->last, (struct cpu_times){.cpu = cpu});
    return &vec_last(&s->last);
}

static void hold_falling(struct cpu_state *s, struct cpu_times *now)
{
    struct cpu_times *last = last_of(s, now->cpu);
    if (now->s[CPU_IDLE] + 3 < last->s[CPU_IDLE])
        memset(last->s, 0, sizeof last->s);
    for (int m = 0; m < CPU_MODES; m++) {
        if (now->s[m] < last->s[m])
            now->s[m] = last->s[m];
        last->s[m] = now->s[m];
    }
}

static const struct {
    str mode;
    int index;
} modes[] = {
    {STR_INIT("idle"), CPU_IDLE},       {STR_INIT("iowait"), CPU_IOWAIT},
    {STR_INIT("irq"), CPU_IRQ},         {STR_INIT("nice"), CPU_NICE},
    {STR_INIT("softirq"), CPU_SOFTIRQ}, {STR_INIT("steal"), CPU_STEAL},
    {STR_INIT("system"), CPU_SYSTEM},   {STR_INIT("user"), CPU_USER},
};

static void put_times(struct collect_ctx *c, const struct cpu_times *t, size_t n)
{
    str *names = arena_array(&c->arena, str, n);
    for (size_t i = 0; i < n; i++)
        names[i] = arena_printf(&c->arena, "%llu", (unsigned long long)t[i].cpu);
    put_family(c, "node_cpu_guest_seconds_total", METRIC_COUNTER,
               "Seconds the CPUs spent in guests (VMs) for each mode.");
    for (size_t i = 0; i < n; i++) {
        struct label l[] = {LABEL("cpu", names[i]), LABEL("mode", STR("nice"))};
        put_labels(c, "node_cpu_guest_seconds_total", l, 2, t[i].s[CPU_GUEST_NICE]);
        l[1].value = STR("user");
        put_labels(c, "node_cpu_guest_seconds_total", l, 2, t[i].s[CPU_GUEST]);
    }
    put_family(c, "node_cpu_seconds_total", METRIC_COUNTER, "Seconds the CPUs spent in each mode.");
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
            struct label l[] = {LABEL("cpu", names[i]), LABEL("mode", modes[m].mode)};
            put_labels(c, "node_cpu_seconds_total", l, 2, t[i].s[modes[m].index]);
        }
    }
}

/* A number in a sysfs file of one CPU; false when there is no such file. */
static bool cpu_number(struct collect_ctx *c, uint64_t cpu, const char *file, uint64_t *out)
{
    struct err ignored = {0};
    str text;
    return collect_read(c, &text, &ignored, c->sysfs, "devices/system/cpu/cpu%llu/%s",
                        (unsigned long long)cpu, file) &&
           u64_parse(str_trim(text), out);
}

struct throttle {
    uint64_t package, core, count, package_count;
    bool has_package;
    size_t same_core, same_package; /* whether an earlier row told it already */
};

static bool throttle_read(struct collect_ctx *c, uint64_t cpu, struct throttle *t)
{
    *t = (struct throttle){0};
    if (!cpu_number(c, cpu, "topology/physical_package_id", &t->package) ||
        !cpu_number(c, cpu, "topology/core_id", &t->core) ||
        !cpu_number(c, cpu, "thermal_throttle/core_throttle_count", &t->count))
        return false;
    t->has_package =
        cpu_number(c, cpu, "thermal_throttle/package_throttle_count", &t->package_count);
    return true;
}

static void put_throttles(struct collect_ctx *c, const struct throttle *t, size_t n)
{
    put_family(c, "node_cpu_core_throttles_total", METRIC_COUNTER,
               "Number of times this CPU core has been throttled.");
    for (size_t i = 0; i < n; i++) {
        struct label l[] = {
            LABEL("core", arena_printf(&c->arena, "%llu", (unsigned long long)t[i].core)),
            LABEL("package", arena_printf(&c->arena, "%llu", (unsigned long long)t[i].package))};
        if (!t[i].same_core)
            put_labels(c, "node_cpu_core_throttles_total", l, 2, (double)t[i].count);
    }
    put_family(c, "node_cpu_package_throttles_total", METRIC_COUNTER,
               "Number of times this CPU package has been throttled.");
    for (size_t i = 0; i < n; i++) {
        str package = arena_printf(&c->arena, "%llu", (unsigned long long)t[i].package);
        if (t[i].has_package && !t[i].same_package)
            put_labels(c, "node_cpu_package_throttles_total", &LABEL("package", package), 1,
                       (double)t[i].package_count);
    }
}

/* Threads of one core share the counter: the first CPU of each core and package speaks for it. */
static void collect_throttles(struct collect_ctx *c, const struct cpu_times *cpus, size_t n)
{
    struct throttle *t = arena_array(&c->arena, struct throttle, n);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        struct throttle *now = &t[found];
        if (!throttle_read(c, cpus[i].cpu, now))
            continue;
        for (size_t k = 0; k < found; k++) {
            bool package = t[k].package == now->package;
            now->same_package |= package;
            now->same_core |= package && t[k].core == now->core;
        }
        found++;
    }
    if (found)
        put_throttles(c, t, found);
}

bool node_cpu_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct cpu_times *t;
    size_t n;
    if (!collect_read_stat(c, &text, err) || !parse_stat_cpus(text, &c->arena, &t, &n, err))
        return false;
    if (!c->cpu)
        c->cpu = mem_new(struct cpu_state);
    for (size_t i = 0; i < n; i++)
        hold_falling(c->cpu, &t[i]);
    put_times(c, t, n);
    if (!c->cpu->probed) {
        uint64_t v;
        c->cpu->probed = true;
        c->cpu->throttles = cpu_number(c, t[0].cpu, "thermal_throttle/core_throttle_count", &v);
    }
    if (c->cpu->throttles)
        collect_throttles(c, t, n);
    return true;
}
