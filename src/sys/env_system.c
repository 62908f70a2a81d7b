// SPDX-License-Identifier: Apache-2.0
/* The system's own clock and entropy. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "sys/env.h"

static ts_ms system_now_ms(struct clock *c)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (ts_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono_ns(struct clock *c)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct clock *clock_system(void)
{
    static struct clock c = {.now_ms = system_now_ms, .mono_ns = system_mono_ns};
    return &c;
}

/* Without entropy nothing that is secret can be made, so there is no way to go on. */
static void system_fill(struct entropy *e, void *p, size_t n)
{
    uint8_t *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

struct entropy *entropy_system(void)
{
    static struct entropy e = {.fill = system_fill};
    return &e;
}
