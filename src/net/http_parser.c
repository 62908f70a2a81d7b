// SPDX-License-Identifier: Apache-2.0
/*
 * The head comes in one piece, so every span is one call, but for what llhttp itself cuts; pieces
 * that follow each other in memory are joined. Trailers are parsed by llhttp and dropped here.
 */
#include "net/http_parser.h"

#include <llhttp.h>

#include "base/mem.h"

struct http_parser {
    llhttp_t ll; /* first: callbacks get a pointer to it */
    const struct http_parser_events *events;
    void *arg;
    str name, value, target;
    bool head_done, message_done;
};

static struct http_parser *of(llhttp_t *ll)
{
    return (struct http_parser *)(void *)ll;
}

static void span_add(str *s, const char *at, size_t n)
{
    if (s->p && s->p + s->n == at)
        s->n += n;
    else
        *s = str_of(at, n);
}

static int on_url(llhttp_t *ll, const char *at, size_t n)
{
    span_add(&of(ll)->target, at, n);
    return 0;
}

static int on_field(llhttp_t *ll, const char *at, size_t n)
{
    span_add(&of(ll)->name, at, n);
    return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    span_add(&of(ll)->value, at, n);
    return 0;
}

static int on_value_complete(llhttp_t *ll)
{
    struct http_parser *p = of(ll);
    if (!p->head_done)
        p->events->header(p->arg, p->name, str_trim(p->value));
    p->name = p->value = (str){0};
    return 0;
}

static int on_head(llhttp_t *ll)
{
    struct http_parser *p = of(ll);
    p->head_done = true;
    ll->upgrade = 0; /* no protocol is upgraded to: the request is served as it stands */
    const char *method = llhttp_method_name((llhttp_method_t)ll->method);
    p->events->method(p->arg, str_from_z(method));
    p->events->target(p->arg, p->target);
    return 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    struct http_parser *p = of(ll);
    p->events->body(p->arg, str_of(at, n));
    return 0;
}

/* Stops here, so that bytes of the next request are left to the caller. */
static int on_message(llhttp_t *ll)
{
    of(ll)->message_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_message,
};

struct http_parser *http_parser_new(const struct http_parser_events *events, void *arg)
{
    struct http_parser *p = mem_new(struct http_parser);
    p->events = events;
    p->arg = arg;
    llhttp_init(&p->ll, HTTP_REQUEST, &settings);
    return p;
}

void http_parser_free(struct http_parser *p)
{
    free(p);
}

void http_parser_reset(struct http_parser *p)
{
    llhttp_reset(&p->ll);
    p->name = p->value = p->target = (str){0};
    p->head_done = p->message_done = false;
}

static enum http_parser_result feed(struct http_parser *p, str in, size_t *used)
{
    llhttp_errno_t rc = llhttp_execute(&p->ll, in.p, in.n);
    if (p->message_done && rc == HPE_PAUSED) {
        *used = (size_t)(llhttp_get_error_pos(&p->ll) - in.p);
        return PARSER_DONE;
    }
    *used = in.n;
    if (rc == HPE_OK)
        return PARSER_MORE;
    return rc == HPE_INVALID_METHOD ? PARSER_UNKNOWN_METHOD : PARSER_BAD;
}

enum http_parser_result http_parser_head(struct http_parser *p, str head)
{
    size_t used;
    enum http_parser_result rc = feed(p, head, &used);
    /* Both readers of the head must agree where it ends. */
    if (rc <= PARSER_DONE && (!p->head_done || used != head.n))
        return PARSER_BAD;
    return rc;
}

int http_parser_version_minor(const struct http_parser *p)
{
    return p->ll.http_minor;
}

enum http_parser_result http_parser_body(struct http_parser *p, str in, size_t *used)
{
    return feed(p, in, used);
}
