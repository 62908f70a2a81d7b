// SPDX-License-Identifier: Apache-2.0
/*
 * What a thread is to the system's scheduler. A thread for whose few microseconds somebody waits
 * (loops, the log's committer, ingest) is prompt; one that computes for long is lowered. Both are
 * wishes: where the system refuses one, nothing is lost but the order.
 */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

/* Of the calling thread, for those who look at it from outside; cut to 15 bytes. */
void thread_name(const char *name);

/* The calling thread asks for short slices, so that a wake-up takes the CPU from what computes. */
void thread_prompt(void);

/* Adds `nice` to the calling thread's; it may not be able to take that back. */
void thread_lower(int nice);

#endif
