// SPDX-License-Identifier: Apache-2.0
#include "api/notifications.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/reply.h"
#include "base/mem.h"
#include "codec/date.h"
#include "sys/self.h"

struct row {
    bool active;
    char *text; /* NULL: never set */
    ts_ms date;
};

struct notifications {
    struct clock *clock;
    unsigned max;
    pthread_mutex_t lock; /* guards what follows; held for writes that do not wait */
    struct row rows[NOTIFICATIONS];
    struct call **subscribers;
    unsigned n;
    bool closed;
};

struct notifications *notifications_new(struct clock *clock, unsigned subscribers_max)
{
    struct notifications *n = mem_new(struct notifications);
    n->clock = clock;
    n->max = subscribers_max;
    n->subscribers = mem_array(subscribers_max + 1, sizeof(struct call *));
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

void notifications_free(struct notifications *n)
{
    if (!n)
        return;
    assert(n->n == 0);
    for (int i = 0; i < NOTIFICATIONS; i++)
        free(n->rows[i].text);
    pthread_mutex_destroy(&n->lock);
    free(n->subscribers);
    free(n);
}

static void put_row(const struct row *row, struct json_writer *w)
{
    char date[DATE_TEXT_MAX];
    size_t n = date_format(row->date, date);
    json_open_object(w);
    json_put_pair(w, STR("text"), str_from_z(row->text));
    json_put_pair(w, STR("date"), str_of(date, n));
    json_put_key(w, STR("active"));
    json_put_bool(w, row->active);
    json_close_object(w);
}

void notifications_put(struct notifications *n, struct json_writer *w)
{
    bool done[NOTIFICATIONS] = {0};
    json_open_array(w);
    pthread_mutex_lock(&n->lock);
    for (int k = 0; k < NOTIFICATIONS; k++) {
        int oldest = -1;
        for (int i = 0; i < NOTIFICATIONS; i++)
            if (n->rows[i].active && !done[i] &&
                (oldest < 0 || n->rows[i].date < n->rows[oldest].date))
                oldest = i;
        if (oldest < 0)
            break;
        done[oldest] = true;
        put_row(&n->rows[oldest], w);
    }
    pthread_mutex_unlock(&n->lock);
    json_close_array(w);
}

/* ---- subscribers; the lock is held ---- */

static void end(struct notifications *n, unsigned i, bool complete)
{
    struct call *c = n->subscribers[i];
    n->subscribers[i] = n->subscribers[--n->n];
    self_set(SELF_NOTIFICATION_SUBSCRIBERS, n->n);
    call_leave(c);
    http_stream_end(c->req, complete);
}

/* Writes without waiting; false when this one is lost. */
static bool push(struct call *c, str event)
{
    return http_stream_writable(c->req) && http_stream_write(c->req, event);
}

static void push_all(struct notifications *n, str event)
{
    for (unsigned i = n->n; i-- > 0;) {
        if (push(n->subscribers[i], event))
            continue;
        self_add(SELF_NOTIFICATION_LOST, !http_gone(n->subscribers[i]->req));
        end(n, i, false);
    }
}

static void event_of(const struct row *row, struct strbuf *out)
{
    struct json_writer w = json_writer(out);
    strbuf_addz(out, "data: ");
    put_row(row, &w);
    strbuf_addz(out, "\n\n");
}

static void tell(struct notifications *n, const struct row *row)
{
    STRBUF_CLEANUP struct strbuf event = {0};
    event_of(row, &event);
    push_all(n, strbuf_str(&event));
}

static void retract(struct notifications *n, struct row *row)
{
    if (!row->active)
        return;
    row->active = false;
    tell(n, row);
}

void notifications_set(struct notifications *n, enum notification id, str text)
{
    struct row *row = &n->rows[id];
    pthread_mutex_lock(&n->lock);
    if (row->active && !str_eqz(text, row->text))
        retract(n, row);
    free(row->text);
    row->text = mem_alloc(text.n + 1);
    memcpy(row->text, text.p, text.n);
    row->text[text.n] = 0;
    row->active = true;
    row->date = n->clock->now_ms(n->clock);
    tell(n, row);
    pthread_mutex_unlock(&n->lock);
}

void notifications_clear(struct notifications *n, enum notification id)
{
    pthread_mutex_lock(&n->lock);
    retract(n, &n->rows[id]);
    pthread_mutex_unlock(&n->lock);
}

static void start_stream(struct call *c)
{
    struct http_header headers[] = {
        {STR("Content-Type"), STR("text/event-stream")},
        {STR("Cache-Control"), STR("no-cache")},
        {STR("X-Content-Type-Options"), STR("nosniff")},
        {STR("Access-Control-Allow-Origin"), c->api->cors_origin},
        {STR("Vary"), STR("Origin")},
    };
    struct http_response head = {
        .status = 200, .headers = headers, .headers_n = sizeof headers / sizeof headers[0]};
    http_stream_start(c->req, &head);
}

/* The lock is held. */
static void add(struct notifications *n, struct call *c)
{
    STRBUF_CLEANUP struct strbuf now = {0};
    n->subscribers[n->n++] = c;
    self_set(SELF_NOTIFICATION_SUBSCRIBERS, n->n);
    start_stream(c);
    strbuf_addz(&now, ":\n\n"); /* so that the head goes out at once */
    for (int i = 0; i < NOTIFICATIONS; i++)
        if (n->rows[i].active)
            event_of(&n->rows[i], &now);
    if (!push(c, strbuf_str(&now)))
        end(n, n->n - 1, false);
}

static void head_only(struct call *c)
{
    start_stream(c);
    call_leave(c);
    http_stream_end(c->req, true);
}

static void reap(struct notifications *n)
{
    for (unsigned i = n->n; i-- > 0;)
        if (http_gone(n->subscribers[i]->req))
            end(n, i, false);
}

void notifications_subscribe(struct notifications *n, struct call *c)
{
    pthread_mutex_lock(&n->lock);
    reap(n);
    bool room = !n->closed && n->n < n->max;
    if (room && c->req->method == HTTP_HEAD)
        head_only(c);
    else if (room)
        add(n, c);
    pthread_mutex_unlock(&n->lock);
    if (!room)
        reply_empty(c, 204);
}

void notifications_tick(struct notifications *n)
{
    pthread_mutex_lock(&n->lock);
    push_all(n, STR(":\n\n"));
    pthread_mutex_unlock(&n->lock);
}

void notifications_close(struct notifications *n)
{
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->closed = true;
    while (n->n)
        end(n, n->n - 1, true);
    pthread_mutex_unlock(&n->lock);
}
