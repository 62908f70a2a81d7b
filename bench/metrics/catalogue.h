// SPDX-License-Identifier: Apache-2.0
/*
 * What one watched machine exposes: the families of a node exporter and of one application, as
 * tables. A family is the cross product of its dimensions; a histogram has one series a bucket and
 * two more. stream.c gives them life.
 */
#ifndef BENCH_CATALOGUE_H
#define BENCH_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

enum job { JOB_NODE, JOB_APP, JOB_N };

enum kind {
    CONSTANT,  /* base for ever */
    COUNTER,   /* whole steps of 10^-digits; starts again from 0 with its process */
    GAUGE,     /* a walk around base in steps of unit * 10^-digits */
    NOISE,     /* a gauge whose every bit is used */
    CLOCK,     /* the time of the scrape in seconds */
    STARTED,   /* when the process began, in seconds */
    HISTOGRAM, /* classic: le buckets, _sum, _count */
};

/* A label and its values: given, or the numbers 0..n-1; without both, the name of the machine. */
struct dim {
    const char *label;
    unsigned n;
    const char *const *values;
    double decay;           /* value i is 1/(i+1)^decay as busy as value 0 */
    const struct dim *with; /* another label of the same index, not a dimension of its own */
};

struct family {
    const char *name;
    enum kind kind;
    const struct dim *dims[3];
    double base;  /* where a gauge or constant stands */
    double rate;  /* COUNTER, HISTOGRAM: increments a scrape at its busiest; GAUGE: largest step */
    double often; /* share of the scrapes at which a gauge moves */
    double unit;  /* GAUGE: granularity in 10^-digits; 0: 1 */
    unsigned digits;
};

/* Bounds of the buckets of every histogram, without +Inf. */
enum { BUCKETS_N = 11 };
extern const double bucket_bounds[BUCKETS_N];
extern const char *const bucket_names[BUCKETS_N + 1];

struct families {
    const struct family *rows;
    size_t n;
};
extern const struct families catalogue[JOB_N];

/* Series of one family, and of all families of one instance. */
size_t family_series(const struct family *f);
size_t catalogue_series(void);

#endif
