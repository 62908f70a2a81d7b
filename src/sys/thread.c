// SPDX-License-Identifier: Apache-2.0
#include "sys/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROMPT_SLICE_NS = 200000 };

/* First version of the kernel's struct sched_attr; C libraries and kernel headers that declare it
 * do not agree with each other. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

void thread_name(const char *name)
{
    char cut[16]; /* what the kernel keeps */
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

/* Linux takes slices of ordinary threads from 6.12 on. A thread that wakes there lets the running
 * one finish its slice of 3 ms, but for threads whose own is shorter; an acknowledgement has four
 * such wake-ups. Older kernels prefer whoever slept anyway. */
void thread_prompt(void)
{
    struct scheduling a = {
        .size = sizeof a,
        .policy = SCHED_OTHER,
        .nice = getpriority(PRIO_PROCESS, 0),
        .runtime_ns = PROMPT_SLICE_NS,
    };
    syscall(SYS_sched_setattr, 0, &a, 0);
}

/* PRIO_PROCESS and 0 mean the calling thread alone on Linux. */
void thread_lower(int nice)
{
    if (nice)
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + nice);
}
