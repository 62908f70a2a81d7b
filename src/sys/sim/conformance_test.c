// SPDX-License-Identifier: Apache-2.0
/* One table of what env.h promises, run on the system's disk and on the simulated one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sys/disk_int.h"
#include "sys/sim/sim.h"
#include "sys/test_dir.h"

enum { RW_NEW = DISK_READ | DISK_WRITE | DISK_CREATE };

/* Fails the test when `expr` is not the wanted kind of error (ERR_NONE: success). */
#define EXPECT(want, expr)                                                                         \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        bool ok_ = (expr);                                                                         \
        assert_int_equal(ok_ ? ERR_NONE : err.kind, want);                                         \
        assert_int_equal(ok_, err.kind == ERR_NONE);                                               \
    } while (0)

static struct disk_file *open_ok(struct disk *d, const char *path, int flags)
{
    struct err err = {0};
    struct disk_file *f = d->ops->open(d, str_from_z(path), flags, &err);
    assert_non_null(f);
    return f;
}

static enum err_kind open_kind(struct disk *d, const char *path, int flags)
{
    struct err err = {0};
    struct disk_file *f = d->ops->open(d, str_from_z(path), flags, &err);
    d->ops->close(f);
    assert_int_equal(f != NULL, err.kind == ERR_NONE);
    return err.kind;
}

static void put(struct disk *d, const char *path, const char *text)
{
    struct disk_file *f = open_ok(d, path, RW_NEW);
    struct disk_iov iov = {text, strlen(text)};
    EXPECT(ERR_NONE, d->ops->truncate(f, 0, &err));
    EXPECT(ERR_NONE, d->ops->write(f, 0, &iov, 1, &err));
    d->ops->close(f);
}

static void assert_content(struct disk *d, const char *path, const char *text)
{
    struct disk_file *f = open_ok(d, path, DISK_READ);
    char back[256] = {0};
    uint64_t size = 0;
    EXPECT(ERR_NONE, d->ops->size(f, &size, &err));
    assert_int_equal(size, strlen(text));
    EXPECT(ERR_NONE, d->ops->read(f, 0, back, (size_t)size, &err));
    assert_string_equal(back, text);
    d->ops->close(f);
}

static bool exists(struct disk *d, const char *path)
{
    struct err err = {0};
    struct disk_info info;
    bool ok = d->ops->stat(d, str_from_z(path), &info, &err);
    assert_true(ok || err.kind == ERR_NOT_FOUND);
    return ok;
}

static void run_open(struct disk *d)
{
    assert_int_equal(open_kind(d, "a", DISK_READ), ERR_NOT_FOUND);
    assert_int_equal(open_kind(d, "a", DISK_READ | DISK_WRITE), ERR_NOT_FOUND);
    assert_int_equal(open_kind(d, "no/a", RW_NEW), ERR_NOT_FOUND);
    assert_int_equal(open_kind(d, "a", RW_NEW | DISK_EXCLUSIVE), ERR_NONE);
    assert_int_equal(open_kind(d, "a", RW_NEW | DISK_EXCLUSIVE), ERR_EXISTS);
    assert_int_equal(open_kind(d, "a", RW_NEW), ERR_NONE);
    assert_int_equal(open_kind(d, "a", DISK_READ), ERR_NONE);
    assert_int_equal(open_kind(d, "a/b", RW_NEW), ERR_IO);
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("dir"), &err));
    assert_int_equal(open_kind(d, "dir", DISK_READ), ERR_IO);
    assert_int_equal(open_kind(d, "dir", DISK_READ | DISK_WRITE), ERR_IO);
}

static void run_paths(struct disk *d)
{
    static const char *const bad[] = {
        "", "/", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", "./a", "a/.", ".",
    };
    char long_name[1100];
    memset(long_name, 'n', sizeof long_name);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(open_kind(d, bad[i], RW_NEW), ERR_INVALID);
    EXPECT(ERR_INVALID, d->ops->mkdir(d, str_of(long_name, 256), &err));
    EXPECT(ERR_INVALID, d->ops->mkdir(d, STR("a\0b"), &err));
    EXPECT(ERR_INVALID, d->ops->unlink(d, STR(".."), &err));
    EXPECT(ERR_INVALID, d->ops->rename(d, STR("a"), STR("../a"), &err));
    EXPECT(ERR_INVALID, d->ops->link(d, STR("/a"), STR("a"), &err));
    EXPECT(ERR_INVALID, d->ops->rmdir(d, STR("."), &err));
    EXPECT(ERR_INVALID, d->ops->sync_dir(d, STR(".."), &err));
    EXPECT(ERR_INVALID, d->ops->lock(d, STR("x/../lock"), &err));
    EXPECT(ERR_NONE, d->ops->mkdir(d, str_of(long_name, 255), &err));
}

static void run_read_write(struct disk *d)
{
    struct disk_file *f = open_ok(d, "f", RW_NEW);
    struct disk_iov iov[] = {{"abc", 3}, {"", 0}, {NULL, 0}, {"defgh", 5}};
    char back[32] = {0};
    uint64_t size;
    EXPECT(ERR_NONE, d->ops->write(f, 0, iov, 4, &err));
    EXPECT(ERR_NONE, d->ops->read(f, 2, back, 4, &err));
    assert_string_equal(back, "cdef");
    EXPECT(ERR_NONE, d->ops->read(f, 8, back, 0, &err));
    EXPECT(ERR_CORRUPT, d->ops->read(f, 5, back, 4, &err));
    EXPECT(ERR_CORRUPT, d->ops->read(f, 100, back, 1, &err));
    EXPECT(ERR_NONE, d->ops->write(f, 5000, iov, 1, &err)); /* a hole of zeros */
    EXPECT(ERR_NONE, d->ops->size(f, &size, &err));
    assert_int_equal(size, 5003);
    EXPECT(ERR_NONE, d->ops->read(f, 4995, back, 8, &err));
    assert_memory_equal(back, "\0\0\0\0\0abc", 8);
    EXPECT(ERR_NONE, d->ops->sync(f, &err));
    EXPECT(ERR_NONE, d->ops->write(f, 0, NULL, 0, &err));
    d->ops->close(f);
}

static void run_rights(struct disk *d)
{
    put(d, "f", "text");
    struct disk_iov iov = {"x", 1};
    char c;
    struct disk_file *f = open_ok(d, "f", DISK_READ);
    EXPECT(ERR_IO, d->ops->write(f, 0, &iov, 1, &err));
    EXPECT(ERR_IO, d->ops->truncate(f, 0, &err));
    d->ops->close(f);
    f = open_ok(d, "f", DISK_WRITE);
    EXPECT(ERR_IO, d->ops->read(f, 0, &c, 1, &err));
    d->ops->close(f);
    assert_content(d, "f", "text");
}

static void run_sizes(struct disk *d)
{
    struct disk_file *f = open_ok(d, "f", RW_NEW);
    struct disk_iov iov = {"abcdef", 6};
    char back[8] = {0};
    uint64_t size;
    EXPECT(ERR_NONE, d->ops->write(f, 0, &iov, 1, &err));
    EXPECT(ERR_NONE, d->ops->truncate(f, 2, &err));
    EXPECT(ERR_NONE, d->ops->truncate(f, 6, &err));
    EXPECT(ERR_NONE, d->ops->read(f, 0, back, 6, &err));
    assert_memory_equal(back, "ab\0\0\0\0", 6);
    EXPECT(ERR_NONE, d->ops->allocate(f, 0, &err));
    EXPECT(ERR_NONE, d->ops->allocate(f, 100000, &err));
    EXPECT(ERR_NONE, d->ops->allocate(f, 10, &err)); /* never shortens */
    EXPECT(ERR_NONE, d->ops->size(f, &size, &err));
    assert_int_equal(size, 100000);
    EXPECT(ERR_NONE, d->ops->read(f, 99992, back, 8, &err));
    assert_memory_equal(back, "\0\0\0\0\0\0\0\0", 8);
    d->ops->close(f);
}

static void run_rename(struct disk *d)
{
    put(d, "a", "one");
    put(d, "b", "two");
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("dir"), &err));
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("full"), &err));
    put(d, "full/x", "x");
    EXPECT(ERR_NOT_FOUND, d->ops->rename(d, STR("none"), STR("a"), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->rename(d, STR("a"), STR("none/a"), &err));
    EXPECT(ERR_IO, d->ops->rename(d, STR("a"), STR("dir"), &err));
    EXPECT(ERR_IO, d->ops->rename(d, STR("dir"), STR("a"), &err));
    EXPECT(ERR_IO, d->ops->rename(d, STR("full"), STR("full/in"), &err));
    EXPECT(ERR_NONE, d->ops->rename(d, STR("a"), STR("a"), &err));
    EXPECT(ERR_NONE, d->ops->rename(d, STR("a"), STR("b"), &err));
    assert_false(exists(d, "a"));
    assert_content(d, "b", "one");
    EXPECT(ERR_NONE, d->ops->rename(d, STR("b"), STR("dir/c"), &err));
    assert_content(d, "dir/c", "one");
    EXPECT(ERR_NONE, d->ops->rename(d, STR("full"), STR("moved"), &err));
    assert_content(d, "moved/x", "x");
    EXPECT(ERR_NONE, d->ops->sync_dir(d, STR("dir"), &err));
    EXPECT(ERR_NONE, d->ops->sync_dir(d, STR("."), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->sync_dir(d, STR("full"), &err));
    EXPECT(ERR_IO, d->ops->sync_dir(d, STR("dir/c"), &err));
}

static void run_link(struct disk *d)
{
    put(d, "a", "one");
    EXPECT(ERR_NONE, d->ops->link(d, STR("a"), STR("b"), &err));
    EXPECT(ERR_EXISTS, d->ops->link(d, STR("a"), STR("b"), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->link(d, STR("none"), STR("c"), &err));
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("dir"), &err));
    EXPECT(ERR_IO, d->ops->link(d, STR("dir"), STR("c"), &err));
    put(d, "a", "two");
    assert_content(d, "b", "two");
    EXPECT(ERR_NONE, d->ops->rename(d, STR("a"), STR("b"), &err)); /* one file: nothing happens */
    assert_true(exists(d, "a"));
    EXPECT(ERR_NONE, d->ops->unlink(d, STR("a"), &err));
    assert_content(d, "b", "two");
}

static void run_remove(struct disk *d)
{
    put(d, "a", "one");
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("dir"), &err));
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("dir"), &err));
    EXPECT(ERR_EXISTS, d->ops->mkdir(d, STR("a"), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->mkdir(d, STR("none/dir"), &err));
    put(d, "dir/b", "b");
    EXPECT(ERR_IO, d->ops->rmdir(d, STR("dir"), &err));
    EXPECT(ERR_IO, d->ops->unlink(d, STR("dir"), &err));
    EXPECT(ERR_IO, d->ops->rmdir(d, STR("a"), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->unlink(d, STR("none"), &err));
    EXPECT(ERR_NOT_FOUND, d->ops->rmdir(d, STR("none"), &err));
    EXPECT(ERR_NONE, d->ops->unlink(d, STR("dir/b"), &err));
    EXPECT(ERR_NONE, d->ops->rmdir(d, STR("dir"), &err));
    assert_false(exists(d, "dir"));
}

static void run_unlink_open(struct disk *d)
{
    put(d, "a", "one");
    struct disk_file *f = open_ok(d, "a", RW_NEW);
    struct disk_iov iov = {"T", 1};
    char back[4] = {0};
    EXPECT(ERR_NONE, d->ops->unlink(d, STR("a"), &err));
    EXPECT(ERR_NONE, d->ops->write(f, 0, &iov, 1, &err));
    EXPECT(ERR_NONE, d->ops->read(f, 0, back, 3, &err));
    assert_string_equal(back, "Tne");
    assert_false(exists(d, "a"));
    d->ops->close(f);
}

static void run_stat_list(struct disk *d)
{
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    struct disk_info info;
    str *names;
    size_t n;
    EXPECT(ERR_NONE, d->ops->list(d, STR("."), &a, &names, &n, &err));
    assert_int_equal(n, 0);
    put(d, "b", "22");
    put(d, "a", "1");
    put(d, "B", "333");
    EXPECT(ERR_NONE, d->ops->mkdir(d, STR("c"), &err));
    EXPECT(ERR_NONE, d->ops->list(d, STR("."), &a, &names, &n, &err));
    static const char *const want[] = {"B", "a", "b", "c"};
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++)
        assert_true(str_eqz(names[i], want[i]));
    EXPECT(ERR_NONE, d->ops->list(d, STR("c"), &a, &names, &n, &err));
    assert_int_equal(n, 0);
    EXPECT(ERR_NOT_FOUND, d->ops->list(d, STR("none"), &a, &names, &n, &err));
    EXPECT(ERR_IO, d->ops->list(d, STR("a"), &a, &names, &n, &err));
    EXPECT(ERR_NONE, d->ops->stat(d, STR("B"), &info, &err));
    assert_int_equal(info.size_bytes, 3);
    assert_false(info.is_dir);
    EXPECT(ERR_NONE, d->ops->stat(d, STR("."), &info, &err));
    assert_true(info.is_dir);
    EXPECT(ERR_NOT_FOUND, d->ops->stat(d, STR("none"), &info, &err));
    EXPECT(ERR_IO, d->ops->stat(d, STR("a/b"), &info, &err));
    uint64_t free_bytes = 0;
    EXPECT(ERR_NONE, d->ops->free_bytes(d, &free_bytes, &err));
    assert_true(free_bytes > 0);
}

static void run_lock(struct disk *d)
{
    EXPECT(ERR_NONE, d->ops->lock(d, STR("lock"), &err));
    EXPECT(ERR_EXISTS, d->ops->lock(d, STR("lock"), &err));
    assert_true(exists(d, "lock"));
    EXPECT(ERR_NOT_FOUND, d->ops->lock(d, STR("none/lock"), &err));
}

static const struct {
    const char *name;
    void (*run)(struct disk *d);
} rows[] = {
    {"open", run_open},
    {"paths", run_paths},
    {"read and write", run_read_write},
    {"rights", run_rights},
    {"sizes", run_sizes},
    {"rename", run_rename},
    {"link", run_link},
    {"remove", run_remove},
    {"unlink of an open file", run_unlink_open},
    {"stat and list", run_stat_list},
    {"lock", run_lock},
};

static void run_system(bool plain)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        char *root = test_dir_new();
        struct disk *d = disk_system_open(root, &err);
        print_message("# system: %s\n", rows[i].name);
        assert_non_null(d);
        if (plain)
            disk_system_plain(d);
        rows[i].run(d);
        disk_system_close(d);
        test_dir_free(root);
    }
}

static void test_system(void **state)
{
    run_system(false);
}

/* Where the kernel has no openat2. */
static void test_system_plain(void **state)
{
    run_system(true);
}

static void test_sim(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sim *s = sim_new(i);
        print_message("# sim: %s\n", rows[i].name);
        rows[i].run(sim_env(s).disk);
        assert_int_equal(sim_stats(s).files_open, 0);
        sim_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_system_plain),
        cmocka_unit_test(test_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
