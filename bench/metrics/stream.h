// SPDX-License-Identifier: Apache-2.0
/*
 * The stream that all servers under measurement get: instances with two scrape targets each, a node
 * exporter and an application (catalogue.h), scraped again and again. The same options give the
 * same samples, whatever machine makes them.
 *
 * As in life: targets are spread over the interval; one scrape in twenty comes up to a second early
 * or late, some in a row; all samples of a scrape share its time; series of one family differ in
 * size and phase; processes end now and then and their counters start from 0. With `churn`, a share
 * of the instances is replaced each hour by new ones with new labels, after a staleness marker for
 * each old series.
 *
 * Times are even milliseconds, so a query at an odd one never meets a sample on the border of its
 * window.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_options {
    uint32_t series; /* at once */
    uint32_t scrapes;
    uint32_t interval_ms;
    int64_t end_ms; /* no sample is later */
    double churn;   /* share of the instances replaced each hour */
};

struct stream;

struct stream *stream_new(const struct stream_options *o);
void stream_free(struct stream *s);

struct stream_sample {
    uint32_t series;       /* 0 to options.series - 1: a place, which churn gives new labels */
    const uint8_t *labels; /* as they stand in a remote write TimeSeries, sorted by name */
    uint32_t labels_n;
    int64_t t_ms;
    double v;
};

/* Every sample, in order of scrapes. */
void stream_run(struct stream *s, void (*take)(void *arg, const struct stream_sample *), void *arg);

/* How many series of each kind there are, and how many label sets were made so far. */
void stream_describe(const struct stream *s);

#endif
