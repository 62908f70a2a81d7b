// SPDX-License-Identifier: Apache-2.0
/*
 * The tools behind bench/metrics.py. Not part of the default build: `ninja bench-metrics`.
 *
 *   bench-stream describe [STREAM FLAGS]
 *   bench-stream make FILE [STREAM FLAGS]
 *   bench-stream send FILE --port N [SEND FLAGS]
 *   bench-stream ask [--repeats N] [--out FILE] "PORT PID PATH"...
 *
 * STREAM FLAGS: --series N --scrapes N --interval-ms N --end-ms T --churn SHARE --samples N
 * SEND FLAGS: --pid N --connections N --segments N --skip N --requests N --kill-at N
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "requests.h"
#include "send.h"
#include "stream.h"

struct flags {
    struct stream_options stream;
    struct send_options send;
    struct ask_options ask;
    uint32_t samples_max;
    const char *file;
};

static const struct option options[] = {
    {"series", required_argument, NULL, 's'},      {"scrapes", required_argument, NULL, 'k'},
    {"interval-ms", required_argument, NULL, 'i'}, {"end-ms", required_argument, NULL, 'e'},
    {"churn", required_argument, NULL, 'c'},       {"samples", required_argument, NULL, 'b'},
    {"port", required_argument, NULL, 'p'},        {"pid", required_argument, NULL, 'P'},
    {"connections", required_argument, NULL, 'n'}, {"segments", required_argument, NULL, 'g'},
    {"skip", required_argument, NULL, 'S'},        {"requests", required_argument, NULL, 'r'},
    {"kill-at", required_argument, NULL, 'K'},     {"repeats", required_argument, NULL, 'R'},
    {"out", required_argument, NULL, 'o'},         {0},
};

static void take_flag(struct flags *f, int which, const char *text)
{
    unsigned long long n = strtoull(text, NULL, 10);
    switch (which) {
    case 's':
        f->stream.series = (uint32_t)n;
        break;
    case 'k':
        f->stream.scrapes = (uint32_t)n;
        break;
    case 'i':
        f->stream.interval_ms = (uint32_t)n;
        break;
    case 'e':
        f->stream.end_ms = (int64_t)n;
        break;
    case 'c':
        f->stream.churn = strtod(text, NULL);
        break;
    case 'b':
        f->samples_max = (uint32_t)n;
        break;
    case 'p':
        f->send.port = (uint16_t)n;
        break;
    case 'P':
        f->send.pid = (int)n;
        break;
    case 'n':
        f->send.connections = (unsigned)n;
        break;
    case 'g':
        f->send.segments = (unsigned)n;
        break;
    case 'R':
        f->ask.repeats = (unsigned)n;
        break;
    case 'o':
        f->ask.out = text;
        break;
    case 'K':
        f->send.kill_at = n;
        break;
    case 'S':
        f->send.skip = n;
        break;
    case 'r':
        f->send.requests_max = n;
        break;
    default:
        exit(2);
    }
}

static int describe(const struct flags *f)
{
    struct stream *s = stream_new(&f->stream);
    stream_describe(s);
    stream_free(s);
    return 0;
}

static int make(const struct flags *f)
{
    if (!f->file)
        errx(2, "make: which file?");
    struct stream *s = stream_new(&f->stream);
    requests_write(s, f->file, f->samples_max);
    stream_describe(s);
    stream_free(s);
    return 0;
}

static int transmit(const struct flags *f)
{
    if (!f->file || !f->send.port)
        errx(2, "send: which file, which port?");
    return send_run(&f->send);
}

static int question(const struct flags *f)
{
    return ask_run(&f->ask);
}

static const struct {
    const char *name;
    int (*run)(const struct flags *f);
} commands[] = {{"describe", describe}, {"make", make}, {"send", transmit}, {"ask", question}};

int main(int argc, char **argv)
{
    struct flags f = {
        .stream = {.series = 100000, .scrapes = 300, .interval_ms = 15000},
        .send = {.connections = CONNECTIONS, .segments = 1},
        .ask = {.repeats = 50},
        .samples_max = 2000,
    };
    f.stream.end_ms = (int64_t)time(NULL) * 1000;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        take_flag(&f, c, optarg);
    f.file = optind + 1 < argc ? argv[optind + 1] : NULL;
    f.send.path = f.file;
    f.ask.targets = argv + optind + 1;
    f.ask.targets_n = optind + 1 < argc ? (size_t)(argc - optind - 1) : 0;
    if (f.stream.series == 0 || f.stream.scrapes == 0 || f.stream.interval_ms < 4000 ||
        f.samples_max == 0 || f.send.connections == 0 || f.send.segments == 0)
        errx(2, "a number is too small");
    for (size_t i = 0; optind < argc && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[optind], commands[i].name) == 0)
            return commands[i].run(&f);
    errx(2, "usage: bench-stream describe|make|send|ask [FILE] [FLAGS]");
}
