// SPDX-License-Identifier: Apache-2.0
/*
 * The route table: every door of the program is one row, with all that guards it. A row that leaves
 * one of these out does not compile; permissions of roles come to the same rows.
 *
 * A call: the router finds the row when the head of the request is there, checks the row's guards
 * before a byte of body is taken, and runs the row's function where the row says.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "net/http_server.h"
#include "net/http_target.h"

struct api;
struct budget;
struct call;
struct query;

/* Who may call it. Loopback listeners have everything; the roles to come are matched with these. */
enum route_permission { MAY_ALL, MAY_READ, MAY_INGEST, MAY_ADMIN };
/* A state-changing route is closed to pages of other sites (guard.h). */
enum route_effect { READS, CHANGES };
/* Whether pages of other origins may read the answer, as upstream's API allows. */
enum route_cors { SAME_ORIGIN, ANY_ORIGIN };
/* What of the process it takes a share of; each has a bound on requests under way. */
enum route_limit { UNLIMITED, LIMIT_QUERY, LIMIT_INGEST, ROUTE_LIMITS };
/* The flag of upstream that opens it. */
enum route_flag { NO_FLAG, FLAG_LIFECYCLE, FLAG_ADMIN_API };
/* Where the function runs. On the loop it may not block nor compute for long. */
enum route_where { ON_LOOP, ON_INGEST, ON_QUERY, ON_BACKGROUND };

enum { GET = 1 << HTTP_GET | 1 << HTTP_HEAD, POST = 1 << HTTP_POST, PUT = 1 << HTTP_PUT };

struct route {
    unsigned methods; /* GET | POST | PUT; HEAD comes with GET */
    const char *path; /* segments; "*" is any one segment, given to the function decoded */
    enum route_permission permission;
    enum route_effect effect;
    enum route_cors cors;
    enum route_limit limit;
    enum route_flag flag;
    uint64_t body_bytes_max; /* as sent; 0: takes no body */
    enum route_where where;
    void (*run)(struct call *c);
};

#define ROUTE(methods, path, permission, effect, cors, limit, flag, body_bytes_max, where, run)    \
    {                                                                                              \
        methods, path, permission, effect, cors, limit, flag, body_bytes_max, where, run           \
    }

struct route_table {
    const struct route *at;
    size_t n;
};

enum { CALL_SEGMENTS_MAX = 4, CALL_HEADERS_MAX = 4 };

/* One request on its way through a route's function, in the request's arena. */
struct call {
    struct api *api;
    struct http_request *req;
    const struct route *route;
    str segments[CALL_SEGMENTS_MAX]; /* what stood for each "*" */
    size_t segments_n;
    struct http_params params; /* of a form body, and of the query after it, as in Go */
    struct query *under_way;   /* ON_QUERY: what the two below are of */
    struct budget *budget;     /* ON_QUERY: ended when the peer leaves; NULL elsewhere */
    struct arena *arena;       /* counted in the budget; the request's own elsewhere. Lives until
                                  the function returns, past the end of the call */
    /* Of the answer, besides those that every answer has; in the request's arena. */
    const struct http_header *headers;
    size_t headers_n; /* at most CALL_HEADERS_MAX */
};

/* The row for a method and a raw path. `*allowed` gets the methods of rows with this path; NULL
 * with *allowed == 0: no such path. The segments are decoded into the arena. */
const struct route *route_find(const struct route_table *tables, size_t tables_n,
                               enum http_method method, str path, struct arena *a,
                               str segments[CALL_SEGMENTS_MAX], size_t *segments_n,
                               unsigned *allowed);
/* Two rows that would answer the same method and path; false and their path in err. */
bool route_tables_check(const struct route_table *tables, size_t tables_n, struct err *err);

#endif
