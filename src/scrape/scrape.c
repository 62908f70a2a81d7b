// SPDX-License-Identifier: Apache-2.0
/*
 * The scraper: targets on a loop, one timer each. A scrape goes
 *
 *     timer -> begin -> fetch -> (pool) run: report, sink -> (loop) finish -> timer
 *
 * and in each state exactly one side owns the target's cache. What a reload changes waits in `next`
 * until the target is idle. `lock` guards what scrape_targets shows, nothing else.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/map.h"
#include "scrape/scrape_int.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/self.h"

enum {
    SERIES_PER_TARGET = 500000,
    BODY_BYTES_MAX = 64 << 20,
    DROPPED_KEPT_MAX = 10000, /* remembered for display, over all jobs */
    LAST_ERROR_BYTES = 1024,
};

enum target_state { TARGET_IDLE, TARGET_FETCHING, TARGET_WORKING, TARGET_ENDING };

struct target_settings { /* immutable, replaced as a whole */
    struct arena arena;
    struct job *job;
    struct target_spec spec;
    bool over_target_limit;
};

struct target {
    struct scraper *s;
    uint64_t id; /* job and spec.hash */
    enum target_state state;
    struct target_settings *now, *next; /* next: from the idle moment on; NULL: none */
    struct emitter *emitter;            /* NULL: fetched */
    struct loop_timer *timer;
    bool wanted;          /* by the configuration being applied */
    bool gone, end_stale; /* ends when idle */
    ts_ms due, t;
    int64_t started_ns;
    struct cache cache;
    uint64_t metadata_hash;
    struct strbuf body, content_type;
    struct report_in in;
    struct report_out out;
    bool written;
    struct batch_result result;
    struct err write_err;
    /* guarded by s->lock */
    enum scrape_health health;
    ts_ms last_scrape;
    double last_duration_s;
    char last_error[LAST_ERROR_BYTES];
};

struct dropped {
    struct labels discovered;
    str pool, error;
};

struct pool_note {
    str name;
    size_t dropped;
};

struct scraper {
    struct scrape_options o;
    pthread_mutex_t lock;
    VEC(struct target *) targets; /* changed on the loop under `lock` */
    VEC(struct dropped) dropped;
    VEC(struct pool_note) pools;
    struct arena shown; /* text of dropped and pools */
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static void begin(void *arg);
static void finish(void *arg);

/* ---- settings ---- */

static void settings_free(struct target_settings *set)
{
    if (!set)
        return;
    job_unref(set->job);
    arena_fini(&set->arena);
    free(set);
}

static void arm(struct target *t, ts_ms due)
{
    ts_ms now = env_now_ms(t->s->o.env);
    t->due = due;
    loop_timer_start(t->timer, due > now ? (uint64_t)(due - now) : 0);
}

static uint64_t spread(const struct target *t)
{
    return hash_mix(t->id, 0x9e3779b97f4a7c15ULL);
}

/* On the loop, idle. */
static void adopt(struct target *t)
{
    struct target_settings *old = t->now, *set = t->next;
    if (!set)
        return;
    if (old->job->fingerprint != set->job->fingerprint)
        cache_forget(&t->cache);
    pthread_mutex_lock(&t->s->lock);
    t->now = set;
    t->next = NULL;
    pthread_mutex_unlock(&t->s->lock);
    if (old->spec.interval_ms != set->spec.interval_ms)
        arm(t, schedule_first(env_now_ms(t->s->o.env), set->spec.interval_ms, spread(t)));
    settings_free(old);
}

/* ---- the end of a target ---- */

static void target_free(struct target *t)
{
    struct scraper *s = t->s;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->targets.n; i++)
        if (s->targets.at[i] == t)
            s->targets.at[i] = vec_last(&s->targets), s->targets.n--;
    pthread_mutex_unlock(&s->lock);
    loop_timer_free(t->timer);
    settings_free(t->now);
    settings_free(t->next);
    cache_fini(&t->cache);
    strbuf_fini(&t->body);
    strbuf_fini(&t->content_type);
    free(t);
    if (s->stopping && s->targets.n == 0 && s->stopped) {
        void (*stopped)(void *) = s->stopped;
        s->stopped = NULL;
        stopped(s->stopped_arg);
    }
}

static void ended(void *arg)
{
    target_free(arg);
}

static void end_written(void *arg, bool ok, const struct batch_result *result,
                        const struct err *err)
{
    struct target *t = arg;
    if (!ok)
        self_add(SELF_SCRAPE_FAILED_STORE, 1);
    loop_post(t->s->o.loop, ended, t);
}

/* On the loop, idle. A target that was never scraped has no series to end. */
static void end(struct target *t)
{
    t->state = TARGET_ENDING;
    loop_timer_stop(t->timer);
    if (!t->end_stale || t->last_scrape == 0) {
        if (!loop_post(t->s->o.loop, ended, t))
            target_free(t);
        return;
    }
    ts_ms now = env_now_ms(t->s->o.env);
    struct batch *b =
        report_end(&t->cache, t->now->spec.labels, t->now->job->conf->extra_metrics == 1,
                   now > t->t ? now : t->t + 1);
    t->s->o.sink->write(t->s->o.sink, b, end_written, t);
}

static void retire(struct target *t, bool stale)
{
    if (t->gone)
        return;
    t->gone = true;
    t->end_stale = stale;
    loop_timer_stop(t->timer);
    if (t->state == TARGET_FETCHING) {
        t->s->o.fetch->cancel(t->s->o.fetch, t);
        t->state = TARGET_IDLE;
    }
    if (t->state == TARGET_IDLE)
        end(t);
}

/* ---- one scrape ---- */

static void on_written(void *arg, bool ok, const struct batch_result *result, const struct err *err)
{
    struct target *t = arg;
    t->written = ok;
    t->result = ok && result ? *result : (struct batch_result){0};
    if (!ok)
        t->write_err = *err;
    loop_post(t->s->o.loop, finish, t);
}

/* In a task of the pool. */
static void run(void *arg)
{
    struct target *t = arg;
    report_make(&t->in, &t->out);
    t->s->o.sink->write(t->s->o.sink, t->out.batch, on_written, t);
}

static void work(struct target *t, enum scrape_failure failure, const struct err *err)
{
    const struct scraper *s = t->s;
    const struct job *job = t->now->job;
    t->state = TARGET_WORKING;
    t->in = (struct report_in){
        .conf = job->conf,
        .metric_relabel = job->metric_relabel,
        .target = t->now->spec.labels,
        .series_max = s->o.series_per_target,
        .interval_ms = t->now->spec.interval_ms,
        .timeout_ms = t->now->spec.timeout_ms,
        .created = s->o.start_timestamps,
        .cache = &t->cache,
        .metadata_hash = &t->metadata_hash,
        .t = t->t,
        .env = s->o.env,
        .started_ns = t->started_ns,
        .failure = failure,
        .content_type = strbuf_str(&t->content_type),
        .body = strbuf_str(&t->body),
        .emitter = t->emitter,
    };
    if (err)
        t->in.err = *err;
    if (s->o.pool && pool_submit(s->o.pool, POOL_INGEST, run, t))
        return;
    if (s->o.pool) { /* saying that it failed is cheap enough for the loop */
        t->in.failure = SCRAPE_OVERLOAD;
        err_set(&t->in.err, ERR_UNAVAILABLE, "too much other work is waiting");
    }
    run(t);
}

static enum scrape_failure judge(const struct scrape_response *r, struct err *err)
{
    *err = r->err;
    if (!r->ok)
        return r->too_large ? SCRAPE_BODY_TOO_LARGE : r->timed_out ? SCRAPE_TIMEOUT : SCRAPE_FETCH;
    if (r->status == 200)
        return SCRAPE_OK;
    err_set(err, ERR_INVALID, "server returned HTTP status %d", r->status);
    return SCRAPE_STATUS;
}

static void on_fetched(void *arg, const struct scrape_response *r)
{
    struct target *t = arg;
    struct err err = {0};
    enum scrape_failure failure = judge(r, &err);
    if (failure == SCRAPE_OK) {
        strbuf_add(&t->body, r->body);
        strbuf_add(&t->content_type, r->content_type);
    }
    work(t, failure, &err);
}

static void fetch(struct target *t)
{
    const struct conf_scrape *c = t->now->job->conf;
    uint64_t limit = c->limits.body_bytes;
    struct scrape_request r = {
        .url = t->now->spec.url,
        .accept = t->now->job->accept,
        .timeout_ms = t->now->spec.timeout_ms,
        .body_max_bytes = limit && limit < BODY_BYTES_MAX ? limit : BODY_BYTES_MAX,
        .conf = c,
    };
    t->state = TARGET_FETCHING;
    t->s->o.fetch->start(t->s->o.fetch, &r, on_fetched, t);
}

static void begin(void *arg)
{
    struct target *t = arg;
    ts_ms now = env_now_ms(t->s->o.env);
    t->t = schedule_align(now, t->due, t->now->spec.interval_ms);
    t->started_ns = env_mono_ns(t->s->o.env);
    strbuf_clear(&t->body);
    strbuf_clear(&t->content_type);
    if (t->now->over_target_limit) {
        struct err err;
        err_set(&err, ERR_LIMIT, "target_limit: the job has more than %lld targets",
                (long long)t->now->job->conf->limits.targets);
        work(t, SCRAPE_TARGET_LIMIT, &err);
    } else if (t->emitter) {
        work(t, SCRAPE_OK, NULL);
    } else {
        fetch(t);
    }
}

static_assert((int)SELF_SCRAPE_FAILED_OVERLOAD - (int)SELF_SCRAPE_FAILED_FETCH ==
                  (int)SCRAPE_OVERLOAD - (int)SCRAPE_FETCH,
              "the rows of self.def stand in the order of enum scrape_failure");

static void count(const struct target *t)
{
    self_add(SELF_SCRAPE_DONE, 1);
    if (t->out.failure)
        self_add(SELF_SCRAPE_FAILED_FETCH + ((int)t->out.failure - SCRAPE_FETCH), 1);
    if (!t->written)
        self_add(SELF_SCRAPE_FAILED_STORE, 1);
    self_add(SELF_SCRAPE_SAMPLES_DUPLICATE, (int64_t)t->out.duplicates);
    self_add(SELF_SCRAPE_SAMPLES_OUT_OF_BOUNDS, (int64_t)t->result.out_of_bounds);
    self_add(SELF_SCRAPE_SAMPLES_CONFLICTING, (int64_t)t->result.conflicting);
    self_add(SELF_SCRAPE_SAMPLES_REFUSED, (int64_t)t->result.refused);
}

/* One line with what the error knows: where in the page, what, and what to do about it. */
static void say(const struct err *e, char *out, size_t size)
{
    struct strbuf line STRBUF_CLEANUP = {0};
    if (e->kind != ERR_NONE && e->pos.line)
        strbuf_addf(&line, "line %u, column %u: ", e->pos.line, e->pos.col);
    if (e->kind != ERR_NONE)
        strbuf_addf(&line, "%s%s%s", e->msg, *e->hint ? "; " : "", e->hint);
    snprintf(out, size, "%.*s", (int)line.n, line.p ? line.p : "");
}

static void show(struct target *t)
{
    pthread_mutex_lock(&t->s->lock);
    t->health = t->written && t->out.failure == SCRAPE_OK ? SCRAPE_UP : SCRAPE_DOWN;
    t->last_scrape = t->t;
    t->last_duration_s = (double)(env_mono_ns(t->s->o.env) - t->started_ns) / 1e9;
    say(t->written ? &t->out.err : &t->write_err, t->last_error, sizeof t->last_error);
    pthread_mutex_unlock(&t->s->lock);
}

static void finish(void *arg)
{
    struct target *t = arg;
    uint64_t skipped = 0;
    t->state = TARGET_IDLE;
    if (!t->written)
        t->metadata_hash = 0;
    count(t);
    show(t);
    if (t->gone) {
        end(t);
        return;
    }
    ts_ms now = env_now_ms(t->s->o.env);
    int64_t interval = t->now->spec.interval_ms;
    ts_ms slot = schedule_first(t->due, interval, spread(t));
    /* A first scrape at once is outside the target's slots; the next slot may be too near it. */
    if (slot != t->due && slot - t->due < interval / 2)
        slot += interval;
    arm(t, schedule_next(now, slot == t->due ? slot : slot - interval, interval, &skipped));
    self_add(SELF_SCRAPE_SKIPPED, (int64_t)skipped);
    adopt(t);
}

/* ---- configuration ---- */

static struct target *target_new(struct scraper *s, struct target_settings *set, uint64_t id)
{
    struct target *t = mem_new(struct target);
    t->s = s;
    t->id = id;
    t->now = set;
    t->wanted = true;
    t->timer = loop_timer_new(s->o.loop, begin, t);
    ts_ms now = env_now_ms(s->o.env);
    arm(t, s->o.immediate_first ? now : schedule_first(now, set->spec.interval_ms, spread(t)));
    pthread_mutex_lock(&s->lock);
    vec_push(&s->targets, t);
    pthread_mutex_unlock(&s->lock);
    return t;
}

struct applying {
    struct scraper *s;
    struct job *job;
    struct map known; /* id bytes -> target */
    struct arena arena, shown;
    VEC(struct dropped) dropped;
    VEC(size_t) dropped_n;              /* of each job so far: by relabelling, kept or not */
    VEC(struct target_settings *) made; /* of the job at hand */
};

static uint64_t id_of(const struct job *j, const struct target_spec *spec)
{
    return hash_mix(hash_str(j->conf->job_name), spec->hash);
}

static void note_dropped(struct applying *ap, const struct target_spec *spec, const char *error)
{
    int64_t keep = ap->job->conf->limits.keep_dropped_targets, mine = 0;
    for (size_t i = 0; keep && i < ap->dropped.n; i++)
        mine += str_eq(ap->dropped.at[i].pool, ap->job->conf->job_name);
    if (ap->dropped.n >= DROPPED_KEPT_MAX || (keep && mine >= keep))
        return;
    vec_push(&ap->dropped, (struct dropped){labels_dup(&ap->shown, spec->discovered),
                                            arena_dup(&ap->shown, ap->job->conf->job_name),
                                            arena_dup(&ap->shown, str_from_z(error))});
}

static void one_address(struct applying *ap, struct labels group, str address)
{
    struct err err = {0};
    struct target_settings *set = mem_new(struct target_settings);
    enum target_fate fate = target_make(ap->job, group, address, &set->arena, &set->spec, &err);
    if (fate == TARGET_KEPT) {
        set->job = job_ref(ap->job);
        vec_push(&ap->made, set);
        return;
    }
    if (fate == TARGET_WRONG)
        self_add(SELF_SCRAPE_TARGETS_WRONG, 1);
    else
        vec_last(&ap->dropped_n)++;
    note_dropped(ap, &set->spec, err.msg);
    settings_free(set);
}

static void on_group(void *arg, const struct target_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        one_address(arg, g->labels, g->addresses[i]);
}

static str id_key(struct arena *a, uint64_t id)
{
    return arena_dup(a, str_of((const char *)&id, sizeof id));
}

static void place(struct applying *ap, struct target_settings *set)
{
    uint64_t id = id_of(set->job, &set->spec);
    struct target *t = map_get(&ap->known, str_of((const char *)&id, sizeof id));
    if (!t) {
        map_put(&ap->known, id_key(&ap->arena, id), target_new(ap->s, set, id));
        return;
    }
    if (t->wanted) { /* the same target twice in one job */
        settings_free(set);
        return;
    }
    t->wanted = true;
    settings_free(t->next);
    t->next = set;
    if (t->state == TARGET_IDLE)
        adopt(t);
}

static void apply_job(struct applying *ap, struct job *job)
{
    static const discovery_fn mechanisms[] = {discovery_static};
    ap->job = job;
    vec_clear(&ap->made);
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        mechanisms[i](job->conf, &ap->arena, on_group, ap);
    int64_t limit = job->conf->limits.targets;
    for (size_t i = 0; i < ap->made.n; i++) {
        ap->made.at[i]->over_target_limit = limit && ap->made.n > (size_t)limit;
        place(ap, ap->made.at[i]);
    }
}

static void know_targets(struct applying *ap)
{
    for (size_t i = 0; i < ap->s->targets.n; i++) {
        struct target *t = ap->s->targets.at[i];
        t->wanted = t->now->job->held == NULL; /* emitters stay */
        if (!t->wanted && !t->gone)
            map_put(&ap->known, id_key(&ap->arena, t->id), t);
    }
}

static void retire_unwanted(struct scraper *s)
{
    for (size_t i = s->targets.n; i > 0; i--)
        if (!s->targets.at[i - 1]->wanted)
            retire(s->targets.at[i - 1], true);
}

/* The lists for display change at once. */
static void show_lists(struct applying *ap, const struct prom_config *c)
{
    struct scraper *s = ap->s;
    pthread_mutex_lock(&s->lock);
    arena_fini(&s->shown);
    s->shown = ap->shown;
    vec_clear(&s->pools);
    vec_clear(&s->dropped);
    for (size_t i = 0; i < ap->dropped.n; i++)
        vec_push(&s->dropped, ap->dropped.at[i]);
    for (size_t i = 0; i < c->scrape.n; i++)
        vec_push(&s->pools, (struct pool_note){arena_dup(&s->shown, c->scrape.at[i].job_name),
                                               ap->dropped_n.at[i]});
    pthread_mutex_unlock(&s->lock);
}

static struct job **make_jobs(const struct scraper *s, const struct prom_config *c,
                              struct conf_held *held, struct err *err)
{
    struct job **jobs = mem_zalloc((c->scrape.n + 1) * sizeof(struct job *));
    for (size_t i = 0; i < c->scrape.n; i++) {
        jobs[i] = job_new(&c->scrape.at[i], s->o.start_timestamps, held, err);
        if (jobs[i])
            continue;
        while (i > 0)
            job_unref(jobs[--i]);
        free(jobs);
        return NULL;
    }
    return jobs;
}

bool scrape_apply(struct scraper *s, const struct prom_config *c, void (*unref)(void *arg),
                  void *arg, struct err *err)
{
    struct conf_held *held = mem_new(struct conf_held);
    *held = (struct conf_held){.refs = 1, .unref = unref, .arg = arg};
    struct job **jobs = make_jobs(s, c, held, err);
    if (!jobs) {
        free(held);
        return false;
    }
    struct applying ap = {.s = s};
    know_targets(&ap);
    for (size_t i = 0; i < c->scrape.n; i++) {
        vec_push(&ap.dropped_n, 0);
        apply_job(&ap, jobs[i]);
    }
    retire_unwanted(s);
    show_lists(&ap, c);
    for (size_t i = 0; i < c->scrape.n; i++)
        job_unref(jobs[i]);
    free(jobs);
    vec_fini(&ap.made);
    vec_fini(&ap.dropped);
    vec_fini(&ap.dropped_n);
    map_fini(&ap.known);
    arena_fini(&ap.arena);
    if (--held->refs == 0) { /* no target: nothing keeps the configuration */
        unref(arg);
        free(held);
    }
    return true;
}

void scrape_add_emitter(struct scraper *s, str job, str instance, struct emitter *e,
                        int64_t interval_ms)
{
    struct err err;
    struct target_settings *set = mem_new(struct target_settings);
    struct arena *a = &set->arena;
    struct job *j = job_new(&(struct conf_scrape){.job_name = STR("")}, false, NULL, &err);
    j->own = (struct conf_scrape){.job_name = arena_dup(&j->arena, job),
                                  .interval_ms = interval_ms,
                                  .timeout_ms = interval_ms,
                                  .honor_timestamps = true};
    j->conf = &j->own;
    struct label *at = arena_array(a, struct label, 2);
    at[0] = (struct label){STR("instance"), arena_dup(a, instance)};
    at[1] = (struct label){STR("job"), arena_dup(a, job)};
    set->job = j;
    set->spec = (struct target_spec){.discovered = {at, 2},
                                     .labels = {at, 2},
                                     .interval_ms = interval_ms,
                                     .timeout_ms = interval_ms};
    set->spec.hash = labels_hash(set->spec.labels);
    target_new(s, set, id_of(j, &set->spec))->emitter = e;
}

/* ---- the whole ---- */

struct scraper *scrape_new(const struct scrape_options *o)
{
    struct scraper *s = mem_new(struct scraper);
    s->o = *o;
    if (!s->o.series_per_target)
        s->o.series_per_target = SERIES_PER_TARGET;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void scrape_stop(struct scraper *s, bool stale, void (*done)(void *arg), void *arg)
{
    s->stopping = true;
    if (s->targets.n == 0) {
        done(arg);
        return;
    }
    s->stopped = done;
    s->stopped_arg = arg;
    for (size_t i = s->targets.n; i > 0; i--)
        retire(s->targets.at[i - 1], stale);
}

void scrape_free(struct scraper *s)
{
    if (!s)
        return;
    vec_fini(&s->targets);
    vec_fini(&s->dropped);
    vec_fini(&s->pools);
    arena_fini(&s->shown);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct scrape_target_info info_of(const struct target *t, struct arena *a)
{
    const struct target_spec *spec = &t->now->spec;
    return (struct scrape_target_info){
        .discovered = labels_dup(a, spec->discovered),
        .labels = labels_dup(a, spec->labels),
        .pool = arena_dup(a, t->now->job->conf->job_name),
        .url = arena_dup(a, spec->url),
        .last_error = arena_dup(a, str_from_z(t->last_error)),
        .last_scrape = t->last_scrape,
        .last_duration_s = t->last_duration_s,
        .health = t->health,
        .interval_ms = spec->interval_ms,
        .timeout_ms = spec->timeout_ms,
    };
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Configured jobs and those of emitters, each once. */
static void pools_of(const struct scraper *s, struct arena *a, struct scrape_targets *out)
{
    out->pools = arena_array(a, str, s->pools.n + s->targets.n);
    for (size_t i = 0; i < s->pools.n; i++)
        out->pools[out->pools_n++] = arena_dup(a, s->pools.at[i].name);
    for (size_t i = 0; i < s->targets.n; i++)
        if (s->targets.at[i]->emitter)
            out->pools[out->pools_n++] = arena_dup(a, s->targets.at[i]->now->job->conf->job_name);
    qsort(out->pools, out->pools_n, sizeof(str), by_text);
    size_t n = 0;
    for (size_t i = 0; i < out->pools_n; i++)
        if (n == 0 || !str_eq(out->pools[n - 1], out->pools[i]))
            out->pools[n++] = out->pools[i];
    out->pools_n = n;
    out->pools_dropped = arena_array(a, size_t, n + 1);
    for (size_t i = 0; i < n; i++)
        VEC_EACH (p, &s->pools)
            if (str_eq(p->name, out->pools[i]))
                out->pools_dropped[i] += p->dropped;
}

void scrape_targets(struct scraper *s, struct arena *a, struct scrape_targets *out)
{
    *out = (struct scrape_targets){0};
    pthread_mutex_lock(&s->lock);
    out->active = arena_array(a, struct scrape_target_info, s->targets.n);
    for (size_t i = 0; i < s->targets.n; i++)
        if (!s->targets.at[i]->gone)
            out->active[out->active_n++] = info_of(s->targets.at[i], a);
    out->dropped = arena_array(a, struct scrape_dropped_info, s->dropped.n);
    for (size_t i = 0; i < s->dropped.n; i++) {
        const struct dropped *d = &s->dropped.at[i];
        out->dropped[out->dropped_n++] = (struct scrape_dropped_info){
            labels_dup(a, d->discovered), arena_dup(a, d->pool), arena_dup(a, d->error)};
    }
    pools_of(s, a, out);
    pthread_mutex_unlock(&s->lock);
}
