// SPDX-License-Identifier: Apache-2.0
/*
 * POST /api/v1/read, remote read: what another Prometheus asks of this one. As upstream, external
 * labels are put on the series that have no such label, and a matcher for one of them that has our
 * value is taken as met.
 */
#include "api/prometheus/prometheus_int.h"
#include "codec/snappy.h"
#include "format/remote_read.h"

enum { REQUEST_BYTES_MAX = 32 << 20, READ_AT_ONCE = 32 };

struct reading {
    struct call *call;
    struct source *source;
    struct remote_read_request request;
    const struct conf_pair *external;
    size_t external_n;
    struct reply r;
    struct strbuf response, result; /* SAMPLES */
    struct budget *budget;
    size_t held; /* by them, counted in it */
};

/* The matchers without those that our own labels meet. */
static size_t filter_matchers(const struct reading *d, const struct remote_read_query *q,
                              struct matcher *out)
{
    size_t n = 0;
    for (size_t i = 0; i < q->m_n; i++) {
        const struct matcher *m = &q->m[i];
        bool met = false;
        for (size_t k = 0; k < d->external_n && m->op == MATCH_EQ; k++)
            met = met ||
                  (str_eq(m->name, d->external[k].name) && str_eq(m->value, d->external[k].value));
        out[n] = *m;
        if (met) /* the series has no such label of its own */
            out[n].value = STR("");
        n++;
    }
    return n;
}

static struct labels with_external(const struct reading *d, struct labels ls, struct arena *a)
{
    struct labels_builder b;
    if (!d->external_n)
        return ls;
    labels_builder_init(&b, ls);
    for (size_t i = 0; i < d->external_n; i++)
        if (!labels_get(ls, d->external[i].name).n)
            labels_builder_set(&b, d->external[i].name, d->external[i].value);
    struct labels merged = labels_builder_take(&b, a);
    labels_builder_fini(&b);
    return merged;
}

static bool check_memory(struct reading *d, struct err *err)
{
    if (budget_hold(d->budget, &d->held, d->response.cap + d->result.cap, err))
        return true;
    return err_hint(err, "STREAMED_XOR_CHUNKS needs little");
}

/* *gone: nobody waits for the rest. */
static bool put_series(struct reading *d, size_t query, struct labels ls, const struct columns *c,
                       bool *gone, struct err *err)
{
    if (d->request.type == REMOTE_READ_SAMPLES) {
        remote_read_put_series(ls, c, &d->result);
        return check_memory(d, err);
    }
    remote_read_put_frames(ls, c, query, &d->r.buf);
    *gone = !reply_more(&d->r);
    return true;
}

static bool read_selection(struct reading *d, size_t query, struct selection *sel, bool *gone,
                           struct err *err)
{
    ARENA_CLEANUP struct arena a;
    struct columns c[READ_AT_ONCE];
    const struct remote_read_query *q = &d->request.queries[query];
    size_t size = d->source->ops->size(sel);
    arena_init_quota(&a, &d->budget->memory);
    for (size_t i = 0; i < size && !*gone;) {
        size_t n = size - i < READ_AT_ONCE ? size - i : READ_AT_ONCE;
        if (!d->source->ops->read(sel, i, &n, q->start, q->end, &a, c, err))
            return false;
        for (size_t k = 0; k < n && !*gone; k++) {
            struct labels ls = with_external(d, d->source->ops->labels(sel, i + k), &a);
            if (c[k].n && !put_series(d, query, ls, &c[k], gone, err))
                return false;
        }
        i += n;
        arena_reset(&a);
        pool_yield();
    }
    return true;
}

static bool run_query(struct reading *d, size_t query, bool *gone, struct err *err)
{
    const struct remote_read_query *q = &d->request.queries[query];
    struct select_hints h = {.start = q->start, .end = q->end};
    struct matcher *m = arena_array(d->call->req->arena, struct matcher, q->m_n + 1);
    size_t m_n = filter_matchers(d, q, m);
    struct selection *sel = d->source->ops->select(d->source, m, m_n, &h, d->call->budget, err);
    if (!sel)
        return false;
    strbuf_clear(&d->result);
    bool ok = read_selection(d, query, sel, gone, err);
    d->source->ops->release(sel);
    if (ok && d->request.type == REMOTE_READ_SAMPLES)
        remote_read_put_result(&d->result, &d->response);
    return ok && check_memory(d, err);
}

static void end_samples(struct reading *d)
{
    static const struct http_header snappy = {STR_INIT("Content-Encoding"), STR_INIT("snappy")};
    d->call->headers = &snappy;
    d->call->headers_n = 1;
    reply_begin(&d->r, d->call, 200, "application/x-protobuf");
    d->r.packed_already = true;
    snappy_encode(bytes_from_str(strbuf_str(&d->response)), &d->r.buf);
    reply_end(&d->r, true);
}

static void answer(struct reading *d)
{
    struct err err;
    bool streamed = d->request.type == REMOTE_READ_STREAMED, gone = false, ok = true;
    if (streamed) {
        reply_begin(&d->r, d->call, 200,
                    "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
        d->r.packed_already = true;
    }
    for (size_t i = 0; ok && !gone && i < d->request.n; i++)
        ok = run_query(d, i, &gone, &err);
    if (ok && !streamed) {
        end_samples(d);
    } else if (ok || (streamed && d->r.started)) {
        reply_end(&d->r, ok && !gone);
    } else {
        if (streamed)
            strbuf_fini(&d->r.buf);
        reply_text(d->call, err.kind == ERR_INVALID ? 400 : 422, "%s\n", err.msg);
    }
}

static bool decode(struct call *c, struct arena *a, struct remote_read_request *out,
                   struct err *err)
{
    bytes plain;
    return snappy_decode(c->req->body, REQUEST_BYTES_MAX, a, &plain, err) &&
           remote_read_decode(plain, a, out, err);
}

void prometheus_read(struct call *c)
{
    SNAP_CLEANUP struct snap_ref config = snap_get(&c->api->config);
    const struct api_config *shown = config.value;
    struct reading d = {.call = c, .source = c->api->source, .budget = c->budget};
    ARENA_CLEANUP struct arena a; /* the call's goes with its answer */
    struct err err;
    arena_init_quota(&a, &d.budget->memory);
    if (!decode(c, &a, &d.request, &err)) {
        reply_text(c, 400, "%s\n", err.msg);
        return;
    }
    if (shown) {
        d.external = shown->external;
        d.external_n = shown->external_n;
    }
    answer(&d);
    remote_read_fini(&d.request);
    strbuf_fini(&d.response);
    strbuf_fini(&d.result);
    quota_hold(&d.budget->memory, &d.held, 0);
}
