// SPDX-License-Identifier: Apache-2.0
/*
 * Answers on their way out. A whole answer is three pieces of memory that are sent where they are;
 * a stream takes what its worker queued, a few blocks at a time, and the blocks count as queued
 * until they are sent, which is what holds the worker back.
 */
#include <stdio.h>
#include <time.h>

#include "net/http_server_int.h"
#include "sys/env.h"

/* IMF-fixdate (RFC 9110 5.6.7), made once a second. */
static const char *date_line(struct shard *sh)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct clock *clock = clock_system();
    time_t now = (time_t)(clock->now_ms(clock) / 1000);
    struct tm tm;
    if (now != sh->date_s && gmtime_r(&now, &tm)) {
        sh->date_s = now;
        snprintf(sh->date, sizeof sh->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                 tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
                 tm.tm_sec);
    }
    return sh->date;
}

static void seg_add(struct conn *c, str s)
{
    if (s.n > 0)
        c->segs[c->segs_n++] = (uv_buf_t){.base = (char *)(uintptr_t)s.p, .len = s.n};
}

static void status_count(int status)
{
    static const enum self_id classes[] = {SELF_HTTP_2XX, SELF_HTTP_3XX, SELF_HTTP_4XX,
                                           SELF_HTTP_5XX};
    self_add(classes[status / 100 - 2], 1);
}

static void head_add(struct conn *c, struct req *r)
{
    bool delimited = r->answer == ANSWER_WHOLE || r->chunked || r->no_body;
    if (!c->framing.keep_alive || !delimited || atomic_load(&c->shard->server->stopping))
        c->close_after = true;
    const char *connection = "";
    if (c->close_after)
        connection = "Connection: close\r\n";
    else if (r->pub.version_minor == 0)
        connection = "Connection: keep-alive\r\n";
    int n =
        snprintf(r->tail, sizeof r->tail, "Date: %s\r\n%s\r\n", date_line(c->shard), connection);
    seg_add(c, r->head);
    seg_add(c, str_of(r->tail, (size_t)n));
    c->sent_head = true;
    status_count(r->status);
}

static bool whole_step(struct conn *c, struct req *r)
{
    if (c->fault && r->held && c->fault->status != r->status) {
        /* The worker was told that the body failed; what failed is ours to say. */
        req_answer_text(r, c->fault->status, c->fault->text);
    }
    head_add(c, r);
    if (!r->no_body)
        seg_add(c, r->body);
    c->sent_all = true;
    c->sending = true;
    return true;
}

static bool stream_step(struct conn *c, struct req *r, bool finished)
{
    unsigned n = 0;
    pthread_mutex_lock(&r->lock);
    if (!r->out_started) {
        pthread_mutex_unlock(&r->lock);
        return false;
    }
    if (!c->sent_head)
        head_add(c, r);
    struct block *b = r->out.first, **end = &c->sent_blocks;
    for (; b && c->segs_n < OUT_SEGS; b = r->out.first, n++) {
        seg_add(c, str_of(b->data, b->n));
        r->out.first = b->next;
        b->next = NULL;
        *end = b;
        end = &b->next;
    }
    if (!r->out.first)
        r->out.last = NULL;
    bool over = finished && !r->out.first, broken = r->out_broken;
    pthread_mutex_unlock(&r->lock);
    if (over && broken) {
        conn_lost(c, SELF_HTTP_LOST_BROKEN_OFF);
        return false;
    }
    c->sent_all = over;
    c->sending = c->segs_n > 0;
    if (over && !c->sending)
        output_sent(c);
    return c->sending || over;
}

bool output_step(struct conn *c)
{
    struct req *r = c->req;
    if (c->sending || c->sent_all)
        return false;
    if (c->send_continue && !c->sent_head) {
        c->send_continue = false;
        seg_add(c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        c->sending = true;
        return true;
    }
    if (!r)
        return false;
    /* `finished` comes after everything the worker queued, so it is looked at first. */
    bool finished = req_finished(r);
    if (r->held && !finished) {
        pthread_mutex_lock(&r->lock);
        bool started = r->out_started;
        pthread_mutex_unlock(&r->lock);
        return started && stream_step(c, r, false);
    }
    if (r->answer == ANSWER_WHOLE)
        return whole_step(c, r);
    return r->answer == ANSWER_STREAM && stream_step(c, r, true);
}

void output_drop(struct conn *c)
{
    for (struct block *b = c->sent_blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    c->sent_blocks = NULL;
    c->segs_n = 0;
    c->sending = false;
}

void output_sent(struct conn *c)
{
    size_t sent = 0;
    c->sending = false;
    for (struct block *b = c->sent_blocks; b; b = b->next)
        sent += b->n;
    if (sent > 0) {
        pthread_mutex_lock(&c->req->lock);
        c->req->out.queued -= sent;
        pthread_cond_signal(&c->req->cond);
        pthread_mutex_unlock(&c->req->lock);
    }
    output_drop(c);
    if (c->sent_all)
        h1_request_over(c);
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return table[i].reason;
    return "Unknown";
}
