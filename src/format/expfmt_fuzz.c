// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes are refused or read; what was read and written again is a fixed point of reading and
 * writing. The first byte chooses the format.
 */
#include <stdlib.h>

#include "format/expfmt_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one pass holds: the family's lines come apart, the writer wants them together. */
struct pass {
    struct expfmt p;
    struct expfmt_writer w;
    struct arena a;
    str help_family, help;
};

static void on_type(struct pass *s)
{
    str family = expfmt_family(&s->p, &s->a);
    str help = str_eq(family, s->help_family) ? s->help : STR("");
    if (s->p.openmetrics && s->p.type == METRIC_COUNTER)
        family = arena_printf(&s->a, "%.*s_total", STR_ARG(family));
    if (s->p.openmetrics && s->p.type == METRIC_INFO)
        family = arena_printf(&s->a, "%.*s_info", STR_ARG(family));
    emit_family(&s->w.emit, family, s->p.type, help);
    s->help_family = (str){0}; /* only a HELP line just before belongs to a TYPE line */
}

static bool on_sample(struct pass *s, struct err *err)
{
    struct labels ls;
    if (!expfmt_labels(&s->p, &s->a, &ls, err))
        return false;
    struct label rest[EXPFMT_LABELS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        if (i && str_cmp(ls.at[i - 1].name, ls.at[i].name) >= 0)
            abort();
        if (!str_eq(ls.at[i].name, LABEL_NAME))
            rest[n++] = ls.at[i];
    }
    /* Seconds as a double hold no milliseconds beyond this. */
    bool exact = s->p.has_t && s->p.t < (ts_ms)1e14 && s->p.t > (ts_ms)-1e14;
    if (exact)
        expfmt_writer_sample_at(&s->w, labels_metric_name(ls), rest, n, s->p.value, s->p.t);
    else
        emit_value(&s->w.emit, labels_metric_name(ls), rest, n, s->p.value);
    return true;
}

static bool step(struct pass *s, bool *end, struct err *err)
{
    switch (expfmt_next(&s->p, err)) {
    case EXPFMT_ERROR:
        return false;
    case EXPFMT_END:
        *end = true;
        return true;
    case EXPFMT_HELP:
        s->help_family = expfmt_family(&s->p, &s->a);
        s->help = expfmt_help(&s->p, &s->a);
        return true;
    case EXPFMT_TYPE:
        on_type(s);
        return true;
    case EXPFMT_UNIT:
        return true;
    case EXPFMT_SAMPLE:
        return on_sample(s, err);
    }
    return false;
}

static bool rewrite(struct expfmt_choice c, str body, struct strbuf *out)
{
    struct pass s = {.help = STR("")};
    struct err err = {0};
    arena_init(&s.a, 0);
    expfmt_init(&s.p, c.format, body);
    expfmt_writer_init(&s.w, c, out);
    bool ok = true, end = false;
    while (ok && !end)
        ok = step(&s, &end, &err);
    if (!ok && (err.kind != ERR_INVALID || err.pos.line == 0))
        abort();
    expfmt_writer_finish(&s.w);
    arena_fini(&s.a);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool om = data[0] & 1;
    str body = str_from_bytes(bytes_of(data + 1, size - 1));
    struct expfmt_choice c = {om ? EXPFMT_OPENMETRICS_1_0_0 : EXPFMT_TEXT_1_0_0, true};
    STRBUF_CLEANUP struct strbuf once = {0}, twice = {0}, plain = {0};
    if (rewrite(c, body, &once)) {
        if (!rewrite(c, strbuf_str(&once), &twice))
            abort();
        if (!str_eq(strbuf_str(&once), strbuf_str(&twice)))
            abort();
        c.utf8_names = false;
        rewrite(c, body, &plain);
    }
    return 0;
}
