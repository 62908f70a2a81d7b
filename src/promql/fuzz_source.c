// SPDX-License-Identifier: Apache-2.0
#include "promql/fuzz_source.h"

#include <math.h>

#include "model/histogram_math.h"

enum { SAMPLES = 20, STEP_MS = 30000 };

static void add_floats(struct mem_source *m, const char *name, const char *label, const char *value,
                       int k)
{
    struct label ls[] = {{LABEL_NAME, str_from_z(name)}, {str_from_z(label), str_from_z(value)}};
    for (int i = 0; i < SAMPLES; i++) {
        struct mem_sample s = {.t = i * STEP_MS, .v = (i * (k + 1)) % 17};
        if (i == 11)
            s.v = stale_nan();
        if (i > 12)
            s.start = 12 * STEP_MS + 1000;
        mem_source_add(m, (struct labels){ls, 2}, &s);
    }
}

static void add_histograms(struct mem_source *m, const char *job, const char *first,
                           const char *step, int gap)
{
    struct label ls[] = {{LABEL_NAME, STR("nh")}, {STR("job"), str_from_z(job)}};
    struct histogram_work w = {0};
    struct histogram h, g;
    struct err err;
    bool hint;
    struct arena a;
    arena_init(&a, 0);
    if (histogram_parse(str_from_z(first), &a, &h, &hint, &err) &&
        histogram_parse(str_from_z(step), &a, &g, &hint, &err)) {
        histogram_work_set(&w, &h);
        for (int i = 0; i < SAMPLES; i++) {
            unsigned flags = 0;
            struct mem_sample s = {.t = i * STEP_MS, .h = histogram_work_freeze(&w, &a)};
            if (i == gap)
                s = (struct mem_sample){.t = i * STEP_MS, .v = i % 2 ? 7 : stale_nan()};
            mem_source_add(m, (struct labels){ls, 2}, &s);
            histogram_work_add(&w, i == 13 ? &h : &g, i == 13 ? -1 : 1, &flags);
        }
    }
    histogram_work_fini(&w);
    arena_fini(&a);
}

static void add_info(struct mem_source *m, const char *job, const char *version)
{
    struct label ls[] = {{LABEL_NAME, STR("target_info")},
                         {STR("job"), str_from_z(job)},
                         {STR("version"), str_from_z(version)}};
    for (int i = 0; i < SAMPLES; i++)
        mem_source_add(m, (struct labels){ls, 3}, &(struct mem_sample){.t = i * STEP_MS, .v = 1});
}

/* Every kind of float at uneven times, with a gap that no lookback bridges, and late to begin. */
static void add_odd(struct mem_source *m, const char *job, int k)
{
    static const double values[] = {0,      -0.0, 1,     NAN, INFINITY, -INFINITY, 1e300,
                                    5e-324, -7,   0.125, 2,   9,        1e17,      3};
    struct label ls[] = {{LABEL_NAME, STR("odd_total")}, {STR("job"), str_from_z(job)}};
    for (int i = k; i < (int)(sizeof values / sizeof *values); i++) {
        struct mem_sample s = {.t = i * 7001 + (i > 8 ? 360000 : 0) + k, .v = values[i]};
        mem_source_add(m, (struct labels){ls, 2}, &s);
    }
}

/* There, gone, there again: a float, a marker, a native histogram, a marker. */
static void add_flicker(struct mem_source *m, const char *job, int k)
{
    struct label ls[] = {{LABEL_NAME, STR("flicker")}, {STR("job"), str_from_z(job)}};
    struct histogram h;
    struct err err;
    bool hint;
    struct arena a;
    arena_init(&a, 0);
    if (histogram_parse(STR("{{count:4 sum:5 buckets:[1 2 1]}}"), &a, &h, &hint, &err))
        for (int i = 0; i < 2 * SAMPLES; i++) {
            struct mem_sample s = {.t = i * STEP_MS / 2 + k, .v = i + k};
            if ((i + k) % 3 == 1)
                s.v = stale_nan();
            else if ((i + k) % 6 == 2)
                s.h = &h;
            mem_source_add(m, (struct labels){ls, 2}, &s);
        }
    arena_fini(&a);
}

struct mem_source *promql_fuzz_source(void)
{
    static const char *const jobs[] = {"x", "y", "z"}, *const bounds[] = {"0.1", "1", "+Inf"};
    static struct mem_source *m;
    if (m)
        return m;
    m = mem_source_new();
    for (int k = 0; k < 3; k++) {
        add_floats(m, "a", "job", jobs[k], k);
        add_floats(m, "b", "job", jobs[k], k + 3);
        add_floats(m, "c_total", "job", jobs[k], k + 5);
        add_floats(m, "h_bucket", "le", bounds[k], k);
        add_odd(m, jobs[k], k);
        add_flicker(m, jobs[k], k);
    }
    add_histograms(m, "x", "{{count:3 sum:2 z_bucket:1 z_bucket_w:0.01 buckets:[1 1]}}",
                   "{{count:2 sum:3 offset:1 buckets:[1 1]}}", 9);
    add_histograms(m, "y", "{{schema:2 count:2 sum:-1 n_offset:-2 n_buckets:[1] buckets:[1]}}",
                   "{{schema:1 count:1 sum:1 offset:3 buckets:[1]}}", 10);
    add_histograms(m, "z", "{{schema:-53 count:3 sum:4 custom_values:[1 2] buckets:[1 1 1]}}",
                   "{{schema:-53 count:1 sum:1 custom_values:[1 2] offset:1 buckets:[1]}}", 19);
    add_histograms(m, "g", "{{count:1 sum:1 counter_reset_hint:gauge buckets:[1]}}",
                   "{{count:1 sum:1 counter_reset_hint:gauge buckets:[1]}}", -1);
    add_info(m, "x", "1");
    add_info(m, "y", "2");
    return m;
}

enum { BORDERS_MAX = 300 };

static int64_t count_asked(void *clock)
{
    (void)clock;
    static _Thread_local int64_t asked;
    return ++asked;
}

struct budget promql_fuzz_budget(uint64_t samples_max, size_t memory_max_bytes)
{
    return (struct budget){.samples_max = samples_max,
                           .memory = {.max_bytes = memory_max_bytes},
                           .mono_ns = count_asked,
                           .deadline_mono_ns = count_asked(NULL) + BORDERS_MAX};
}
