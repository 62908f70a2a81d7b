// SPDX-License-Identifier: Apache-2.0
#include "format/expfmt_negotiate.h"

#include "base/num.h"

static const struct {
    str protocol, media_type;
    bool escaping; /* the format can carry names that are no identifiers */
} formats[EXPFMT_FORMATS] = {
    [EXPFMT_TEXT_0_0_4] = {STR_INIT("PrometheusText0.0.4"), STR_INIT("text/plain;version=0.0.4"),
                           false},
    [EXPFMT_TEXT_1_0_0] = {STR_INIT("PrometheusText1.0.0"), STR_INIT("text/plain;version=1.0.0"),
                           true},
    [EXPFMT_OPENMETRICS_0_0_1] = {STR_INIT("OpenMetricsText0.0.1"),
                                  STR_INIT("application/openmetrics-text;version=0.0.1"), false},
    [EXPFMT_OPENMETRICS_1_0_0] = {STR_INIT("OpenMetricsText1.0.0"),
                                  STR_INIT("application/openmetrics-text;version=1.0.0"), true},
    [EXPFMT_PROTOBUF] = {STR_INIT("PrometheusProto"),
                         STR_INIT("application/vnd.google.protobuf;"
                                  "proto=io.prometheus.client.MetricFamily;encoding=delimited"),
                         false},
};

const enum expfmt_format expfmt_default_protocols[EXPFMT_DEFAULTS] = {
    EXPFMT_OPENMETRICS_1_0_0,
    EXPFMT_OPENMETRICS_0_0_1,
    EXPFMT_TEXT_1_0_0,
    EXPFMT_TEXT_0_0_4,
};

/* Weights count down from here. */
enum { WEIGHT_FIRST = 6 };

str expfmt_protocol_name(enum expfmt_format f)
{
    return formats[f].protocol;
}

bool expfmt_protocol_parse(str name, enum expfmt_format *out)
{
    for (int f = 0; f < EXPFMT_FORMATS; f++) {
        if (str_eq(formats[f].protocol, name)) {
            *out = (enum expfmt_format)f;
            return true;
        }
    }
    return false;
}

void expfmt_accept(const enum expfmt_format *protocols, size_t n, str escaping, struct strbuf *out)
{
    int weight = WEIGHT_FIRST;
    for (size_t i = 0; i < n && weight > 1; i++, weight--) {
        strbuf_add(out, formats[protocols[i]].media_type);
        if (formats[protocols[i]].escaping)
            strbuf_addf(out, ";escaping=%.*s", STR_ARG(escaping));
        strbuf_addf(out, ";q=0.%d,", weight);
    }
    strbuf_addf(out, "*/*;q=0.%d", weight);
}

/* The next `name=value` of a header's parameters, the value without its quotes; false: no more. */
static bool next_param(str *rest, str *name, str *value)
{
    str piece;
    while (str_cut(rest, ';', &piece)) {
        ssize_t eq = str_index(piece, '=');
        if (eq < 0)
            continue;
        *name = str_trim(str_sub(piece, 0, (size_t)eq));
        *value = str_trim(str_sub(piece, (size_t)eq + 1, piece.n));
        if (value->n >= 2 && value->p[0] == '"' && value->p[value->n - 1] == '"')
            *value = str_sub(*value, 1, value->n - 1);
        return true;
    }
    return false;
}

static bool has_param(str params, str wanted, str text)
{
    str name, value;
    while (next_param(&params, &name, &value)) {
        if (str_eq_nocase(name, wanted))
            return str_eq(value, text);
    }
    return false;
}

/* Messages of the right type, each with its length in front: other encodings are text. */
static bool is_delimited(str params)
{
    return has_param(params, STR("proto"), STR("io.prometheus.client.MetricFamily")) &&
           has_param(params, STR("encoding"), STR("delimited"));
}

static bool known_content_type(str content_type, enum expfmt_format *out)
{
    str rest = content_type, type;
    if (!str_cut(&rest, ';', &type))
        return false;
    type = str_trim(type);
    bool one = has_param(rest, STR("version"), STR("1.0.0"));
    if (str_eq_nocase(type, STR("text/plain")))
        *out = one ? EXPFMT_TEXT_1_0_0 : EXPFMT_TEXT_0_0_4;
    else if (str_eq_nocase(type, STR("application/openmetrics-text")))
        *out = one ? EXPFMT_OPENMETRICS_1_0_0 : EXPFMT_OPENMETRICS_0_0_1;
    else if (str_eq_nocase(type, STR("application/vnd.google.protobuf")) && is_delimited(rest))
        *out = EXPFMT_PROTOBUF;
    else
        return false;
    return true;
}

bool expfmt_from_content_type(str content_type, const enum expfmt_format *fallback,
                              enum expfmt_format *out, struct err *err)
{
    content_type = str_trim(content_type);
    if (content_type.n && known_content_type(content_type, out))
        return true;
    if (fallback) {
        *out = *fallback;
        return true;
    }
    if (content_type.n == 0)
        err_set(err, ERR_INVALID, "the target sent no Content-Type");
    else
        err_set(err, ERR_INVALID,
                "the target sent a Content-Type that is no exposition format: "
                "\"%.*s\"",
                (int)(content_type.n < 200 ? content_type.n : 200), content_type.p);
    return err_hint(err, "set fallback_scrape_protocol for targets that do not say their format");
}

struct offer {
    struct expfmt_choice choice;
    double q;
};

/* What one element of an Accept header asks for; false: nothing we have. */
static bool read_offer(str element, struct offer *out)
{
    str type, name, value, version = STR("");
    if (!str_cut(&element, ';', &type))
        return false;
    type = str_trim(type);
    *out = (struct offer){.q = 1};
    while (next_param(&element, &name, &value)) {
        if (str_eq_nocase(name, STR("version")))
            version = value;
        else if (str_eq_nocase(name, STR("escaping")))
            out->choice.utf8_names = str_eq(value, STR("allow-utf-8"));
        else if (str_eq_nocase(name, STR("q")) && !f64_parse(value, &out->q))
            return false;
    }
    bool one = str_eq(version, STR("1.0.0"));
    if (str_eq_nocase(type, STR("application/openmetrics-text"))) {
        if (version.n && !one && !str_eq(version, STR("0.0.1")))
            return false;
        out->choice.format = one ? EXPFMT_OPENMETRICS_1_0_0 : EXPFMT_OPENMETRICS_0_0_1;
    } else if (str_eq_nocase(type, STR("text/plain"))) {
        if (version.n && !one && !str_eq(version, STR("0.0.4")))
            return false;
        out->choice.format = one ? EXPFMT_TEXT_1_0_0 : EXPFMT_TEXT_0_0_4;
    } else if (!str_eq(type, STR("*/*")) && !str_eq_nocase(type, STR("text/*"))) {
        return false;
    }
    out->choice.utf8_names = out->choice.utf8_names && one;
    return true;
}

struct expfmt_choice expfmt_choose(str accept)
{
    struct offer best = {.choice = {EXPFMT_TEXT_0_0_4, false}}, offer;
    str element;
    while (str_cut(&accept, ',', &element)) {
        if (read_offer(element, &offer) && offer.q > best.q)
            best = offer; /* of equal ones the first */
    }
    return best.choice;
}

str expfmt_content_type(struct expfmt_choice c)
{
    static const str plain[EXPFMT_FORMATS] = {
        [EXPFMT_TEXT_0_0_4] = STR_INIT("text/plain; version=0.0.4; charset=utf-8"),
        [EXPFMT_TEXT_1_0_0] =
            STR_INIT("text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        [EXPFMT_OPENMETRICS_0_0_1] =
            STR_INIT("application/openmetrics-text; version=0.0.1; charset=utf-8"),
        [EXPFMT_OPENMETRICS_1_0_0] = STR_INIT(
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
    };
    if (c.utf8_names && c.format == EXPFMT_TEXT_1_0_0)
        return STR("text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8");
    if (c.utf8_names && c.format == EXPFMT_OPENMETRICS_1_0_0)
        return STR("application/openmetrics-text; version=1.0.0; charset=utf-8; "
                   "escaping=allow-utf-8");
    return plain[c.format];
}
