// SPDX-License-Identifier: Apache-2.0
/* What the files of `nunchi query` share. */
#ifndef CMD_QUERY_INT_H
#define CMD_QUERY_INT_H

#include "base/err.h"
#include "base/strbuf.h"

enum query_kind { QUERY_INSTANT, QUERY_RANGE, QUERY_SERIES, QUERY_LABELS };

/* What to ask of a directory. */
struct query_ask {
    enum query_kind kind;
    str expr;         /* of SERIES and LABELS a selector; of LABELS it may be empty */
    str name;         /* LABELS: of the values; empty: names are wanted */
    ts_ms start, end; /* an instant query is at `start` */
    int64_t step_ms;  /* RANGE */
    bool explain;     /* INSTANT, RANGE: with what each part cost */
    unsigned features; /* enum promql_feature, beside those of upstream, which are on */
};

/* Answers from a storage directory, as a server would; `body` gets JSON for query_print. */
bool query_local(const char *path, const struct query_ask *ask, struct strbuf *body,
                 struct err *err);

/* What a server or a directory says of an INSTANT or RANGE that is to be explained. */
bool query_explained(const char *place, const struct query_ask *ask, struct strbuf *body,
                     struct err *err);
/* Lays out the tree of such an answer; control characters are left out. */
bool explain_print(str body, bool figures, struct strbuf *out, struct err *err);

/*
 * Lays out an answer of Prometheus' API for a terminal: `out` gets the data, `notes` the warnings
 * and infos, a line each. Control characters of the answer are escaped. False: the answer is an
 * error of the server, or none of this API.
 */
bool query_print(str body, struct strbuf *out, struct strbuf *notes, struct err *err);

#endif
