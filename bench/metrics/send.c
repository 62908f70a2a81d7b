// SPDX-License-Identifier: Apache-2.0
#include "send.h"

#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http.h"
#include "requests.h"

static const char head[] = "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                           "User-Agent: bench\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
enum { RETRIES_MAX = 100, BACKOFF_NS = 30000000, TEXT_MAX = 200, SEGMENTS_MAX = 64 };

/* The run; guarded by `lock` where threads write to it. */
struct run {
    const struct send_options *o;
    struct requests all;
    size_t end;
    int64_t *took_ns; /* by request; 0: not acknowledged */
    int64_t *at_ns;   /* when its acknowledgement came */
    pthread_mutex_t lock;
    size_t acknowledged;
    uint64_t retries, refused, broken;
    char complaint[TEXT_MAX];
    int64_t cpu_at[SEGMENTS_MAX + 1], wall_at[SEGMENTS_MAX + 1];
    uint64_t samples, samples_at[SEGMENTS_MAX + 1];
    unsigned segment;
};

struct sender {
    pthread_t thread;
    struct run *run;
    unsigned connection;
    size_t from, to;
};

static unsigned connection_of(const struct run *r, size_t i)
{
    return r->o->connections == 1 ? 0 : r->all.rows[i].connection % r->o->connections;
}

static void complain(struct run *r, const struct http *c, bool answered)
{
    if (r->complaint[0])
        return;
    if (!answered)
        snprintf(r->complaint, TEXT_MAX, "connection broke");
    else
        snprintf(r->complaint, TEXT_MAX, "%d %.*s", c->status,
                 (int)(c->body_n < 120 ? c->body_n : 120), c->body);
}

static void note(struct run *r, size_t i, int64_t began, int64_t ended)
{
    r->took_ns[i] = ended - began;
    r->at_ns[i] = ended;
    pthread_mutex_lock(&r->lock);
    r->acknowledged++;
    if (r->acknowledged == r->o->kill_at && r->o->pid > 0)
        kill(r->o->pid, SIGKILL);
    r->samples += r->all.rows[i].samples;
    size_t done = r->acknowledged - r->o->skip, all = r->end - r->o->skip;
    if (r->acknowledged > r->o->skip && done * r->o->segments / all > r->segment) {
        unsigned s = r->segment = (unsigned)(done * r->o->segments / all);
        r->wall_at[s] = ended;
        r->cpu_at[s] = cpu_ns(r->o->pid);
        r->samples_at[s] = r->samples;
    }
    pthread_mutex_unlock(&r->lock);
}

/* True: acknowledged. A server that is full (429, 5xx) is asked again, as Prometheus does. */
static bool send_one(struct run *r, struct http *c, size_t i)
{
    int64_t began = now_ns();
    for (unsigned try = 0;; try++) {
        bool answered = http_ask(c, head, r->all.rows[i].body, r->all.rows[i].size);
        if (answered && c->status / 100 == 2) {
            note(r, i, began, now_ns());
            return true;
        }
        bool full = answered && (c->status == 429 || c->status / 100 == 5) && try < RETRIES_MAX;
        pthread_mutex_lock(&r->lock);
        complain(r, c, answered);
        if (full)
            r->retries++;
        else if (answered)
            r->refused++;
        else
            r->broken++;
        pthread_mutex_unlock(&r->lock);
        if (!full)
            return answered;
        nanosleep(&(struct timespec){.tv_nsec = BACKOFF_NS}, NULL);
    }
}

static void *send_thread(void *arg)
{
    struct sender *s = arg;
    struct http c;
    http_init(&c, s->run->o->port);
    for (size_t i = s->from; i < s->to; i++)
        if (connection_of(s->run, i) == s->connection && !send_one(s->run, &c, i))
            break;
    http_fini(&c);
    return NULL;
}

static void send_range(struct run *r, size_t from, size_t to)
{
    struct sender senders[CONNECTIONS];
    for (unsigned i = 0; i < r->o->connections; i++) {
        senders[i] = (struct sender){.run = r, .connection = i, .from = from, .to = to};
        if (pthread_create(&senders[i].thread, NULL, send_thread, &senders[i]) != 0)
            err(1, "thread");
    }
    for (unsigned i = 0; i < r->o->connections; i++)
        pthread_join(senders[i].thread, NULL);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const struct run *r)
{
    size_t n = 0;
    int64_t *times = calloc(r->end + 1, sizeof *times);
    if (!times)
        err(1, "times");
    for (size_t i = r->o->skip; i < r->end; i++)
        if (r->took_ns[i] > 0)
            times[n++] = r->took_ns[i];
    qsort(times, n, sizeof *times, by_value);
    if (n > 0)
        printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", (double)times[n / 2] / 1e6,
               (double)times[n * 99 / 100] / 1e6, (double)times[n - 1] / 1e6);
    free(times);
}

static void print_segments(const struct run *r)
{
    printf(", \"segments\": [");
    for (unsigned s = 1; s <= r->segment; s++) {
        double million = (double)(r->samples_at[s] - r->samples_at[s - 1]) / 1e6;
        printf("%s{\"samples_s\": %.0f, \"cpu_s_million\": %.4f}", s > 1 ? ", " : "",
               million * 1e15 / (double)(r->wall_at[s] - r->wall_at[s - 1]),
               (double)(r->cpu_at[s] - r->cpu_at[s - 1]) / 1e9 / million);
    }
    printf("]");
}

static void print_run(const struct run *r, int64_t cpu_ended)
{
    int64_t last = r->wall_at[0];
    for (size_t i = r->o->skip; i < r->end; i++)
        if (r->at_ns[i] > last)
            last = r->at_ns[i];
    double wall_s = (double)(last - r->wall_at[0]) / 1e9;
    double samples = (double)(r->samples - r->samples_at[0]);
    printf("{\"samples\": %.0f, \"all_samples\": %llu, \"requests\": %zu, \"wall_s\": %.3f, "
           "\"cpu_s\": %.3f, \"samples_s\": %.0f, \"retries\": %llu, \"refused\": %llu, "
           "\"broken\": %llu, \"raw_bytes\": %llu, \"bytes\": %llu",
           samples, (unsigned long long)r->samples, r->acknowledged, wall_s,
           (double)(cpu_ended - r->cpu_at[0]) / 1e9, samples / wall_s,
           (unsigned long long)r->retries, (unsigned long long)r->refused,
           (unsigned long long)r->broken, (unsigned long long)r->all.raw_bytes,
           (unsigned long long)r->all.bytes);
    print_times(r);
    print_segments(r);
    printf(", \"complaint\": \"");
    for (const char *p = r->complaint; *p; p++)
        putchar(*p < ' ' || *p == '"' || *p == '\\' ? ' ' : *p);
    printf("\"}\n");
}

int send_run(const struct send_options *o)
{
    struct run r = {.o = o, .lock = PTHREAD_MUTEX_INITIALIZER};
    requests_open(&r.all, o->path);
    r.end = o->requests_max && o->requests_max < r.all.n ? o->requests_max : r.all.n;
    if (o->skip >= r.end || o->segments > SEGMENTS_MAX || o->connections > CONNECTIONS)
        errx(2, "send: %zu requests, %zu to skip", r.end, o->skip);
    r.took_ns = calloc(r.end, sizeof *r.took_ns);
    r.at_ns = calloc(r.end, sizeof *r.at_ns);
    if (!r.took_ns || !r.at_ns)
        err(1, "times");
    send_range(&r, 0, o->skip);
    r.samples_at[0] = r.samples;
    r.cpu_at[0] = cpu_ns(o->pid);
    r.wall_at[0] = now_ns();
    send_range(&r, o->skip, r.end);
    print_run(&r, cpu_ns(o->pid));
    free(r.took_ns);
    free(r.at_ns);
    requests_close(&r.all);
    return r.refused + r.broken > 0;
}
