// SPDX-License-Identifier: Apache-2.0
/*
 * Reader of the metrics exposition formats: Prometheus text 0.0.4 and 1.0.0 (quoted UTF-8 names)
 * and OpenMetrics 0.0.1 and 1.0.0. It accepts what the parsers of Prometheus 3 accept.
 *
 * Pull, over a whole body in memory, without allocating:
 *
 *     struct expfmt p;
 *     expfmt_init(&p, format, body);
 *     for (;;) {
 *         switch (expfmt_next(&p, &err)) {
 *         case EXPFMT_SAMPLE: series = known(p.series); if (!series) expfmt_labels(&p, arena, ...);
 *
 * `series` is the text `name{...}` exactly as it came: a cache key. A scrape repeats nearly all of
 * its series, so the names and labels inside are only looked at by `expfmt_labels`, which is called
 * for keys the caller does not know yet; what is wrong inside is found then. Everything else of a
 * line (value, timestamp, exemplar, metadata) is checked by `expfmt_next`.
 *
 * All views point into the body, which must outlive them. Owned by one thread. The size of the body
 * is bounded by the caller; nothing here is larger than the body.
 */
#ifndef FORMAT_EXPFMT_H
#define FORMAT_EXPFMT_H

#include "base/arena.h"
#include "base/err.h"
#include "model/exemplar.h"
#include "model/labels.h"
#include "model/sample.h"

enum expfmt_format {
    EXPFMT_TEXT_0_0_4,
    EXPFMT_TEXT_1_0_0,
    EXPFMT_OPENMETRICS_0_0_1,
    EXPFMT_OPENMETRICS_1_0_0,
    EXPFMT_PROTOBUF, /* read by expfmt_proto.h, not by this */
    EXPFMT_FORMATS,
};

static inline bool expfmt_is_openmetrics(enum expfmt_format f)
{
    return f == EXPFMT_OPENMETRICS_0_0_1 || f == EXPFMT_OPENMETRICS_1_0_0;
}

/* More labels than this in one series are refused. */
enum { EXPFMT_LABELS_MAX = 1024 };

enum expfmt_event {
    EXPFMT_ERROR, /* err says what, with line and column in the body; the parser stays there */
    EXPFMT_END,
    EXPFMT_TYPE, /* family, type */
    EXPFMT_HELP, /* family, text: still escaped, see expfmt_help */
    EXPFMT_UNIT, /* family, text */
    EXPFMT_SAMPLE,
};

struct expfmt {
    str body;
    bool openmetrics;
    const char *at, *end;

    /* Set by expfmt_next; which of them is said at the events. */
    str family; /* still escaped when it came in quotes, see expfmt_family */
    str text;
    enum metric_type type; /* of the last TYPE line: samples below it are read in its light */
    str series;            /* name{...} as it came */
    double value;          /* any NaN is the ordinary one */
    bool has_t;
    ts_ms t;      /* as the exposition says, in milliseconds whatever the format */
    str exemplar; /* `{...} value [time]` as it came and valid; empty: none */
};

void expfmt_init(struct expfmt *p, enum expfmt_format f, str body);
enum expfmt_event expfmt_next(struct expfmt *p, struct err *err);

/*
 * The labels of the sample at hand, sorted, __name__ included, without empty values. Text is in the
 * body but for values with escapes, and for the `le` of histograms and the `quantile` of summaries,
 * which are written as OpenMetrics does ("1" is "1.0"): those and the array are in the arena.
 */
bool expfmt_labels(const struct expfmt *p, struct arena *a, struct labels *out, struct err *err);

/* The exemplar of the sample at hand; false: there is none. Labels sorted; text in the body or the
 * arena. */
bool expfmt_exemplar(const struct expfmt *p, struct arena *a, struct exemplar *out, bool *has_t);

/* Family and text of a HELP line with their escapes resolved; in the body when there are none. */
str expfmt_family(const struct expfmt *p, struct arena *a);
str expfmt_help(const struct expfmt *p, struct arena *a);

#endif
