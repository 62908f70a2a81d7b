// SPDX-License-Identifier: Apache-2.0
/* Reading postings; index_postings_write.c makes them. */
#include "tsdb/index_postings.h"

#include "base/arena.h"

void posting_ids(const struct postings_dir *d, const struct posting *p, uint32_t *out)
{
    struct posting_cursor c = posting_read(d, p);
    struct posting_span s;
    while (posting_next(&c, p->n, &s))
        for (uint32_t i = 0, id = s.first; i < s.times; i++, id += s.gap)
            *out++ = id;
}

/* Bits of a row of neighbours, a word at a time. */
static void set_row(uint64_t *bits, uint32_t first, uint32_t n, bool on)
{
    for (uint32_t end = first + n; first < end;) {
        uint32_t in = first % 64, some = 64 - in < end - first ? 64 - in : end - first;
        uint64_t mask = (some == 64 ? ~0ULL : (1ULL << some) - 1) << in;
        if (on)
            bits[first / 64] |= mask;
        else
            bits[first / 64] &= ~mask;
        first += some;
    }
}

void posting_set(const struct postings_dir *d, const struct posting *p, uint64_t *bits)
{
    struct posting_cursor c = posting_read(d, p);
    struct posting_span s;
    while (posting_next(&c, p->n, &s)) {
        if (s.gap == 1 && s.times > 1)
            set_row(bits, s.first, s.times, true);
        else
            for (uint32_t i = 0, id = s.first; i < s.times; i++, id += s.gap)
                bits[id / 64] |= 1ULL << id % 64;
    }
}

void posting_clear(const struct postings_dir *d, const struct posting *p, uint64_t *bits)
{
    struct posting_cursor c = posting_read(d, p);
    struct posting_span s;
    while (posting_next(&c, p->n, &s)) {
        if (s.gap == 1 && s.times > 1)
            set_row(bits, s.first, s.times, false);
        else
            for (uint32_t i = 0, id = s.first; i < s.times; i++, id += s.gap)
                bits[id / 64] &= ~(1ULL << id % 64);
    }
}

/* ---- loading ---- */

static bool load_names(struct postings_dir *d, struct dec *e, uint32_t symbols_n, struct arena *a)
{
    uint64_t names_n = dec_uvar(e), name = 0, n = 0;
    if (e->bad || names_n > dec_left(e) || names_n > symbols_n)
        return false;
    d->names_n = (uint32_t)names_n;
    d->names = arena_alloc(a, (names_n + 1) * sizeof *d->names);
    for (uint32_t i = 0; i < names_n; i++) {
        uint64_t step = dec_uvar(e), values = dec_uvar(e);
        if (e->bad || step >= symbols_n || (i && step == 0) || (name += step) >= symbols_n ||
            values == 0 || values > dec_left(e) || (n += values) > UINT32_MAX / 2)
            return false;
        d->names[i] =
            (struct posting_name){.name = (uint32_t)name, .first = (uint32_t)(n - values)};
    }
    d->n = (uint32_t)n;
    d->names[names_n] = (struct posting_name){.first = d->n};
    return n <= dec_left(e);
}

static bool load_values(struct postings_dir *d, struct dec *e, uint32_t symbols_n)
{
    for (uint32_t i = 0; i < d->names_n; i++) {
        uint64_t value = 0;
        for (uint32_t k = d->names[i].first; k < d->names[i + 1].first; k++) {
            uint64_t step = dec_uvar(e);
            if (step >= symbols_n || (k > d->names[i].first && step == 0) ||
                (value += step) >= symbols_n)
                return false;
            d->at[k].value = (uint32_t)value;
        }
    }
    return !e->bad;
}

/* Each label of a series is in one list, so their lengths add up. */
static bool load_counts(struct postings_dir *d, struct dec *e, uint32_t series_n, uint64_t labels_n)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < d->names_n; i++) {
        uint64_t sum = 0;
        for (uint32_t k = d->names[i].first; k < d->names[i + 1].first; k++) {
            uint64_t n = dec_uvar(e);
            if (n == 0 || n > series_n || (sum += n) > series_n)
                return false;
            d->at[k].n = (uint32_t)n;
        }
        d->names[i].series = (uint32_t)sum;
        all += sum;
    }
    return !e->bad && all == labels_n;
}

/* Ids of those that are alone; where the others begin. */
static bool load_places(struct postings_dir *d, struct dec *e, uint32_t series_n)
{
    uint64_t id = 0, place = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->at[i].n == 1) {
            id += (uint64_t)dec_svar(e);
            if (id >= series_n)
                return false;
            d->at[i].at = (uint32_t)id;
        } else {
            d->at[i].at = (uint32_t)place;
            uint64_t n = dec_uvar(e);
            if (n > dec_left(e) || (place += n) > dec_left(e))
                return false;
        }
    }
    d->lists_bytes = place;
    return !e->bad && place == dec_left(e);
}

/* That each list ends where the next one begins, with an id of the part. */
static bool check_lists(const struct postings_dir *d, uint32_t series_n)
{
    size_t end = d->lists_bytes;
    for (uint32_t i = d->n; i-- > 0;) {
        struct posting_cursor c = posting_read(d, &d->at[i]);
        struct posting_span s;
        if (d->at[i].n == 1)
            continue;
        while (posting_next(&c, d->at[i].n, &s))
            ;
        if (c.d.bad || c.last >= series_n || c.d.p != d->lists + end)
            return false;
        end = d->at[i].at;
    }
    return true;
}

bool postings_load(struct postings_dir *d, bytes raw, uint32_t symbols_n, uint32_t series_n,
                   uint64_t labels_n, struct arena *a)
{
    struct dec e = dec_of(raw);
    if (!load_names(d, &e, symbols_n, a))
        return false;
    d->at = arena_alloc(a, (d->n + 1ULL) * sizeof *d->at);
    if (!load_values(d, &e, symbols_n) || !load_counts(d, &e, series_n, labels_n) ||
        !load_places(d, &e, series_n))
        return false;
    uint8_t *lists = arena_alloc(a, d->lists_bytes + 1);
    if (d->lists_bytes)
        memcpy(lists, e.p, d->lists_bytes);
    d->lists = lists;
    return check_lists(d, series_n);
}

/* ---- looking up ---- */

const struct posting_name *postings_name(const struct postings_dir *d, uint32_t name)
{
    uint32_t lo = 0, hi = d->names_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->names[mid].name < name)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < d->names_n && d->names[lo].name == name ? &d->names[lo] : NULL;
}

const struct posting *postings_find(const struct postings_dir *d, const struct posting_name *n,
                                    uint32_t value)
{
    uint32_t lo = n->first, hi = n[1].first;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->at[mid].value < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n[1].first && d->at[lo].value == value ? &d->at[lo] : NULL;
}
