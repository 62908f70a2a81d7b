// SPDX-License-Identifier: Apache-2.0
#include "format/expfmt_writer.h"

#include <inttypes.h>
#include <math.h>

#include "base/num.h"

static bool openmetrics(const struct expfmt_writer *w)
{
    return expfmt_is_openmetrics(w->choice.format);
}

static void add_escaped(struct strbuf *out, str s, bool quote)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            strbuf_addz(out, "\\\\");
        else if (s.p[i] == '\n')
            strbuf_addz(out, "\\n");
        else if (s.p[i] == '"' && quote)
            strbuf_addz(out, "\\\"");
        else
            strbuf_addc(out, s.p[i]);
    }
}

static void add_quoted(struct strbuf *out, str s)
{
    strbuf_addc(out, '"');
    add_escaped(out, s, true);
    strbuf_addc(out, '"');
}

/* `name`, which is no identifier, for a reader that takes nothing else. */
static void add_underscored(struct strbuf *out, str name, bool (*legacy)(str))
{
    if (name.n == 0 || (name.p[0] >= '0' && name.p[0] <= '9'))
        strbuf_addc(out, '_');
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool digit = c >= '0' && c <= '9';
        if ((c & 0xc0) == 0x80)
            continue; /* one underscore per character, not per byte */
        strbuf_addc(out, digit || legacy(str_of(name.p + i, 1)) ? (char)c : '_');
    }
}

static void add_name(const struct expfmt_writer *w, str name, bool (*legacy)(str))
{
    if (legacy(name))
        strbuf_add(w->out, name);
    else if (w->choice.utf8_names)
        add_quoted(w->out, name);
    else
        add_underscored(w->out, name, legacy);
}

/* OpenMetrics writes floats so that they are told from integers: 1 is 1.0. */
static void add_float(struct strbuf *out, double v, bool point)
{
    char text[F64_TEXT_MAX];
    str s = str_of(text, f64_format_g(v, text));
    strbuf_add(out, s);
    if (point && isfinite(v) && str_index(s, '.') < 0 && str_index(s, 'e') < 0)
        strbuf_addz(out, ".0");
}

static str suffix_of(enum metric_type type)
{
    return type == METRIC_COUNTER ? STR("_total") : type == METRIC_INFO ? STR("_info") : STR("");
}

static str om_type(enum metric_type type, bool has_suffix)
{
    return metric_type_name(has_suffix ? type : METRIC_UNKNOWN);
}

static str text_type(enum metric_type type)
{
    switch (type) {
    case METRIC_UNKNOWN:
        return STR("untyped");
    case METRIC_INFO:
    case METRIC_STATESET:
        return STR("gauge");
    case METRIC_GAUGEHISTOGRAM:
        return STR("histogram");
    default:
        return metric_type_name(type);
    }
}

static void add_head(const struct expfmt_writer *w, const char *word, str name)
{
    strbuf_addf(w->out, "# %s ", word);
    add_name(w, name, metric_name_is_legacy);
    strbuf_addc(w->out, ' ');
}

static void on_family(struct emit *e, str name, enum metric_type type, str help)
{
    struct expfmt_writer *w = (struct expfmt_writer *)e;
    if (type == w->type && str_eq(strbuf_str(&w->family), name))
        return;
    strbuf_clear(&w->family);
    strbuf_add(&w->family, name);
    w->type = type;

    str type_name = text_type(type), suffix = suffix_of(type);
    if (openmetrics(w)) {
        bool has_suffix = str_ends(name, suffix) && name.n > suffix.n;
        type_name = om_type(type, has_suffix);
        if (has_suffix)
            name = str_sub(name, 0, name.n - suffix.n);
    }
    if (help.n) {
        add_head(w, "HELP", name);
        add_escaped(w->out, help, openmetrics(w));
        strbuf_addc(w->out, '\n');
    }
    add_head(w, "TYPE", name);
    strbuf_add(w->out, type_name);
    strbuf_addc(w->out, '\n');
}

static bool is_bound(const struct expfmt_writer *w, str label)
{
    return (w->type == METRIC_HISTOGRAM && str_eq(label, STR("le"))) ||
           (w->type == METRIC_SUMMARY && str_eq(label, STR("quantile")));
}

static void add_label(const struct expfmt_writer *w, const struct label *l)
{
    double v;
    add_name(w, l->name, label_name_is_legacy);
    strbuf_addc(w->out, '=');
    if (openmetrics(w) && is_bound(w, l->name) && f64_parse(l->value, &v)) {
        strbuf_addc(w->out, '"');
        add_float(w->out, v, true);
        strbuf_addc(w->out, '"');
    } else {
        add_quoted(w->out, l->value);
    }
}

static void add_series(const struct expfmt_writer *w, str name, const struct label *labels,
                       size_t labels_n)
{
    bool inside = w->choice.utf8_names && !metric_name_is_legacy(name);
    if (!inside)
        add_name(w, name, metric_name_is_legacy);
    if (!inside && labels_n == 0)
        return;
    strbuf_addc(w->out, '{');
    if (inside)
        add_quoted(w->out, name);
    for (size_t i = 0; i < labels_n; i++) {
        if (i || inside)
            strbuf_addc(w->out, ',');
        add_label(w, &labels[i]);
    }
    strbuf_addc(w->out, '}');
}

static void on_sample(struct emit *e, str name, const struct label *labels, size_t labels_n,
                      double value)
{
    struct expfmt_writer *w = (struct expfmt_writer *)e;
    add_series(w, name, labels, labels_n);
    strbuf_addc(w->out, ' ');
    add_float(w->out, value, openmetrics(w));
    strbuf_addc(w->out, '\n');
}

void expfmt_writer_sample_at(struct expfmt_writer *w, str name, const struct label *labels,
                             size_t labels_n, double value, ts_ms t)
{
    on_sample(&w->emit, name, labels, labels_n, value);
    w->out->n--; /* the end of the line comes after the time */
    if (openmetrics(w)) {
        bool negative = t < 0;
        uint64_t ms = negative ? -(uint64_t)t : (uint64_t)t;
        strbuf_addf(w->out, " %s%" PRIu64 ".%03u\n", negative ? "-" : "", ms / 1000,
                    (unsigned)(ms % 1000));
    } else {
        strbuf_addf(w->out, " %" PRId64 "\n", t);
    }
}

void expfmt_writer_init(struct expfmt_writer *w, struct expfmt_choice choice, struct strbuf *out)
{
    *w = (struct expfmt_writer){
        .emit = {.family = on_family, .sample = on_sample},
        .choice = choice,
        .out = out,
    };
}

void expfmt_writer_finish(struct expfmt_writer *w)
{
    if (openmetrics(w))
        strbuf_addz(w->out, "# EOF\n");
    strbuf_fini(&w->family);
}
