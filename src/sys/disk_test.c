// SPDX-License-Identifier: Apache-2.0
/* What only the system's disk has: links, modes, the lock between processes. The common contract is
 * in sim/conformance_test.c. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/disk_int.h"
#include "sys/test_dir.h"

struct fixture {
    char *root;
    struct disk *d;
};

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};
    f.root = test_dir_new();
    char sub[512];
    snprintf(sub, sizeof sub, "%s/a/b", f.root);
    f.d = disk_system_open(sub, &err);
    assert_non_null(f.d);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    disk_system_close(f->d);
    test_dir_free(f->root);
    return 0;
}

static void write_text(struct disk *d, const char *path, const char *text)
{
    struct err err = {0};
    struct disk_file *f =
        d->ops->open(d, str_from_z(path), DISK_WRITE | DISK_READ | DISK_CREATE, &err);
    assert_non_null(f);
    struct disk_iov iov = {text, strlen(text)};
    assert_true(d->ops->write(f, 0, &iov, 1, &err));
    d->ops->close(f);
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    struct err err = {0};
    char path[600];
    umask(0);
    write_text(f->d, "file", "x");
    assert_true(f->d->ops->mkdir(f->d, STR("dir"), &err));
    snprintf(path, sizeof path, "%s/a/b/file", f->root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    snprintf(path, sizeof path, "%s/a/b/dir", f->root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

/* Links may lead anywhere inside, nowhere outside; ".." and absolute targets count as outside. */
static void test_links(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *target, *path;
    } rows[] = {
        {"..", "up/secret"},
        {"../secret", "up"},
        {"/etc", "up/passwd"},
        {"/proc/self/root", "up/etc/passwd"},
    };
    char link[600], secret[600];
    snprintf(secret, sizeof secret, "%s/a/secret", f->root);
    fclose(fopen(secret, "w"));
    snprintf(link, sizeof link, "%s/a/b/up", f->root);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        assert_int_equal(symlink(rows[i].target, link), 0);
        assert_null(f->d->ops->open(f->d, str_from_z(rows[i].path), DISK_READ, &err));
        assert_true(err.kind == ERR_DENIED || err.kind == ERR_IO);
        assert_int_equal(unlink(link), 0);
    }
}

static void test_links_plain(void **state)
{
    struct fixture *f = *state;
    disk_system_plain(f->d);
    test_links(state);
}

static void test_no_regular_file(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/a/b/pipe", f->root);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(f->d->ops->open(f->d, STR("pipe"), DISK_READ, &err));
    assert_int_equal(err.kind, ERR_IO);
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char sub[600], want[64];
    snprintf(sub, sizeof sub, "%s/a/b", f->root);
    int ready[2], end[2];
    assert_int_equal(pipe(ready) | pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        struct disk *d = disk_system_open(sub, &err);
        bool ok = d && d->ops->lock(d, STR("lock"), &err) && write(ready[1], "x", 1) == 1;
        close(end[1]);
        _exit(ok && read(end[0], &c, 1) == 0 ? 0 : 1);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_false(f->d->ops->lock(f->d, STR("lock"), &err));
    assert_int_equal(err.kind, ERR_EXISTS);
    snprintf(want, sizeof want, "a/b is in use by process %d", (int)pid);
    assert_non_null(strstr(err.msg, want));
    close(end[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    err_clear(&err);
    assert_true(f->d->ops->lock(f->d, STR("lock"), &err));
    /* Another opening of the same directory by the same process is refused as well. */
    struct disk *again = disk_system_open(sub, &err);
    assert_false(again->ops->lock(again, STR("lock"), &err));
    snprintf(want, sizeof want, "in use by process %d", (int)getpid());
    assert_non_null(strstr(err.msg, want));
    disk_system_close(again);
}

static void test_many_pieces(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    enum { N = 1000 };
    static char data[N * 7];
    struct disk_iov iov[N];
    size_t total = 0;
    for (size_t i = 0; i < N; i++) {
        iov[i] = (struct disk_iov){data + total, i % 8};
        memset(data + total, (int)('a' + i % 26), i % 8);
        total += i % 8;
    }
    struct disk_file *file =
        f->d->ops->open(f->d, STR("many"), DISK_WRITE | DISK_READ | DISK_CREATE, &err);
    assert_true(f->d->ops->write(file, 3, iov, N, &err));
    static char back[sizeof data];
    assert_true(f->d->ops->read(file, 3, back, total, &err));
    assert_memory_equal(back, data, total);
    f->d->ops->close(file);
}

static void test_root_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[600];
    write_text(f->d, "plain", "x");
    snprintf(path, sizeof path, "%s/a/b/plain", f->root);
    assert_null(disk_system_open(path, &err));
    assert_int_equal(err.kind, ERR_IO);
    snprintf(path, sizeof path, "%s/a/b/plain/deeper", f->root);
    assert_null(disk_system_open(path, &err));
    assert_null(disk_system_open("", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_regular_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
