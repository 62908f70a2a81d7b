// SPDX-License-Identifier: Apache-2.0
/*
 * Which exposition format travels: the Accept header of a scrape, the format of its response, and
 * the choice of our own /metrics. As Prometheus 3 (scrape/scrape.go, model/textparse) and the
 * content negotiation page of its documentation.
 */
#ifndef FORMAT_EXPFMT_NEGOTIATE_H
#define FORMAT_EXPFMT_NEGOTIATE_H

#include "base/strbuf.h"
#include "format/expfmt.h"

/* The name that scrape_protocols uses, such as "OpenMetricsText1.0.0". */
str expfmt_protocol_name(enum expfmt_format f);
/* False: not a protocol this program reads. */
bool expfmt_protocol_parse(str name, enum expfmt_format *out);

/* The order in which formats are asked for by default. */
enum { EXPFMT_DEFAULTS = 4 };
extern const enum expfmt_format expfmt_default_protocols[EXPFMT_DEFAULTS];

/*
 * Appends the Accept header of a scrape that prefers `protocols` in this order. `escaping` is that
 * of metric_name_escaping_scheme: "allow-utf-8", "underscores", "dots" or "values".
 */
void expfmt_accept(const enum expfmt_format *protocols, size_t n, str escaping, struct strbuf *out);

/*
 * The format of a response from its Content-Type. When that is missing or unknown, `fallback` (of
 * fallback_scrape_protocol) is taken if there is one; otherwise it is an error.
 */
bool expfmt_from_content_type(str content_type, const enum expfmt_format *fallback,
                              enum expfmt_format *out, struct err *err);

/* What to answer with. */
struct expfmt_choice {
    enum expfmt_format format;
    bool utf8_names; /* the reader takes quoted names; otherwise other characters become `_` */
};

/* The best of what an Accept header allows; text 0.0.4 when it says nothing we know. */
struct expfmt_choice expfmt_choose(str accept);
/* The Content-Type to answer with; static memory. */
str expfmt_content_type(struct expfmt_choice c);

#endif
