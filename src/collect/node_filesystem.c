// SPDX-License-Identifier: Apache-2.0
/*
 * node_filesystem_*: the mounts of /proc/1/mountinfo and what statfs says of each.
 *
 * statfs on a dead network server may never return. All of a collection's calls run on a thread of
 * their own that owns its batch together with the collector. When the time is over, the collector
 * takes what is there, remembers the mount that the thread hangs in, and leaves thread and batch
 * alone; the rest of the batch goes to another thread. A stuck mount is skipped, and told by
 * node_filesystem_device_error, until its call came back. So there is one waiting thread for each
 * stuck mount, never more.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/map.h"
#include "collect/collect_int.h"
#include "sys/host.h"
#include "sys/self.h"

enum { MOUNTS_MAX = 20000, TIMEOUT_MS = 5000 };

struct answer {
    char *path;
    int error;
    struct host_fs fs;
};

/* Guarded by `lock`, but for `path` and what the thread has not yet counted in `done`. */
struct batch_of_mounts {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int refs;
    bool abandoned; /* the thread stops after the call it is in */
    bool returned;  /* and has done so */
    size_t n, done;
    int (*statfs)(const char *path, struct host_fs *fs);
    struct answer at[];
};

struct stuck {
    char *path;
    struct batch_of_mounts *in;
};

struct fs_state {
    int (*statfs)(const char *path, struct host_fs *fs);
    int64_t timeout_ms;
    VEC(struct stuck) stuck;
};

static void batch_unref(struct batch_of_mounts *b)
{
    pthread_mutex_lock(&b->lock);
    bool last = --b->refs == 0;
    pthread_mutex_unlock(&b->lock);
    if (!last)
        return;
    for (size_t i = 0; i < b->n; i++)
        free(b->at[i].path);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void *batch_run(void *arg)
{
    struct batch_of_mounts *b = arg;
    pthread_mutex_lock(&b->lock);
    while (b->done < b->n && !b->abandoned) {
        struct answer *a = &b->at[b->done];
        pthread_mutex_unlock(&b->lock);
        struct host_fs fs = {0};
        int error = b->statfs(a->path, &fs);
        pthread_mutex_lock(&b->lock);
        a->error = error;
        a->fs = fs;
        b->done++;
    }
    b->returned = true;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
    batch_unref(b);
    return NULL;
}

static struct batch_of_mounts *batch_begin(const struct fs_state *s, const char *const *paths,
                                           size_t n)
{
    struct batch_of_mounts *b = mem_zalloc(sizeof *b + n * sizeof b->at[0]);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&b->lock, NULL);
    b->refs = 2;
    b->n = n;
    b->statfs = s->statfs;
    for (size_t i = 0; i < n; i++)
        b->at[i].path = mem_dup(paths[i], strlen(paths[i]) + 1);
    pthread_t t;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&t, &detached, batch_run, b) == 0;
    pthread_attr_destroy(&detached);
    if (!ok) { /* no thread to be had: nothing is known about these mounts this time */
        b->returned = true;
        b->refs = 1;
    }
    return b;
}

/* Waits until all is answered or the time is over; how many answers there are. `*back`: the thread
 * is not in a call any more. */
static size_t batch_wait(struct batch_of_mounts *b, const struct timespec *until, bool *back)
{
    pthread_mutex_lock(&b->lock);
    int rc = 0;
    while (!b->returned && rc == 0)
        rc = pthread_cond_timedwait(&b->changed, &b->lock, until);
    b->abandoned = true;
    *back = b->returned;
    size_t done = b->done;
    pthread_mutex_unlock(&b->lock);
    return done;
}

struct fs_state *fs_state_new(const struct collect_options *o)
{
    struct fs_state *s = mem_new(struct fs_state);
    s->statfs = o->statfs ? o->statfs : host_statfs;
    s->timeout_ms = o->statfs_timeout_ms ? o->statfs_timeout_ms : TIMEOUT_MS;
    return s;
}

static void stuck_remove(struct fs_state *s, size_t i)
{
    free(s->stuck.at[i].path);
    batch_unref(s->stuck.at[i].in);
    s->stuck.at[i] = vec_last(&s->stuck);
    s->stuck.n--;
}

void fs_state_free(struct fs_state *s)
{
    while (s->stuck.n)
        stuck_remove(s, s->stuck.n - 1);
    vec_fini(&s->stuck);
    free(s);
}

/* Forgets the mounts whose call came back after all. */
static void stuck_review(struct fs_state *s)
{
    for (size_t i = s->stuck.n; i-- > 0;) {
        struct batch_of_mounts *b = s->stuck.at[i].in;
        pthread_mutex_lock(&b->lock);
        bool back = b->returned;
        pthread_mutex_unlock(&b->lock);
        if (back)
            stuck_remove(s, i);
    }
}

static bool is_stuck(const struct fs_state *s, const char *path)
{
    VEC_EACH (k, &s->stuck)
        if (strcmp(k->path, path) == 0)
            return true;
    return false;
}

static struct timespec deadline(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Answers for all paths, in order; `answers[i].error` ETIMEDOUT where there is none. */
static void ask(struct fs_state *s, const char *const *paths, size_t n, struct answer *answers)
{
    for (size_t begun = 0; begun < n;) {
        struct timespec until = deadline(s->timeout_ms);
        struct batch_of_mounts *b = batch_begin(s, paths + begun, n - begun);
        bool back;
        size_t done = batch_wait(b, &until, &back);
        for (size_t i = 0; i < done; i++)
            answers[begun + i] = (struct answer){.error = b->at[i].error, .fs = b->at[i].fs};
        begun += done;
        if (back) {
            for (; begun < n; begun++)
                answers[begun].error = EAGAIN;
            batch_unref(b);
            return;
        }
        self_add(SELF_COLLECT_STUCK_MOUNTS, 1);
        vec_push(&s->stuck, (struct stuck){mem_dup(paths[begun], strlen(paths[begun]) + 1), b});
        answers[begun++].error = ETIMEDOUT;
    }
}

/* As the reference words errors: in lower case. */
static str error_text(struct collect_ctx *c, int error)
{
    if (error == 0)
        return STR("");
    if (error == ETIMEDOUT)
        return STR("mountpoint timeout");
    str text = str_from_z(strerror(error));
    return arena_printf(&c->arena, "%c%.*s", tolower((unsigned char)text.p[0]), (int)text.n - 1,
                        text.p + 1);
}

static void put_column(struct collect_ctx *c, const char *name, const char *help,
                       const struct mount *m, const double *v, const struct answer *a, size_t n,
                       bool always)
{
    put_family(c, name, METRIC_GAUGE, help);
    for (size_t i = 0; i < n; i++) {
        struct label l[] = {LABEL("device", m[i].device),
                            LABEL("device_error", error_text(c, a[i].error)),
                            LABEL("fstype", m[i].type), LABEL("mountpoint", m[i].point)};
        if (always || a[i].error == 0)
            put_labels(c, name, l, 4, v[i]);
    }
}

static void put_mounts(struct collect_ctx *c, const struct mount *m, const struct answer *a,
                       size_t n)
{
    static const char name[] = "node_filesystem_mount_info";
    put_family(c, name, METRIC_GAUGE, "Filesystem mount information.");
    for (size_t i = 0; i < n; i++) {
        struct label l[] = {LABEL("device", m[i].device), LABEL("major", m[i].major),
                            LABEL("minor", m[i].minor), LABEL("mountpoint", m[i].point)};
        if (a[i].error == 0)
            put_labels(c, name, l, 4, 1);
    }
}

static void put_answers(struct collect_ctx *c, const struct mount *m, const struct answer *a,
                        size_t n)
{
    enum { AVAIL, ERROR, FILES, FILES_FREE, FREE, READONLY, SIZE, COLUMNS };
    static const struct {
        const char *name, *help;
        bool always;
    } columns[COLUMNS] = {
        [AVAIL] = {"node_filesystem_avail_bytes",
                   "Filesystem space available to non-root users in bytes.", false},
        [ERROR] = {"node_filesystem_device_error",
                   "Whether an error occurred while getting statistics for the given device.",
                   true},
        [FILES] = {"node_filesystem_files", "Filesystem total file nodes.", false},
        [FILES_FREE] = {"node_filesystem_files_free", "Filesystem total free file nodes.", false},
        [FREE] = {"node_filesystem_free_bytes", "Filesystem free space in bytes.", false},
        [READONLY] = {"node_filesystem_readonly", "Filesystem read-only status.", true},
        [SIZE] = {"node_filesystem_size_bytes", "Filesystem size in bytes.", false},
    };
    double *v = arena_array(&c->arena, double, n *COLUMNS);
    for (size_t i = 0; i < n; i++) {
        const struct host_fs *f = &a[i].fs;
        double block = (double)f->block_bytes;
        v[AVAIL * n + i] = (double)f->blocks_avail * block;
        v[ERROR * n + i] = a[i].error != 0;
        v[FILES * n + i] = (double)f->files;
        v[FILES_FREE * n + i] = (double)f->files_free;
        v[FREE * n + i] = (double)f->blocks_free * block;
        v[READONLY * n + i] = m[i].readonly;
        v[SIZE * n + i] = (double)f->blocks * block;
    }
    for (size_t k = 0; k < COLUMNS && n; k++)
        put_column(c, columns[k].name, columns[k].help, m, v + k * n, a, n, columns[k].always);
    if (n)
        put_mounts(c, m, a, n);
}

/* Where the mount is seen from here: below the root of the host. */
static const char *seen_path(struct collect_ctx *c, str point)
{
    str root = str_from_z(c->rootfs);
    while (str_ends(root, STR("/")))
        root.n--;
    return arena_printf(&c->arena, "%.*s%.*s", STR_ARG(root), STR_ARG(point)).p;
}

/* Asks those that are not stuck; answers in the order of the mounts. */
static struct answer *ask_mounts(struct collect_ctx *c, const struct mount *m, size_t n)
{
    struct answer *answers = arena_array(&c->arena, struct answer, n);
    struct answer *got = arena_array(&c->arena, struct answer, n);
    const char **paths = arena_array(&c->arena, const char *, n);
    size_t *of = arena_array(&c->arena, size_t, n), asked = 0;
    stuck_review(c->fs);
    for (size_t i = 0; i < n; i++) {
        const char *path = seen_path(c, m[i].point);
        answers[i].error = ETIMEDOUT;
        if (is_stuck(c->fs, path))
            continue;
        of[asked] = i;
        paths[asked++] = path;
    }
    ask(c->fs, paths, asked, got);
    for (size_t i = 0; i < asked; i++)
        answers[of[i]] = got[i];
    return answers;
}

bool node_filesystem_update(struct collect_ctx *c, struct err *err)
{
    struct mount *m;
    size_t n;
    str text;
    struct err first = {0};
    /* Those of process 1 are the host's; without the right to see them, our own. */
    if (!collect_read(c, &text, &first, c->procfs, "1/mountinfo") &&
        !collect_read(c, &text, err, c->procfs, "self/mountinfo"))
        return false;
    if (!parse_mountinfo(text, &c->arena, &m, &n, err))
        return false;
    put_answers(c, m, ask_mounts(c, m, n), n);
    return true;
}

/* ---- the text ---- */

/* ^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/) */
static bool point_excluded(str p)
{
    static const struct {
        str prefix;
        bool below; /* something must follow */
    } rows[] = {
        {STR_INIT("/dev"), false},
        {STR_INIT("/proc"), false},
        {STR_INIT("/sys"), false},
        {STR_INIT("/run/credentials/"), true},
        {STR_INIT("/var/lib/docker/"), true},
        {STR_INIT("/var/lib/containers/storage/"), true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = rows[i].prefix.n;
        if (!str_starts(p, rows[i].prefix))
            continue;
        if (rows[i].below ? p.n > n : p.n == n || p.p[n] == '/')
            return true;
    }
    return false;
}

static bool type_excluded(str type)
{
    static const char *const names[] = {
        "autofs",   "binfmt_misc", "bpf",     "cgroup",    "cgroup2",    "configfs",   "debugfs",
        "devpts",   "devtmpfs",    "fusectl", "hugetlbfs", "iso9660",    "mqueue",     "nsfs",
        "overlay",  "proc",        "procfs",  "pstore",    "rpc_pipefs", "securityfs", "selinuxfs",
        "squashfs", "erofs",       "sysfs",   "tracefs",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(type, names[i]))
            return true;
    return false;
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static str unescape(struct arena *a, str s)
{
    if (str_index(s, '\\') < 0)
        return arena_dup(a, s);
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = 0, digits = 0;
        for (; s.p[i] == '\\' && digits < 3 && i + 1 + (size_t)digits < s.n; digits++) {
            char d = s.p[i + 1 + (size_t)digits];
            if (d < '0' || d > '7')
                break;
            v = v * 8 + (d - '0');
        }
        to[n++] = digits == 3 ? (char)v : s.p[i];
        i += digits == 3 ? 3 : 0;
    }
    to[n] = 0;
    return str_of(to, n);
}

static bool has_option(str options, const char *want)
{
    str option;
    while (str_cut(&options, ',', &option))
        if (str_eqz(option, want))
            return true;
    return false;
}

/* "id parent major:minor root point options [fields] - type device superoptions" */
static bool parse_line(str line, struct arena *a, struct mount *m)
{
    str f[6], field;
    for (size_t i = 0; i < 6; i++)
        if (!text_field(&line, &f[i]))
            return false;
    do {
        if (!text_field(&line, &field))
            return false;
    } while (!str_eqz(field, "-"));
    str type, device, super = STR("");
    if (!text_field(&line, &type) || !text_field(&line, &device))
        return false;
    text_field(&line, &super);
    m->point = unescape(a, f[4]);
    m->type = unescape(a, type);
    m->minor = arena_dup(a, f[2]);
    if (!str_cut(&m->minor, ':', &m->major))
        return false;
    m->device = unescape(a, device);
    m->readonly = has_option(f[5], "ro") || has_option(super, "ro");
    return m->point.n && m->point.p[0] == '/' && memchr(m->point.p, 0, m->point.n) == NULL;
}

bool parse_mountinfo(str text, struct arena *a, struct mount **out, size_t *n, struct err *err)
{
    VEC(struct mount) v = {0};
    MAP_CLEANUP struct map seen = {0};
    str rest = text, line;
    bool ok = true;
    for (size_t number = 1; ok && str_cut(&rest, '\n', &line); number++) {
        struct mount m;
        if (!str_trim(line).n)
            continue;
        ok = v.n < MOUNTS_MAX && parse_line(line, a, &m);
        if (!ok) {
            err_set(err, ERR_CORRUPT, "mountinfo: line %zu makes no sense", number);
        } else if (!point_excluded(m.point) && !type_excluded(m.type)) {
            /* Mounted over one another: what is below is hidden. */
            str place = arena_printf(a, "%.*s\n%.*s\n%.*s", STR_ARG(m.point), STR_ARG(m.device),
                                     STR_ARG(m.type));
            if (map_put(&seen, place, &seen))
                vec_push(&v, m);
        }
    }
    if (ok) {
        *n = v.n;
        *out = arena_array(a, struct mount, v.n);
        if (v.n)
            memcpy(*out, v.at, v.n * sizeof *v.at);
    }
    vec_fini(&v);
    return ok;
}
