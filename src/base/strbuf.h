// SPDX-License-Identifier: Apache-2.0
/*
 * Growable text on the heap. All zero is a valid empty buffer. The text is always followed by a NUL
 * that the length does not count, once anything was added.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>

#include "base/str.h"

struct strbuf {
    char *p;
    size_t n, cap;
};

void strbuf_fini(struct strbuf *b);
/* Makes room for `extra` more bytes and returns where they go; count them with `b->n +=`. */
char *strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_add(struct strbuf *b, str s);
void strbuf_addz(struct strbuf *b, const char *z);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static inline str strbuf_str(const struct strbuf *b)
{
    return (str){b->p ? b->p : "", b->n};
}
static inline void strbuf_clear(struct strbuf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = 0;
}
/* The text as a heap string the caller frees; the buffer is empty afterwards. */
char *strbuf_take(struct strbuf *b);

#define STRBUF_CLEANUP __attribute__((cleanup(strbuf_fini)))

#endif
