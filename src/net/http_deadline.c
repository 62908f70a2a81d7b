// SPDX-License-Identifier: Apache-2.0
/*
 * Deadlines of connections. All connections of a list wait equally long, so the list is in order of
 * time by itself and one timer serves it. A tick ends a bounded number of them, so that ten
 * thousand that expire together do not hold up the others.
 */
#include "net/http_server_int.h"

static void list_unlink(struct deadline_list *l, struct conn *c)
{
    *(c->dl_prev ? &c->dl_prev->dl_next : &l->first) = c->dl_next;
    *(c->dl_next ? &c->dl_next->dl_prev : &l->last) = c->dl_prev;
    c->dl_prev = c->dl_next = NULL;
}

static void list_append(struct deadline_list *l, struct conn *c)
{
    c->dl_prev = l->last;
    *(l->last ? &l->last->dl_next : &l->first) = c;
    l->last = c;
}

static void list_arm(struct deadline_list *l, uint64_t now)
{
    uint64_t due = l->first->due_ms;
    l->armed = true;
    loop_timer_start(l->timer, due > now ? due - now : 0);
}

static void on_tick(void *arg)
{
    struct deadline_list *l = arg;
    uint64_t now = loop_now_ms(l->shard->loop);
    l->armed = false;
    for (int i = 0; l->first && l->first->due_ms <= now && i < KILLS_PER_TICK; i++) {
        struct conn *c = l->first;
        deadline_set(c, DEADLINE_NONE);
        conn_expired(c, l->kind);
    }
    if (l->first && !l->armed)
        list_arm(l, now);
}

void deadline_set(struct conn *c, enum deadline kind)
{
    struct shard *sh = c->shard;
    if (c->deadline != DEADLINE_NONE)
        list_unlink(&sh->deadlines[c->deadline], c);
    c->deadline = kind;
    if (kind == DEADLINE_NONE)
        return;
    struct deadline_list *l = &sh->deadlines[kind];
    uint64_t now = loop_now_ms(sh->loop);
    c->due_ms = now + l->ms;
    list_append(l, c);
    if (!l->armed)
        list_arm(l, now);
}

void deadlines_init(struct shard *sh)
{
    const struct http_limits *lim = &sh->server->limits;
    const unsigned ms[DEADLINES] = {
        [DEADLINE_HEAD] = lim->header_deadline_ms,
        [DEADLINE_BODY] = lim->body_idle_ms,
        [DEADLINE_WRITE] = lim->write_idle_ms,
        [DEADLINE_IDLE] = lim->keepalive_ms,
        [DEADLINE_LINGER] = LINGER_MS,
    };
    for (int i = DEADLINE_NONE + 1; i < DEADLINES; i++) {
        struct deadline_list *l = &sh->deadlines[i];
        l->ms = ms[i];
        l->kind = (enum deadline)i;
        l->shard = sh;
        l->timer = loop_timer_new(sh->loop, on_tick, l);
    }
}

void deadlines_fini(struct shard *sh)
{
    for (int i = DEADLINE_NONE + 1; i < DEADLINES; i++)
        loop_timer_free(sh->deadlines[i].timer);
}
