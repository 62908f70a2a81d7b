// SPDX-License-Identifier: Apache-2.0
/*
 * How in-process metrics leave their collector: family by family, then samples of that family. The
 * receiver turns them into a scrape or into exposition text. Views only need to live during the
 * call.
 *
 *     emit_family(out, STR("node_load1"), METRIC_GAUGE, STR("1m load average."));
 *     emit_value(out, STR("node_load1"), NULL, 0, 0.42);
 */
#ifndef MODEL_EMIT_H
#define MODEL_EMIT_H

#include "model/labels.h"
#include "model/sample.h"

struct emit {
    void (*family)(struct emit *e, str name, enum metric_type type, str help);
    /* `name` is the family's, or that with _bucket, _sum, _count. Labels in the order in which the
     * exposition shows them, without __name__. */
    void (*sample)(struct emit *e, str name, const struct label *labels, size_t labels_n,
                   double value);
};

static inline void emit_family(struct emit *e, str name, enum metric_type type, str help)
{
    e->family(e, name, type, help);
}
static inline void emit_value(struct emit *e, str name, const struct label *labels, size_t labels_n,
                              double value)
{
    e->sample(e, name, labels, labels_n, value);
}

/* A place that has metrics: a set of collectors, this process. */
struct emitter {
    /* False with err when it could not tell all; what it could was emitted. */
    bool (*emit)(struct emitter *src, struct emit *out, struct err *err);
};

#endif
