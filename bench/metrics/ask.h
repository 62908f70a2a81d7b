// SPDX-License-Identifier: Apache-2.0
/*
 * Asks several servers the same question again and again, in turns, each on one kept connection,
 * and prints as a JSON list what each needed: median and spread of the time to the whole answer,
 * CPU of the server per answer.
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include <stddef.h>
#include <stdint.h>

struct ask_options {
    unsigned repeats;
    const char *out; /* the first answers go to OUT.0, OUT.1, ...; NULL: nowhere */
    char **targets;  /* each "PORT PID PATH?QUERY" */
    size_t targets_n;
};

/* 0; 1 when a server did not answer with 200. */
int ask_run(const struct ask_options *o);

#endif
