// SPDX-License-Identifier: Apache-2.0
/*
 * A part of a stream as servers have it: its size by section, every bit back, what matchers find,
 * damage. NUNCHI_PART_SERIES=100000 makes it large and prints CPU times.
 */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "base/mem.h"
#include "base/test.h"
#include "sys/sim/sim.h"
#include "tsdb/index.h"
#include "tsdb/values.h"

static uint64_t state = 88172645463325252ULL;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dULL;
}

static double uniform(void)
{
    return (double)(rnd() >> 11) / 9007199254740992.0;
}

static double gauss(void)
{
    return sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform());
}

/* ---- rows and pages ---- */

static void check_row(const int64_t *x, size_t n)
{
    struct row_streams s = {0};
    int64_t *back = mem_array(n + 1, sizeof *back);
    row_encode(&s, x, n);
    row_encode(&s, x, n); /* a second one, so that the ends are seen */
    struct row_cursor c = {dec_of((bytes){s.ctl.p, s.ctl.n}), dec_of((bytes){s.low.p, s.low.n}),
                           dec_of((bytes){s.high.p, s.high.n})};
    row_skip(&c, n);
    row_decode(&c, back, n);
    assert_false(row_cursor_bad(&c));
    assert_int_equal(dec_left(&c.ctl) + dec_left(&c.low) + dec_left(&c.high), 0);
    assert_memory_equal(x, back, n * sizeof *x);
    free(back);
    row_streams_fini(&s);
}

static void test_rows(void **unused)
{
    static int64_t x[ROW_MAX];
    for (int round = 0; round < 3000; round++) {
        size_t n = round < 8 ? (size_t)round : 1 + rnd() % (round % 100 == 8 ? ROW_MAX : 90);
        unsigned bits = (unsigned)(rnd() % 65), jumps = (unsigned)(rnd() % 20);
        int64_t at = (int64_t)rnd() >> rnd() % 64, step = (int64_t)rnd() >> rnd() % 64;
        unsigned shift = rnd() % 3 ? 0 : (unsigned)(rnd() % 64);
        for (size_t i = 0; i < n; i++) {
            uint64_t noise = bits ? rnd() >> (64 - bits) : 0;
            if (jumps && rnd() % 20 < jumps / 4)
                noise = rnd();
            switch (round % 4) {
            case 0:
                x[i] = (int64_t)((uint64_t)at + noise);
                break;
            case 1:
                at = x[i] = (int64_t)((uint64_t)at + noise);
                break;
            case 2:
                step = (int64_t)((uint64_t)step + noise);
                at = x[i] = (int64_t)((uint64_t)at + (uint64_t)step);
                break;
            default:
                x[i] = at;
            }
            x[i] = (int64_t)((uint64_t)x[i] << shift);
        }
        check_row(x, n);
    }
}

/* ---- a stream ---- */

enum {
    SCRAPES = 300,
    INSTANCES = 50,
    FAMILIES_MAX = 4000,
};

enum shape { CONSTANT, IDLE, COUNTER, BYTES, SECONDS, DECIMAL, PAGED, NOISE };

/* Of a hundred families: 40 constant, 40 counters, 20 gauges, four of those noise. */
static enum shape shape_of(unsigned family)
{
    unsigned k = family * 37 % 100;
    if (k < 40)
        return CONSTANT;
    if (k < 60)
        return IDLE;
    if (k < 70)
        return COUNTER;
    if (k < 75)
        return BYTES;
    if (k < 80)
        return SECONDS;
    if (k < 88)
        return DECIMAL;
    return k < 96 ? PAGED : NOISE;
}

static void fill(enum shape shape, double *v)
{
    double x = floor(uniform() * 1e6), rate = exp(gauss()), level = exp(4 + gauss());
    for (int i = 0; i < SCRAPES; i++) {
        bool reset = rnd() % 3000 == 0;
        switch (shape) {
        case CONSTANT:
            v[i] = x;
            break;
        case IDLE:
            x = reset ? 0 : x + (rnd() % 50 == 0);
            v[i] = x;
            break;
        case COUNTER:
            x = reset ? 0 : x + floor(fmax(0, 30 * rate * (1 + .2 * gauss())));
            v[i] = x;
            break;
        case BYTES:
            x = reset ? 0 : x + floor(fmax(0, 1e5 * rate * (1 + .2 * gauss())));
            v[i] = x;
            break;
        case SECONDS:
            x += floor(fmax(0, rate * 300 * (1 + .1 * gauss())));
            v[i] = x / 100;
            break;
        case DECIMAL:
            level += gauss() * .1;
            v[i] = round(level * 10) / 10;
            break;
        case PAGED:
            x += floor(gauss() * 10);
            v[i] = fabs(x) * 4096;
            break;
        case NOISE:
            level *= 1 + .001 * gauss();
            v[i] = level;
        }
    }
}

struct stream {
    struct sim *sim;
    struct env env;
    struct arena arena;
    unsigned families;
    ts_ms t[INSTANCES][SCRAPES];
};

static void stream_init(struct stream *s, unsigned families)
{
    *s = (struct stream){.sim = sim_new(1), .families = families};
    s->env = sim_env(s->sim);
    arena_init(&s->arena, 0);
    for (int i = 0; i < INSTANCES; i++)
        for (int k = 0; k < SCRAPES; k++)
            s->t[i][k] =
                1700000000000 + i * 300 + k * 15000 + (rnd() % 20 ? 0 : (ts_ms)(rnd() % 1000));
}

static void stream_fini(struct stream *s)
{
    arena_fini(&s->arena);
    sim_free(s->sim);
}

/* Sorted by labels: family, then mode, then instance. */
static struct labels stream_labels(struct stream *s, unsigned family, unsigned mode, unsigned inst)
{
    struct label *l = arena_array(&s->arena, struct label, 5);
    l[0] = (struct label){LABEL_NAME, arena_printf(&s->arena, "app_subsystem_%05u_total", family)};
    l[1] = (struct label){STR("a_mode"), arena_printf(&s->arena, "m%u", mode)};
    l[2] = (struct label){STR("instance"),
                          arena_printf(&s->arena, "host-%02u.example.org:9100", inst)};
    l[3] = (struct label){STR("job"), STR("node")};
    l[4] = (struct label){STR("zone"), inst % 3 ? STR("eu-a") : STR("eu-b")};
    return (struct labels){l, 5};
}

enum { MODES = 4 };

typedef void (*series_fn)(void *arg, struct labels ls, const ts_ms *t, const double *v, size_t n);

static void each_series(struct stream *s, series_fn fn, void *arg)
{
    uint64_t seed = state;
    double v[SCRAPES];
    state = 7;
    for (unsigned f = 0; f < s->families; f++)
        for (unsigned m = 0; m < MODES; m++)
            for (unsigned i = 0; i < INSTANCES; i++) {
                fill(shape_of(f), v);
                if (f % 16 == 5)
                    v[SCRAPES - 1] = stale_nan();
                fn(arg, stream_labels(s, f, m, i), s->t[i], v, f % 16 == 6 ? SCRAPES - 7 : SCRAPES);
                arena_reset(&s->arena);
            }
    state = seed;
}

static void add_series(void *arg, struct labels ls, const ts_ms *t, const double *v, size_t n)
{
    index_writer_series(arg, ls, t, v, n);
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct part *write_stream(struct stream *s)
{
    struct err err = {0};
    struct part_info info = {.id = 1};
    uint64_t size;
    assert_true(s->env.disk->ops->mkdir(s->env.disk, STR("p"), &err));
    struct part_writer *w = part_writer_open(s->env.disk, STR("p"), 1, &err);
    assert_non_null(w);
    struct index_writer *x = index_writer_new(w);
    each_series(s, add_series, x);
    assert_true(index_writer_finish(x, &info, &size, &err));
    struct blob *b = blob_file_open(s->env.disk, STR("p/0000000000000001.part"), &err);
    struct part *p = part_open(b, &err);
    assert_non_null(p);
    return p;
}

struct check {
    struct index *x;
    struct page_cache *pages;
    struct arena arena;
    uint32_t id;
    double ns;
    uint64_t samples;
};

static void check_series(void *arg, struct labels ls, const ts_ms *t, const double *v, size_t n)
{
    struct check *c = arg;
    struct err err = {0};
    struct gather g = gather_of(&c->arena, INT64_MIN, INT64_MAX), *out = &g;
    double start = cpu_ns();
    bool ok = index_read(c->x, c->pages, &c->id, 1, &out, &err);
    c->ns += cpu_ns() - start;
    assert_true(ok && g.n == n);
    assert_memory_equal(g.t, t, n * sizeof *t);
    if (memcmp(g.v, v, n * sizeof *v) != 0)
        fail_msg("series %u differs", c->id);
    assert_true(labels_eq(index_labels(c->x, c->id, &c->arena), ls));
    g = gather_of(&c->arena, t[n / 3], t[n / 2]); /* a range inside */
    assert_true(index_read(c->x, c->pages, &c->id, 1, &out, &err));
    assert_int_equal(g.n, n / 2 - n / 3 + 1);
    assert_memory_equal(g.t, t + n / 3, g.n * sizeof *t);
    assert_memory_equal(g.v, v + n / 3, g.n * sizeof *v);
    c->samples += n;
    c->id++;
    arena_reset(&c->arena);
}

/* What matchers find, against asking each series; prints what it took. */
static void check_matchers(struct index *x, bool is_timed)
{
    static const struct {
        enum match_op op;
        const char *name, *value;
    } rows[] = {
        {MATCH_EQ, "instance", "host-07.example.org:9100"},
        {MATCH_NE, "zone", "eu-a"},
        {MATCH_RE, "__name__", "app_subsystem_0000[13].*"},
        {MATCH_EQ, "__name__", "app_subsystem_00002_total"},
        {MATCH_RE, "a_mode", "m1|m3"},
        {MATCH_NRE, "instance", "host-.*"},
        {MATCH_EQ, "nothing", ""},
        {MATCH_EQ, "job", "nothing"},
        {MATCH_NE, "job", ""},
    };
    enum { N = sizeof rows / sizeof *rows };
    struct matcher m[N];
    struct arena a ARENA_CLEANUP, b ARENA_CLEANUP;
    struct err err;
    arena_init(&a, 0);
    arena_init(&b, 0);
    for (size_t i = 0; i < N; i++)
        assert_true(matcher_init(&m[i], rows[i].op, str_from_z(rows[i].name),
                                 str_from_z(rows[i].value), &err));
    for (size_t i = 0; i < N; i++)
        for (size_t n = 1; n <= 3 && i + n <= N; n++) {
            struct id_list ids;
            double start = cpu_ns();
            index_match(x, &m[i], n, &a, &ids);
            if (is_timed && n == 1)
                print_message("# {%s} %s: %zu series, %.3f ms\n", rows[i].name, rows[i].value,
                              ids.n, (cpu_ns() - start) / 1e6);
            size_t k = 0;
            for (uint32_t id = 0; id < index_series_n(x); id++, arena_reset(&b)) {
                struct labels ls = index_labels(x, id, &b);
                bool all = true;
                for (size_t j = i; j < i + n; j++)
                    all = all && matcher_test(&m[j], labels_get(ls, m[j].name));
                assert_int_equal(all, k < ids.n && ids.at[k] == id);
                k += all;
            }
            assert_int_equal(k, ids.n);
            arena_reset(&a);
        }
    for (size_t i = 0; i < N; i++)
        matcher_fini(&m[i]);
}

static void print_sizes(struct part *p, double samples)
{
    const struct part_section *s;
    size_t n = part_sections(p, &s);
    for (size_t i = 0; i < n; i++)
        print_message("# %-9s %9" PRIu64 " bytes, %.4f a sample\n", s[i].name, s[i].n,
                      (double)s[i].n / samples);
    print_message("# together  %9" PRIu64 " bytes, %.4f a sample\n", part_blob(p)->size,
                  (double)part_blob(p)->size / samples);
}

static void test_stream(void **unused)
{
    const char *wanted = getenv("NUNCHI_PART_SERIES");
    unsigned families = wanted ? (unsigned)strtoul(wanted, NULL, 10) / (MODES * INSTANCES) : 25;
    struct stream s;
    struct err err = {0};
    stream_init(&s, families > FAMILIES_MAX ? FAMILIES_MAX : families);
    struct part *p = write_stream(&s);
    double start = cpu_ns();
    struct check c = {.x = index_load(p, &err), .pages = page_cache_new(4 << 20)};
    double load = cpu_ns() - start;
    assert_non_null(c.x);
    arena_init(&c.arena, 0);
    each_series(&s, check_series, &c);
    assert_int_equal(c.id, index_series_n(c.x));
    check_matchers(c.x, wanted);
    print_sizes(p, (double)c.samples);
    if (wanted)
        print_message("# load %.1f ms, %zu bytes of memory a series; read %.2f ns a sample\n",
                      load / 1e6, index_bytes(c.x) / c.id, c.ns / (double)c.samples);
    const struct part_section *values = part_section(p, "values");
    double rest = (double)(part_blob(p)->size - values->n) / (double)c.samples;
    assert_true(rest < .02); /* times, labels and directory */
    arena_fini(&c.arena);
    index_free(c.x);
    page_cache_free(c.pages);
    part_close(p);
    stream_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
