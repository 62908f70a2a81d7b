// SPDX-License-Identifier: Apache-2.0
/* The calls of struct disk_ops on the simulated disk. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/disk_int.h"
#include "sys/sim/sim_int.h"

static struct sim *of_disk(struct disk *d)
{
    return (struct sim *)((char *)d - offsetof(struct sim, disk));
}

static struct sim_file *of_file(struct disk_file *f)
{
    return (struct sim_file *)f;
}

/* What stands in the way of a call: 0, or the errno it fails with. *begun: the power goes during
 * this very call, whose change is made before it fails. */
static int enter(struct sim *s, enum sim_call call, bool *begun)
{
    *begun = false;
    s->stats.calls[call]++;
    if (s->off)
        return EIO;
    unsigned mask = s->fault.calls ? s->fault.calls : ~0u;
    if (!s->armed || !(mask & SIM_BIT(call)) || ++s->fault_seen < s->fault.nth)
        return 0;
    uint64_t times = s->fault.times ? s->fault.times : 1;
    if (s->fault_seen - s->fault.nth >= times)
        return 0;
    s->fault_fired++;
    s->stats.failed[call]++;
    *begun = s->off = s->fault.kind == SIM_POWER_LOSS;
    return s->fault.kind == SIM_NO_SPACE ? ENOSPC : EIO;
}

/* Space of nodes that have a name or are open is used; these two keep the sum. */
static void claim(struct sim *s, const struct sim_node *n)
{
    if (n->links + n->opens == 1)
        s->used += n->cur.size;
}

static void disclaim(struct sim *s, const struct sim_node *n)
{
    if (n->links + n->opens == 0)
        s->used -= n->cur.size;
}

static void name_set(struct sim *s, struct sim_node *dir, str name, struct sim_node *node)
{
    struct sim_node *old = sim_node_ref(sim_entry_get(&dir->cur_names, name));
    sim_name_now(dir, name, node);
    if (node)
        claim(s, node);
    if (old)
        disclaim(s, old);
    sim_node_unref(old);
}

struct place {
    struct sim_node *dir;
    str name;
};

static int find_place(struct sim *s, str path, struct place *p)
{
    int error = sim_lookup(s, disk_path_split(path, &p->name), &p->dir);
    return error ? error : p->dir->is_dir ? 0 : ENOTDIR;
}

static struct sim_node *place_node(const struct place *p)
{
    return sim_entry_get(&p->dir->cur_names, p->name);
}

static void step_assign(struct sim_step *t, const struct place *p, struct sim_node *node)
{
    struct sim_assign *a = &t->a[t->n++];
    a->dir = sim_node_ref(p->dir);
    a->name = mem_zalloc(p->name.n + 1);
    memcpy(a->name, p->name.p, p->name.n);
    a->node = sim_node_ref(node);
}

/* Gives `to` to `node` (NULL: takes it away) and takes `from` away when there is one: one step. */
static void step(struct sim *s, const struct place *to, struct sim_node *node,
                 const struct place *from)
{
    struct sim_step t = {.subject = sim_node_ref(node ? node : place_node(to))};
    step_assign(&t, to, node);
    name_set(s, to->dir, to->name, node);
    if (from) {
        step_assign(&t, from, NULL);
        name_set(s, from->dir, from->name, NULL);
    }
    vec_push(&s->steps, t);
}

static int open_node(struct sim *s, str path, int flags, bool may_change, struct sim_node **out)
{
    struct place p;
    int error = find_place(s, path, &p);
    if (error)
        return error;
    struct sim_node *n = place_node(&p);
    if (n && n->is_dir)
        return EISDIR;
    if (n && (flags & DISK_CREATE) && (flags & DISK_EXCLUSIVE))
        return EEXIST;
    if (!n && !(flags & DISK_CREATE))
        return ENOENT;
    if (!n && may_change) {
        n = sim_node_new(s, false);
        step(s, &p, n, NULL);
        sim_node_unref(n);
    }
    *out = n;
    return 0;
}

static struct disk_file *file_new(struct sim *s, struct sim_node *n, str path, int flags)
{
    struct sim_file *f = mem_new(struct sim_file);
    f->sim = s;
    f->node = sim_node_ref(n);
    f->flags = flags;
    f->path = mem_zalloc(path.n + 1);
    memcpy(f->path, path.p, path.n);
    f->next = s->files;
    if (f->next)
        f->next->prev = f;
    s->files = f;
    n->opens++;
    claim(s, n);
    s->stats.files_open++;
    return (struct disk_file *)f;
}

static struct disk_file *sim_open(struct disk *d, str path, int flags, struct err *err)
{
    struct sim *s = of_disk(d);
    struct sim_node *n = NULL;
    struct disk_file *f = NULL;
    bool begun;
    if (!disk_path_check(path, false, err))
        return NULL;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_OPEN, &begun);
    int error = open_node(s, path, flags, !fault || begun, &n);
    if (fault)
        error = fault;
    if (!error)
        f = file_new(s, n, path, flags);
    pthread_mutex_unlock(&s->lock);
    if (error)
        disk_fail(err, error, "open", path);
    return f;
}

static void sim_close(struct disk_file *file)
{
    struct sim_file *f = of_file(file);
    if (!f)
        return;
    struct sim *s = f->sim;
    pthread_mutex_lock(&s->lock);
    if (f->prev)
        f->prev->next = f->next;
    else
        s->files = f->next;
    if (f->next)
        f->next->prev = f->prev;
    f->node->opens--;
    disclaim(s, f->node);
    sim_node_unref(f->node);
    s->stats.files_open--;
    pthread_mutex_unlock(&s->lock);
    free(f->path);
    free(f);
}

static bool sim_read(struct disk_file *file, uint64_t off, void *buf, size_t n, struct err *err)
{
    struct sim_file *f = of_file(file);
    struct sim *s = f->sim;
    bool begun;
    pthread_mutex_lock(&s->lock);
    int error = enter(s, SIM_READ, &begun);
    uint64_t size = f->node->cur.size;
    if (!error && !(f->flags & DISK_READ))
        error = EBADF;
    bool inside = off <= size && n <= size - off;
    if (!error && inside) {
        sim_bytes_read(&f->node->cur, off, buf, n);
        s->stats.bytes_read += n;
    }
    pthread_mutex_unlock(&s->lock);
    if (error)
        return disk_fail(err, error, "read", str_from_z(f->path));
    return inside || err_set(err, ERR_CORRUPT, "%s ends at byte %llu, %llu were expected", f->path,
                             (unsigned long long)size, (unsigned long long)(off + n));
}

static void change(struct sim *s, struct sim_node *n, struct sim_change c)
{
    s->used += c.size - n->cur.size; /* unsigned: also right when it shrinks */
    if (c.size != n->cur.size)
        sim_bytes_resize(&n->cur, c.size);
    if (c.p)
        sim_bytes_write(&n->cur, c.off, c.p, c.n);
    vec_push(&n->pending, c);
}

/* How large the file may get. */
static uint64_t size_max(const struct sim *s, const struct sim_node *n)
{
    uint64_t others = s->used - n->cur.size;
    return s->capacity > others ? s->capacity - others : 0;
}

static uint8_t *iov_join(const struct disk_iov *iov, size_t iov_n, size_t *total)
{
    *total = 0;
    for (size_t i = 0; i < iov_n; i++)
        *total += iov[i].n;
    uint8_t *p = mem_alloc(*total ? *total : 1), *at = p;
    for (size_t i = 0; i < iov_n; i++) {
        if (iov[i].n)
            memcpy(at, iov[i].p, iov[i].n);
        at += iov[i].n;
    }
    return p;
}

/* Writes the first `n` bytes of `p`, which it takes. */
static void write_prefix(struct sim *s, struct sim_node *node, uint64_t off, uint8_t *p, size_t n)
{
    if (!n) {
        free(p);
        return;
    }
    uint64_t size = off + n > node->cur.size ? off + n : node->cur.size;
    change(s, node, (struct sim_change){.size = size, .off = off, .p = p, .n = n});
    s->stats.bytes_written += n;
}

/* How many of `n` bytes a write at `off` leaves behind; sets *error when that is not all of them.
 */
static size_t write_reach(struct sim *s, const struct sim_file *f, uint64_t off, size_t n,
                          bool begun, int *error)
{
    int refused = !(f->flags & DISK_WRITE) ? EBADF : off > INT64_MAX - n ? EFBIG : 0;
    if (refused || (s->off && !begun)) {
        *error = *error ? *error : refused;
        return 0;
    }
    if (*error && !begun)
        n = (size_t)(sim_draw(&s->random) % (n + 1));
    uint64_t now = f->node->cur.size, most = size_max(s, f->node);
    uint64_t end = most > now ? most : now;
    if (!n || off + n <= end)
        return n;
    if (!*error) {
        *error = ENOSPC;
        s->stats.failed[SIM_WRITE]++;
    }
    return end > off ? (size_t)(end - off) : 0;
}

static bool sim_write(struct disk_file *file, uint64_t off, const struct disk_iov *iov,
                      size_t iov_n, struct err *err)
{
    struct sim_file *f = of_file(file);
    struct sim *s = f->sim;
    size_t n;
    bool begun;
    uint8_t *p = iov_join(iov, iov_n, &n);
    pthread_mutex_lock(&s->lock);
    int error = enter(s, SIM_WRITE, &begun);
    n = write_reach(s, f, off, n, begun, &error);
    write_prefix(s, f->node, off, p, n);
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "write", str_from_z(f->path));
}

/* What a failed sync leaves: some of it safe, all of it still read, none of it ever saved again. */
static void forget(struct sim *s, struct sim_node *n)
{
    sim_node_gamble(n, &n->safe, sim_draw(&s->random));
    sim_pending_clear(n);
}

static bool sim_sync(struct disk_file *file, struct err *err)
{
    struct sim_file *f = of_file(file);
    struct sim *s = f->sim;
    bool begun;
    pthread_mutex_lock(&s->lock);
    int error = enter(s, SIM_SYNC, &begun);
    if (!error)
        sim_node_save(f->node);
    else if (!s->off)
        forget(s, f->node);
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "sync", str_from_z(f->path));
}

static bool resize(struct disk_file *file, enum sim_call call, uint64_t size, struct err *err)
{
    struct sim_file *f = of_file(file);
    struct sim *s = f->sim;
    bool begun;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, call, &begun), error = fault;
    uint64_t now = f->node->cur.size;
    if (call == SIM_ALLOCATE && size < now)
        size = now;
    if (!error && !(f->flags & DISK_WRITE))
        error = EBADF;
    if (!error && size > now && size > size_max(s, f->node)) {
        error = ENOSPC;
        s->stats.failed[call]++;
    }
    if ((!error || begun) && size != now)
        change(s, f->node, (struct sim_change){.size = size});
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, call == SIM_ALLOCATE ? "allocate" : "truncate",
                               str_from_z(f->path));
}

static bool sim_allocate(struct disk_file *file, uint64_t size, struct err *err)
{
    return resize(file, SIM_ALLOCATE, size, err);
}

static bool sim_truncate(struct disk_file *file, uint64_t size, struct err *err)
{
    return resize(file, SIM_TRUNCATE, size, err);
}

static bool sim_size(struct disk_file *file, uint64_t *size, struct err *err)
{
    struct sim_file *f = of_file(file);
    bool begun;
    pthread_mutex_lock(&f->sim->lock);
    int error = enter(f->sim, SIM_SIZE, &begun);
    if (!error)
        *size = f->node->cur.size;
    pthread_mutex_unlock(&f->sim->lock);
    return !error || disk_fail(err, error, "stat", str_from_z(f->path));
}

static bool inside(const struct sim_node *dir, const struct sim_node *n)
{
    if (dir == n)
        return true;
    VEC_EACH (e, &dir->cur_names)
        if (e->node->is_dir && inside(e->node, n))
            return true;
    return false;
}

/* The rules of rename(2) for what may replace what. */
static int rename_error(const struct sim_node *n, const struct sim_node *over,
                        const struct place *to)
{
    if (n->is_dir && inside(n, to->dir))
        return EINVAL;
    if (!over || over == n)
        return 0;
    if (over->is_dir && !n->is_dir)
        return EISDIR;
    if (!over->is_dir && n->is_dir)
        return ENOTDIR;
    return over->is_dir && over->cur_names.n ? ENOTEMPTY : 0;
}

static int rename_or_link(struct sim *s, str from, str to, bool is_rename, bool may_change)
{
    struct place a, b;
    int error = find_place(s, from, &a);
    if (!error && !place_node(&a))
        error = ENOENT;
    if (!error)
        error = find_place(s, to, &b);
    if (error)
        return error;
    struct sim_node *n = place_node(&a), *over = place_node(&b);
    if (is_rename)
        error = rename_error(n, over, &b);
    else if (n->is_dir)
        error = EPERM;
    else if (over)
        error = EEXIST;
    if (error || !may_change || over == n)
        return error;
    step(s, &b, n, is_rename ? &a : NULL);
    return 0;
}

static bool two_names(struct disk *d, enum sim_call call, str from, str to, struct err *err)
{
    struct sim *s = of_disk(d);
    bool begun;
    if (!disk_path_check(from, false, err) || !disk_path_check(to, false, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, call, &begun);
    int error = rename_or_link(s, from, to, call == SIM_RENAME, !fault || begun);
    error = fault ? fault : error;
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, call == SIM_RENAME ? "rename" : "link", from);
}

static bool sim_rename(struct disk *d, str from, str to, struct err *err)
{
    return two_names(d, SIM_RENAME, from, to, err);
}

static bool sim_link(struct disk *d, str from, str to, struct err *err)
{
    return two_names(d, SIM_LINK, from, to, err);
}

static int remove_error(const struct sim_node *n, bool want_dir)
{
    if (!n)
        return ENOENT;
    if (n->is_dir != want_dir)
        return want_dir ? ENOTDIR : EISDIR;
    return want_dir && n->cur_names.n ? ENOTEMPTY : 0;
}

static bool remove_name(struct disk *d, enum sim_call call, str path, struct err *err)
{
    struct sim *s = of_disk(d);
    struct place p;
    bool begun;
    if (!disk_path_check(path, false, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, call, &begun);
    int error = find_place(s, path, &p);
    if (!error)
        error = remove_error(place_node(&p), call == SIM_RMDIR);
    if (!error && (!fault || begun))
        step(s, &p, NULL, NULL);
    error = fault ? fault : error;
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "remove", path);
}

static bool sim_unlink(struct disk *d, str path, struct err *err)
{
    return remove_name(d, SIM_UNLINK, path, err);
}

static bool sim_rmdir(struct disk *d, str path, struct err *err)
{
    return remove_name(d, SIM_RMDIR, path, err);
}

static bool sim_mkdir(struct disk *d, str path, struct err *err)
{
    struct sim *s = of_disk(d);
    struct place p;
    bool begun;
    if (!disk_path_check(path, false, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_MKDIR, &begun);
    int error = find_place(s, path, &p);
    struct sim_node *there = error ? NULL : place_node(&p);
    if (there && !there->is_dir)
        error = EEXIST;
    if (!error && !there && (!fault || begun)) {
        struct sim_node *n = sim_node_new(s, true);
        step(s, &p, n, NULL);
        sim_node_unref(n);
    }
    error = fault ? fault : error;
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "create directory", path);
}

static int find_dir(struct sim *s, str path, struct sim_node **n)
{
    int error = sim_lookup(s, path, n);
    return error ? error : (*n)->is_dir ? 0 : ENOTDIR;
}

static bool sim_sync_dir(struct disk *d, str path, struct err *err)
{
    struct sim *s = of_disk(d);
    struct sim_node *n;
    bool begun;
    if (!disk_path_check(path, true, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_SYNC_DIR, &begun);
    int error = fault ? fault : find_dir(s, path, &n);
    if (!error)
        sim_steps_save(s, n);
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "sync directory", path);
}

static bool sim_stat(struct disk *d, str path, struct disk_info *info, struct err *err)
{
    struct sim *s = of_disk(d);
    struct sim_node *n;
    bool begun;
    if (!disk_path_check(path, true, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_STAT, &begun);
    int error = fault ? fault : sim_lookup(s, path, &n);
    if (!error)
        *info = (struct disk_info){.size_bytes = n->cur.size, .is_dir = n->is_dir};
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "stat", path);
}

static bool sim_list(struct disk *d, str path, struct arena *a, str **names, size_t *n,
                     struct err *err)
{
    struct sim *s = of_disk(d);
    struct sim_node *dir;
    bool begun;
    if (!disk_path_check(path, true, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_LIST, &begun);
    int error = fault ? fault : find_dir(s, path, &dir);
    if (!error) {
        *n = dir->cur_names.n;
        *names = arena_array(a, str, *n);
        for (size_t i = 0; i < *n; i++)
            (*names)[i] = arena_dup(a, str_from_z(dir->cur_names.at[i].name));
    }
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "list", path);
}

static bool sim_free_bytes(struct disk *d, uint64_t *out, struct err *err)
{
    struct sim *s = of_disk(d);
    bool begun;
    pthread_mutex_lock(&s->lock);
    int error = enter(s, SIM_FREE_BYTES, &begun);
    if (!error)
        *out = s->capacity > s->used ? s->capacity - s->used : 0;
    pthread_mutex_unlock(&s->lock);
    return !error || disk_fail(err, error, "ask for free space of", STR("."));
}

static bool sim_lock(struct disk *d, str path, struct err *err)
{
    struct sim *s = of_disk(d);
    struct sim_node *n = NULL;
    bool begun;
    if (!disk_path_check(path, false, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fault = enter(s, SIM_LOCK, &begun);
    int error = open_node(s, path, DISK_CREATE, !fault || begun, &n);
    error = fault ? fault : error;
    bool held = !error && n->locked;
    if (!error)
        n->locked = true;
    pthread_mutex_unlock(&s->lock);
    if (error)
        return disk_fail(err, error, "lock", path);
    return !held ||
           err_set(err, ERR_EXISTS, "the simulated disk is in use by process %d", (int)getpid());
}

const struct disk_ops sim_disk_ops = {
    .open = sim_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .allocate = sim_allocate,
    .truncate = sim_truncate,
    .size = sim_size,
    .rename = sim_rename,
    .link = sim_link,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .sync_dir = sim_sync_dir,
    .stat = sim_stat,
    .list = sim_list,
    .free_bytes = sim_free_bytes,
    .lock = sim_lock,
};
