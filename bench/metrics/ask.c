// SPDX-License-Identifier: Apache-2.0
#include "ask.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "http.h"

enum { WARM = 3, TURN = 5, SERVERS_MAX = 8, REPEATS_MAX = 10000 };

struct asked {
    struct http http;
    int pid;
    char *head;
    int64_t *took_ns;
    unsigned n;
    int64_t cpu_ns;
    size_t bytes;
};

static void ask(struct asked *a)
{
    /* A server may close a connection that was idle while others had their turn. */
    if (!http_ask(&a->http, a->head, NULL, 0) && !http_ask(&a->http, a->head, NULL, 0))
        errx(1, "port %u: no answer", a->http.port);
    if (a->http.status != 200)
        errx(1, "port %u: %d %.*s", a->http.port, a->http.status,
             (int)(a->http.body_n < 300 ? a->http.body_n : 300), a->http.body);
}

static void keep(const struct asked *a, const char *out, size_t i)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%zu", out, i);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(a->http.body, 1, a->http.body_n, f) != a->http.body_n || fclose(f) != 0)
        err(1, "%s", path);
}

static void begin(struct asked *a, const char *target, unsigned repeats)
{
    unsigned port;
    int at = 0;
    if (sscanf(target, "%u %d %n", &port, &a->pid, &at) != 2 || port > UINT16_MAX)
        errx(2, "ask: no target: %s", target);
    http_init(&a->http, (uint16_t)port);
    a->took_ns = calloc(repeats, sizeof *a->took_ns);
    if (!a->took_ns ||
        asprintf(&a->head, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n",
                 target + at) < 0)
        err(1, "ask");
}

/* Some answers in a row, so that what a server does after one is counted as its own. */
static void turn(struct asked *a, unsigned n)
{
    int64_t cpu = cpu_ns(a->pid);
    while (n-- > 0) {
        int64_t began = now_ns();
        ask(a);
        a->took_ns[a->n++] = now_ns() - began;
    }
    a->cpu_ns += cpu_ns(a->pid) - cpu;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(struct asked *a)
{
    qsort(a->took_ns, a->n, sizeof *a->took_ns, by_value);
    printf("{\"median_ms\": %.4f, \"least_ms\": %.4f, \"p90_ms\": %.4f, \"cpu_ms\": %.4f, "
           "\"bytes\": %zu}",
           (double)a->took_ns[a->n / 2] / 1e6, (double)a->took_ns[0] / 1e6,
           (double)a->took_ns[a->n * 9 / 10] / 1e6, (double)a->cpu_ns / 1e6 / a->n, a->bytes);
}

int ask_run(const struct ask_options *o)
{
    struct asked all[SERVERS_MAX] = {0};
    if (o->targets_n == 0 || o->targets_n > SERVERS_MAX || o->repeats == 0 ||
        o->repeats > REPEATS_MAX)
        errx(2, "ask: 1 to %d targets, 1 to %d repeats", SERVERS_MAX, REPEATS_MAX);
    for (size_t i = 0; i < o->targets_n; i++) {
        begin(&all[i], o->targets[i], o->repeats);
        for (unsigned n = 0; n < WARM; n++)
            ask(&all[i]);
        all[i].bytes = all[i].http.body_n;
        if (o->out)
            keep(&all[i], o->out, i);
    }
    for (unsigned done = 0; done < o->repeats; done += TURN)
        for (size_t i = 0; i < o->targets_n; i++)
            turn(&all[i], o->repeats - done < TURN ? o->repeats - done : TURN);
    for (size_t i = 0; i < o->targets_n; i++) {
        printf("%s", i ? ", " : "[");
        print(&all[i]);
        http_fini(&all[i].http);
        free(all[i].took_ns);
        free(all[i].head);
    }
    printf("]\n");
    return 0;
}
