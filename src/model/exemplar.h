// SPDX-License-Identifier: Apache-2.0
/* An example of what a sample counted, mostly with a trace's id among its labels. */
#ifndef MODEL_EXEMPLAR_H
#define MODEL_EXEMPLAR_H

#include "model/labels.h"

struct exemplar {
    struct labels labels;
    ts_ms t;
    double v;
};

/* Those of one series, oldest first. */
struct exemplar_series {
    struct labels labels;
    const struct exemplar *at;
    size_t n;
};

/* Matchers that must all match; of several sets one is enough. */
struct matcher;
struct matcher_set {
    const struct matcher *m;
    size_t n;
};

/* Characters of names and values together, as OpenMetrics says. */
enum { EXEMPLAR_CHARACTERS_MAX = 128 };

#endif
