// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of a disk: all of it (sim_clone), or one of the things a power cut may leave.
 *
 * Each node that matters gets a twin; `made` remembers both so that the scratch pointers can be
 * reset. A cut copies the safe state, lets luck apply a part of what is pending, assigns the names
 * of the steps that survived, and then calls the result current. Nodes that no name reaches are
 * dropped.
 */
#include "sys/sim/sim_int.h"

struct copy {
    struct sim *to;
    bool cut;
    uint64_t outcome;
    VEC(struct sim_node *) made; /* the originals; the twins hold one count for this list */
};

static void copy_content(struct copy *c, const struct sim_node *n, struct sim_node *t)
{
    t->safe = sim_bytes_copy(&n->safe);
    if (c->cut) {
        uint64_t luck = c->outcome ^ (n->id + 1) * 0xa0761d6478bd642fu;
        sim_node_gamble(n, &t->safe, sim_draw(&luck));
        return;
    }
    t->cur = sim_bytes_copy(&n->cur);
    VEC_EACH (ch, &n->pending) {
        struct sim_change dup = *ch;
        dup.p = ch->p ? mem_dup(ch->p, ch->n) : NULL;
        vec_push(&t->pending, dup);
    }
}

/* The twin, made when it is not there yet, with all that is below it. */
static struct sim_node *twin(struct copy *c, struct sim_node *n)
{
    if (!n || n->twin)
        return n ? n->twin : NULL;
    struct sim_node *t = sim_node_new(c->to, n->is_dir);
    t->id = n->id;
    n->twin = t;
    vec_push(&c->made, n);
    copy_content(c, n, t);
    VEC_EACH (e, &n->safe_names)
        sim_entry_set(&t->safe_names, str_from_z(e->name), twin(c, e->node));
    VEC_EACH (e, &n->cur_names)
        if (!c->cut)
            sim_entry_set(&t->cur_names, str_from_z(e->name), twin(c, e->node));
    return t;
}

static void copy_steps(struct copy *c, const struct sim *s)
{
    VEC_EACH (step, &s->steps) {
        struct sim_step t = {.n = step->n, .subject = sim_node_ref(twin(c, step->subject))};
        for (int i = 0; i < step->n; i++) {
            const struct sim_assign *a = &step->a[i];
            t.a[i].dir = sim_node_ref(twin(c, a->dir));
            t.a[i].node = sim_node_ref(twin(c, a->node));
            t.a[i].name = mem_dup(a->name, strlen(a->name) + 1);
        }
        vec_push(&c->to->steps, t);
    }
}

/* Which steps the cut lost: none, all, each by a coin, or all after a moment; never a step whose
 * forerunner is lost. */
static void lose_steps(struct sim *s, uint64_t luck)
{
    enum { LOSE_NONE, LOSE_ALL, LOSE_SOME, LOSE_LATE, HABITS };
    uint64_t habit = sim_draw(&luck) % HABITS;
    size_t moment = (size_t)(sim_draw(&luck) % (s->steps.n + 1));
    for (size_t i = 0; i < s->steps.n; i++) {
        struct sim_step *t = &s->steps.at[i];
        bool coin = sim_draw(&luck) & 1;
        t->lost = habit == LOSE_ALL || (habit == LOSE_SOME && coin) ||
                  (habit == LOSE_LATE && i >= moment);
        for (size_t j = 0; j < i && !t->lost; j++)
            t->lost = s->steps.at[j].lost && sim_steps_chained(&s->steps.at[j], t);
    }
}

static void gamble_steps(struct copy *c, struct sim *s)
{
    lose_steps(s, c->outcome);
    VEC_EACH (t, &s->steps) {
        for (int i = 0; i < t->n && !t->lost; i++)
            sim_entry_set(&twin(c, t->a[i].dir)->safe_names, str_from_z(t->a[i].name),
                          twin(c, t->a[i].node));
    }
}

/* Counts links and space below `n`; after a cut, the safe state becomes the current one first. */
static void settle(struct copy *c, struct sim_node *n)
{
    n->links++;
    if (n->counted)
        return;
    n->counted = true;
    if (c->cut) {
        n->cur = sim_bytes_copy(&n->safe);
        VEC_EACH (e, &n->safe_names)
            sim_entry_set(&n->cur_names, str_from_z(e->name), e->node);
    }
    c->to->used += n->cur.size;
    VEC_EACH (e, &n->cur_names)
        settle(c, e->node);
}

static struct sim *copy_make(struct sim *s, bool cut, uint64_t outcome)
{
    struct copy c = {.to = sim_new(s->seed), .cut = cut};
    uint64_t mix = s->seed ^ outcome * 0xe7037ed1a0b428dbu;
    c.outcome = sim_draw(&mix);
    pthread_mutex_lock(&s->lock);
    c.to->wall_ms = s->wall_ms;
    c.to->mono_ns = s->mono_ns;
    c.to->capacity = s->capacity;
    c.to->random = cut ? sim_draw(&mix) : s->random;
    sim_node_unref(c.to->root);
    c.to->root = sim_node_ref(twin(&c, s->root));
    if (cut)
        gamble_steps(&c, s);
    else
        copy_steps(&c, s);
    settle(&c, c.to->root);
    VEC_EACH (n, &c.made) {
        sim_node_unref((*n)->twin);
        (*n)->twin = NULL;
    }
    c.to->next_id = s->next_id;
    pthread_mutex_unlock(&s->lock);
    vec_fini(&c.made);
    return c.to;
}

struct sim *sim_power_cut(struct sim *s, uint64_t outcome)
{
    return copy_make(s, true, outcome);
}

struct sim *sim_clone(struct sim *s)
{
    return copy_make(s, false, 0);
}
