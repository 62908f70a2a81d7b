// SPDX-License-Identifier: Apache-2.0
/*
 * Event loop: one thread that waits for sockets, timers and posts from other threads. A thin dress
 * over libuv, so that nothing above sys/ and net/ sees it. A callback never blocks and never
 * touches disk. All calls but `loop_post` and `loop_stop` are made on the loop's own thread (or
 * before it runs).
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/err.h"

struct loop;
struct loop_timer;
struct uv_loop_s;

struct loop *loop_new(const char *name);
/* Closes what is still open on it, after loop_run returned or without it. Timers are freed too. */
void loop_free(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* From any thread. */
void loop_stop(struct loop *l);
/* Runs fn(arg) on the loop's thread soon, in order of the posts; from any thread. False once the
 * loop was stopped: fn will not run. What was posted before loop_stop runs before loop_run returns.
 */
bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* A timer calls fn(arg) once, `delay_ms` after loop_timer_start; starting again moves it. */
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* Calls fn(arg, signum) on the loop for each arrival of the signal. */
bool loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg,
                 struct err *err);

/* Monotonic milliseconds, cached at the start of the current round. */
uint64_t loop_now_ms(struct loop *l);

/* For net/ only. */
struct uv_loop_s *loop_uv(struct loop *l);

#endif
