// SPDX-License-Identifier: Apache-2.0
/* Connections by peer address; IPv6 peers by their /64, which is what one customer gets. */
#include <stdlib.h>

#include "base/hash.h"
#include "net/http_server_int.h"
#include "sys/env.h"

enum { BUCKETS = 4096 };

struct peer {
    struct peer *next;
    struct in6_addr key;
    unsigned n;
};

struct peer_table {
    pthread_mutex_t lock;
    uint64_t seed; /* peers choose their addresses, but not the bucket */
    struct peer *buckets[BUCKETS];
};

struct peer_table *peers_new(void)
{
    struct peer_table *t = mem_new(struct peer_table);
    struct entropy *e = entropy_system();
    e->fill(e, &t->seed, sizeof t->seed);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void peers_free(struct peer_table *t)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct peer *p = t->buckets[i], *next; p; p = next) {
            next = p->next;
            free(p);
        }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct in6_addr peers_key(const struct sockaddr *sa)
{
    struct in6_addr key = {0};
    if (sa->sa_family == AF_INET6) {
        key = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&key))
            memset(key.s6_addr + 8, 0, 8);
    } else if (sa->sa_family == AF_INET) {
        key.s6_addr[10] = key.s6_addr[11] = 0xff;
        memcpy(key.s6_addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    }
    return key;
}

/* The link that points to the entry, or to NULL where it would go. */
static struct peer **peer_find(struct peer_table *t, const struct in6_addr *key)
{
    uint64_t h = hash_mix(hash_bytes(key, sizeof *key), t->seed);
    struct peer **at = &t->buckets[h % BUCKETS];
    while (*at && memcmp(&(*at)->key, key, sizeof *key) != 0)
        at = &(*at)->next;
    return at;
}

bool peers_add(struct peer_table *t, const struct in6_addr *key, unsigned max)
{
    pthread_mutex_lock(&t->lock);
    struct peer **at = peer_find(t, key);
    if (!*at) {
        *at = mem_new(struct peer);
        (*at)->key = *key;
    }
    bool ok = (*at)->n < max;
    (*at)->n += ok;
    pthread_mutex_unlock(&t->lock);
    return ok;
}

void peers_remove(struct peer_table *t, const struct in6_addr *key)
{
    pthread_mutex_lock(&t->lock);
    struct peer **at = peer_find(t, key), *p = *at;
    if (p && --p->n == 0) {
        *at = p->next;
        free(p);
    }
    pthread_mutex_unlock(&t->lock);
}
