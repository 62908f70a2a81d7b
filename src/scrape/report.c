// SPDX-License-Identifier: Apache-2.0
/*
 * One scrape to one batch. The body (or an emitter, which yields the same events) is read against
 * the cache; a series that is new is labelled, relabelled and checked once. A scrape that fails
 * stores nothing of the body: up is 0 and every series that lived gets a staleness marker, as
 * upstream does. Series that write timestamps of their own are left to age instead, unless they are
 * tracked.
 */
#include <stdio.h>

#include "base/hash.h"
#include "format/expfmt_negotiate.h"
#include "format/expfmt_proto.h"
#include "scrape/scrape_int.h"

/* A stored sample that is a histogram (else NULL) or counts since `start` (else 0). */
struct told {
    size_t at;
    const struct histogram *h;
    ts_ms start;
};

struct work {
    const struct report_in *in;
    struct report_out *out;
    struct cache *cache;
    VEC(struct series *) stored; /* in order of `t` and `v` */
    VEC(ts_ms) t;
    VEC(double) v;
    VEC(struct told) told; /* what some of them are besides, in their order */
    VEC(struct batch_exemplar) exemplars;
    VEC(struct metadata) metadata; /* text in `arena` */
    struct arena arena;            /* becomes the batch's */
    struct labels_builder builder;
    struct created created;
    size_t family_first;    /* in `stored`, of the family at hand */
    size_t known, distinct; /* series before this scrape, and in it */
    bool full;              /* sample_limit was passed: only counting goes on */
};

static bool fail(struct work *w, enum scrape_failure why)
{
    w->out->failure = why;
    return false;
}

/* ---- labels of a new series ---- */

/* Labels of the target win and the scraped ones move to exported_NAME (as often as it takes to find
 * a free name), or the scraped ones stay, when honor_labels says so. */
static void add_target_labels(struct work *w, struct labels scraped, struct arena *a)
{
    struct labels_builder *b = &w->builder;
    struct labels target = w->in->target;
    for (size_t i = 0; i < target.n; i++) {
        str name = target.at[i].name, old = labels_get(scraped, name);
        if (w->in->conf->honor_labels) {
            if (!old.n)
                labels_builder_set(b, name, target.at[i].value);
            continue;
        }
        labels_builder_set(b, name, target.at[i].value);
        if (!old.n)
            continue;
        str moved = name;
        do
            moved = arena_printf(a, "exported_%.*s", STR_ARG(moved));
        while (labels_get(scraped, moved).n || labels_get(target, moved).n);
        labels_builder_set(b, moved, old);
    }
}

static bool label_limits(struct work *w, struct labels ls)
{
    const struct conf_limits *l = &w->in->conf->limits;
    if (l->labels && ls.n > (size_t)l->labels) {
        err_set(&w->out->err, ERR_LIMIT, "label_limit: a series has %zu labels, at most %lld", ls.n,
                (long long)l->labels);
        return fail(w, SCRAPE_LABEL_LIMIT);
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (l->label_name_bytes && ls.at[i].name.n > (size_t)l->label_name_bytes) {
            err_set(&w->out->err, ERR_LIMIT,
                    "label_name_length_limit: name of %zu bytes, at most %lld", ls.at[i].name.n,
                    (long long)l->label_name_bytes);
            return fail(w, SCRAPE_LABEL_LIMIT);
        }
        if (l->label_value_bytes && ls.at[i].value.n > (size_t)l->label_value_bytes) {
            err_set(&w->out->err, ERR_LIMIT,
                    "label_value_length_limit: value of %zu bytes of label "
                    "\"%.*s\", at most %lld",
                    ls.at[i].value.n, STR_ARG(ls.at[i].name), (long long)l->label_value_bytes);
            return fail(w, SCRAPE_LABEL_LIMIT);
        }
    }
    return true;
}

static bool names_ok(struct work *w, struct labels ls)
{
    bool legacy = w->in->conf->name_scheme == CONF_NAMES_LEGACY;
    str name = labels_metric_name(ls);
    if (name.n == 0 || (legacy && !metric_name_is_legacy(name))) {
        err_set(&w->out->err, ERR_INVALID, "a series has %s metric name",
                name.n ? "an invalid" : "no");
        return fail(w, SCRAPE_PARSE);
    }
    for (size_t i = 0; legacy && i < ls.n; i++)
        if (!label_name_is_legacy(ls.at[i].name)) {
            err_set(&w->out->err, ERR_INVALID, "label name \"%.*s\" is invalid",
                    STR_ARG(ls.at[i].name));
            return fail(w, SCRAPE_PARSE);
        }
    return true;
}

/* `scraped` and its text live in the series or as long as this call. */
static bool label_series(struct work *w, struct series *s, struct labels scraped)
{
    struct arena scratch ARENA_CLEANUP = {0};
    labels_builder_reset(&w->builder, scraped);
    add_target_labels(w, scraped, &scratch);
    if (!rules_apply(w->in->metric_relabel, &w->builder, &scratch)) {
        s->dropped = true;
        return true;
    }
    struct labels ls = labels_builder_take(&w->builder, &scratch);
    if (!names_ok(w, ls) || !label_limits(w, ls))
        return false;
    s->labels = labels_dup(&s->arena, ls);
    s->hash = labels_hash(s->labels);
    s->store_key = series_key_labels(s->labels);
    return true;
}

static struct series *new_series(struct work *w, str key, struct labels scraped)
{
    if ((int64_t)w->distinct >= w->in->series_max) {
        err_set(&w->out->err, ERR_LIMIT, "series_per_target: more than %lld series",
                (long long)w->in->series_max);
        fail(w, SCRAPE_SERIES_LIMIT);
        return NULL;
    }
    struct series *s = series_new(key);
    if (!label_series(w, s, scraped)) {
        series_free(s);
        return NULL;
    }
    s->seen = w->cache->scrape - 1;
    cache_add(w->cache, s);
    created_note(&w->created, s, scraped);
    w->out->new_series += !s->dropped && !s->is_created;
    return s;
}

/* ---- samples ---- */

static bool over_sample_limit(struct work *w)
{
    int64_t limit = w->in->conf->limits.samples;
    if (!limit || w->out->added <= (size_t)limit)
        return false;
    if (!w->full)
        err_set(&w->out->err, ERR_LIMIT, "sample_limit: more than %lld samples", (long long)limit);
    w->full = true;
    return true;
}

/* False: it is not stored. */
static bool store(struct work *w, struct series *s, double v, bool has_t, ts_ms t)
{
    const struct conf_scrape *conf = w->in->conf;
    bool own_t = has_t && conf->honor_timestamps;
    bool again = s->seen == w->cache->scrape;
    s->seen = w->cache->scrape;
    w->distinct += !again;
    if (s->dropped)
        return false;
    s->own_t = own_t;
    if (again && !own_t) {
        w->out->duplicates++;
        return false;
    }
    w->out->added++;
    if (over_sample_limit(w))
        return false;
    vec_push(&w->stored, s);
    vec_push(&w->t, own_t ? t : w->in->t);
    vec_push(&w->v, v);
    return true;
}

/* Of the sample stored last; one without a time has its. */
static void add_exemplar(struct work *w, struct exemplar x, bool has_t)
{
    struct labels ls = labels_dup(&w->arena, x.labels); /* the body goes before the batch */
    vec_push(&w->exemplars, (struct batch_exemplar){(uint32_t)w->stored.n - 1, ls,
                                                    has_t ? x.t : vec_last(&w->t), x.v});
}

/* ---- metadata ---- */

static void note_metadata(struct work *w, str family, enum metric_type type, str unit, str help)
{
    struct metadata *last = w->metadata.n ? &vec_last(&w->metadata) : NULL;
    if (!last || !str_eq(last->family, family)) {
        vec_push(&w->metadata, (struct metadata){.family = arena_dup(&w->arena, family)});
        last = &vec_last(&w->metadata);
    }
    if (type != METRIC_UNKNOWN)
        last->type = type;
    if (unit.n)
        last->unit = arena_dup(&w->arena, unit);
    if (help.n)
        last->help = arena_dup(&w->arena, help);
}

/* Sent on when it is not what the last scrape said. */
static bool metadata_changed(struct work *w)
{
    uint64_t h = 1;
    VEC_EACH (m, &w->metadata) {
        h = hash_mix(h, hash_str(m->family));
        h = hash_mix(h, hash_str(m->unit));
        h = hash_mix(h, hash_str(m->help));
        h = hash_mix(h, m->type);
    }
    bool changed = h != *w->in->metadata_hash;
    *w->in->metadata_hash = h;
    return changed;
}

/* ---- sources of events ---- */

/* The samples of the family that ends learn since when they count. */
static void end_family(struct work *w)
{
    bool any = created_begin(&w->created) > 0;
    for (size_t i = w->family_first; i < w->stored.n && any; i++) {
        ts_ms start = created_of(&w->created, w->stored.at[i]);
        if (start)
            vec_push(&w->told, (struct told){i, NULL, start});
    }
    w->family_first = w->stored.n;
}

static void begin_family(struct work *w, str family, enum metric_type type)
{
    if (!w->created.on || created_goes_on(&w->created, family, type))
        return;
    end_family(w);
    created_family(&w->created, family, type);
}

/* As other samples it is seen, so that the series stays known. */
static bool read_created(struct work *w, struct series *s, double seconds)
{
    if (!created_take(&w->created, s, seconds))
        return false;
    w->distinct += s->seen != w->cache->scrape;
    s->seen = w->cache->scrape;
    return true;
}

static bool read_sample(struct work *w, struct expfmt *p, struct arena *scratch)
{
    w->out->scraped++;
    struct series *s = cache_get(w->cache, p->series);
    if (!s && w->full)
        return true;
    if (!s) {
        struct labels ls;
        arena_reset(scratch);
        if (!expfmt_labels(p, scratch, &ls, &w->out->err))
            return fail(w, SCRAPE_PARSE);
        s = new_series(w, p->series, ls);
        if (!s)
            return false;
    }
    if (read_created(w, s, p->value)) {
        w->out->scraped--;
        return true;
    }
    struct exemplar x;
    bool has_t;
    if (store(w, s, p->value, p->has_t, p->t) && p->exemplar.n &&
        expfmt_exemplar(p, &w->arena, &x, &has_t)) {
        add_exemplar(w, x, has_t);
    }
    return true;
}

static bool read_event(struct work *w, struct expfmt *p, enum expfmt_event e, struct arena *scratch)
{
    switch (e) {
    case EXPFMT_SAMPLE:
        return read_sample(w, p, scratch);
    case EXPFMT_TYPE:
        begin_family(w, expfmt_family(p, &w->arena), p->type);
        note_metadata(w, p->family, p->type, (str){0}, (str){0});
        return true;
    case EXPFMT_UNIT:
        begin_family(w, expfmt_family(p, &w->arena), METRIC_UNKNOWN);
        note_metadata(w, p->family, METRIC_UNKNOWN, p->text, (str){0});
        return true;
    case EXPFMT_HELP:
        begin_family(w, expfmt_family(p, &w->arena), METRIC_UNKNOWN);
        note_metadata(w, p->family, METRIC_UNKNOWN, (str){0}, expfmt_help(p, &w->arena));
        return true;
    default:
        return fail(w, SCRAPE_PARSE);
    }
}

static bool format_of(struct work *w, enum expfmt_format *f)
{
    enum expfmt_format fallback = EXPFMT_TEXT_0_0_4;
    int configured = w->in->conf->fallback_protocol;
    bool has = configured &&
               expfmt_protocol_parse(str_from_z(conf_scrape_protocol_name(configured)), &fallback);
    if (expfmt_from_content_type(w->in->content_type, has ? &fallback : NULL, f, &w->out->err))
        return true;
    return fail(w, SCRAPE_CONTENT_TYPE);
}

/* Exemplars of native histograms without a time are dropped, as upstream. */
static bool read_protobuf_sample(struct work *w, struct expfmt_proto *p, struct arena *scratch)
{
    struct exemplar x;
    bool has_t;
    w->out->scraped++;
    struct series *s = cache_get(w->cache, p->key);
    if (!s && w->full)
        return true;
    if (!s) {
        struct labels ls;
        arena_reset(scratch);
        if (!expfmt_proto_labels(p, scratch, &ls, &w->out->err))
            return fail(w, SCRAPE_PARSE);
        s = new_series(w, p->key, ls);
        if (!s)
            return false;
    }
    if (!store(w, s, p->histogram ? histogram_mark() : p->value, p->has_t, p->t))
        return true;
    if (p->histogram || p->start)
        vec_push(&w->told, (struct told){w->stored.n - 1, p->histogram, p->start});
    while (expfmt_proto_exemplar(p, &w->arena, &x, &has_t)) {
        if (has_t || !p->histogram)
            add_exemplar(w, x, has_t);
    }
    return true;
}

static bool read_protobuf_event(struct work *w, struct expfmt_proto *p, enum expfmt_event e,
                                struct arena *scratch)
{
    switch (e) {
    case EXPFMT_SAMPLE:
        return read_protobuf_sample(w, p, scratch);
    case EXPFMT_TYPE:
        note_metadata(w, p->family, p->type, (str){0}, (str){0});
        return true;
    case EXPFMT_UNIT:
        note_metadata(w, p->family, METRIC_UNKNOWN, p->text, (str){0});
        return true;
    case EXPFMT_HELP:
        note_metadata(w, p->family, METRIC_UNKNOWN, (str){0}, p->text);
        return true;
    default:
        return fail(w, SCRAPE_PARSE);
    }
}

static bool read_protobuf(struct work *w, struct arena *scratch)
{
    const struct conf_native *native = &w->in->conf->native;
    struct expfmt_proto_options o = {.native = native->scrape == 1,
                                     .classic = native->classic_too == 1};
    struct expfmt_proto p;
    bool ok = true;
    expfmt_proto_init(&p, bytes_from_str(w->in->body), o, &w->arena);
    while (ok) {
        enum expfmt_event e = expfmt_proto_next(&p, &w->out->err);
        if (e == EXPFMT_END)
            break;
        ok = read_protobuf_event(w, &p, e, scratch);
    }
    expfmt_proto_fini(&p);
    return ok && w->full ? fail(w, SCRAPE_SAMPLE_LIMIT) : ok;
}

static bool read_body(struct work *w)
{
    struct arena scratch ARENA_CLEANUP = {0};
    enum expfmt_format f;
    struct expfmt p;
    if (!format_of(w, &f))
        return false;
    if (f == EXPFMT_PROTOBUF)
        return read_protobuf(w, &scratch);
    expfmt_init(&p, f, w->in->body);
    w->created.on = w->in->created && expfmt_is_openmetrics(f);
    for (;;) {
        enum expfmt_event e = expfmt_next(&p, &w->out->err);
        if (e == EXPFMT_END)
            end_family(w);
        if (e == EXPFMT_END)
            return w->full ? fail(w, SCRAPE_SAMPLE_LIMIT) : true;
        if (!read_event(w, &p, e, &scratch))
            return false;
    }
}

struct receiver {
    struct emit emit;
    struct work *work;
    struct strbuf key;
    bool failed;
};

static void on_family(struct emit *e, str name, enum metric_type type, str help)
{
    note_metadata(((struct receiver *)e)->work, name, type, (str){0}, help);
}

/* Not what an exposition would write, but as unique: lengths keep names and values apart. */
static void emitted_key(struct receiver *r, str name, const struct label *labels, size_t n)
{
    strbuf_clear(&r->key);
    strbuf_add(&r->key, name);
    for (size_t i = 0; i < n; i++) {
        uint32_t sizes[2] = {(uint32_t)labels[i].name.n, (uint32_t)labels[i].value.n};
        strbuf_add(&r->key, str_of((const char *)sizes, sizeof sizes));
        strbuf_add(&r->key, labels[i].name);
        strbuf_add(&r->key, labels[i].value);
    }
}

static void on_sample(struct emit *e, str name, const struct label *labels, size_t n, double v)
{
    struct receiver *r = (struct receiver *)e;
    struct work *w = r->work;
    if (r->failed)
        return;
    w->out->scraped++;
    emitted_key(r, name, labels, n);
    struct series *s = cache_get(w->cache, strbuf_str(&r->key));
    if (!s) {
        struct arena scratch ARENA_CLEANUP = {0};
        struct labels_builder b;
        labels_builder_init(&b, (struct labels){0});
        labels_builder_set(&b, LABEL_NAME, name);
        for (size_t i = 0; i < n; i++)
            labels_builder_set(&b, labels[i].name, labels[i].value);
        s = new_series(w, strbuf_str(&r->key), labels_builder_take(&b, &scratch));
        labels_builder_fini(&b);
    }
    r->failed = !s;
    if (s)
        store(w, s, v, false, 0);
}

/* What an emitter could tell is kept when it could not tell all. */
static bool read_emitter(struct work *w)
{
    struct receiver r = {.emit = {on_family, on_sample}, .work = w};
    struct err e = {0};
    bool ok = w->in->emitter->emit(w->in->emitter, &r.emit, &e);
    strbuf_fini(&r.key);
    if (r.failed)
        return false;
    if (!ok)
        w->out->err = e;
    return w->full ? fail(w, SCRAPE_SAMPLE_LIMIT) : true;
}

/* ---- staleness ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Adds a marker for each series that lived and was not stored now. The same labels may have come
 * under another text or from other settings: those go on. */
static void mark_stale(struct work *w)
{
    size_t n = w->stored.n, gone = 0;
    for (size_t i = 0; i < w->cache->list.n; i++)
        gone += w->cache->list.at[i]->live && w->cache->list.at[i]->seen != w->cache->scrape;
    if (!gone)
        return;
    uint64_t *hashes = mem_array(n + 1, sizeof *hashes);
    for (size_t i = 0; i < n; i++)
        hashes[i] = w->stored.at[i]->hash;
    qsort(hashes, n, sizeof *hashes, by_value);
    for (size_t i = 0; i < w->cache->list.n; i++) {
        struct series *s = w->cache->list.at[i];
        if (!s->live || s->seen == w->cache->scrape)
            continue;
        s->live = false;
        if (n && bsearch(&s->hash, hashes, n, sizeof *hashes, by_value))
            continue;
        vec_push(&w->stored, s);
        vec_push(&w->t, w->in->t);
        vec_push(&w->v, stale_nan());
    }
    free(hashes);
}

/* Those stored now live from here on, but for those with timestamps of their own. */
static void mark_live(struct work *w)
{
    for (size_t i = 0; i < w->stored.n; i++) {
        struct series *s = w->stored.at[i];
        if (!is_stale_nan(w->v.at[i]))
            s->live = !s->own_t || w->in->conf->track_timestamps_staleness;
    }
}

/* ---- the batch ---- */

struct report_row {
    const char *name;
    double value;
};

static size_t report_rows(const struct work *w, struct report_row *rows)
{
    const struct report_in *in = w->in;
    const struct report_out *o = w->out;
    size_t n = 0;
    double duration_s = (double)(env_mono_ns(in->env) - in->started_ns) / 1e9;
    rows[n++] = (struct report_row){"up", o->failure == SCRAPE_OK};
    rows[n++] = (struct report_row){"scrape_duration_seconds", duration_s};
    rows[n++] = (struct report_row){"scrape_samples_scraped", (double)o->scraped};
    rows[n++] = (struct report_row){"scrape_samples_post_metric_relabeling", (double)o->added};
    rows[n++] = (struct report_row){"scrape_series_added", (double)o->new_series};
    if (in->conf->extra_metrics != 1)
        return n;
    rows[n++] = (struct report_row){"scrape_timeout_seconds", (double)in->timeout_ms / 1000};
    rows[n++] = (struct report_row){"scrape_sample_limit", (double)in->conf->limits.samples};
    rows[n++] = (struct report_row){"scrape_body_size_bytes",
                                    o->failure == SCRAPE_BODY_TOO_LARGE ? -1 : (double)in->body.n};
    return n;
}

static void add_row(struct batch *b, struct labels target, const char *name, ts_ms t, double v)
{
    struct labels_builder lb;
    labels_builder_init(&lb, target);
    labels_builder_set(&lb, LABEL_NAME, str_from_z(name));
    struct labels ls = labels_dup(&b->arena, labels_builder_take(&lb, &b->arena));
    labels_builder_fini(&lb);
    b->series[b->series_n++] = (struct batch_series){
        .labels = ls, .hash = labels_hash(ls), .first = (uint32_t)b->samples_n, .n = 1};
    b->t[b->samples_n] = t;
    b->v[b->samples_n++] = v;
}

static struct batch *batch_sized(size_t n, struct arena *arena)
{
    struct batch *b = batch_new();
    if (arena) { /* what was put into it goes along */
        arena_fini(&b->arena);
        b->arena = *arena;
        *arena = (struct arena){0};
    }
    b->series = arena_array(&b->arena, struct batch_series, n);
    b->t = arena_array(&b->arena, ts_ms, n);
    b->v = arena_array(&b->arena, double, n);
    return b;
}

/* What samples are besides time and value; there are `n` in the end. */
static void tell(struct work *w, struct batch *b, size_t n)
{
    if (w->told.n) {
        b->h = arena_array(&b->arena, const struct histogram *, n);
        b->start = arena_array(&b->arena, ts_ms, n);
    }
    VEC_EACH (x, &w->told) {
        b->h[x->at] = x->h;
        b->start[x->at] = x->start;
    }
    if (w->exemplars.n) {
        b->exemplars = arena_array(&b->arena, struct batch_exemplar, w->exemplars.n);
        memcpy(b->exemplars, w->exemplars.at, w->exemplars.n * sizeof *b->exemplars);
        b->exemplars_n = w->exemplars.n;
    }
}

static struct batch *make_batch(struct work *w)
{
    struct report_row rows[8];
    size_t rows_n = report_rows(w, rows), n = w->stored.n;
    bool metadata = w->out->failure == SCRAPE_OK && metadata_changed(w);
    struct batch *b = batch_sized(n + rows_n, &w->arena);
    for (size_t i = 0; i < n; i++) {
        const struct series *s = w->stored.at[i];
        b->series[i] = (struct batch_series){.labels = s->labels,
                                             .hash = s->hash,
                                             .key = s->store_key,
                                             .first = (uint32_t)i,
                                             .n = 1};
        b->t[i] = w->t.at[i];
        b->v[i] = w->v.at[i];
    }
    b->series_n = b->samples_n = n;
    tell(w, b, n + rows_n);
    for (size_t i = 0; i < rows_n; i++)
        add_row(b, w->in->target, rows[i].name, w->in->t, rows[i].value);
    if (metadata && w->metadata.n) {
        b->metadata = arena_array(&b->arena, struct metadata, w->metadata.n);
        memcpy(b->metadata, w->metadata.at, w->metadata.n * sizeof *b->metadata);
        b->metadata_n = w->metadata.n;
    }
    return b;
}

/* Nothing of a failed scrape is stored, and nothing of it counts as seen; what it brought in goes.
 */
static void take_back(struct work *w)
{
    vec_clear(&w->stored);
    vec_clear(&w->t);
    vec_clear(&w->v);
    vec_clear(&w->told);
    vec_clear(&w->exemplars);
    for (size_t i = 0; i < w->cache->list.n; i++) {
        struct series *s = w->cache->list.at[i];
        if (i >= w->known)
            s->seen = w->cache->scrape - 2;
        else if (s->seen == w->cache->scrape)
            s->seen--;
    }
}

void report_make(const struct report_in *in, struct report_out *out)
{
    struct work w = {.in = in, .out = out, .cache = in->cache};
    *out = (struct report_out){.failure = in->failure, .err = in->err};
    labels_builder_init(&w.builder, (struct labels){0});
    if (out->failure == SCRAPE_OK)
        cache_sweep(w.cache); /* the batch that referred to it is gone */
    w.cache->scrape++;
    w.known = w.cache->list.n;
    bool ok = out->failure == SCRAPE_OK && (in->emitter ? read_emitter(&w) : read_body(&w));
    if (!ok)
        take_back(&w);
    mark_stale(&w);
    mark_live(&w);
    if (!ok)
        w.cache->scrape--;
    out->batch = make_batch(&w);
    labels_builder_fini(&w.builder);
    vec_fini(&w.stored);
    vec_fini(&w.t);
    vec_fini(&w.v);
    vec_fini(&w.told);
    vec_fini(&w.exemplars);
    vec_fini(&w.metadata);
    created_fini(&w.created);
    arena_fini(&w.arena);
}

struct batch *report_end(struct cache *c, struct labels target, bool extra, ts_ms t)
{
    static const char *const rows[] = {"up",
                                       "scrape_duration_seconds",
                                       "scrape_samples_scraped",
                                       "scrape_samples_post_metric_relabeling",
                                       "scrape_series_added",
                                       "scrape_timeout_seconds",
                                       "scrape_sample_limit",
                                       "scrape_body_size_bytes"};
    size_t rows_n = extra ? 8 : 5;
    struct batch *b = batch_sized(c->list.n + rows_n, NULL);
    for (size_t i = 0; i < c->list.n; i++) {
        const struct series *s = c->list.at[i];
        if (!s->live)
            continue;
        b->series[b->series_n++] = (struct batch_series){.labels = s->labels,
                                                         .hash = s->hash,
                                                         .key = s->store_key,
                                                         .first = (uint32_t)b->samples_n,
                                                         .n = 1};
        b->t[b->samples_n] = t;
        b->v[b->samples_n++] = stale_nan();
    }
    for (size_t i = 0; i < rows_n; i++)
        add_row(b, target, rows[i], t, stale_nan());
    return b;
}
