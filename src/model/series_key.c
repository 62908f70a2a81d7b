// SPDX-License-Identifier: Apache-2.0
/* Keys of series: 128 bits under a secret that lives as long as the process. */
#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/sink.h"
#include "sys/env.h"

static struct hash_secret secret;
static pthread_once_t secret_made = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    struct entropy *e = entropy_system();
    e->fill(e, &secret, sizeof secret);
}

struct series_key series_key_of(enum series_key_kind kind, bytes b)
{
    pthread_once(&secret_made, make_secret);
    struct hash128 h = hash128_bytes(b.p, b.n, &secret);
    struct series_key k = {h.lo, h.hi + kind};
    return series_key_is_none(k) ? (struct series_key){1, 0} : k;
}

struct series_key series_key_labels(struct labels ls)
{
    char stack[1024];
    size_t need = labels_bytes_size(ls);
    char *buf = need <= sizeof stack ? stack : mem_alloc(need);
    labels_bytes(ls, buf);
    struct series_key k = series_key_of(SERIES_KEY_LABELS, bytes_of((uint8_t *)buf, need));
    if (buf != stack)
        free(buf);
    return k;
}
