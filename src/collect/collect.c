// SPDX-License-Identifier: Apache-2.0
/* The table of collectors, and what they share: reading and emitting. */
#include <stdarg.h>

#include "base/num.h"
#include "collect/collect_int.h"
#include "sys/host.h"
#include "sys/self.h"

static const struct collector collectors[] = {
#define COLLECTOR(x) {STR_INIT(#x), node_##x##_update},
#include "collect/collectors.def"
#undef COLLECTOR
};

enum { COLLECTORS = sizeof collectors / sizeof *collectors, FILE_MAX = 8 << 20 };

struct collect {
    struct emitter base;
    struct collect_ctx ctx;
    bool on[COLLECTORS];
};

size_t collect_names(const str **names)
{
    static str all[COLLECTORS];
    for (size_t i = 0; i < COLLECTORS; i++)
        all[i] = collectors[i].name;
    *names = all;
    return COLLECTORS;
}

static bool enable(struct collect *c, str name, struct err *err)
{
    for (size_t i = 0; i < COLLECTORS; i++) {
        if (str_eq(collectors[i].name, name)) {
            c->on[i] = true;
            return true;
        }
    }
    const str *names;
    size_t n = collect_names(&names);
    str near = str_nearest(name, names, n);
    err_set(err, ERR_INVALID, "unknown collector \"%.*s\"", STR_ARG(name));
    return near.n ? err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near)) : false;
}

struct outcome {
    bool ok;
    double seconds;
};

static struct outcome run(struct collect_ctx *c, const struct collector *of, struct err *err)
{
    struct err why = {0};
    int64_t begun = c->clock->mono_ns(c->clock);
    struct outcome o = {.ok = of->update(c, &why)};
    o.seconds = (double)(c->clock->mono_ns(c->clock) - begun) / 1e9;
    if (o.ok)
        return o;
    self_add(SELF_COLLECT_ERRORS, 1);
    /* A kernel without the file has no data to give: that is told, but nothing is wrong. */
    if (why.kind != ERR_NOT_FOUND && err->kind == ERR_NONE) {
        *err = why;
        err_wrap(err, "collector %.*s", STR_ARG(of->name));
    }
    return o;
}

static void put_outcomes(struct collect *c, const struct outcome *o)
{
    put_family(&c->ctx, "node_scrape_collector_duration_seconds", METRIC_GAUGE,
               "node_exporter: Duration of a collector scrape.");
    for (size_t i = 0; i < COLLECTORS; i++)
        if (c->on[i])
            put_labels(&c->ctx, "node_scrape_collector_duration_seconds",
                       &LABEL("collector", collectors[i].name), 1, o[i].seconds);
    put_family(&c->ctx, "node_scrape_collector_success", METRIC_GAUGE,
               "node_exporter: Whether a collector succeeded.");
    for (size_t i = 0; i < COLLECTORS; i++)
        if (c->on[i])
            put_labels(&c->ctx, "node_scrape_collector_success",
                       &LABEL("collector", collectors[i].name), 1, o[i].ok);
}

static bool collect_emit(struct emitter *e, struct emit *out, struct err *err)
{
    struct collect *c = (struct collect *)e;
    struct outcome outcomes[COLLECTORS] = {0};
    struct err first = {0};
    c->ctx.out = out;
    c->ctx.stat_read = false;
    arena_reset(&c->ctx.arena);
    for (size_t i = 0; i < COLLECTORS; i++)
        if (c->on[i])
            outcomes[i] = run(&c->ctx, &collectors[i], &first);
    put_outcomes(c, outcomes);
    if (first.kind != ERR_NONE)
        *err = first;
    return first.kind == ERR_NONE;
}

struct emitter *collect_new(const struct collect_options *o, struct err *err)
{
    struct collect *c = mem_new(struct collect);
    c->base.emit = collect_emit;
    c->ctx.procfs = o->procfs ? o->procfs : "/proc";
    c->ctx.sysfs = o->sysfs ? o->sysfs : "/sys";
    c->ctx.rootfs = o->rootfs ? o->rootfs : "/";
    c->ctx.udev = o->udev ? o->udev : "/run/udev/data";
    c->ctx.clock = o->clock ? o->clock : clock_system();
    arena_init(&c->ctx.arena, 0);
    c->ctx.fs = fs_state_new(o);
    bool ok = true;
    for (size_t i = 0; i < COLLECTORS; i++)
        c->on[i] = o->enabled_n == 0;
    for (size_t i = 0; i < o->enabled_n && ok; i++)
        ok = enable(c, o->enabled[i], err);
    if (ok)
        return &c->base;
    collect_free(&c->base);
    return NULL;
}

void collect_free(struct emitter *e)
{
    struct collect *c = (struct collect *)e;
    if (!c)
        return;
    cpu_state_free(c->ctx.cpu);
    fs_state_free(c->ctx.fs);
    arena_fini(&c->ctx.arena);
    strbuf_fini(&c->ctx.path);
    strbuf_fini(&c->ctx.file);
    strbuf_fini(&c->ctx.stat);
    free(c);
}

bool collect_read(struct collect_ctx *c, str *out, struct err *err, const char *base,
                  const char *fmt, ...)
{
    va_list ap;
    strbuf_clear(&c->path);
    strbuf_addf(&c->path, "%s/", base);
    va_start(ap, fmt);
    strbuf_addv(&c->path, fmt, ap);
    va_end(ap);
    if (!host_read(&c->file, c->path.p, FILE_MAX, err))
        return false;
    *out = strbuf_str(&c->file);
    return true;
}

bool collect_read_stat(struct collect_ctx *c, str *out, struct err *err)
{
    if (!c->stat_read) {
        str text;
        if (!collect_read(c, &text, err, c->procfs, "stat"))
            return false;
        struct strbuf swap = c->stat;
        c->stat = c->file;
        c->file = swap;
        c->stat_read = true;
    }
    *out = strbuf_str(&c->stat);
    return true;
}

bool text_field(str *rest, str *field)
{
    size_t from = 0, to;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    for (to = from; to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t';)
        to++;
    *field = str_sub(*rest, from, to);
    *rest = str_sub(*rest, to, rest->n);
    return field->n > 0;
}

bool text_u64(str *rest, uint64_t *out)
{
    str f;
    return text_field(rest, &f) && u64_parse(f, out);
}

bool text_f64(str *rest, double *out)
{
    str f;
    return text_field(rest, &f) && f64_parse(f, out);
}

void put_family(struct collect_ctx *c, const char *name, enum metric_type type, const char *help)
{
    emit_family(c->out, str_from_z(name), type, str_from_z(help));
}

void put(struct collect_ctx *c, const char *name, double v)
{
    emit_value(c->out, str_from_z(name), NULL, 0, v);
}

void put_labels(struct collect_ctx *c, const char *name, const struct label *l, size_t n, double v)
{
    emit_value(c->out, str_from_z(name), l, n, v);
}

void put_one(struct collect_ctx *c, const char *name, enum metric_type type, const char *help,
             double v)
{
    put_family(c, name, type, help);
    put(c, name, v);
}
