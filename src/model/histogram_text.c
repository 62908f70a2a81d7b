// SPDX-License-Identifier: Apache-2.0
/* Histograms as text: as results are shown, and as scripts and unit tests write them. */
#include <math.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "model/histogram_math.h"

static void add_number(double v, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    strbuf_add(out, str_of(text, f64_format_g(v, text)));
}

/* Counts have no exponent as long as they are below 1e21. */
static void add_count(double v, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    bool plain = fabs(v) < 1e21 && (v == 0 || fabs(v) >= 1e-4);
    strbuf_add(out, str_of(text, plain ? f64_format(v, text) : f64_format_g(v, text)));
}

void histogram_format(const struct histogram *h, struct strbuf *out)
{
    struct histogram_bucket *b = mem_array(histogram_list_max(h), sizeof *b);
    size_t n = histogram_list(h, b);
    strbuf_addz(out, "{count:");
    add_number(h->count, out);
    strbuf_addz(out, ", sum:");
    add_number(h->sum, out);
    for (size_t i = 0; i < n; i++) {
        strbuf_addz(out, b[i].lower_in ? ", [" : ", (");
        add_number(b[i].lower, out);
        strbuf_addc(out, ',');
        add_number(b[i].upper, out);
        strbuf_addz(out, b[i].upper_in ? "]:" : "):");
        add_count(b[i].count, out);
    }
    strbuf_addc(out, '}');
    free(b);
}

static void add_key(const char *key, struct strbuf *out)
{
    if (out->p[out->n - 1] != '{')
        strbuf_addc(out, ' ');
    strbuf_addz(out, key);
}

static void add_field(const char *key, double v, struct strbuf *out)
{
    if (v == 0)
        return;
    add_key(key, out);
    add_number(v, out);
}

/* One run of counts, with zeros for what is between the spans. */
static void add_buckets(const struct histogram_buckets *b, const char *offset, const char *counts,
                        struct strbuf *out)
{
    struct histogram_walk w = histogram_walk_of(b);
    int64_t next = 0;
    bool first = true;
    while (histogram_walk_next(&w)) {
        if (w.count == 0)
            continue;
        if (first) {
            add_field(offset, (double)w.index, out);
            add_key(counts, out);
        }
        for (int64_t i = next; !first && i < w.index; i++)
            strbuf_addz(out, " 0");
        if (!first)
            strbuf_addc(out, ' ');
        add_number(w.count, out);
        next = w.index + 1;
        first = false;
    }
    if (!first)
        strbuf_addc(out, ']');
}

void histogram_format_script(const struct histogram *h, struct strbuf *out)
{
    static const char *const hints[] = {NULL, "reset", "not_reset", "gauge"};
    strbuf_addz(out, "{{");
    add_field("schema:", h->schema, out);
    add_field("count:", h->count, out);
    add_field("sum:", h->sum, out);
    add_field("z_bucket:", h->zero_count, out);
    add_field("z_bucket_w:", h->zero_threshold, out);
    for (uint32_t i = 0; i < h->custom_n; i++) {
        if (i == 0)
            add_key("custom_values:[", out);
        else
            strbuf_addc(out, ' ');
        add_number(h->custom[i], out);
        if (i + 1 == h->custom_n)
            strbuf_addc(out, ']');
    }
    if (h->reset) {
        add_key("counter_reset_hint:", out);
        strbuf_addz(out, hints[h->reset]);
    }
    add_buckets(&h->positive, "offset:", "buckets:[", out);
    add_buckets(&h->negative, "n_offset:", "n_buckets:[", out);
    strbuf_addz(out, "}}");
}

/* ---- reading ---- */

/* What the text says, before it is one histogram. */
struct reading {
    struct arena *a;
    struct histogram *h;
    bool *hint_set;
    int64_t offset, n_offset;
    struct err *err;
};

static bool read_hint(struct reading *r, str value)
{
    static const str names[] = {STR_INIT("unknown"), STR_INIT("reset"), STR_INIT("not_reset"),
                                STR_INIT("gauge")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(value, names[i])) {
            r->h->reset = (uint8_t)i;
            *r->hint_set = true;
            return true;
        }
    }
    return err_set(r->err, ERR_INVALID, "unknown counter_reset_hint \"%.*s\"", STR_ARG(value));
}

static bool read_numbers(struct reading *r, str value, const double **out, uint32_t *out_n)
{
    VEC(double) v = {0};
    bool ok = value.n >= 2 && value.p[0] == '[' && value.p[value.n - 1] == ']';
    str rest = ok ? str_trim(str_sub(value, 1, value.n - 1)) : STR("");
    while (ok && rest.n) {
        size_t n = 0;
        double d = 0;
        while (n < rest.n && rest.p[n] != ' ')
            n++;
        ok = f64_parse(str_sub(rest, 0, n), &d) && v.n < HISTOGRAM_BUCKETS_MAX;
        vec_push(&v, d);
        rest = str_trim(str_sub(rest, n, rest.n));
    }
    double *at = arena_array(r->a, double, v.n);
    for (size_t i = 0; i < v.n; i++)
        at[i] = v.at[i];
    *out = at;
    *out_n = (uint32_t)v.n;
    vec_fini(&v);
    return ok || err_set(r->err, ERR_INVALID, "\"%.*s\" is no list of numbers", STR_ARG(value));
}

static bool read_integer(struct reading *r, str value, int64_t *out)
{
    return (i64_parse(value, out) && *out >= INT32_MIN / 2 && *out <= INT32_MAX / 2) ||
           err_set(r->err, ERR_INVALID, "\"%.*s\" is no index", STR_ARG(value));
}

static bool read_field(struct reading *r, str key, str value)
{
    struct histogram *h = r->h;
    static const char *const names[] = {"count", "sum", "z_bucket", "z_bucket_w"};
    double *fields[] = {&h->count, &h->sum, &h->zero_count, &h->zero_threshold};
    int64_t schema;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(key, names[i]))
            return f64_parse(value, fields[i]) ||
                   err_set(r->err, ERR_INVALID, "\"%.*s\" is no number", STR_ARG(value));
    if (str_eqz(key, "schema")) {
        if (!i64_parse(value, &schema) || schema < INT8_MIN || schema > INT8_MAX)
            return err_set(r->err, ERR_INVALID, "\"%.*s\" is no schema", STR_ARG(value));
        h->schema = (int8_t)schema;
        return true;
    }
    if (str_eqz(key, "custom_values"))
        return read_numbers(r, value, &h->custom, &h->custom_n);
    if (str_eqz(key, "buckets"))
        return read_numbers(r, value, &h->positive.counts, &h->positive.counts_n);
    if (str_eqz(key, "n_buckets"))
        return read_numbers(r, value, &h->negative.counts, &h->negative.counts_n);
    if (str_eqz(key, "offset"))
        return read_integer(r, value, &r->offset);
    if (str_eqz(key, "n_offset"))
        return read_integer(r, value, &r->n_offset);
    if (str_eqz(key, "counter_reset_hint"))
        return read_hint(r, value);
    return err_set(r->err, ERR_INVALID, "unknown key \"%.*s\" in a histogram", STR_ARG(key));
}

static void one_span(struct reading *r, struct histogram_buckets *b, int64_t offset)
{
    if (b->counts_n == 0)
        return;
    struct histogram_span *s = arena_new(r->a, struct histogram_span);
    *s = (struct histogram_span){(int32_t)offset, b->counts_n};
    b->spans = s;
    b->spans_n = 1;
}

bool histogram_parse(str s, struct arena *a, struct histogram *out, bool *hint_set, struct err *err)
{
    struct histogram h = {0};
    struct reading r = {.a = a, .h = &h, .hint_set = hint_set, .err = err};
    *hint_set = false;
    if (!str_starts(s, STR("{{")) || !str_ends(s, STR("}}")) || s.n < 4)
        return err_set(err, ERR_INVALID, "a histogram is written {{...}}");
    for (str rest = str_trim(str_sub(s, 2, s.n - 2)); rest.n;) {
        ssize_t colon = str_index(rest, ':');
        if (colon < 0)
            return err_set(err, ERR_INVALID, "key:value expected in a histogram");
        size_t end = (size_t)colon + 1;
        char stop = end < rest.n && rest.p[end] == '[' ? ']' : ' ';
        while (end < rest.n && rest.p[end] != stop)
            end++;
        end += stop == ']' && end < rest.n;
        if (!read_field(&r, str_sub(rest, 0, (size_t)colon), str_sub(rest, (size_t)colon + 1, end)))
            return false;
        rest = str_trim(str_sub(rest, end, rest.n));
    }
    one_span(&r, &h.positive, r.offset);
    one_span(&r, &h.negative, r.n_offset);
    *out = h;
    return true;
}
