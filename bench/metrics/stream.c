// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"

enum { PAIRS_MAX = 12, VALUE_MAX = 48, JITTER_MS = 1000 };
/* One scrape in twenty does not come at its time; they come in spells of 5, as of a busy machine.
 */
static const double SPELL_BEGINS = 0.05 / 0.95 / 5, SPELL_ENDS = 1.0 / 5;
/* Of the counters and histograms that are not the busiest of their family. */
static const double IDLE_SHARE = 0.96;
/* Scrapes between two ends of a process, on average. */
static const double life_scrapes[JOB_N] = {[JOB_NODE] = 3000, [JOB_APP] = 400};

struct series {
    const struct family *family;
    uint16_t at[3]; /* index in each dimension */
    uint8_t bucket; /* of a histogram: its buckets, +Inf, then _sum and _count */
    uint32_t labels, labels_n;
    uint64_t random;
    int64_t m; /* the value in 10^-digits */
    double v;  /* of what is no integer */
    double rate, period, phase;
};

struct target {
    uint32_t instance, first, n, offset_ms;
    enum job job;
    bool jitters; /* at this scrape */
    int64_t started_ms;
    uint64_t random;
};

struct instance {
    uint32_t number; /* unique for ever */
    uint32_t place, place_n;
    uint8_t *labels; /* of all its series */
    size_t labels_n, labels_cap;
    bool replaced; /* at this scrape */
};

struct stream {
    struct stream_options o;
    struct series *series;
    struct target *targets;
    struct instance *instances;
    uint32_t instances_n, targets_n, numbers, made;
    int64_t base_ms;
    uint64_t random;
    uint64_t incs[BUCKETS_N + 1]; /* of the histogram under way */
    uint64_t observed;
    double observed_sum;
};

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static uint64_t next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    return mix(*state);
}

/* 0 <= u < 1, all 53 bits. */
static double uniform(uint64_t *state)
{
    return (double)(next(state) >> 11) * 0x1p-53;
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        abort();
    return p;
}

/* Labels */

struct pair {
    const char *name;
    char value[VALUE_MAX];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static uint8_t *put_text(uint8_t *p, uint8_t field, const char *s, size_t n)
{
    assert(n < 128);
    *p++ = (uint8_t)(field << 3 | 2);
    *p++ = (uint8_t)n;
    memcpy(p, s, n);
    return p + n;
}

static void machine(char out[VALUE_MAX], uint32_t number, const char *port)
{
    snprintf(out, VALUE_MAX, "host-%03u%s", number, port);
}

static size_t add_dims(struct pair *pairs, const struct series *s, uint32_t number)
{
    size_t n = 0;
    for (int i = 0; i < 3 && s->family->dims[i]; i++) {
        for (const struct dim *d = s->family->dims[i]; d; d = d->with) {
            pairs[n].name = d->label;
            if (d->values)
                snprintf(pairs[n].value, VALUE_MAX, "%s", d->values[s->at[i]]);
            else if (d->n == 1)
                machine(pairs[n].value, number, "");
            else
                snprintf(pairs[n].value, VALUE_MAX, "%u", s->at[i]);
            n++;
        }
    }
    return n;
}

static size_t add_target(struct pair *pairs, enum job job, uint32_t number)
{
    size_t n = 0;
    pairs[n].name = "instance";
    if (job == JOB_NODE)
        machine(pairs[n++].value, number, ":9100");
    else
        snprintf(pairs[n++].value, VALUE_MAX, "10.%u.%u.%u:8080", number >> 16, number >> 8 & 255,
                 number & 255);
    pairs[n].name = "job";
    snprintf(pairs[n++].value, VALUE_MAX, "%s", job == JOB_NODE ? "node" : "shop-api");
    if (job == JOB_APP) {
        pairs[n].name = "pod";
        snprintf(pairs[n++].value, VALUE_MAX, "shop-api-6d4cf56db6-%05x",
                 (unsigned)(mix(number) & 0xfffff));
    }
    return n;
}

static void add_name(struct pair *pair, const struct series *s)
{
    static const char *const suffix[] = {"_bucket", "_sum", "_count"};
    size_t which = s->bucket <= BUCKETS_N ? 0 : s->bucket - BUCKETS_N;
    pair->name = "__name__";
    snprintf(pair->value, VALUE_MAX, "%s%s", s->family->name,
             s->family->kind == HISTOGRAM ? suffix[which] : "");
}

static void make_labels(struct instance *in, struct series *s, enum job job)
{
    struct pair pairs[PAIRS_MAX];
    size_t n = add_target(pairs, job, in->number);
    n += add_dims(pairs + n, s, in->number);
    if (s->family->kind == HISTOGRAM && s->bucket <= BUCKETS_N) {
        pairs[n].name = "le";
        snprintf(pairs[n++].value, VALUE_MAX, "%s", bucket_names[s->bucket]);
    }
    add_name(&pairs[n++], s);
    qsort(pairs, n, sizeof *pairs, by_name);
    if (in->labels_cap - in->labels_n < n * 256) {
        in->labels_cap = in->labels_cap * 2 + n * 256;
        in->labels = realloc(in->labels, in->labels_cap);
        if (!in->labels)
            abort();
    }
    uint8_t *begin = in->labels + in->labels_n, *p = begin;
    for (size_t i = 0; i < n; i++) {
        uint8_t one[256], *q = put_text(one, 1, pairs[i].name, strlen(pairs[i].name));
        q = put_text(q, 2, pairs[i].value, strlen(pairs[i].value));
        p = put_text(p, 1, (const char *)one, (size_t)(q - one));
    }
    s->labels = (uint32_t)in->labels_n;
    s->labels_n = (uint32_t)(p - begin);
    in->labels_n += s->labels_n;
}

/* Series */

/*
 * How busy a series is: its place in its dimensions, and luck. Most of what machines expose does
 * not move for an hour: paths nobody asks for, devices nobody uses.
 */
static double weight(const struct series *s, uint64_t *random)
{
    double w = exp2(4 * (uniform(random) - 0.5)), place = 1;
    for (int i = 0; i < 3 && s->family->dims[i]; i++)
        place *= pow(s->at[i] + 1, s->family->dims[i]->decay);
    bool idle = place > 1 && uniform(random) < IDLE_SHARE;
    return w / place * (idle ? 1e-5 : 1);
}

static void begin_value(struct series *s)
{
    const struct family *f = s->family;
    double w = weight(s, &s->random);
    s->rate = f->rate * w;
    s->period = 40 + 400 * uniform(&s->random);
    s->phase = uniform(&s->random);
    double uptime = 100000 * uniform(&s->random);
    if (f->kind == COUNTER)
        s->m = (int64_t)(s->rate * uptime);
    else if (f->kind == GAUGE)
        s->m = (int64_t)(f->base * (0.6 + 0.8 * uniform(&s->random)));
    else
        s->v = f->base;
    if (f->kind == HISTOGRAM) { /* its series share one source of luck, that of bucket 0 */
        s->v = 0;
        s->m = 0;
    }
}

static struct series *add_series(struct stream *st, struct target *t, const struct family *f,
                                 const uint16_t at[3], unsigned bucket, size_t family)
{
    struct series *s = &st->series[t->first + t->n++];
    uint64_t number = st->instances[t->instance].number;
    *s = (struct series){.family = f, .at = {at[0], at[1], at[2]}, .bucket = (uint8_t)bucket};
    s->random = mix(number << 32 | (uint64_t)family << 20 | (uint64_t)t->job << 19 |
                    (uint64_t)(at[0] * 1024 + at[1] * 32 + at[2]));
    begin_value(s);
    make_labels(&st->instances[t->instance], s, t->job);
    st->made++;
    return s;
}

static void add_family(struct stream *st, struct target *t, const struct family *f, size_t family,
                       uint32_t room)
{
    unsigned size[3];
    for (int i = 0; i < 3; i++)
        size[i] = f->dims[i] ? f->dims[i]->n : 1;
    unsigned buckets = f->kind == HISTOGRAM ? BUCKETS_N + 3 : 1;
    for (uint16_t a = 0; a < size[0]; a++)
        for (uint16_t b = 0; b < size[1]; b++)
            for (uint16_t c = 0; c < size[2]; c++)
                for (unsigned k = 0; k < buckets && t->n < room; k++)
                    add_series(st, t, f, (uint16_t[3]){a, b, c}, k, family);
}

/* All series of an instance, with its present number. */
static void fill_instance(struct stream *st, uint32_t i)
{
    struct instance *in = &st->instances[i];
    in->labels_n = 0;
    uint32_t used = 0;
    for (int job = 0; job < JOB_N; job++) {
        struct target *t = &st->targets[i * JOB_N + (unsigned)job];
        t->n = 0;
        t->first = in->place + used;
        for (size_t f = 0; f < catalogue[job].n; f++)
            add_family(st, t, &catalogue[job].rows[f], f, in->place_n - used);
        used += t->n;
    }
    assert(used == in->place_n);
}

struct stream *stream_new(const struct stream_options *o)
{
    struct stream *st = allocate(1, sizeof *st);
    uint32_t each = (uint32_t)catalogue_series();
    st->o = *o;
    st->instances_n = (o->series + each - 1) / each;
    st->targets_n = st->instances_n * JOB_N;
    st->series = allocate(o->series, sizeof *st->series);
    st->targets = allocate(st->targets_n, sizeof *st->targets);
    st->instances = allocate(st->instances_n, sizeof *st->instances);
    st->base_ms = (o->end_ms & ~(int64_t)1) - (int64_t)o->scrapes * o->interval_ms;
    st->random = 1;
    for (uint32_t i = 0; i < st->instances_n; i++) {
        struct instance *in = &st->instances[i];
        in->number = st->numbers++;
        in->place = i * each;
        in->place_n = o->series - in->place < each ? o->series - in->place : each;
        for (uint32_t job = 0; job < JOB_N; job++) {
            struct target *t = &st->targets[i * JOB_N + job];
            t->instance = i;
            t->job = (enum job)job;
            t->random = mix((uint64_t)i << 8 | job);
            t->offset_ms =
                JITTER_MS + (uint32_t)(next(&t->random) % (o->interval_ms - 2 * JITTER_MS));
            t->offset_ms &= ~1u;
            t->started_ms = st->base_ms - (int64_t)(next(&t->random) % 1000000000);
        }
        fill_instance(st, i);
    }
    return st;
}

void stream_free(struct stream *st)
{
    for (uint32_t i = 0; i < st->instances_n; i++)
        free(st->instances[i].labels);
    free(st->instances);
    free(st->targets);
    free(st->series);
    free(st);
}

/* Values */

/* A whole number that is `expected` on average. */
static uint64_t events(double expected, uint64_t *random)
{
    double e = expected * (0.5 + uniform(random));
    double whole = floor(e);
    return (uint64_t)whole + (uniform(random) < e - whole);
}

static double load(const struct series *s, uint32_t k)
{
    return 1 + 0.4 * sin(6.283185307 * ((double)k / s->period + s->phase));
}

static double scaled(int64_t m, unsigned digits)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    return (double)m / powers[digits];
}

static double step_gauge(struct series *s)
{
    const struct family *f = s->family;
    double unit = f->unit > 0 ? f->unit : 1;
    if (uniform(&s->random) < f->often) {
        double pull = (f->base - (double)s->m) * 0.02;
        double move = (uniform(&s->random) * 2 - 1) * f->rate + pull;
        s->m += (int64_t)(round(move / unit) * unit);
        if (s->m < 0)
            s->m = 0;
    }
    s->m -= s->m % (int64_t)unit;
    return scaled(s->m, f->digits);
}

/* What a histogram observed in this interval: a peak at some bucket, tails that shrink. */
static void observe(struct stream *st, struct series *s, uint32_t k)
{
    unsigned peak = 1 + (unsigned)(s->phase * 6);
    double n = s->rate * load(s, k) * 0.4;
    st->observed = 0;
    st->observed_sum = 0;
    for (unsigned j = 0; j <= BUCKETS_N; j++) {
        unsigned far = j > peak ? j - peak : peak - j;
        st->incs[j] = events(n * pow(0.3, far), &s->random);
        double bound = j < BUCKETS_N ? bucket_bounds[j] : 2 * bucket_bounds[BUCKETS_N - 1];
        st->observed += st->incs[j];
        st->observed_sum += (double)st->incs[j] * bound * (0.5 + 0.5 * uniform(&s->random));
    }
}

static double step_histogram(struct stream *st, struct series *s, uint32_t k)
{
    if (s->bucket == 0)
        observe(st, s, k);
    if (s->bucket == BUCKETS_N + 1)
        return s->v += st->observed_sum;
    if (s->bucket == BUCKETS_N + 2)
        return (double)(s->m += (int64_t)st->observed);
    for (unsigned j = 0; j <= s->bucket; j++)
        s->m += (int64_t)st->incs[j];
    return (double)s->m;
}

static double step(struct stream *st, const struct target *t, struct series *s, uint32_t k,
                   int64_t t_ms)
{
    switch (s->family->kind) {
    case CONSTANT:
        return s->v;
    case COUNTER:
        s->m += (int64_t)events(s->rate * load(s, k), &s->random);
        return scaled(s->m, s->family->digits);
    case GAUGE:
        return step_gauge(s);
    case NOISE:
        return s->v * (0.75 + 0.5 * uniform(&s->random)) * load(s, k);
    case CLOCK:
        return (double)(t_ms * 1000 + (int64_t)(next(&s->random) % 1000)) / 1e6;
    case STARTED:
        return (double)(t->started_ms / 10) / 100;
    case HISTOGRAM:
        return step_histogram(st, s, k);
    }
    abort();
}

static void restart(struct stream *st, struct target *t, int64_t t_ms)
{
    t->started_ms = t_ms - 5000;
    for (uint32_t i = t->first; i < t->first + t->n; i++) {
        struct series *s = &st->series[i];
        if (s->family->kind == COUNTER || s->family->kind == HISTOGRAM)
            s->m = 0;
        if (s->family->kind == HISTOGRAM)
            s->v = 0;
    }
}

/* Scrapes */

typedef void (*taker)(void *arg, const struct stream_sample *);

static double stale_marker(void)
{
    uint64_t bits = 0x7ff0000000000002;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void emit(struct stream *st, const struct target *t, uint32_t i, int64_t t_ms, double v,
                 taker take, void *arg)
{
    const struct series *s = &st->series[i];
    take(arg, &(struct stream_sample){.series = i,
                                      .labels = st->instances[t->instance].labels + s->labels,
                                      .labels_n = s->labels_n,
                                      .t_ms = t_ms,
                                      .v = v});
}

static int64_t scrape_time(struct stream *st, struct target *t, uint32_t k)
{
    int64_t t_ms = st->base_ms + (int64_t)k * st->o.interval_ms + t->offset_ms;
    t->jitters = uniform(&t->random) < (t->jitters ? 1 - SPELL_ENDS : SPELL_BEGINS);
    if (t->jitters)
        t_ms += ((int64_t)(next(&t->random) % (2 * JITTER_MS)) - JITTER_MS) & ~(int64_t)1;
    return t_ms;
}

static void scrape(struct stream *st, struct target *t, uint32_t k, taker take, void *arg)
{
    int64_t t_ms = scrape_time(st, t, k);
    if (k > 0 && uniform(&t->random) * life_scrapes[t->job] < 1)
        restart(st, t, t_ms);
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        emit(st, t, i, t_ms, step(st, t, &st->series[i], k, t_ms), take, arg);
}

/* The last word on an instance that is gone; then its place is a new one's. */
static void replace(struct stream *st, uint32_t i, uint32_t k, taker take, void *arg)
{
    for (uint32_t job = 0; job < JOB_N; job++) {
        struct target *t = &st->targets[i * JOB_N + job];
        int64_t t_ms = st->base_ms + (int64_t)k * st->o.interval_ms + t->offset_ms - JITTER_MS;
        for (uint32_t n = t->first; n < t->first + t->n; n++)
            emit(st, t, n, t_ms, stale_marker(), take, arg);
        t->started_ms = t_ms;
    }
    st->instances[i].number = st->numbers++;
    fill_instance(st, i);
}

static void churn(struct stream *st, uint32_t k, taker take, void *arg)
{
    uint64_t now = (uint64_t)k * st->o.interval_ms / 3600000;
    uint64_t before = (uint64_t)(k - 1) * st->o.interval_ms / 3600000;
    for (uint32_t i = 0; now != before && i < st->instances_n; i++)
        if (uniform(&st->random) < st->o.churn)
            replace(st, i, k, take, arg);
}

static const struct target *sorting;

static int by_offset(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (sorting[x].offset_ms != sorting[y].offset_ms)
        return sorting[x].offset_ms < sorting[y].offset_ms ? -1 : 1;
    return (x > y) - (x < y);
}

void stream_run(struct stream *st, taker take, void *arg)
{
    uint32_t *order = allocate(st->targets_n, sizeof *order);
    for (uint32_t i = 0; i < st->targets_n; i++)
        order[i] = i;
    sorting = st->targets;
    qsort(order, st->targets_n, sizeof *order, by_offset);
    for (uint32_t k = 0; k < st->o.scrapes; k++) {
        if (k > 0 && st->o.churn > 0)
            churn(st, k, take, arg);
        for (uint32_t i = 0; i < st->targets_n; i++)
            scrape(st, &st->targets[order[i]], k, take, arg);
    }
    free(order);
}

void stream_describe(const struct stream *st)
{
    static const char *const names[] = {"constant", "counter", "gauge",    "noise",
                                        "clock",    "started", "histogram"};
    uint32_t n[sizeof names / sizeof names[0]] = {0};
    for (uint32_t i = 0; i < st->o.series; i++)
        n[st->series[i].family->kind]++;
    printf("{\"instances\": %u, \"series\": %u", st->instances_n, st->made);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        printf(", \"%s\": %u", names[i], n[i]);
    printf("}\n");
}
