// SPDX-License-Identifier: Apache-2.0
/*
 * From a request to its row: finding it, checking its guards before any body is taken, running its
 * function in the right place.
 */
#include "api/api.h"
#include "api/reply.h"
#include "api/tables.h"
#include "queries/queries.h"
#include "sys/self.h"

static const struct route_table *const all_tables[] = {&admin_routes, &prometheus_routes,
                                                       &ui_routes};
enum { TABLES_N = sizeof all_tables / sizeof all_tables[0] };
static struct route_table tables[TABLES_N];

bool api_init(struct api *api, struct err *err)
{
    for (size_t i = 0; i < TABLES_N; i++)
        tables[i] = *all_tables[i];
    return route_tables_check(tables, TABLES_N, err);
}

static struct http_plan refuse(struct http_request *req, int status, const char *text, str extra,
                               const char *allow)
{
    str body = arena_printf(req->arena, "%s%.*s\n", text, STR_ARG(extra));
    struct http_header *headers = arena_array(req->arena, struct http_header, 3);
    headers[0] = (struct http_header){STR("Content-Type"), STR("text/plain; charset=utf-8")};
    headers[1] = (struct http_header){STR("X-Content-Type-Options"), STR("nosniff")};
    size_t n = 2;
    if (allow)
        headers[n++] = (struct http_header){STR("Allow"), str_from_z(allow)};
    return (struct http_plan){
        .kind = HTTP_PLAN_RESPOND,
        .response = {.status = status,
                     .headers = headers,
                     .headers_n = n,
                     .body = body,
                     .body_owner = HTTP_BODY_KEEP},
    };
}

/* As upstream answers; of the admin API with its envelope, and its 500. */
static struct http_plan refuse_closed(struct http_request *req, enum route_flag flag)
{
    static const str json = STR_INIT("{\"status\":\"error\",\"errorType\":\"unavailable\","
                                     "\"error\":\"admin APIs disabled\"}");
    if (flag == FLAG_LIFECYCLE)
        return refuse(req, 403, "start the server with --web.enable-lifecycle to use this", STR(""),
                      NULL);
    struct http_header *h = arena_new(req->arena, struct http_header);
    *h = (struct http_header){STR("Content-Type"), STR("application/json")};
    return (struct http_plan){.kind = HTTP_PLAN_RESPOND,
                              .response = {.status = 500,
                                           .headers = h,
                                           .headers_n = 1,
                                           .body = json,
                                           .body_owner = HTTP_BODY_KEEP}};
}

static const char *methods_text(struct arena *a, unsigned methods)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{1 << HTTP_GET, "GET"}, {1 << HTTP_HEAD, "HEAD"}, {POST, "POST"}, {PUT, "PUT"}};
    str text = STR("OPTIONS");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (methods & names[i].bit)
            text = arena_printf(a, "%s, %.*s", names[i].name, STR_ARG(text));
    }
    return arena_dup(a, text).p;
}

/* A browser's question before a request of another origin. Only routes that such a page may read
 * say yes. */
static struct http_plan preflight(struct api *api, struct http_request *req, unsigned methods,
                                  bool may)
{
    struct http_header *h = arena_array(req->arena, struct http_header, 5);
    size_t n = 0;
    const char *allowed = methods_text(req->arena, methods);
    h[n++] = (struct http_header){STR("Allow"), str_from_z(allowed)};
    if (may) {
        h[n++] = (struct http_header){STR("Access-Control-Allow-Origin"), api->cors_origin};
        h[n++] = (struct http_header){STR("Access-Control-Allow-Methods"), str_from_z(allowed)};
        h[n++] = (struct http_header){STR("Access-Control-Allow-Headers"),
                                      STR("Accept, Authorization, Content-Type, Origin")};
        h[n++] = (struct http_header){STR("Vary"), STR("Origin")};
    }
    return (struct http_plan){.kind = HTTP_PLAN_RESPOND,
                              .response = {.status = 204, .headers = h, .headers_n = n}};
}

static struct http_plan options(struct api *api, struct http_request *req, unsigned allowed)
{
    str segments[CALL_SEGMENTS_MAX];
    size_t segments_n;
    unsigned ignored;
    const struct route *r = NULL;
    for (int m = 0; m < HTTP_METHODS && !r; m++) {
        if (allowed & 1U << m)
            r = route_find(tables, TABLES_N, (enum http_method)m, req->path, req->arena, segments,
                           &segments_n, &ignored);
    }
    return preflight(api, req, allowed, r && r->cors == ANY_ORIGIN);
}

static bool flag_given(const struct api *api, enum route_flag flag)
{
    return flag == NO_FLAG || (flag == FLAG_LIFECYCLE && api->lifecycle) ||
           (flag == FLAG_ADMIN_API && api->admin_api);
}

static bool limit_enter(struct api *api, enum route_limit limit)
{
    unsigned before = atomic_fetch_add(&api->inflight[limit], 1);
    if (limit == UNLIMITED || !api->inflight_max[limit] || before < api->inflight_max[limit])
        return true;
    atomic_fetch_sub(&api->inflight[limit], 1);
    return false;
}

void call_leave(struct call *c)
{
    if (c->budget)
        budget_on_stop(c->budget, NULL, NULL);
    atomic_fetch_sub(&c->api->inflight[c->route->limit], 1);
}

static struct http_plan on_head(void *arg, struct http_request *req)
{
    struct api *api = arg;
    struct call *c = arena_new(req->arena, struct call);
    struct err err;
    unsigned allowed;
    c->api = api;
    c->req = req;
    c->arena = req->arena;
    c->route = route_find(tables, TABLES_N, req->method, req->path, req->arena, c->segments,
                          &c->segments_n, &allowed);
    if (!c->route && req->method == HTTP_OPTIONS && allowed)
        return options(api, req, allowed);
    if (!c->route && !allowed)
        return refuse(req, 404, "not found: ", req->path, NULL);
    if (!c->route)
        return refuse(req, 405, "this path does not take the method ", req->method_name,
                      methods_text(req->arena, allowed));
    if (c->route->effect == CHANGES && !guard_check(&api->guard, req, &err))
        return refuse(req, 403, "", arena_dup(req->arena, str_from_z(err.msg)), NULL);
    if (!flag_given(api, c->route->flag))
        return refuse_closed(req, c->route->flag);
    req->user = c;
    return (struct http_plan){
        .kind = c->route->body_bytes_max ? HTTP_PLAN_BODY : HTTP_PLAN_NO_BODY,
        .body_max_bytes = c->route->body_bytes_max,
    };
}

static bool params_read(struct call *c, struct err *err)
{
    str type = http_header_get(c->req, STR("Content-Type"));
    if (http_media_type_is(type, STR("application/x-www-form-urlencoded")) &&
        !http_params_add(str_from_bytes(c->req->body), c->req->arena, &c->params, err))
        return false;
    return http_params_add(c->req->query, c->req->arena, &c->params, err);
}

static void run(void *arg)
{
    struct call *c = arg;
    c->route->run(c);
}

/* The call ends inside. */
static void run_query(void *arg)
{
    struct call *c = arg;
    struct query *q = c->under_way;
    self_add(SELF_API_QUERIES_RUNNING, 1);
    query_started(q);
    c->route->run(c);
    query_end(q);
    self_add(SELF_API_QUERIES_RUNNING, -1);
}

static int64_t mono_ns(void *arg)
{
    struct clock *clock = arg;
    return clock->mono_ns(clock);
}

static void cancel(void *arg)
{
    struct budget *b = arg;
    self_add(SELF_API_QUERIES_CANCELED, 1);
    atomic_store(&b->ended, BUDGET_GONE);
}

void call_deadline_set(struct call *c, int64_t timeout_ms)
{
    struct clock *clock = c->api->env->clock;
    int64_t max_ms = c->api->query.timeout_ms;
    int64_t ms = timeout_ms < 0 ? 0 : timeout_ms < max_ms ? timeout_ms : max_ms, at;
    if (__builtin_mul_overflow(ms, 1000000, &at) ||
        __builtin_add_overflow(at, clock->mono_ns(clock), &at))
        at = INT64_MAX;
    c->budget->deadline_mono_ns = at;
}

/* What says what is asked: the expression, the selectors, or the address. */
static str query_text(struct call *c)
{
    STRBUF_CLEANUP struct strbuf b = {0};
    str text = http_params_get(&c->params, STR("query"));
    size_t at = 0;
    if (text.n)
        return text;
    while (b.n < QUERY_TEXT_MAX && http_params_next(&c->params, STR("match[]"), &at, &text)) {
        strbuf_addz(&b, b.n ? " " : "");
        strbuf_add(&b, text);
    }
    return b.n ? arena_dup(c->req->arena, strbuf_str(&b)) : c->req->target;
}

/* What the query may use, and an end to it when nobody waits any more. */
static struct query *query_new(struct call *c)
{
    struct api *api = c->api;
    struct query_ask ask = {query_text(c), c->req->path, c->req->method_name, c->req->peer};
    struct budget limits = {.mono_ns = mono_ns,
                            .clock = api->env->clock,
                            .samples_max = api->query.samples_max,
                            .memory = {.max_bytes = api->query.memory_max_bytes}};
    struct query *q = query_begin(api->queries, &ask, &limits, &api->query.pool);
    c->under_way = q;
    c->budget = &q->budget;
    c->arena = &q->arena;
    call_deadline_set(c, api->query.timeout_ms);
    http_on_gone(c->req, cancel, c->budget);
    return q;
}

static void start_query(struct call *c)
{
    struct err err;
    struct query *q = query_new(c);
    if (pool_submit(c->api->pool, POOL_QUERY, run_query, c))
        return;
    err_set(&err, ERR_UNAVAILABLE, "the server has too much to do, try again");
    reply_error(c, &err);
    query_end(q);
}

/* Said to senders of samples and to clients that query; both try again. */
static void refuse_busy(struct http_request *req)
{
    static const struct http_header headers[] = {
        {STR_INIT("Content-Type"), STR_INIT("text/plain; charset=utf-8")},
        {STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")},
        {STR_INIT("Retry-After"), STR_INIT("1")}};
    http_respond(req, &(struct http_response){
                          .status = 503,
                          .headers = headers,
                          .headers_n = sizeof headers / sizeof headers[0],
                          .body = STR("too many requests of this kind under way, try again\n")});
}

static void on_request(void *arg, struct http_request *req)
{
    static const enum pool_class classes[] = {
        [ON_INGEST] = POOL_INGEST, [ON_BACKGROUND] = POOL_BACKGROUND};
    struct api *api = arg;
    struct call *c = req->user;
    struct err err;
    if (!limit_enter(api, c->route->limit)) {
        refuse_busy(req);
        return;
    }
    if (!params_read(c, &err)) {
        reply_error(c, &err);
        return;
    }
    if (c->route->where == ON_LOOP) {
        c->route->run(c);
        return;
    }
    if (c->route->where == ON_QUERY) {
        start_query(c);
        return;
    }
    if (!pool_submit(api->pool, classes[c->route->where], run, c)) {
        err_set(&err, ERR_UNAVAILABLE, "the server has too much to do, try again");
        reply_error(c, &err);
    }
}

struct http_handler api_handler(struct api *api)
{
    return (struct http_handler){.arg = api, .on_head = on_head, .on_request = on_request};
}
