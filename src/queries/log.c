// SPDX-License-Identifier: Apache-2.0
#include "queries/log.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/strbuf.h"
#include "codec/date.h"
#include "codec/json_writer.h"
#include "sys/diag.h"
#include "sys/self.h"

struct query_log {
    struct env *env;
    struct pool *pool;
    int64_t slow_ns;
    pthread_mutex_t lock; /* guards what follows */
    bool on, writing;
    struct strbuf waiting;
    struct diag_limit slow_said;
    pthread_mutex_t file_lock; /* taken before `lock` */
    struct file_log *file;
    struct strbuf being_written;
    struct diag_limit failure_said;
};

struct query_log *query_log_new(struct env *env, struct pool *pool, int64_t slow_ns)
{
    struct query_log *l = mem_new(struct query_log);
    l->env = env;
    l->pool = pool;
    l->slow_ns = slow_ns;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->file_lock, NULL);
    return l;
}

/* Under file_lock. */
static void write_waiting(struct query_log *l)
{
    struct err err;
    pthread_mutex_lock(&l->lock);
    struct strbuf taken = l->waiting;
    l->waiting = l->being_written;
    l->being_written = taken;
    strbuf_clear(&l->waiting);
    pthread_mutex_unlock(&l->lock);
    if (!l->file || !taken.n || file_log_add(l->file, strbuf_str(&taken), &err))
        return;
    self_add(SELF_QUERY_LOG_FAILED, 1);
    if (diag_allow(&l->failure_said, 60000))
        diag(DIAG_ERROR, "query", "log of queries: %s", err.msg);
}

static void write_task(void *arg)
{
    struct query_log *l = arg;
    bool more = true;
    pool_block_begin();
    while (more) {
        pthread_mutex_lock(&l->file_lock);
        write_waiting(l);
        pthread_mutex_lock(&l->lock);
        more = l->writing = l->waiting.n > 0;
        pthread_mutex_unlock(&l->lock);
        pthread_mutex_unlock(&l->file_lock);
    }
    pool_block_end();
}

void query_log_swap(struct query_log *l, struct file_log *file)
{
    pthread_mutex_lock(&l->file_lock);
    write_waiting(l);
    file_log_close(l->file);
    l->file = file;
    pthread_mutex_lock(&l->lock);
    l->on = file != NULL;
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&l->file_lock);
}

void query_log_free(struct query_log *l)
{
    if (!l)
        return;
    query_log_swap(l, NULL);
    strbuf_fini(&l->waiting);
    strbuf_fini(&l->being_written);
    pthread_mutex_destroy(&l->file_lock);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- lines ---- */

static void put_time(struct json_writer *w, const char *key, ts_ms t)
{
    char text[DATE_TEXT_MAX];
    json_put_pair(w, str_from_z(key), str_of(text, date_format_ms(t, text)));
}

static void put_seconds(struct json_writer *w, const char *key, int64_t ns)
{
    json_put_key(w, str_from_z(key));
    json_put_f64(w, ns > 0 ? (double)ns / 1e9 : 0);
}

static void put_count(struct json_writer *w, const char *key, uint64_t n)
{
    json_put_key(w, str_from_z(key));
    json_put_u64(w, n);
}

static void put_stats(struct json_writer *w, const struct query_log_entry *e)
{
    json_put_key(w, STR("stats"));
    json_open_object(w);
    json_put_key(w, STR("timings"));
    json_open_object(w);
    put_seconds(w, "evalTotalTime", e->eval_ns);
    put_seconds(w, "resultSortTime", 0);
    put_seconds(w, "queryPreparationTime", e->prepare_ns);
    put_seconds(w, "innerEvalTime", e->eval_ns - e->prepare_ns);
    put_seconds(w, "execQueueTime", e->queue_ns);
    put_seconds(w, "execTotalTime", e->queue_ns + e->eval_ns);
    json_close_object(w);
    json_put_key(w, STR("samples"));
    json_open_object(w);
    put_count(w, "totalQueryableSamples", e->samples_total);
    put_count(w, "samplesRead", e->samples_read);
    put_count(w, "peakSamples", e->samples_peak);
    put_count(w, "peakBytes", atomic_load(&e->query->budget.memory.peak));
    json_close_object(w);
    json_close_object(w);
}

/* "192.0.2.1" of "192.0.2.1:1234", "2001:db8::1" of "[2001:db8::1]:1234". */
static str address_of(str remote)
{
    while (remote.n && remote.p[remote.n - 1] != ':')
        remote.n--;
    remote.n -= remote.n > 0;
    if (remote.n >= 2 && remote.p[0] == '[')
        remote = str_sub(remote, 1, remote.n - 1);
    return remote;
}

static void format_line(const struct query_log *l, const struct query_log_entry *e,
                        struct strbuf *out)
{
    struct json_writer writer = json_writer(out), *w = &writer;
    const struct query_ask *ask = &e->query->ask;
    json_open_object(w);
    put_time(w, "time", env_now_ms(l->env));
    json_put_pair(w, STR("level"), STR("INFO"));
    json_put_pair(w, STR("msg"), STR("promql query logged"));
    json_put_key(w, STR("params"));
    json_open_object(w);
    put_time(w, "end", e->end);
    json_put_pair(w, STR("query"), ask->text);
    put_time(w, "start", e->start);
    json_put_key(w, STR("step"));
    json_put_i64(w, e->step_ms / 1000);
    json_close_object(w);
    if (e->error)
        json_put_pair(w, STR("error"), str_from_z(e->error));
    put_stats(w, e);
    if (ask->method.n) {
        json_put_key(w, STR("httpRequest"));
        json_open_object(w);
        json_put_pair(w, STR("clientIP"), address_of(ask->remote));
        json_put_pair(w, STR("method"), ask->method);
        json_put_pair(w, STR("path"), ask->path);
        json_close_object(w);
    }
    json_close_object(w);
    strbuf_addc(out, '\n');
}

static void say_slow(struct query_log *l, const struct query_log_entry *e)
{
    int64_t ns = e->queue_ns + e->eval_ns;
    if (!l->slow_ns || ns < l->slow_ns)
        return;
    self_add(SELF_QUERIES_SLOW, 1);
    pthread_mutex_lock(&l->lock);
    bool say = diag_allow(&l->slow_said, 1000);
    pthread_mutex_unlock(&l->lock);
    if (say)
        diag(DIAG_WARN, "query", "slow: %lld ms, %llu samples, %zu bytes, from %.*s%s%s: %.*s",
             (long long)(ns / 1000000), (unsigned long long)e->samples_read,
             atomic_load(&e->query->budget.memory.peak), STR_ARG(e->query->ask.remote),
             e->error ? ", " : "", e->error ? e->error : "", STR_ARG(e->query->ask.text));
}

void query_log_put(struct query_log *l, const struct query_log_entry *e)
{
    say_slow(l, e);
    pthread_mutex_lock(&l->lock);
    bool begin = false, on = l->on, full = l->waiting.n >= QUERY_LOG_WAITING_MAX;
    if (on && !full) {
        format_line(l, e, &l->waiting);
        begin = !l->writing;
        l->writing = true;
    }
    pthread_mutex_unlock(&l->lock);
    self_add(SELF_QUERY_LOG_LINES, on && !full);
    self_add(SELF_QUERY_LOG_DROPPED, on && full);
    if (!begin || pool_submit(l->pool, POOL_BACKGROUND, write_task, l))
        return;
    pthread_mutex_lock(&l->lock); /* the next line tries again, or the end writes it */
    l->writing = false;
    pthread_mutex_unlock(&l->lock);
}
