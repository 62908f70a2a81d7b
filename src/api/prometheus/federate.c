// SPDX-License-Identifier: Apache-2.0
/*
 * GET /federate: the newest sample of every series that some match[] selects, as an exposition that
 * another server scrapes. As upstream: samples carry their times and are no older than the
 * lookback, external labels are added where a series has no such label, and `instance` is always
 * there, empty if need be, so that a scraper with honor_labels does not put its own in.
 */
#include <stdlib.h>

#include "api/prometheus/params.h"
#include "api/prometheus/prometheus_int.h"
#include "base/vec.h"
#include "format/expfmt_writer.h"
#include "promql/promql.h"

struct row {
    str name;
    struct labels labels;
    ts_ms t;
    double v;
};

/* Rows refer to labels of the selections, which are kept until the answer is written. Outlives the
 * call, which ends with its reply. */
struct federation {
    struct call *call;
    struct source *source;
    VEC(struct selection *) selections;
    VEC(struct row) rows;
    struct budget *budget;
    size_t held;            /* by rows, counted in it */
    struct label *external; /* sorted by name */
    size_t external_n;
};

static void federation_fini(struct federation *f)
{
    for (size_t i = 0; i < f->selections.n; i++)
        f->source->ops->release(f->selections.at[i]);
    vec_fini(&f->selections);
    vec_fini(&f->rows);
    quota_hold(&f->budget->memory, &f->held, 0);
}
#define FEDERATION_CLEANUP __attribute__((cleanup(federation_fini)))

static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : labels_cmp(x->labels, y->labels);
}

static bool add_selection(struct federation *f, struct selection *sel, const struct select_hints *h,
                          struct err *err)
{
    const struct source_ops *ops = f->source->ops;
    ARENA_CLEANUP struct arena scratch;
    bool ok = true;
    arena_init_quota(&scratch, &f->budget->memory);
    for (size_t i = 0; ok && i < ops->size(sel); i++) {
        struct row row = {.labels = ops->labels(sel, i)};
        struct columns c;
        row.name = labels_metric_name(row.labels);
        arena_reset(&scratch);
        pool_yield();
        ok = source_read(ops, sel, i, h->start, h->end, &scratch, &c, err);
        if (!ok || !c.n || !row.name.n || is_stale_nan(c.v[c.n - 1]))
            continue;
        if (c.h && c.h[c.n - 1]) /* no text format has native histograms */
            continue;
        row.t = c.t[c.n - 1];
        row.v = c.v[c.n - 1];
        vec_push(&f->rows, row);
        ok = budget_hold(f->budget, &f->held, f->rows.cap * sizeof *f->rows.at, err);
    }
    return ok;
}

static bool gather(struct federation *f, const struct selectors *s, struct err *err)
{
    struct call *c = f->call;
    struct source *src = f->source;
    ts_ms now = env_now_ms(c->api->env);
    struct select_hints h = {.start = now - c->api->query.lookback_ms + 1, .end = now};
    for (size_t i = 0; i < s->n; i++) {
        size_t m_n;
        const struct matcher *m = promql_expr_matchers(s->at[i], &m_n);
        struct selection *sel = src->ops->select(src, m, m_n, &h, c->budget, err);
        if (!sel)
            return false;
        vec_push(&f->selections, sel);
        if (!add_selection(f, sel, &h, err))
            return false;
    }
    if (f->rows.n)
        qsort(f->rows.at, f->rows.n, sizeof *f->rows.at, by_name);
    return true;
}

static void read_external(struct federation *f, const struct api_config *config)
{
    size_t n = config ? config->external_n : 0;
    bool instance = false;
    f->external = arena_array(f->call->req->arena, struct label, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct conf_pair *p = &config->external[i];
        f->external[f->external_n++] = (struct label){p->name, p->value};
        instance = instance || str_eqz(p->name, "instance");
    }
    if (!instance)
        f->external[f->external_n++] = (struct label){STR("instance"), STR("")};
    label_sort(f->external, f->external_n);
}

static bool has_label(struct labels ls, str name)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.at[i].name, name))
            return true;
    }
    return false;
}

static bool write_rows(const struct federation *f, struct expfmt_writer *out, struct reply *r)
{
    VEC(struct label) labels = {0};
    bool waiting = true;
    for (size_t i = 0; waiting && i < f->rows.n; i++) {
        const struct row *row = &f->rows.at[i];
        if (i && by_name(row, row - 1) == 0)
            continue; /* selected twice */
        labels.n = 0;
        for (size_t k = 0; k < row->labels.n; k++) {
            if (!str_eq(row->labels.at[k].name, LABEL_NAME))
                vec_push(&labels, row->labels.at[k]);
        }
        for (size_t k = 0; k < f->external_n; k++) {
            if (!has_label(row->labels, f->external[k].name))
                vec_push(&labels, f->external[k]);
        }
        emit_family(&out->emit, row->name, METRIC_UNKNOWN, STR(""));
        expfmt_writer_sample_at(out, row->name, labels.at, labels.n, row->v, row->t);
        waiting = reply_more(r);
    }
    vec_fini(&labels);
    return waiting;
}

void prometheus_federate(struct call *c)
{
    SELECTORS_CLEANUP struct selectors s = {0};
    FEDERATION_CLEANUP struct federation f = {
        .call = c, .source = c->api->source, .budget = c->budget};
    SNAP_CLEANUP struct snap_ref config = snap_get(&c->api->config);
    struct expfmt_writer w;
    struct reply r;
    struct err err;
    bool ok = param_selectors(c, &s, &err);
    if (ok && !s.n)
        ok = err_set(&err, ERR_INVALID, "no match[] parameter provided");
    if (!ok || !gather(&f, &s, &err)) {
        reply_error(c, &err);
        return;
    }
    read_external(&f, config.value);
    struct expfmt_choice choice = expfmt_choose(http_header_get(c->req, STR("Accept")));
    reply_begin(&r, c, 200, expfmt_content_type(choice).p);
    expfmt_writer_init(&w, choice, &r.buf);
    bool whole = write_rows(&f, &w, &r);
    expfmt_writer_finish(&w);
    reply_end(&r, whole);
}
