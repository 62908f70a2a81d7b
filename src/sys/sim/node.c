// SPDX-License-Identifier: Apache-2.0
/* Nodes, names and steps: what becomes safe when, and what a cut may leave. */
#include <assert.h>
#include <errno.h>

#include "sys/disk_int.h"
#include "sys/sim/sim_int.h"

uint64_t sim_draw(uint64_t *state)
{
    /* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct sim_node *sim_node_new(struct sim *s, bool is_dir)
{
    struct sim_node *n = mem_new(struct sim_node);
    n->id = s->next_id++;
    n->refs = 1;
    n->is_dir = is_dir;
    return n;
}

struct sim_node *sim_node_ref(struct sim_node *n)
{
    if (n)
        n->refs++;
    return n;
}

static void entries_fini(sim_entries *e)
{
    VEC_EACH (it, e) {
        free(it->name);
        sim_node_unref(it->node);
    }
    vec_fini(e);
}

void sim_pending_clear(struct sim_node *n)
{
    VEC_EACH (c, &n->pending)
        free(c->p);
    vec_clear(&n->pending);
}

void sim_node_unref(struct sim_node *n)
{
    if (!n || --n->refs)
        return;
    sim_pending_clear(n);
    vec_fini(&n->pending);
    sim_bytes_fini(&n->cur);
    sim_bytes_fini(&n->safe);
    entries_fini(&n->cur_names);
    entries_fini(&n->safe_names);
    free(n);
}

/* Where `name` is or belongs. */
static size_t entry_find(const sim_entries *e, str name, bool *found)
{
    size_t lo = 0, hi = e->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (str_cmp(str_from_z(e->at[mid].name), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = lo < e->n && str_eqz(name, e->at[lo].name);
    return lo;
}

struct sim_node *sim_entry_get(const sim_entries *e, str name)
{
    bool found;
    size_t i = entry_find(e, name, &found);
    return found ? e->at[i].node : NULL;
}

static char *name_dup(str s)
{
    char *p = mem_alloc(s.n + 1);
    memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

void sim_entry_set(sim_entries *e, str name, struct sim_node *node)
{
    bool found;
    size_t i = entry_find(e, name, &found);
    struct sim_node *old = found ? e->at[i].node : NULL;
    if (found && node) {
        e->at[i].node = sim_node_ref(node);
    } else if (found) {
        free(e->at[i].name);
        memmove(e->at + i, e->at + i + 1, (e->n - i - 1) * sizeof(*e->at));
        e->n--;
    } else if (node) {
        vec_reserve(e, 1);
        memmove(e->at + i + 1, e->at + i, (e->n - i) * sizeof(*e->at));
        e->at[i] = (struct sim_entry){name_dup(name), sim_node_ref(node)};
        e->n++;
    }
    sim_node_unref(old);
}

void sim_name_now(struct sim_node *dir, str name, struct sim_node *node)
{
    struct sim_node *old = sim_entry_get(&dir->cur_names, name);
    if (node)
        node->links++;
    if (old)
        old->links--;
    sim_entry_set(&dir->cur_names, name, node);
}

int sim_lookup(struct sim *s, str path, struct sim_node **out)
{
    struct sim_node *at = s->root;
    str rest = path, name;
    while (!str_eqz(path, ".") && str_cut(&rest, '/', &name)) {
        if (!at->is_dir)
            return ENOTDIR;
        at = sim_entry_get(&at->cur_names, name);
        if (!at)
            return ENOENT;
    }
    *out = at;
    return 0;
}

void sim_step_fini(struct sim_step *t)
{
    for (int i = 0; i < t->n; i++) {
        sim_node_unref(t->a[i].dir);
        sim_node_unref(t->a[i].node);
        free(t->a[i].name);
    }
    sim_node_unref(t->subject);
}

/* What happens inside a directory after it moved builds on the move, else a directory could end up
 * inside itself. */
bool sim_steps_chained(const struct sim_step *a, const struct sim_step *b)
{
    if (a->subject == b->subject || (a->n == 2 && a->subject == b->a[0].dir))
        return true;
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++)
            if (a->a[i].dir == b->a[j].dir && strcmp(a->a[i].name, b->a[j].name) == 0)
                return true;
    return false;
}

/* Marks the steps that must be saved: those of `dir`, and whatever they build on, from the end on.
 */
static void steps_take(sim_steps *steps, const struct sim_node *dir)
{
    for (size_t i = steps->n; i-- > 0;) {
        struct sim_step *t = &steps->at[i];
        t->taken = t->a[0].dir == dir;
        for (size_t j = i + 1; j < steps->n && !t->taken; j++)
            t->taken = steps->at[j].taken && sim_steps_chained(t, &steps->at[j]);
    }
}

void sim_steps_save(struct sim *s, struct sim_node *dir)
{
    size_t left = 0;
    steps_take(&s->steps, dir);
    for (size_t i = 0; i < s->steps.n; i++) {
        struct sim_step t = s->steps.at[i];
        if (!t.taken) {
            s->steps.at[left++] = t;
            continue;
        }
        for (int k = 0; k < t.n; k++)
            sim_entry_set(&t.a[k].dir->safe_names, str_from_z(t.a[k].name), t.a[k].node);
        sim_step_fini(&t);
    }
    s->steps.n = left;
}

void sim_node_save(struct sim_node *n)
{
    VEC_EACH (c, &n->pending) {
        if (c->size != n->safe.size)
            sim_bytes_resize(&n->safe, c->size);
        if (c->p)
            sim_bytes_write(&n->safe, c->off, c->p, c->n);
    }
    sim_pending_clear(n);
}

/* How a cut treats one file. */
enum habit { LOSE_ALL, KEEP_ALL, COIN, ANY_STATE, ONE_MOMENT, HABITS };

/* Sector `i` shows the changes before the number given here. */
static size_t sector_moment(enum habit h, uint64_t luck, uint64_t i, size_t changes)
{
    uint64_t state = luck ^ (i + 1) * 0xd6e8feb86659fd93u;
    uint64_t r = sim_draw(&state);
    switch (h) {
    case LOSE_ALL:
        return 0;
    case KEEP_ALL:
        return changes;
    case COIN:
        return r & 1 ? changes : 0;
    case ANY_STATE:
        return (size_t)(r % (changes + 1));
    default:
        return (size_t)(sim_draw(&luck) % (changes + 1));
    }
}

static void gamble_write(const struct sim_change *c, size_t index, struct sim_bytes *b,
                         enum habit h, uint64_t luck, size_t changes)
{
    for (size_t done = 0, piece; done < c->n; done += piece) {
        uint64_t off = c->off + done;
        piece = SIM_SECTOR - (size_t)(off % SIM_SECTOR);
        piece = piece < c->n - done ? piece : c->n - done;
        if (index < sector_moment(h, luck, off / SIM_SECTOR, changes))
            sim_bytes_write(b, off, c->p + done, piece);
    }
}

void sim_node_gamble(const struct sim_node *n, struct sim_bytes *b, uint64_t luck)
{
    size_t changes = n->pending.n;
    if (!changes)
        return;
    enum habit h = (enum habit)(sim_draw(&luck) % HABITS);
    /* The size has a moment of its own, drawn like that of one more sector. */
    size_t size_moment = sector_moment(h, luck, UINT64_MAX - 1, changes);
    uint64_t size = size_moment ? n->pending.at[size_moment - 1].size : n->safe.size;
    uint64_t longest = n->safe.size;
    VEC_EACH (c, &n->pending)
        longest = c->size > longest ? c->size : longest;

    sim_bytes_resize(b, longest);
    uint64_t before = n->safe.size;
    for (size_t i = 0; i < changes; i++) {
        const struct sim_change *c = &n->pending.at[i];
        /* Bytes behind a shorter size are gone if that size took effect, even if it grew again. */
        if (c->size < before && i < size_moment) {
            sim_bytes_resize(b, c->size);
            sim_bytes_resize(b, longest);
        }
        before = c->size;
        if (c->p)
            gamble_write(c, i, b, h, luck, changes);
    }
    sim_bytes_resize(b, size);
}
