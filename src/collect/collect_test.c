// SPDX-License-Identifier: Apache-2.0
/*
 * The collectors on a small host of our own making (tests/collect/fixtures), against the exposition
 * that node_exporter gives for such a host; the readers on text that makes no sense; and mounts
 * that do not answer.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/num.h"
#include "collect/collect_int.h"
#include "sys/host.h"
#include "sys/sim/sim.h"

/* ---- an emitter that writes down what it gets ---- */

struct recorder {
    struct emit base;
    struct strbuf out;
    str family;
    bool bad; /* a sample outside its family, or labels out of order */
};

static void record_family(struct emit *e, str name, enum metric_type type, str help)
{
    struct recorder *r = (struct recorder *)e;
    static _Thread_local char family[256];
    snprintf(family, sizeof family, "%.*s", STR_ARG(name));
    r->family = str_from_z(family);
    strbuf_addf(&r->out, "# HELP %.*s %.*s\n", STR_ARG(name), STR_ARG(help));
    strbuf_addf(&r->out, "# TYPE %.*s %.*s\n", STR_ARG(name), STR_ARG(metric_type_name(type)));
}

static void record_sample(struct emit *e, str name, const struct label *l, size_t n, double v)
{
    struct recorder *r = (struct recorder *)e;
    char number[F64_TEXT_MAX];
    r->bad |= !str_eq(name, r->family);
    strbuf_add(&r->out, name);
    for (size_t i = 0; i < n; i++) {
        r->bad |= i && str_cmp(l[i - 1].name, l[i].name) >= 0;
        strbuf_addf(&r->out, "%s%.*s=\"%.*s\"", i ? "," : "{", STR_ARG(l[i].name),
                    STR_ARG(l[i].value));
    }
    f64_format_g(v, number);
    strbuf_addf(&r->out, "%s %s\n", n ? "}" : "", number);
}

static struct recorder recorder_make(void)
{
    return (struct recorder){.base = {record_family, record_sample}};
}

/* ---- the fixture ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int gate_calls, gate_left;

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate);
    gate_open = open;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate);
}

/* "/mnt/dead" hangs while the gate is shut; "/run" fails. */
static int fake_statfs(const char *path, struct host_fs *fs)
{
    str p = str_from_z(path);
    if (str_ends(p, STR("/run")))
        return EACCES;
    if (str_ends(p, STR("/mnt/dead"))) {
        pthread_mutex_lock(&gate);
        gate_calls++;
        while (!gate_open)
            pthread_cond_wait(&gate_changed, &gate);
        gate_left++;
        pthread_cond_broadcast(&gate_changed);
        pthread_mutex_unlock(&gate);
    }
    *fs = (struct host_fs){4096, 1000, 500, 400, 100, 90};
    return 0;
}

struct fixture {
    struct strbuf procfs, sysfs, rootfs, udev;
    struct sim *sim;
    struct collect_options o;
};

static void fixture_init(struct fixture *f)
{
    const char *source = getenv("NUNCHI_SOURCE");
    *f = (struct fixture){.sim = sim_new(1)};
    source = source ? source : ".";
    strbuf_addf(&f->procfs, "%s/tests/collect/fixtures/proc", source);
    strbuf_addf(&f->sysfs, "%s/tests/collect/fixtures/sys", source);
    strbuf_addf(&f->rootfs, "%s/tests/collect/fixtures/root/", source);
    strbuf_addf(&f->udev, "%s/tests/collect/fixtures/udev", source);
    f->o = (struct collect_options){.procfs = f->procfs.p,
                                    .sysfs = f->sysfs.p,
                                    .rootfs = f->rootfs.p,
                                    .udev = f->udev.p,
                                    .clock = sim_env(f->sim).clock,
                                    .statfs = fake_statfs};
    gate_open = true;
    gate_calls = gate_left = 0;
    setenv("TZ", "UTC", 1);
}

static void fixture_fini(struct fixture *f)
{
    strbuf_fini(&f->procfs);
    strbuf_fini(&f->sysfs);
    strbuf_fini(&f->rootfs);
    strbuf_fini(&f->udev);
    sim_free(f->sim);
}

static bool collect_text(struct emitter *e, struct strbuf *out, struct err *err)
{
    struct recorder r = recorder_make();
    bool ok = e->emit(e, &r.base, err);
    assert_false(r.bad);
    *out = r.out;
    return ok;
}

/* uname is the machine's own; everything else is fixed by the fixture. */
static void test_exposition(void **state)
{
    struct fixture f;
    fixture_init(&f);
    STRBUF_CLEANUP struct strbuf got = {0}, want = {0}, path = {0};
    struct err err = {0};
    static const str names[] = {STR_INIT("cpu"),        STR_INIT("diskstats"), STR_INIT("filefd"),
                                STR_INIT("filesystem"), STR_INIT("loadavg"),   STR_INIT("meminfo"),
                                STR_INIT("netdev"),     STR_INIT("pressure"),  STR_INIT("stat"),
                                STR_INIT("time"),       STR_INIT("vmstat")};
    f.o.enabled = names;
    f.o.enabled_n = sizeof names / sizeof *names;
    struct emitter *e = collect_new(&f.o, &err);
    assert_non_null(e);
    assert_true(collect_text(e, &got, &err));
    strbuf_addf(&path, "%.*s/../expected.txt", (int)(f.udev.n - 5), f.udev.p);
    if (getenv("NUNCHI_WRITE_EXPECTED")) {
        FILE *out = fopen(path.p, "w");
        assert_non_null(out);
        fwrite(got.p, 1, got.n, out);
        fclose(out);
    }
    assert_true(host_read(&want, path.p, 1 << 20, &err));
    assert_string_equal(got.p, want.p);
    collect_free(e);
    fixture_fini(&f);
}

static void test_real_host(void **state)
{
    struct err err = {0};
    struct emitter *e = collect_new(&(struct collect_options){0}, &err);
    STRBUF_CLEANUP struct strbuf a = {0}, b = {0};
    assert_non_null(e);
    /* A container may lack a file; what is there must make sense, twice. */
    (void)collect_text(e, &a, &err);
    (void)collect_text(e, &b, &err);
    static const char *const must[] = {"node_cpu_seconds_total{cpu=\"",
                                       "node_memory_MemTotal_bytes ",
                                       "node_uname_info{domainname=", "node_load1 ",
                                       "node_scrape_collector_success{collector=\"cpu\"} 1"};
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        assert_non_null(strstr(b.p, must[i]));
    assert_null(strstr(b.p, "node_exporter_build_info"));
    collect_free(e);
}

static void test_names(void **state)
{
    struct err err = {0};
    str one = STR("netdevs");
    assert_null(collect_new(&(struct collect_options){.enabled = &one, .enabled_n = 1}, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.hint, "did you mean \"netdev\"?");
    one = STR("loadavg");
    struct emitter *e =
        collect_new(&(struct collect_options){.enabled = &one, .enabled_n = 1}, &err);
    STRBUF_CLEANUP struct strbuf out = {0};
    assert_true(collect_text(e, &out, &err));
    assert_non_null(strstr(out.p, "node_load15 "));
    assert_null(strstr(out.p, "node_cpu"));
    collect_free(e);
    collect_free(NULL);
    const str *names;
    assert_int_equal(collect_names(&names), 12);
}

static void test_missing_files(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct err err = {0};
    f.o.procfs = "/nowhere";
    struct emitter *e = collect_new(&f.o, &err);
    STRBUF_CLEANUP struct strbuf out = {0};
    assert_true(collect_text(e, &out, &err)); /* no data is no error, but it is told */
    assert_non_null(strstr(out.p, "node_scrape_collector_success{collector=\"cpu\"} 0\n"));
    assert_non_null(strstr(out.p, "node_scrape_collector_success{collector=\"uname\"} 1\n"));
    collect_free(e);
    fixture_fini(&f);
}

static const char answers_again[] =
    "node_filesystem_device_error{device=\"server:/share\",device_error=\"\",fstype=\"nfs4\","
    "mountpoint=\"/mnt/dead\"} 0\n";
static const char is_dead[] =
    "node_filesystem_device_error{device=\"server:/share\",device_error=\"mountpoint timeout\","
    "fstype=\"nfs4\",mountpoint=\"/mnt/dead\"} 1\n";

static void assert_dead(struct emitter *e, bool dead)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    struct err err = {0};
    assert_true(collect_text(e, &out, &err));
    assert_non_null(strstr(out.p, dead ? is_dead : answers_again));
    /* The mount behind the dead one in the list is answered all the same. */
    assert_non_null(strstr(out.p, "node_filesystem_size_bytes{device=\"second\""));
    assert_int_equal(strstr(out.p, "node_filesystem_size_bytes{device=\"server:/share\"") != NULL,
                     !dead);
}

static void test_stuck_mount(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct err err = {0};
    str one = STR("filesystem");
    f.o.enabled = &one;
    f.o.enabled_n = 1;
    f.o.statfs_timeout_ms = 1000; /* spent once, in full, by the dead mount */
    gate_set(false);
    struct emitter *e = collect_new(&f.o, &err);
    assert_dead(e, true);
    for (int i = 0; i < 5; i++)
        assert_dead(e, true);
    gate_set(true);
    pthread_mutex_lock(&gate);
    assert_int_equal(gate_calls, 1); /* remembered, not asked again */
    while (!gate_left)
        pthread_cond_wait(&gate_changed, &gate);
    pthread_mutex_unlock(&gate);
    /* Its thread is on its way out; until then the mount counts as stuck. */
    for (bool back = false; !back;) {
        STRBUF_CLEANUP struct strbuf out = {0};
        assert_true(collect_text(e, &out, &err));
        back = strstr(out.p, answers_again) != NULL;
    }
    assert_dead(e, false);
    collect_free(e);
    fixture_fini(&f);
}

/* Counters that step back are held; a CPU that comes back begins anew. */
static void test_falling_counters(void **state)
{
    char dir[] = "/tmp/nunchi-collect-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/stat", dir);
    static const struct {
        const char *text, *idle, *iowait;
    } rows[] = {
        {"cpu0 1 1 1 1000 50 0 0 0 0 0\n", "10", "0.5"},
        {"cpu0 1 1 1 1100 40 0 0 0 0 0\n", "11", "0.5"},
        {"cpu0 1 1 1 1000 60 0 0 0 0 0\n", "11", "0.6"},
        {"cpu0 1 1 1 100 7 0 0 0 0 0\n", "1", "0.07"},
    };
    str one = STR("cpu");
    struct err err = {0};
    struct emitter *e = collect_new(
        &(struct collect_options){.procfs = dir, .sysfs = dir, .enabled = &one, .enabled_n = 1},
        &err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        STRBUF_CLEANUP struct strbuf out = {0}, want = {0};
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(rows[i].text, file);
        fclose(file);
        assert_true(collect_text(e, &out, &err));
        strbuf_addf(&want, "mode=\"idle\"} %s\n", rows[i].idle);
        assert_non_null(strstr(out.p, want.p));
        strbuf_clear(&want);
        strbuf_addf(&want, "mode=\"iowait\"} %s\n", rows[i].iowait);
        assert_non_null(strstr(out.p, want.p));
    }
    collect_free(e);
    remove(path);
    remove(dir);
}

#define PARSE(call) static bool try_##call(str t, struct arena *a, struct err *err)

PARSE(cpus)
{
    struct cpu_times *v;
    size_t n;
    return parse_stat_cpus(t, a, &v, &n, err);
}
PARSE(totals)
{
    struct stat_totals v;
    return parse_stat_totals(t, &v, err);
}
PARSE(meminfo)
{
    struct named_value *v;
    size_t n;
    return parse_meminfo(t, a, &v, &n, err);
}
PARSE(vmstat)
{
    struct named_value *v;
    size_t n;
    return parse_vmstat(t, a, &v, &n, err);
}
PARSE(diskstats)
{
    struct disk_line *v;
    size_t n;
    return parse_diskstats(t, a, &v, &n, err);
}
PARSE(netdev)
{
    struct netdev_line *v;
    size_t n;
    return parse_netdev(t, a, &v, &n, err);
}
PARSE(pressure)
{
    struct pressure_totals v;
    return parse_pressure(t, &v, err);
}
PARSE(mounts)
{
    struct mount *v;
    size_t n;
    return parse_mountinfo(t, a, &v, &n, err);
}

static void test_nonsense(void **state)
{
    static const struct {
        bool (*parse)(str t, struct arena *a, struct err *err);
        const char *text;
        bool ok;
    } rows[] = {
        {try_cpus, "", false},
        {try_cpus, "cpu 1 2 3 4\n", false},
        {try_cpus, "cpu0 1 2 3\n", false},
        {try_cpus, "cpu0 1 2 3 4\n", true},
        {try_cpus, "cpux 1 2 3 4\n", false},
        {try_cpus, "cpu0 1 2 3 -4\n", false},
        {try_totals, "ctxt\n", false},
        {try_totals, "", true},
        {try_meminfo, "MemTotal: 1 kB\n\n", true},
        {try_meminfo, "MemTotal 1 kB\n", false},
        {try_meminfo, "MemTotal: x kB\n", false},
        {try_meminfo, "MemTotal: 1 MB\n", false},
        {try_meminfo, "Mem-Total: 1 kB\n", false},
        {try_meminfo, "A(: 1 kB\n", false},
        {try_vmstat, "pgfault x\n", false},
        {try_vmstat, "nr_x x\n", true},
        {try_diskstats, "8 0 sda 1 2 3\n", false},
        {try_diskstats, "8 0\n", false},
        {try_diskstats, "8 0 sda 1 2 3 4 5 6 7 8 9 10 11", true},
        {try_netdev, "eth0: 1 2 3\n", false},
        {try_netdev, ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", false},
        {try_netdev, "a: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 99999999999999999999\n", false},
        {try_pressure, "", false},
        {try_pressure, "some avg10=0\n", false},
        {try_pressure, "some total=1\n", true},
        {try_mounts, "1 2 3 / / rw - ext4 /dev/sda\n", true},
        {try_mounts, "1 2 3 / / rw ext4 /dev/sda\n", false},
        {try_mounts, "1 2 3 / nowhere rw - ext4 /dev/sda rw\n", false},
        {try_mounts, "1 2 3 / /a\\000b rw - ext4 /dev/sda rw\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_CLEANUP struct arena a;
        struct err err = {0};
        arena_init(&a, 0);
        bool ok = rows[i].parse(str_from_z(rows[i].text), &a, &err);
        if (ok != rows[i].ok)
            print_message("# row %zu: %s\n", i, rows[i].text);
        assert_int_equal(ok, rows[i].ok);
        assert_int_equal(err.kind, ok ? ERR_NONE : ERR_CORRUPT);
    }
}

static void test_disk_names(void **state)
{
    static const char *const out[] = {"ram0", "zram0", "loop12", "fd0",       "sda1",       "hdb2",
                                      "vdc3", "xvda1", "sdz9",   "nvme0n1p1", "nvme10n2p15"};
    static const char *const in[] = {"sda",  "vda",      "nvme0n1", "dm-0",      "zram",
                                     "md0",  "sdaa1",    "sda1x",   "mmcblk0p1", "ram",
                                     "loop", "nvme0n1p", "sr0",     "nvme0"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_true(disk_excluded(str_from_z(out[i])));
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_false(disk_excluded(str_from_z(in[i])));
}

static void test_self(void **state)
{
    struct emitter *e = collect_self_new();
    struct err err = {0};
    STRBUF_CLEANUP struct strbuf out = {0};
    assert_true(collect_text(e, &out, &err));
    static const char *const must[] = {"nunchi_build_info{version=\"" NUNCHI_VERSION "\"} 1\n",
                                       "process_cpu_seconds_total ",
                                       "process_resident_memory_bytes ",
                                       "process_start_time_seconds ",
                                       "process_virtual_memory_bytes ",
                                       "process_virtual_memory_max_bytes ",
                                       "process_max_fds ",
                                       "process_open_fds ",
                                       "nunchi_diag_messages_total{level=\"warn\"} ",
                                       "nunchi_collect_errors_total "};
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        assert_non_null(strstr(out.p, must[i]));
    double start = strtod(strstr(out.p, "\nprocess_start_time_seconds ") + 28, NULL);
    assert_true(start > 1e9 && start <= (double)time(NULL) + 60);
    collect_self_free(e);
    collect_self_free(NULL);
}

static void *emit_again(void *emitter)
{
    for (int i = 0; i < 200; i++) {
        STRBUF_CLEANUP struct strbuf out = {0};
        struct err err = {0};
        if (!collect_text(emitter, &out, &err) || !strstr(out.p, "\nprocess_open_fds "))
            return emitter;
    }
    return NULL;
}

/* The server's watch of itself and clients of /metrics meet. */
static void test_self_by_several(void **state)
{
    struct emitter *e = collect_self_new();
    pthread_t threads[4];
    void *wrong = NULL, *one;
    (void)state;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, emit_again, e), 0);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        pthread_join(threads[i], &one);
        wrong = one ? one : wrong;
    }
    assert_null(wrong);
    collect_self_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposition),  cmocka_unit_test(test_real_host),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_stuck_mount), cmocka_unit_test(test_falling_counters),
        cmocka_unit_test(test_nonsense),    cmocka_unit_test(test_disk_names),
        cmocka_unit_test(test_self),        cmocka_unit_test(test_self_by_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
