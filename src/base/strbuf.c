// SPDX-License-Identifier: Apache-2.0
#include "base/strbuf.h"

#include <stdio.h>

#include "base/mem.h"

void strbuf_fini(struct strbuf *b)
{
    free(b->p);
    *b = (struct strbuf){0};
}

char *strbuf_reserve(struct strbuf *b, size_t extra)
{
    size_t need = b->n + extra + 1;
    if (need > b->cap) {
        size_t cap = b->cap * 2 > need ? b->cap * 2 : need;
        b->cap = cap < 64 ? 64 : cap;
        b->p = mem_realloc(b->p, b->cap);
    }
    return b->p + b->n;
}

void strbuf_add(struct strbuf *b, str s)
{
    char *p = strbuf_reserve(b, s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    b->n += s.n;
    b->p[b->n] = 0;
}

void strbuf_addz(struct strbuf *b, const char *z)
{
    strbuf_add(b, str_from_z(z));
}

void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, (str){&c, 1});
}

void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *p = strbuf_reserve(b, 64);
    size_t room = b->cap - b->n;
    int n = vsnprintf(p, room, fmt, ap);
    if (n > 0 && (size_t)n >= room) {
        p = strbuf_reserve(b, (size_t)n);
        vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (n > 0)
        b->n += (size_t)n;
    b->p[b->n] = 0;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(b, fmt, ap);
    va_end(ap);
}

char *strbuf_take(struct strbuf *b)
{
    strbuf_reserve(b, 0)[0] = 0;
    char *p = b->p;
    *b = (struct strbuf){0};
    return p;
}
