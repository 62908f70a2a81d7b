// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "sys/diag.h"
#include "sys/self.h"

struct ingest {
    struct sink sink; /* first: a sink is cast back to its door */
    struct sink *next;
    struct ingest_options o;
    _Atomic size_t in_flight_bytes; /* a plain sum: relaxed, it orders nothing */
    _Atomic bool failing;           /* the disk refused the last batch: only for what is said */
    struct diag_limit said;
};

/* A batch on its way: who waits for it, and whose labels it brings. */
struct passage {
    struct labeller labeller; /* first: cast back */
    struct labeller *inner;   /* the producer's; NULL: the labels are there */
    struct ingest *in;
    batch_done done;
    void *arg;
    size_t size;
};

/* For messages: names that are too long are part of what they tell. */
static str shorten(str s)
{
    return str_sub(s, 0, 64);
}

static bool label_fits(const struct ingest_options *o, const struct label *l, str metric,
                       struct err *err)
{
    str name = shorten(l->name);
    metric = shorten(metric);
    if (l->name.n > o->label_name_bytes_max)
        return err_set(err, ERR_LIMIT,
                       "series \"%.*s\": label name \"%.*s...\" has %zu bytes, "
                       "label_name_bytes_max allows %zu",
                       STR_ARG(metric), STR_ARG(name), l->name.n, o->label_name_bytes_max);
    if (l->value.n > o->label_value_bytes_max)
        return err_set(err, ERR_LIMIT,
                       "series \"%.*s\": the value of label \"%.*s\" has %zu bytes, "
                       "label_value_bytes_max allows %zu",
                       STR_ARG(metric), STR_ARG(name), l->value.n, o->label_value_bytes_max);
    return true;
}

static bool series_fits(const struct ingest_options *o, struct labels ls, struct err *err)
{
    if (ls.n > o->labels_max) {
        str metric = shorten(labels_metric_name(ls));
        return err_set(err, ERR_LIMIT, "series \"%.*s\" has %zu labels, labels_max allows %zu",
                       STR_ARG(metric), ls.n, o->labels_max);
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (!label_fits(o, &ls.at[i], labels_metric_name(ls), err))
            return false;
    }
    return true;
}

/* The producer's labels, when the store asks for them, and then the limits: nothing is looked at of
 * series that the store knows. */
static enum label_verdict on_label(struct labeller *l, struct batch *b, struct batch_series *s,
                                   struct err *err)
{
    const struct passage *p = (const struct passage *)l;
    if (p->inner) {
        enum label_verdict v = p->inner->label(p->inner, b, s, err);
        if (v != LABELS_OK)
            return v;
    }
    if (series_fits(&p->in->o, s->labels, err))
        return LABELS_OK;
    self_add(SELF_INGEST_SERIES_INVALID, 1);
    return LABELS_DROP;
}

static void account(const struct batch_result *r)
{
    self_add(SELF_INGEST_STORED, (int64_t)r->stored);
    self_add(SELF_INGEST_DUPLICATE, (int64_t)r->duplicate);
    self_add(SELF_INGEST_CONFLICTING, (int64_t)r->conflicting);
    self_add(SELF_INGEST_OUT_OF_BOUNDS, (int64_t)r->out_of_bounds);
    self_add(SELF_INGEST_REFUSED, (int64_t)r->refused);
    self_add(SELF_INGEST_INVALID, (int64_t)r->invalid);
}

static void leave(struct ingest *in, size_t size)
{
    atomic_fetch_sub_explicit(&in->in_flight_bytes, size, memory_order_relaxed);
    self_add(SELF_INGEST_IN_FLIGHT_BYTES, -(int64_t)size);
}

/* Adds the bytes unless that would pass the bound; a batch alone always goes, however large. */
static bool enter(struct ingest *in, size_t size)
{
    size_t before = atomic_fetch_add_explicit(&in->in_flight_bytes, size, memory_order_relaxed);
    if (before && (size > in->o.in_flight_bytes_max || before > in->o.in_flight_bytes_max - size)) {
        atomic_fetch_sub_explicit(&in->in_flight_bytes, size, memory_order_relaxed);
        return false;
    }
    self_add(SELF_INGEST_IN_FLIGHT_BYTES, (int64_t)size);
    return true;
}

/* A store that cannot write is the one thing nobody may overlook: said when it begins and each
 * minute. */
static void tell(struct ingest *in, bool ok, const struct err *err)
{
    enum { EVERY_MS = 60000 };
    if (ok) {
        if (atomic_load_explicit(&in->failing, memory_order_relaxed) &&
            atomic_exchange_explicit(&in->failing, false, memory_order_relaxed))
            diag(DIAG_INFO, "ingest", "samples are stored again");
        return;
    }
    if (err->kind != ERR_NO_SPACE && err->kind != ERR_IO && err->kind != ERR_CORRUPT)
        return;
    atomic_store_explicit(&in->failing, true, memory_order_relaxed);
    if (diag_allow(&in->said, EVERY_MS))
        diag(DIAG_ERROR, "ingest",
             "cannot store samples: %s; what is scraped now is lost, other writers are told to try "
             "again",
             err->msg);
}

static void on_done(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct passage *p = arg;
    struct batch_result r = ok ? *result : (struct batch_result){0};
    if (ok)
        account(&r);
    self_add(ok ? SELF_INGEST_BATCHES_OK : SELF_INGEST_BATCHES_FAILED, 1);
    tell(p->in, ok, err);
    leave(p->in, p->size);
    p->done(p->arg, ok, &r, err);
    free(p);
}

static void on_write(struct sink *s, struct batch *b, batch_done done, void *arg)
{
    struct ingest *in = (struct ingest *)s;
    size_t size = b->arena.used + sizeof *b;
    if (!enter(in, size)) {
        batch_free(b);
        self_add(SELF_INGEST_BATCHES_OVERLOAD, 1);
        struct err err = {0};
        err_set(&err, ERR_UNAVAILABLE,
                "the store is behind: batches of over %zu bytes wait already, try again later",
                in->o.in_flight_bytes_max);
        done(arg, false, &(struct batch_result){0}, &err);
        return;
    }
    struct passage *p = mem_new(struct passage);
    *p = (struct passage){.labeller.label = on_label,
                          .inner = b->labeller,
                          .in = in,
                          .done = done,
                          .arg = arg,
                          .size = size};
    b->labeller = &p->labeller;
    in->next->write(in->next, b, on_done, p);
}

static size_t or_default(size_t v, size_t fallback)
{
    return v ? v : fallback;
}

struct ingest *ingest_new(struct sink *next, const struct ingest_options *o)
{
    struct ingest *in = mem_new(struct ingest);
    in->sink.write = on_write;
    in->next = next;
    in->o = (struct ingest_options){
        .labels_max = or_default(o->labels_max, 64),
        .label_name_bytes_max = or_default(o->label_name_bytes_max, 512),
        .label_value_bytes_max = or_default(o->label_value_bytes_max, (size_t)8 << 10),
        .in_flight_bytes_max = or_default(o->in_flight_bytes_max, (size_t)64 << 20),
    };
    return in;
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    assert(atomic_load_explicit(&in->in_flight_bytes, memory_order_relaxed) == 0);
    free(in);
}

struct sink *ingest_sink(struct ingest *in)
{
    return &in->sink;
}
