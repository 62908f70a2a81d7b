// SPDX-License-Identifier: Apache-2.0
/*
 * ExportMetricsServiceResponse{1: ExportMetricsPartialSuccess{1: rejected_data_points, 2:
 * error_message}}, google.rpc.Status{1: code, 2: message}.
 */
#include <inttypes.h>
#include <stdio.h>

#include "codec/json_writer.h"
#include "codec/protobuf.h"
#include "format/otlp.h"

/* Messages quote what came from outside, cut at some byte, and a protobuf string is UTF-8. */
static void put_text(struct strbuf *out, uint32_t number, str text)
{
    STRBUF_CLEANUP struct strbuf clean = {0};
    for (size_t i = 0; i < text.n;) {
        size_t n = 1;
        while (n < 4 && i + n < text.n && ((uint8_t)text.p[i + n] & 0xc0) == 0x80)
            n++;
        bool valid = str_utf8_valid(str_sub(text, i, i + n));
        n = valid ? n : 1;
        strbuf_add(&clean, valid ? str_sub(text, i, i + n) : STR("?"));
        i += n;
    }
    protobuf_put_bytes(out, number, bytes_from_str(strbuf_str(&clean)));
}

static void protobuf_response(size_t rejected, str message, struct strbuf *out)
{
    STRBUF_CLEANUP struct strbuf partial = {0};
    if (rejected)
        protobuf_put_varint(&partial, 1, rejected);
    put_text(&partial, 2, message);
    protobuf_put_bytes(out, 1, bytes_from_str(strbuf_str(&partial)));
}

static void json_response(size_t rejected, str message, struct json_writer *w)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", rejected);
    json_put_key(w, STR("partialSuccess"));
    json_open_object(w);
    if (rejected)
        json_put_pair(w, STR("rejectedDataPoints"), str_from_z(text));
    json_put_pair(w, STR("errorMessage"), message);
    json_close_object(w);
}

void otlp_put_response(enum otlp_encoding e, size_t rejected, str message, struct strbuf *out)
{
    struct json_writer w = json_writer(out);
    bool partial = rejected || message.n;
    if (e == OTLP_PROTOBUF) {
        if (partial)
            protobuf_response(rejected, message, out);
        return;
    }
    json_open_object(&w);
    if (partial)
        json_response(rejected, message, &w);
    json_close_object(&w);
}

void otlp_put_status(enum otlp_encoding e, int code, str message, struct strbuf *out)
{
    struct json_writer w = json_writer(out);
    if (e == OTLP_PROTOBUF) {
        protobuf_put_varint(out, 1, (uint64_t)code);
        put_text(out, 2, message);
        return;
    }
    json_open_object(&w);
    json_put_key(&w, STR("code"));
    json_put_i64(&w, code);
    json_put_pair(&w, STR("message"), message);
    json_close_object(&w);
}
