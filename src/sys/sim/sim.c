// SPDX-License-Identifier: Apache-2.0
/* The sim itself: clock, entropy, faults, what tests do at rest. Copies are in copy.c. */
#include <assert.h>

#include "sys/disk_int.h"
#include "sys/sim/sim_int.h"

static const char *const call_names[SIM_CALLS] = {
    [SIM_OPEN] = "open",         [SIM_READ] = "read",
    [SIM_WRITE] = "write",       [SIM_SYNC] = "sync",
    [SIM_ALLOCATE] = "allocate", [SIM_TRUNCATE] = "truncate",
    [SIM_SIZE] = "size",         [SIM_RENAME] = "rename",
    [SIM_LINK] = "link",         [SIM_UNLINK] = "unlink",
    [SIM_MKDIR] = "mkdir",       [SIM_RMDIR] = "rmdir",
    [SIM_SYNC_DIR] = "sync_dir", [SIM_STAT] = "stat",
    [SIM_LIST] = "list",         [SIM_FREE_BYTES] = "free_bytes",
    [SIM_LOCK] = "lock",
};

const char *sim_call_name(enum sim_call c)
{
    return call_names[c];
}

static struct sim *of_clock(struct clock *c)
{
    return (struct sim *)((char *)c - offsetof(struct sim, clock));
}

static ts_ms sim_now_ms(struct clock *c)
{
    struct sim *s = of_clock(c);
    pthread_mutex_lock(&s->lock);
    ts_ms now = s->wall_ms;
    pthread_mutex_unlock(&s->lock);
    return now;
}

static int64_t sim_mono_ns(struct clock *c)
{
    struct sim *s = of_clock(c);
    pthread_mutex_lock(&s->lock);
    int64_t now = s->mono_ns;
    pthread_mutex_unlock(&s->lock);
    return now;
}

static void sim_fill(struct entropy *e, void *p, size_t n)
{
    struct sim *s = (struct sim *)((char *)e - offsetof(struct sim, entropy));
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)sim_draw(&s->random);
    pthread_mutex_unlock(&s->lock);
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *s = mem_new(struct sim);
    pthread_mutex_init(&s->lock, NULL);
    s->clock = (struct clock){.now_ms = sim_now_ms, .mono_ns = sim_mono_ns};
    s->entropy.fill = sim_fill;
    s->disk.ops = &sim_disk_ops;
    s->seed = s->random = seed;
    s->wall_ms = 1767225600000;
    s->mono_ns = 1000000000;
    s->capacity = (uint64_t)16 << 30;
    s->root = sim_node_new(s, true);
    s->root->links = 1;
    return s;
}

void sim_free(struct sim *s)
{
    if (!s)
        return;
    while (s->files)
        s->disk.ops->close((struct disk_file *)s->files);
    VEC_EACH (t, &s->steps)
        sim_step_fini(t);
    vec_fini(&s->steps);
    sim_node_unref(s->root);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct env sim_env(struct sim *s)
{
    return (struct env){.clock = &s->clock, .disk = &s->disk, .entropy = &s->entropy};
}

void sim_advance_ms(struct sim *s, int64_t ms)
{
    assert(ms >= 0);
    pthread_mutex_lock(&s->lock);
    s->wall_ms += ms;
    s->mono_ns += ms * 1000000;
    pthread_mutex_unlock(&s->lock);
}

void sim_set_wall_ms(struct sim *s, ts_ms now)
{
    pthread_mutex_lock(&s->lock);
    s->wall_ms = now;
    pthread_mutex_unlock(&s->lock);
}

uint64_t sim_random(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t r = sim_draw(&s->random);
    pthread_mutex_unlock(&s->lock);
    return r;
}

static void unlock_below(struct sim_node *n)
{
    n->locked = false;
    VEC_EACH (e, &n->cur_names)
        unlock_below(e->node);
}

void sim_process_ended(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    unlock_below(s->root);
    pthread_mutex_unlock(&s->lock);
}

void sim_fault(struct sim *s, struct sim_fault f)
{
    assert(f.nth > 0);
    pthread_mutex_lock(&s->lock);
    s->fault = f;
    s->armed = true;
    s->fault_seen = s->fault_fired = 0;
    pthread_mutex_unlock(&s->lock);
}

void sim_fault_clear(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    s->armed = false;
    pthread_mutex_unlock(&s->lock);
}

uint64_t sim_fault_fired(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->fault_fired;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void sim_set_capacity(struct sim *s, uint64_t size_bytes)
{
    pthread_mutex_lock(&s->lock);
    s->capacity = size_bytes;
    pthread_mutex_unlock(&s->lock);
}

uint64_t sim_used(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->used;
    pthread_mutex_unlock(&s->lock);
    return n;
}

struct sim_stats sim_stats(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    struct sim_stats st = s->stats;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* The file at `path` with nothing pending, or NULL. */
static struct sim_node *at_rest(struct sim *s, str path)
{
    struct sim_node *n;
    if (sim_lookup(s, path, &n) != 0 || n->is_dir)
        return NULL;
    sim_node_save(n);
    return n;
}

static bool flip(struct sim_bytes *b, uint64_t off, unsigned bit)
{
    uint8_t byte;
    if (off >= b->size)
        return false;
    sim_bytes_read(b, off, &byte, 1);
    byte ^= (uint8_t)(1u << bit);
    sim_bytes_write(b, off, &byte, 1);
    return true;
}

bool sim_flip(struct sim *s, str path, uint64_t off, unsigned bit)
{
    assert(bit < 8);
    pthread_mutex_lock(&s->lock);
    struct sim_node *n = at_rest(s, path);
    bool ok = n && flip(&n->cur, off, bit);
    if (ok)
        flip(&n->safe, off, bit);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool sim_cut_file(struct sim *s, str path, uint64_t size)
{
    pthread_mutex_lock(&s->lock);
    struct sim_node *n = at_rest(s, path);
    bool ok = n && size <= n->cur.size;
    if (ok) {
        s->used -= n->cur.size - size;
        sim_bytes_resize(&n->cur, size);
        sim_bytes_resize(&n->safe, size);
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* Gives the name to a new node in both states. */
static struct sim_node *put_node(struct sim *s, struct sim_node *dir, str name, bool is_dir)
{
    struct sim_node *old = sim_entry_get(&dir->cur_names, name);
    if (old && old->links + old->opens == 1)
        s->used -= old->cur.size;
    struct sim_node *n = sim_node_new(s, is_dir);
    sim_steps_save(s, dir);
    sim_name_now(dir, name, n);
    sim_entry_set(&dir->safe_names, name, n);
    sim_node_unref(n); /* the entries hold it */
    return n;
}

void sim_put(struct sim *s, str path, bytes content)
{
    struct err err = {0};
    bool ok = disk_path_check(path, false, &err);
    assert(ok);
    pthread_mutex_lock(&s->lock);
    struct sim_node *dir = s->root;
    str rest = path, name, next;
    str_cut(&rest, '/', &name);
    for (; str_cut(&rest, '/', &next); name = next) {
        struct sim_node *sub = sim_entry_get(&dir->cur_names, name);
        assert(!sub || sub->is_dir);
        if (sub)
            sim_steps_save(s, dir);
        dir = sub ? sub : put_node(s, dir, name, true);
    }
    struct sim_node *n = put_node(s, dir, name, false);
    sim_bytes_resize(&n->safe, content.n);
    if (content.n)
        sim_bytes_write(&n->safe, 0, content.p, content.n);
    n->cur = sim_bytes_copy(&n->safe);
    s->used += content.n;
    pthread_mutex_unlock(&s->lock);
}

bool sim_get(struct sim *s, str path, struct arena *a, bytes *out)
{
    pthread_mutex_lock(&s->lock);
    struct sim_node *n;
    bool ok = sim_lookup(s, path, &n) == 0 && !n->is_dir;
    if (ok) {
        uint8_t *p = arena_alloc(a, (size_t)n->cur.size);
        sim_bytes_read(&n->cur, 0, p, (size_t)n->cur.size);
        *out = bytes_of(p, (size_t)n->cur.size);
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

typedef VEC(str) str_vec;

static void files_below(const struct sim_node *dir, str prefix, struct arena *a, str_vec *out)
{
    VEC_EACH (e, &dir->cur_names) {
        str path = arena_printf(a, "%.*s%s%s", STR_ARG(prefix), prefix.n ? "/" : "", e->name);
        if (e->node->is_dir)
            files_below(e->node, path, a, out);
        else
            vec_push(out, path);
    }
}

void sim_files(struct sim *s, struct arena *a, str **paths, size_t *n)
{
    str_vec found = {0};
    pthread_mutex_lock(&s->lock);
    files_below(s->root, STR(""), a, &found);
    pthread_mutex_unlock(&s->lock);
    *n = found.n;
    *paths = arena_array(a, str, found.n);
    if (found.n)
        memcpy(*paths, found.at, found.n * sizeof(str));
    disk_names_sort(*paths, *n);
    vec_fini(&found);
}
