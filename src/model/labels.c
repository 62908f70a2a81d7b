// SPDX-License-Identifier: Apache-2.0
/*
 * Label sets. Sets are small (ten labels, rarely over thirty), so look-ups are linear and sorting
 * is by insertion until a set is unusually large; comparing lengths first makes a miss cheap.
 */
#include "model/labels.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    HASH_STACK_BYTES = 2048,
    INSERTION_SORT_MAX = 48,
};

str labels_get(struct labels ls, str name)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.at[i].name, name))
            return ls.at[i].value;
    }
    return STR("");
}

bool labels_eq(struct labels a, struct labels b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (!str_eq(a.at[i].value, b.at[i].value) || !str_eq(a.at[i].name, b.at[i].name))
            return false;
    }
    return true;
}

int labels_cmp(struct labels a, struct labels b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        int c = str_cmp(a.at[i].name, b.at[i].name);
        if (!c)
            c = str_cmp(a.at[i].value, b.at[i].value);
        if (c)
            return c;
    }
    return (a.n > b.n) - (a.n < b.n);
}

/* Most names and values have up to 16 bytes: two loads that overlap are cheaper than a call. */
static inline void copy(char *to, const char *from, size_t n)
{
    if (n > 16) {
        memcpy(to, from, n);
    } else if (n >= 8) {
        uint64_t head, tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + n - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + n - 8, &tail, 8);
    } else if (n >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + n - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + n - 4, &tail, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

static inline char *put(char *at, str s)
{
    copy(at, s.p, s.n);
    at[s.n] = (char)0xff; /* never occurs in UTF-8, so pieces cannot run into each other */
    return at + s.n + 1;
}

size_t labels_bytes_size(struct labels ls)
{
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        n += ls.at[i].name.n + ls.at[i].value.n + 2;
    return n;
}

void labels_bytes(struct labels ls, char *to)
{
    for (size_t i = 0; i < ls.n; i++)
        to = put(put(to, ls.at[i].name), ls.at[i].value);
}

/* One pass over contiguous bytes is faster than feeding twenty short pieces to a streaming hash. */
uint64_t labels_hash(struct labels ls)
{
    size_t need = labels_bytes_size(ls);
    char stack[HASH_STACK_BYTES];
    stack[0] = 0; /* the empty set hashes no bytes, which compilers cannot see */
    char *buf = need <= sizeof stack ? stack : mem_alloc(need);
    labels_bytes(ls, buf);
    uint64_t h = hash_bytes(buf, need);
    if (buf != stack)
        free(buf);
    return h ? h : 1;
}

struct labels labels_dup(struct arena *a, struct labels ls)
{
    size_t text = 0;
    for (size_t i = 0; i < ls.n; i++)
        text += ls.at[i].name.n + ls.at[i].value.n;

    struct label *at = arena_alloc(a, ls.n * sizeof *at);
    char *p = arena_alloc(a, text);
    for (size_t i = 0; i < ls.n; i++) {
        const struct label *l = &ls.at[i];
        if (l->name.n)
            memcpy(p, l->name.p, l->name.n);
        at[i].name = str_of(p, l->name.n);
        p += l->name.n;
        if (l->value.n)
            memcpy(p, l->value.p, l->value.n);
        at[i].value = str_of(p, l->value.n);
        p += l->value.n;
    }
    return (struct labels){at, ls.n};
}

/* Length of the well-formed UTF-8 character that `s` begins with; 0 when there is none. */
static size_t utf8_char(str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return n <= s.n && str_utf8_valid(str_of(s.p, n)) ? n : 0;
}

void label_value_format(str value, struct strbuf *out)
{
    strbuf_addc(out, '"');
    while (value.n) {
        size_t n = utf8_char(value);
        unsigned char c = (unsigned char)value.p[0];
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_addz(out, "\\n");
        else if (c == '\t')
            strbuf_addz(out, "\\t");
        else if (c == '\r')
            strbuf_addz(out, "\\r");
        else if (n == 0 || c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", c);
        else
            strbuf_add(out, str_of(value.p, n));
        value = str_sub(value, n ? n : 1, value.n);
    }
    strbuf_addc(out, '"');
}

void label_name_format(str name, struct strbuf *out)
{
    if (label_name_is_legacy(name))
        strbuf_add(out, name);
    else
        label_value_format(name, out);
}

void labels_format(struct labels ls, struct strbuf *out)
{
    str metric = labels_metric_name(ls);
    bool bare = metric_name_is_legacy(metric);
    if (bare)
        strbuf_add(out, metric);
    if (bare && ls.n == 1)
        return;

    const char *sep = "";
    strbuf_addc(out, '{');
    if (metric.n && !bare) {
        label_value_format(metric, out);
        sep = ",";
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.at[i].name, LABEL_NAME))
            continue;
        strbuf_addz(out, sep);
        sep = ",";
        label_name_format(ls.at[i].name, out);
        strbuf_addc(out, '=');
        label_value_format(ls.at[i].value, out);
    }
    strbuf_addc(out, '}');
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool metric_name_is_legacy(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_name_char(s.p[i]) && s.p[i] != ':')
            return false;
    }
    return s.n && !(s.p[0] >= '0' && s.p[0] <= '9');
}

bool label_name_is_legacy(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_name_char(s.p[i]))
            return false;
    }
    return s.n && !(s.p[0] >= '0' && s.p[0] <= '9');
}

void labels_builder_init(struct labels_builder *b, struct labels base)
{
    *b = (struct labels_builder){0};
    labels_builder_reset(b, base);
}

static void reserve(struct labels_builder *b, size_t n)
{
    if (n <= b->cap)
        return;
    b->cap = n > 2 * b->cap ? n + 16 : 2 * b->cap;
    b->at = mem_realloc(b->at, b->cap * sizeof *b->at);
}

void labels_builder_reset(struct labels_builder *b, struct labels base)
{
    reserve(b, base.n);
    if (base.n)
        memcpy(b->at, base.at, base.n * sizeof *b->at);
    b->n = base.n;
}

void labels_builder_set(struct labels_builder *b, str name, str value)
{
    size_t i = 0;
    while (i < b->n && !str_eq(b->at[i].name, name))
        i++;
    if (value.n == 0) {
        if (i < b->n) {
            b->n--;
            memmove(&b->at[i], &b->at[i + 1], (b->n - i) * sizeof *b->at);
        }
        return;
    }
    if (i == b->n) {
        reserve(b, b->n + 1);
        b->n++;
    }
    b->at[i] = (struct label){name, value};
}

str labels_builder_get(const struct labels_builder *b, str name)
{
    return labels_get((struct labels){b->at, b->n}, name);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

void label_sort(struct label *at, size_t n)
{
    if (n > INSERTION_SORT_MAX) {
        qsort(at, n, sizeof *at, by_name);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct label l = at[i];
        size_t j = i;
        for (; j > 0 && str_cmp(at[j - 1].name, l.name) > 0; j--)
            at[j] = at[j - 1];
        at[j] = l;
    }
}

struct labels labels_builder_take(struct labels_builder *b, struct arena *a)
{
    label_sort(b->at, b->n);
    struct label *at = arena_alloc(a, b->n * sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->at[i].value.n) /* a base set may hold empty values when it came from outside */
            at[n++] = b->at[i];
    }
    b->n = 0;
    return (struct labels){at, n};
}

void labels_builder_fini(struct labels_builder *b)
{
    free(b->at);
    *b = (struct labels_builder){0};
}
