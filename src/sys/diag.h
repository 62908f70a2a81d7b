// SPDX-License-Identifier: Apache-2.0
/*
 * Our own messages: one line each on stderr, "2026-03-01T10:00:00.123Z INFO  scrape: text" or JSON.
 * Control characters in arguments are escaped, so one message is one line. Thread-safe. Only
 * services and cmd/ call this; libraries return errors.
 */
#ifndef SYS_DIAG_H
#define SYS_DIAG_H

#include <stdbool.h>
#include <stdint.h>

enum diag_level { DIAG_DEBUG, DIAG_INFO, DIAG_WARN, DIAG_ERROR };

void diag_setup(enum diag_level least, bool json);
void diag(enum diag_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At most one message per `every_ms` and place; says how many were left out. */
struct diag_limit {
    int64_t next_ms;
    uint64_t left_out;
};
bool diag_allow(struct diag_limit *l, int64_t every_ms);

#endif
