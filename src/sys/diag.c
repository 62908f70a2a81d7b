// SPDX-License-Identifier: Apache-2.0
/*
 * A message is formatted, escaped and then leaves in one write, so lines of several threads do not
 * mix. Bytes that are no UTF-8 and control characters (also the C1 ones, which terminals obey) are
 * escaped: what a peer sends can neither forge a line nor drive a terminal.
 */
#include "sys/diag.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "sys/env.h"
#include "sys/self.h"

enum { MESSAGE_MAX = 16 * 1024 }; /* bytes before escaping; what is longer is cut */

static const struct {
    const char *text, *json;
    enum self_id counter;
} levels[] = {
    [DIAG_DEBUG] = {"DEBUG", "debug", SELF_DIAG_DEBUG},
    [DIAG_INFO] = {"INFO ", "info", SELF_DIAG_INFO},
    [DIAG_WARN] = {"WARN ", "warn", SELF_DIAG_WARN},
    [DIAG_ERROR] = {"ERROR", "error", SELF_DIAG_ERROR},
};

/* Set at start and on reload, read by every thread. */
static _Atomic int diag_least = DIAG_INFO;
static _Atomic bool diag_json;

static pthread_mutex_t diag_lock = PTHREAD_MUTEX_INITIALIZER; /* stderr and every diag_limit */
/* Left out before the message that this thread is about to write. */
static _Thread_local uint64_t diag_left_out;

void diag_setup(enum diag_level least, bool json)
{
    diag_least = (int)least;
    diag_json = json;
}

/* Bytes of the UTF-8 character at the start of `s`, 0 when there is none. */
static size_t utf8_char(str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= s.n && str_utf8_valid(str_of(s.p, n)) ? n : 0;
}

static void escape_byte(struct strbuf *out, unsigned char c, bool json)
{
    if (c == '\n' || c == '\t' || c == '\r')
        strbuf_addf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (json && c >= 0x80)
        strbuf_addz(out, "\\ufffd");
    else
        strbuf_addf(out, json ? "\\u%04x" : "\\x%02x", c);
}

static void escape(struct strbuf *out, str s, bool json)
{
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        unsigned char c = (unsigned char)s.p[i];
        n = utf8_char(str_of(s.p + i, s.n - i));
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0;
        if (c1)
            strbuf_addf(out, json ? "\\u%04x" : "\\x%02x", (unsigned char)s.p[i + 1]);
        else if (n == 0 || c < 0x20 || c == 0x7f)
            escape_byte(out, c, json);
        else if (json && (c == '"' || c == '\\'))
            strbuf_addf(out, "\\%c", c);
        else
            strbuf_add(out, str_of(s.p + i, n));
    }
}

static void add_time(struct strbuf *out)
{
    struct clock *c = clock_system();
    ts_ms now = c->now_ms(c);
    time_t sec = (time_t)(now / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&sec, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    strbuf_addf(out, "%s.%03dZ", text, (int)(now % 1000));
}

static void add_line(struct strbuf *out, enum diag_level level, const char *area, str msg)
{
    bool json = diag_json;
    strbuf_addz(out, json ? "{\"time\":\"" : "");
    add_time(out);
    if (json)
        strbuf_addf(out, "\",\"level\":\"%s\",\"area\":\"", levels[level].json);
    else
        strbuf_addf(out, " %s ", levels[level].text);
    escape(out, str_from_z(area), json);
    strbuf_addz(out, json ? "\",\"msg\":\"" : ": ");
    escape(out, msg, json);
    strbuf_addz(out, json ? "\"}\n" : "\n");
}

/* Nobody is left to tell when stderr is gone, so a failed write ends the message. */
static void write_all(str s)
{
    pthread_mutex_lock(&diag_lock);
    while (s.n) {
        ssize_t n = write(STDERR_FILENO, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        s = str_sub(s, (size_t)n, s.n);
    }
    pthread_mutex_unlock(&diag_lock);
}

void diag(enum diag_level level, const char *area, const char *fmt, ...)
{
    uint64_t left_out = diag_left_out;
    diag_left_out = 0;
    if ((int)level < diag_least)
        return;
    self_add(levels[level].counter, 1);

    STRBUF_CLEANUP struct strbuf msg = {0}, line = {0};
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&msg, fmt, ap);
    va_end(ap);
    if (msg.n > MESSAGE_MAX) {
        msg.n = MESSAGE_MAX;
        strbuf_addz(&msg, "...");
    }
    if (left_out)
        strbuf_addf(&msg, " (%llu more like this left out)", (unsigned long long)left_out);
    add_line(&line, level, area, strbuf_str(&msg));
    write_all(strbuf_str(&line));
}

bool diag_allow(struct diag_limit *l, int64_t every_ms)
{
    struct clock *c = clock_system();
    int64_t now_ms = c->mono_ns(c) / 1000000;
    pthread_mutex_lock(&diag_lock);
    bool ok = now_ms >= l->next_ms;
    if (ok) {
        l->next_ms = now_ms + every_ms;
        diag_left_out = l->left_out;
        l->left_out = 0;
    } else {
        l->left_out++;
    }
    pthread_mutex_unlock(&diag_lock);
    return ok;
}
