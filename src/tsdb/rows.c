// SPDX-License-Identifier: Apache-2.0
#include "tsdb/rows.h"

#include <assert.h>

/* First byte of a row; bits 0 and 1 are the order of its differences. */
enum {
    ROW_ORDER = 3,
    ROW_EQUAL = 4,       /* all values are the first: nothing else follows */
    ROW_SHIFT = 8,       /* differences to the first are multiples of a power of two */
    ROW_EXCEPTIONS = 16, /* residuals whose high part is larger than a byte */
    ROW_FLAT = 32,       /* no high bytes: all are zero */
    ROW_KNOWN = 63,
    ORDERS = 3,
    WIDTH_MAX = 56, /* so that any residual's low bits are in one unaligned word */
    HIGH_BITS = 4,  /* of the high byte that three quarters of the residuals need */
    HIGH_MAX = 255,
};

void row_streams_fini(struct row_streams *s)
{
    enc_fini(&s->ctl);
    enc_fini(&s->low);
    enc_fini(&s->high);
}

/* ---- encoding ---- */

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* The middle of up to nine values spread over the row: robust against jumps. */
static uint64_t middle(const uint64_t *d, size_t n)
{
    int64_t some[9];
    size_t k = 0, step = n / 9 + 1;
    for (size_t i = 0; i < n && k < 9; i += step) {
        int64_t v = (int64_t)d[i];
        size_t at = k++;
        for (; at > 0 && some[at - 1] > v; at--)
            some[at] = some[at - 1];
        some[at] = v;
    }
    return k ? (uint64_t)some[k / 2] : 0;
}

/* One way to write a row: its residuals, and how many there are of each length. */
struct plan {
    unsigned order;
    uint64_t base;
    uint64_t bits; /* lengths added up */
    uint32_t lengths[65];
};

static void price(struct plan *p, const uint64_t *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p->lengths[bit_length(zigzag((int64_t)(d[i] - p->base)))]++;
    for (unsigned k = 1; k <= 64; k++)
        p->bits += (uint64_t)p->lengths[k] * k;
}

static void differences(uint64_t *d, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        d[i] = d[i + 1] - d[i];
}

/* The order with the fewest bits; d is left as differences of order 2. */
static void choose(struct plan *best, uint64_t *d, size_t n)
{
    *best = (struct plan){.order = 0, .base = middle(d, n)};
    price(best, d, n);
    for (unsigned order = 1; order < ORDERS && n > order; order++) {
        differences(d, n - order + 1);
        struct plan p = {.order = order, .base = order == 1 ? middle(d, n - 1) : 0};
        price(&p, d, n - order);
        if (p.bits < best->bits)
            *best = p;
    }
}

/* The width that leaves HIGH_BITS for three quarters of the residuals, or more of them when too
 * many would be exceptions. */
static unsigned choose_width(const struct plan *p, size_t n)
{
    size_t below = 0, above = 0;
    unsigned typical = 0, top = 64;
    for (; typical < 64; typical++) {
        below += p->lengths[typical];
        if (4 * below >= 3 * n)
            break;
    }
    while (top > 0 && 32 * (above + p->lengths[top]) <= n)
        above += p->lengths[top--];
    unsigned width = typical > HIGH_BITS ? typical - HIGH_BITS : 0;
    if (top > 8 && width < top - 8)
        width = top - 8;
    return width < WIDTH_MAX ? width : WIDTH_MAX;
}

static void pack(struct enc *e, const uint64_t *r, size_t n, unsigned width)
{
    size_t total = ((size_t)width * n + 7) / 8;
    uint8_t *out = enc_room(e, total + 16), *p = out;
    uint64_t mask = (1ULL << width) - 1, acc = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n && width; i++) {
        uint64_t v = r[i] & mask;
        acc |= v << have;
        have += width;
        if (have >= 64) {
            memcpy(p, &acc, sizeof acc);
            p += sizeof acc;
            have -= 64;
            acc = have ? v >> (width - have) : 0;
        }
    }
    memcpy(p, &acc, sizeof acc);
    e->n += total;
}

/* A quotient of 255 or less is a byte; above, the byte is zero and ctl has it. */
static size_t put_high(struct enc *e, const uint64_t *r, size_t n, unsigned width, uint64_t *any)
{
    uint8_t *out = enc_room(e, n);
    size_t exceptions = 0;
    uint8_t all = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t q = r[i] >> width;
        bool fits = q <= HIGH_MAX;
        out[i] = fits ? (uint8_t)q : 0;
        all |= out[i];
        exceptions += !fits;
    }
    *any = all;
    if (all)
        e->n += n;
    return exceptions;
}

static void put_exceptions(struct enc *e, const uint64_t *r, size_t n, unsigned width, size_t count)
{
    enc_uvar(e, count);
    for (size_t i = 0, last = 0; i < n && count > 0; i++) {
        uint64_t q = r[i] >> width;
        if (q <= HIGH_MAX)
            continue;
        enc_uvar(e, i - last);
        enc_uvar(e, q);
        last = i;
        count--;
    }
}

void row_encode(struct row_streams *s, const int64_t *x, size_t n)
{
    assert(n <= ROW_MAX);
    uint64_t d[ROW_MAX], r[ROW_MAX], first = n ? (uint64_t)x[0] : 0, any = 0, high;
    for (size_t i = 0; i < n; i++)
        any |= d[i] = (uint64_t)x[i] - first;
    if (!any) {
        enc_u8(&s->ctl, ROW_EQUAL);
        enc_svar(&s->ctl, (int64_t)first);
        return;
    }
    unsigned shift = (unsigned)__builtin_ctzll(any);
    for (size_t i = 0; i < n; i++)
        r[i] = d[i] = (uint64_t)((int64_t)d[i] >> shift);
    struct plan p;
    uint64_t second = r[1];
    choose(&p, d, n);
    size_t m = n - p.order;
    for (unsigned k = 0; k < p.order; k++)
        differences(r, n - k);
    for (size_t i = 0; i < m; i++)
        r[i] = zigzag((int64_t)(r[i] - p.base));
    unsigned width = choose_width(&p, m);
    size_t exceptions = put_high(&s->high, r, m, width, &high);
    pack(&s->low, r, m, width);
    enc_u8(&s->ctl, (uint8_t)(p.order | (shift ? ROW_SHIFT : 0) |
                              (exceptions ? ROW_EXCEPTIONS : 0) | (high ? 0 : ROW_FLAT)));
    enc_u8(&s->ctl, (uint8_t)width);
    if (shift)
        enc_u8(&s->ctl, (uint8_t)shift);
    enc_svar(&s->ctl, (int64_t)first);
    enc_svar(&s->ctl, (int64_t)(p.order == 2 ? second : p.base));
    if (exceptions)
        put_exceptions(&s->ctl, r, m, width, exceptions);
}

/* ---- decoding ---- */

struct row_head {
    uint8_t kind, width, shift;
    uint64_t first, base, exceptions;
    struct dec exceptions_at;
};

static void read_head(struct row_cursor *c, size_t n, struct row_head *h)
{
    struct dec *d = &c->ctl;
    *h = (struct row_head){.kind = dec_u8(d)};
    if (!(h->kind & ROW_EQUAL))
        h->width = dec_u8(d);
    if (h->kind & ROW_SHIFT)
        h->shift = dec_u8(d);
    h->first = (uint64_t)dec_svar(d);
    if (h->kind & ROW_EQUAL)
        return;
    h->base = (uint64_t)dec_svar(d);
    if (h->kind & ROW_EXCEPTIONS)
        h->exceptions = dec_uvar(d);
    h->exceptions_at = *d;
    unsigned order = h->kind & ROW_ORDER;
    if (h->kind & ~ROW_KNOWN || order >= ORDERS || order > n || h->width > WIDTH_MAX ||
        h->shift > 63 || h->exceptions > n)
        d->bad = true;
    for (uint64_t i = 0; i < 2 * h->exceptions && !d->bad; i++)
        dec_uvar(d);
}

/* `width` bits at bit `at`; the last bytes of the input one by one. */
static uint64_t last_bits(const uint8_t *p, const uint8_t *end, unsigned shift, uint64_t mask)
{
    uint64_t v = 0;
    for (int i = 0; p + i < end && i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v >> shift & mask;
}

static void unpack(const uint8_t *p, const uint8_t *end, unsigned width, uint64_t *out, size_t n)
{
    uint64_t mask = (1ULL << width) - 1;
    /* Rows for which a whole word can be read. */
    size_t bits = (size_t)(end - p) * 8, whole = bits >= 64 ? (bits - 64) / width + 1 : 0, i = 0;
    whole = whole < n ? whole : n;
    for (size_t at = 0; i < whole; i++, at += width) {
        uint64_t word;
        memcpy(&word, p + at / 8, sizeof word);
        out[i] = word >> at % 8 & mask;
    }
    for (; i < n; i++)
        out[i] = last_bits(p + i * width / 8, end, i * width % 8, mask);
}

static void add_exceptions(struct row_cursor *c, const struct row_head *h, uint64_t *out, size_t n)
{
    struct dec d = h->exceptions_at;
    uint64_t at = 0;
    for (uint64_t i = 0; i < h->exceptions; i++) {
        at += dec_uvar(&d);
        uint64_t q = dec_uvar(&d);
        if (d.bad || at >= n) {
            c->ctl.bad = true;
            return;
        }
        out[at] |= q << h->width;
    }
}

/* Where the parts of residuals are that are no exceptions. */
struct residuals {
    const uint8_t *high; /* NULL: all are 0 */
    bool has_low;        /* those in the row itself; else all are 0 */
};

static struct residuals read_residuals(struct row_cursor *c, const struct row_head *h, uint64_t *x,
                                       size_t n)
{
    struct residuals r = {.has_low = h->width > 0 || h->exceptions};
    const uint8_t *low = dec_take(&c->low, ((uint64_t)h->width * n + 7) / 8);
    if (!(h->kind & ROW_FLAT))
        r.high = dec_take(&c->high, n);
    if (row_cursor_bad(c))
        return r;
    if (h->width)
        unpack(low, c->low.end, h->width, x, n);
    else if (h->exceptions)
        memset(x, 0, n * sizeof *x);
    if (h->exceptions)
        add_exceptions(c, h, x, n);
    return r;
}

/* From m residuals to the values, in one pass and in place. */
static inline __attribute__((always_inline)) void restore(uint64_t *restrict x, size_t m,
                                                          const struct row_head *h,
                                                          const uint8_t *restrict high,
                                                          bool has_low, unsigned order)
{
    uint64_t value = h->first, step = h->base << h->shift, base = order < 2 ? h->base : 0;
    unsigned width = h->width, shift = h->shift;
    for (size_t i = 0; i < m; i++) {
        uint64_t r = (has_low ? x[i] : 0) | (high ? (uint64_t)high[i] << width : 0);
        uint64_t d = ((uint64_t)unzigzag(r) + base) << shift;
        x[i] = order ? value : value + d;
        value += order == 0 ? 0 : order == 1 ? d : step;
        step += order == 2 ? d : 0;
    }
    for (size_t i = m; i < m + order; i++, value += step)
        x[i] = value;
}

/* A loop for each kind of row. */
#define LOOPS(order)                                                                               \
    static void restore_##order(uint64_t *x, size_t m, const struct row_head *h,                   \
                                const struct residuals *r)                                         \
    {                                                                                              \
        if (!r->has_low)                                                                           \
            restore(x, m, h, r->high, false, order);                                               \
        else if (r->high)                                                                          \
            restore(x, m, h, r->high, true, order);                                                \
        else                                                                                       \
            restore(x, m, h, NULL, true, order);                                                   \
    }
LOOPS(0)
LOOPS(1)
LOOPS(2)

bool row_take_equal(struct row_cursor *c, int64_t *x)
{
    struct row_head h;
    if (c->ctl.bad || !dec_left(&c->ctl) || !(*c->ctl.p & ROW_EQUAL))
        return false;
    read_head(c, 1, &h);
    *x = (int64_t)h.first;
    return !c->ctl.bad;
}

void row_decode(struct row_cursor *c, int64_t *x, size_t n)
{
    static void (*const loops[ORDERS])(uint64_t *, size_t, const struct row_head *,
                                       const struct residuals *) = {restore_0, restore_1,
                                                                    restore_2};
    struct row_head h;
    read_head(c, n, &h);
    if (c->ctl.bad)
        return;
    if (h.kind & ROW_EQUAL) {
        for (size_t i = 0; i < n; i++)
            x[i] = (int64_t)h.first;
        return;
    }
    size_t m = n - (h.kind & ROW_ORDER);
    struct residuals r = read_residuals(c, &h, (uint64_t *)x, m);
    if (!row_cursor_bad(c))
        loops[h.kind & ROW_ORDER]((uint64_t *)x, m, &h, &r);
}

void row_skip(struct row_cursor *c, size_t n)
{
    struct row_head h;
    read_head(c, n, &h);
    if (c->ctl.bad || h.kind & ROW_EQUAL)
        return;
    size_t m = n - (h.kind & ROW_ORDER);
    dec_take(&c->low, ((uint64_t)h.width * m + 7) / 8);
    if (!(h.kind & ROW_FLAT))
        dec_take(&c->high, m);
}
