// SPDX-License-Identifier: Apache-2.0
#include "net/http_head.h"

#include "base/num.h"

#define FAULT(name, status, counter, text)                                                         \
    static const struct http_fault name = {status, SELF_HTTP_REFUSED_##counter, text}

FAULT(bad_line_end, 400, HEADER, "a line does not end in CR LF");
FAULT(bad_start, 400, REQUEST_LINE, "this is no HTTP request");
FAULT(bad_request_line, 400, REQUEST_LINE, "malformed request line");
FAULT(bad_target, 400, TARGET, "malformed request target");
FAULT(bad_version, 505, VERSION, "only HTTP/1.0 and HTTP/1.1 are served here");
FAULT(bad_field, 400, HEADER, "malformed header field");
FAULT(folded, 400, HEADER, "folded header lines are not accepted");
FAULT(too_many_fields, 431, FIELDS, "too many header fields");
FAULT(too_large, 431, HEAD_TOO_LARGE, "the request head is too large");
FAULT(target_too_long, 414, TARGET_TOO_LONG, "the request target is too long");
FAULT(no_host, 400, HOST, "a request needs exactly one valid Host header");
FAULT(bad_length, 400, FRAMING, "invalid Content-Length");
FAULT(two_lengths, 400, FRAMING, "Content-Length and Transfer-Encoding exclude each other");
FAULT(bad_coding, 400, FRAMING, "invalid Transfer-Encoding");
FAULT(unknown_coding, 501, FRAMING, "no Transfer-Encoding but chunked is implemented");
FAULT(old_coding, 400, FRAMING, "HTTP/1.0 has no Transfer-Encoding");
FAULT(bad_expect, 417, EXPECT, "no expectation but 100-continue is known");

enum { EMPTY_LINES_MAX = 2 };

ssize_t head_scan(struct head_scan *scan, str in, size_t bytes_max, const struct http_fault **fault)
{
    size_t end = in.n < bytes_max ? in.n : bytes_max;
    if (scan->pos == 0 && in.n > 0 && in.p[0] != '\r' && !http_name_ok(str_sub(in, 0, 1))) {
        *fault = &bad_start; /* a TLS hello, usually */
        return -1;
    }
    while (scan->pos < end) {
        const char *lf = memchr(in.p + scan->pos, '\n', end - scan->pos);
        if (!lf) {
            scan->pos = end;
            break;
        }
        size_t at = (size_t)(lf - in.p), line = scan->line;
        scan->pos = scan->line = at + 1;
        if (at == line || in.p[at - 1] != '\r') {
            *fault = &bad_line_end;
            return -1;
        }
        if (at - line > 1) {
            if (!scan->first_line_end)
                scan->first_line_end = at + 1;
        } else if (scan->first_line_end) {
            return (ssize_t)(at + 1 - scan->start);
        } else {
            scan->start = at + 1;
            if (scan->start > 2 * EMPTY_LINES_MAX) {
                *fault = &bad_start;
                return -1;
            }
        }
    }
    if (in.n < bytes_max)
        return 0;
    *fault = scan->first_line_end ? &too_large : &target_too_long;
    return -1;
}

/* No controls but the tab (RFC 9110 5.5); bytes over 127 are data. */
static bool value_bytes_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < ' ' && c != '\t') || c == 127)
            return false;
    }
    return true;
}

static bool target_bytes_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == 127 || c == '#')
            return false;
    }
    return s.n > 0;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* method SP target SP HTTP/1.x: exactly one space each (RFC 9112 3). */
static const struct http_fault *request_line_check(str line)
{
    str method, target;
    str_cut(&line, ' ', &method);
    if (!http_name_ok(method) || !line.p)
        return &bad_request_line;
    str_cut(&line, ' ', &target);
    if (!line.p || target.n == 0)
        return &bad_request_line;
    if (!target_bytes_ok(target))
        return &bad_target;
    if (line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0 || !digit(line.p[5]) || line.p[6] != '.' ||
        !digit(line.p[7]))
        return &bad_request_line;
    if (line.p[5] != '1' || line.p[7] > '1')
        return &bad_version;
    return NULL;
}

static const struct http_fault *field_check(str line)
{
    str name;
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return &folded;
    str_cut(&line, ':', &name);
    return line.p && http_name_ok(name) && value_bytes_ok(line) ? NULL : &bad_field;
}

const struct http_fault *head_check(str head, unsigned fields_max)
{
    const struct http_fault *fault = NULL;
    unsigned lines = 0;
    while (!fault) {
        const char *lf = memchr(head.p, '\n', head.n);
        size_t n = (size_t)(lf - head.p) - 1; /* head_scan saw CR LF at the end of each line */
        if (n == 0)
            return NULL;
        str line = str_of(head.p, n);
        head = str_sub(head, n + 2, head.n);
        if (lines++ == 0)
            fault = request_line_check(line);
        else
            fault = lines > fields_max + 1 ? &too_many_fields : field_check(line);
    }
    return fault;
}

str head_copy(struct arena *a, str head)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t line = (size_t)str_index(head, '\n'), strange = 0;
    for (size_t i = 0; i < line; i++)
        strange += (unsigned char)head.p[i] > 0x7f;
    if (!strange)
        return arena_dup(a, head);
    char *to = arena_alloc(a, head.n + 2 * strange), *p = to;
    for (size_t i = 0; i < line; i++) {
        unsigned char c = (unsigned char)head.p[i];
        if (c > 0x7f) {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        } else {
            *p++ = (char)c;
        }
    }
    memcpy(p, head.p + line, head.n - line);
    return str_of(to, head.n + 2 * strange);
}

static bool host_ok(str host)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (c <= ' ' || c >= 127 || strchr("/?#@\\\"<>^`{|}", c))
            return false;
    }
    return true;
}

/* Digits only (RFC 9110 8.6), at most 18 of them. */
static bool length_parse(str s, uint64_t *out)
{
    if (s.n == 0 || s.n > 18)
        return false;
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!digit(s.p[i]))
            return false;
        *out = *out * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

static void connection_read(str value, struct head_framing *f, bool *close)
{
    str option;
    while (value.p && str_cut(&value, ',', &option)) {
        option = str_trim(option);
        *close |= str_eq_nocase(option, STR("close"));
        f->keep_alive_named |= str_eq_nocase(option, STR("keep-alive"));
    }
}

static const struct http_fault *coding_read(str value, struct head_framing *f)
{
    if (f->chunked)
        return &bad_coding; /* said twice */
    if (str_eq_nocase(value, STR("chunked"))) {
        f->chunked = true;
        return NULL;
    }
    ssize_t comma = -1;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == ',')
            comma = (ssize_t)i;
    str last = str_trim(str_sub(value, (size_t)(comma + 1), value.n));
    return comma > 0 && str_eq_nocase(last, STR("chunked")) ? &unknown_coding : &bad_coding;
}

static const struct http_fault *field_read(const struct http_header *h, struct head_framing *f,
                                           bool *close)
{
    if (str_eq_nocase(h->name, STR("host"))) {
        if (f->host.p || !host_ok(h->value))
            return &no_host;
        f->host = h->value.p ? h->value : STR("");
    } else if (str_eq_nocase(h->name, STR("content-length"))) {
        if (f->has_length || !length_parse(h->value, &f->length))
            return &bad_length;
        f->has_length = true;
    } else if (str_eq_nocase(h->name, STR("transfer-encoding"))) {
        return coding_read(h->value, f);
    } else if (str_eq_nocase(h->name, STR("connection"))) {
        connection_read(h->value, f, close);
    } else if (str_eq_nocase(h->name, STR("expect"))) {
        if (!str_eq_nocase(h->value, STR("100-continue")))
            return &bad_expect;
        f->expect_continue = true;
    }
    return NULL;
}

const struct http_fault *head_framing(const struct http_header *headers, size_t n,
                                      int version_minor, struct head_framing *out)
{
    struct head_framing f = {0};
    const struct http_fault *fault;
    bool close = false;
    for (size_t i = 0; i < n; i++)
        if ((fault = field_read(&headers[i], &f, &close)))
            return fault;
    if (version_minor > 0 && (!f.host.p || f.host.n == 0))
        return &no_host;
    if (f.chunked && version_minor == 0)
        return &old_coding;
    if (f.chunked && f.has_length)
        return &two_lengths;
    f.keep_alive = !close && (version_minor > 0 || f.keep_alive_named);
    f.expect_continue &= version_minor > 0;
    *out = f;
    return NULL;
}
