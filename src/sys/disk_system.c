// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the system below one directory. Names are resolved by the kernel with openat2, which
 * refuses links and ".." that leave the directory. Where a kernel or a container has no openat2,
 * each name is opened in turn and no link is followed at all: narrower, never wider.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h> /* renameat */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/vec.h"
#include "sys/disk_int.h"

enum { FILE_MODE = 0640, DIR_MODE = 0750, IOV_BATCH = 64 };

struct system_disk {
    struct disk base;
    char *path; /* for messages */
    int root;
    _Atomic bool plain; /* openat2 is not there */
    pthread_mutex_t lock;
    VEC(int) locks; /* guarded by lock; held until the disk is closed */
};

struct system_file {
    int fd;
    char path[]; /* for messages */
};

static struct system_disk *system_disk(struct disk *d)
{
    return (struct system_disk *)d;
}

static struct system_file *system_file(struct disk_file *f)
{
    return (struct system_file *)f;
}

static str file_path(const struct system_file *f)
{
    return str_from_z(f->path);
}

static void z_path(char out[DISK_PATH_MAX], str path)
{
    memcpy(out, path.p, path.n);
    out[path.n] = 0;
}

static void close_fd(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

/* Descriptor of the directory `path`, opened name by name without following links. */
static int walk(int root, str path)
{
    int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    str rest = path, name;
    while (at >= 0 && !str_eqz(path, ".") && str_cut(&rest, '/', &name)) {
        char z[DISK_PATH_MAX];
        z_path(z, name);
        int next = openat(at, z, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close_fd(at);
        at = next;
    }
    /* A link that is not followed shows as "not a directory". */
    return at;
}

static int open_plain(int root, str path, int flags)
{
    str name;
    int dir = walk(root, disk_path_split(path, &name));
    if (dir < 0)
        return -1;
    char z[DISK_PATH_MAX];
    z_path(z, name);
    int fd = openat(dir, z, flags | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    close_fd(dir);
    return fd;
}

static bool openat2_missing(int error)
{
    return error == ENOSYS || error == EPERM;
}

/* A descriptor, or -1 with errno. EPERM is what old seccomp filters say for a call they do not
 * know; for a file that may really not be opened the plain way says it again. */
static int open_below(struct system_disk *d, str path, int flags)
{
    if (!d->plain) {
        char z[DISK_PATH_MAX];
        z_path(z, path);
        struct open_how how = {
            .flags = (uint64_t)(flags | O_CLOEXEC),
            .mode = flags & O_CREAT ? FILE_MODE : 0,
            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };
        long fd;
        do
            fd = syscall(SYS_openat2, d->root, z, &how, sizeof how);
        while (fd < 0 && (errno == EINTR || errno == EAGAIN));
        if (fd >= 0 || !openat2_missing(errno))
            return (int)fd;
        d->plain = errno == ENOSYS || d->plain;
    }
    return open_plain(d->root, path, flags);
}

/* Descriptor of the directory that holds `path`, whose last name goes to `name`. */
static int open_parent(struct system_disk *d, str path, char name[DISK_PATH_MAX])
{
    str last, dir = disk_path_split(path, &last);
    z_path(name, last);
    return open_below(d, dir, O_PATH | O_DIRECTORY);
}

static struct disk_file *system_open(struct disk *d, str path, int flags, struct err *err)
{
    if (!disk_path_check(path, false, err))
        return NULL;
    int how = flags & DISK_WRITE ? flags & DISK_READ ? O_RDWR : O_WRONLY : O_RDONLY;
    how |= flags & DISK_CREATE ? O_CREAT : 0;
    how |= flags & DISK_EXCLUSIVE ? O_EXCL : 0;
    int fd = open_below(system_disk(d), path, how | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        disk_fail(err, errno, "open", path);
        return NULL;
    }
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        err_set(err, ERR_IO, "cannot open %.*s: it is no regular file", STR_ARG(path));
        return NULL;
    }
    struct system_file *f = mem_zalloc(sizeof *f + path.n + 1);
    f->fd = fd;
    memcpy(f->path, path.p, path.n);
    return (struct disk_file *)f;
}

static void system_close(struct disk_file *file)
{
    struct system_file *f = system_file(file);
    if (!f)
        return;
    close(f->fd);
    free(f);
}

static bool system_read(struct disk_file *file, uint64_t off, void *buf, size_t n, struct err *err)
{
    struct system_file *f = system_file(file);
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(f->fd, (char *)buf + done, n - done, (off_t)(off + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return disk_fail(err, errno, "read", file_path(f));
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "%s ends at byte %llu, %llu were expected", f->path,
                           (unsigned long long)(off + done), (unsigned long long)(off + n));
        done += (size_t)got;
    }
    return true;
}

/* What is still to be written: all of `iov` but the first `skip` bytes of its first piece. */
struct iov_rest {
    const struct disk_iov *iov;
    size_t n, skip;
};

static void iov_advance(struct iov_rest *r, size_t done)
{
    r->skip += done;
    while (r->n && r->skip >= r->iov->n) {
        r->skip -= r->iov->n;
        r->iov++;
        r->n--;
    }
}

static int iov_batch(const struct iov_rest *r, struct iovec out[IOV_BATCH])
{
    int n = 0;
    for (; (size_t)n < r->n && n < IOV_BATCH; n++) {
        size_t from = n == 0 ? r->skip : 0;
        out[n].iov_base = (void *)((uintptr_t)r->iov[n].p + from);
        out[n].iov_len = r->iov[n].n - from;
    }
    return n;
}

static bool system_write(struct disk_file *file, uint64_t off, const struct disk_iov *iov,
                         size_t iov_n, struct err *err)
{
    struct system_file *f = system_file(file);
    struct iov_rest rest = {iov, iov_n, 0};
    iov_advance(&rest, 0); /* over empty pieces */
    while (rest.n) {
        struct iovec batch[IOV_BATCH];
        ssize_t n = pwritev(f->fd, batch, iov_batch(&rest, batch), (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_fail(err, n < 0 ? errno : ENOSPC, "write", file_path(f));
        off += (uint64_t)n;
        iov_advance(&rest, (size_t)n);
    }
    return true;
}

static bool system_sync(struct disk_file *file, struct err *err)
{
    struct system_file *f = system_file(file);
    return fdatasync(f->fd) == 0 || disk_fail(err, errno, "sync", file_path(f));
}

static bool system_size(struct disk_file *file, uint64_t *size, struct err *err)
{
    struct system_file *f = system_file(file);
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return disk_fail(err, errno, "stat", file_path(f));
    *size = (uint64_t)st.st_size;
    return true;
}

static bool system_truncate(struct disk_file *file, uint64_t size, struct err *err)
{
    struct system_file *f = system_file(file);
    int rc;
    do
        rc = ftruncate(f->fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || disk_fail(err, errno, "truncate", file_path(f));
}

static bool system_allocate(struct disk_file *file, uint64_t size, struct err *err)
{
    struct system_file *f = system_file(file);
    int rc;
    if (size == 0)
        return true;
    do
        rc = fallocate(f->fd, 0, 0, (off_t)size);
    while (rc != 0 && errno == EINTR);
    if (rc == 0)
        return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return disk_fail(err, errno, "allocate", file_path(f));
    uint64_t now;
    if (!system_size(file, &now, err))
        return false;
    return now >= size || system_truncate(file, size, err);
}

static bool two_names(struct disk *d, str from, str to, struct err *err, bool is_rename)
{
    const char *verb = is_rename ? "rename" : "link";
    if (!disk_path_check(from, false, err) || !disk_path_check(to, false, err))
        return false;
    char a[DISK_PATH_MAX], b[DISK_PATH_MAX];
    int from_dir = open_parent(system_disk(d), from, a);
    if (from_dir < 0)
        return disk_fail(err, errno, verb, from);
    int to_dir = open_parent(system_disk(d), to, b);
    if (to_dir < 0) {
        close_fd(from_dir);
        return disk_fail(err, errno, verb, to);
    }
    int rc = is_rename ? renameat(from_dir, a, to_dir, b) : linkat(from_dir, a, to_dir, b, 0);
    close_fd(from_dir);
    close_fd(to_dir);
    return rc == 0 || disk_fail(err, errno, verb, from);
}

static bool system_rename(struct disk *d, str from, str to, struct err *err)
{
    return two_names(d, from, to, err, true);
}

static bool system_link(struct disk *d, str from, str to, struct err *err)
{
    return two_names(d, from, to, err, false);
}

static bool remove_name(struct disk *d, str path, int flags, struct err *err)
{
    char name[DISK_PATH_MAX];
    if (!disk_path_check(path, false, err))
        return false;
    int dir = open_parent(system_disk(d), path, name);
    if (dir < 0)
        return disk_fail(err, errno, "remove", path);
    int rc = unlinkat(dir, name, flags);
    close_fd(dir);
    /* Some file systems say EEXIST for a directory that is not empty. */
    if (rc != 0 && errno == EEXIST)
        errno = ENOTEMPTY;
    return rc == 0 || disk_fail(err, errno, "remove", path);
}

static bool system_unlink(struct disk *d, str path, struct err *err)
{
    return remove_name(d, path, 0, err);
}

static bool system_rmdir(struct disk *d, str path, struct err *err)
{
    return remove_name(d, path, AT_REMOVEDIR, err);
}

static bool system_stat(struct disk *d, str path, struct disk_info *info, struct err *err)
{
    if (!disk_path_check(path, true, err))
        return false;
    int fd = open_below(system_disk(d), path, O_PATH);
    if (fd < 0)
        return disk_fail(err, errno, "stat", path);
    struct stat st;
    int rc = fstat(fd, &st);
    close_fd(fd);
    if (rc != 0)
        return disk_fail(err, errno, "stat", path);
    info->is_dir = S_ISDIR(st.st_mode);
    info->size_bytes = info->is_dir ? 0 : (uint64_t)st.st_size;
    return true;
}

static bool system_mkdir(struct disk *d, str path, struct err *err)
{
    char name[DISK_PATH_MAX];
    if (!disk_path_check(path, false, err))
        return false;
    int dir = open_parent(system_disk(d), path, name);
    if (dir < 0)
        return disk_fail(err, errno, "create directory", path);
    int rc = mkdirat(dir, name, DIR_MODE);
    close_fd(dir);
    if (rc == 0)
        return true;
    struct disk_info info;
    if (errno != EEXIST)
        return disk_fail(err, errno, "create directory", path);
    if (!system_stat(d, path, &info, err))
        return false;
    return info.is_dir || disk_fail(err, EEXIST, "create directory", path);
}

static bool system_sync_dir(struct disk *d, str path, struct err *err)
{
    if (!disk_path_check(path, true, err))
        return false;
    int fd = open_below(system_disk(d), path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return disk_fail(err, errno, "sync directory", path);
    int rc = fsync(fd);
    close_fd(fd);
    return rc == 0 || disk_fail(err, errno, "sync directory", path);
}

static bool system_list(struct disk *d, str path, struct arena *a, str **names, size_t *n,
                        struct err *err)
{
    if (!disk_path_check(path, true, err))
        return false;
    int fd = open_below(system_disk(d), path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        disk_fail(err, errno, "list", path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    VEC(str) found = {0};
    struct dirent *e;
    for (errno = 0; (e = readdir(dir)); errno = 0)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            vec_push(&found, arena_dup(a, str_from_z(e->d_name)));
    bool ok = errno == 0 || disk_fail(err, errno, "list", path);
    if (ok) {
        *names = arena_array(a, str, found.n);
        *n = found.n;
        if (found.n)
            memcpy(*names, found.at, found.n * sizeof(str));
        disk_names_sort(*names, *n);
    }
    vec_fini(&found);
    closedir(dir);
    return ok;
}

static bool system_free_bytes(struct disk *d, uint64_t *out, struct err *err)
{
    struct statvfs st;
    if (fstatvfs(system_disk(d)->root, &st) != 0)
        return disk_fail(err, errno, "ask for free space of", STR("."));
    *out = (uint64_t)st.f_bavail * st.f_frsize;
    return true;
}

/* The pid is only told to people: what counts is the lock, which ends with its process. */
static bool lock_held(const struct system_disk *d, int fd, struct err *err)
{
    char pid[24];
    ssize_t n = pread(fd, pid, sizeof pid, 0);
    str who = str_trim(str_of(pid, n > 0 ? (size_t)n : 0));
    if (!who.n)
        return err_set(err, ERR_EXISTS, "%s is in use by another process", d->path);
    return err_set(err, ERR_EXISTS, "%s is in use by process %.*s", d->path, STR_ARG(who));
}

static bool lock_take(struct system_disk *d, int fd, str path, struct err *err)
{
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    /* A lock of the open file, not of the process: closing another descriptor does not drop it. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
        return errno == EAGAIN || errno == EACCES ? lock_held(d, fd, err)
                                                  : disk_fail(err, errno, "lock", path);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return disk_fail(err, errno, "write", path);
    pthread_mutex_lock(&d->lock);
    vec_push(&d->locks, fd);
    pthread_mutex_unlock(&d->lock);
    return true;
}

static bool system_lock(struct disk *d, str path, struct err *err)
{
    if (!disk_path_check(path, false, err))
        return false;
    int fd = open_below(system_disk(d), path, O_RDWR | O_CREAT | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return disk_fail(err, errno, "open", path);
    bool ok = lock_take(system_disk(d), fd, path, err);
    if (!ok)
        close(fd);
    return ok;
}

static const struct disk_ops system_ops = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .write = system_write,
    .sync = system_sync,
    .allocate = system_allocate,
    .truncate = system_truncate,
    .size = system_size,
    .rename = system_rename,
    .link = system_link,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .rmdir = system_rmdir,
    .sync_dir = system_sync_dir,
    .stat = system_stat,
    .list = system_list,
    .free_bytes = system_free_bytes,
    .lock = system_lock,
};

/* Makes the directory and its parents, like mkdir -p. */
static bool make_path(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        int rc = mkdir(path, DIR_MODE);
        *at = '/';
        if (rc != 0 && errno != EEXIST)
            return false;
    }
    return mkdir(path, DIR_MODE) == 0 || errno == EEXIST;
}

struct disk *disk_system_open(const char *root, struct err *err)
{
    MEM_CLEANUP char *path = mem_dup(root, strlen(root) + 1);
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && root[0] && make_path(path))
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        disk_fail(err, errno, "open directory", str_from_z(root));
        return NULL;
    }
    struct system_disk *d = mem_new(struct system_disk);
    d->base.ops = &system_ops;
    d->root = fd;
    d->path = mem_dup(root, strlen(root) + 1);
    pthread_mutex_init(&d->lock, NULL);
    return &d->base;
}

void disk_system_plain(struct disk *d)
{
    system_disk(d)->plain = true;
}

/* Emptying the file first keeps an old pid out of later messages; the lock goes with the
 * descriptor. */
void disk_system_close(struct disk *disk)
{
    if (!disk)
        return;
    struct system_disk *d = system_disk(disk);
    VEC_EACH (fd, &d->locks) {
        if (ftruncate(*fd, 0) != 0)
            (void)errno;
        close(*fd);
    }
    vec_fini(&d->locks);
    pthread_mutex_destroy(&d->lock);
    close(d->root);
    free(d->path);
    free(d);
}
