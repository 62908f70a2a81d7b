// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "promql/lex_int.h"

struct word {
    str text;
    enum token_kind kind;
};

/* What the lexer reads as a word, and how every token is written. */
static const struct word words[] = {
    {STR_INIT("("), TOK_LPAREN},
    {STR_INIT(")"), TOK_RPAREN},
    {STR_INIT("{"), TOK_LBRACE},
    {STR_INIT("}"), TOK_RBRACE},
    {STR_INIT("["), TOK_LBRACKET},
    {STR_INIT("]"), TOK_RBRACKET},
    {STR_INIT(","), TOK_COMMA},
    {STR_INIT(":"), TOK_COLON},
    {STR_INIT("="), TOK_EQL},
    {STR_INIT("+"), TOK_ADD},
    {STR_INIT("-"), TOK_SUB},
    {STR_INIT("*"), TOK_MUL},
    {STR_INIT("/"), TOK_DIV},
    {STR_INIT("%"), TOK_MOD},
    {STR_INIT("^"), TOK_POW},
    {STR_INIT("=="), TOK_EQLC},
    {STR_INIT("!="), TOK_NEQ},
    {STR_INIT("<"), TOK_LSS},
    {STR_INIT("<="), TOK_LTE},
    {STR_INIT(">"), TOK_GTR},
    {STR_INIT(">="), TOK_GTE},
    {STR_INIT("</"), TOK_TRIM_UPPER},
    {STR_INIT(">/"), TOK_TRIM_LOWER},
    {STR_INIT("=~"), TOK_EQL_REGEX},
    {STR_INIT("!~"), TOK_NEQ_REGEX},
    {STR_INIT("@"), TOK_AT},
    {STR_INIT("and"), TOK_AND},
    {STR_INIT("or"), TOK_OR},
    {STR_INIT("unless"), TOK_UNLESS},
    {STR_INIT("default"), TOK_DEFAULT},
    {STR_INIT("if"), TOK_IF},
    {STR_INIT("ifnot"), TOK_IFNOT},
    {STR_INIT("atan2"), TOK_ATAN2},
    {STR_INIT("avg"), TOK_AVG},
    {STR_INIT("bottomk"), TOK_BOTTOMK},
    {STR_INIT("count"), TOK_COUNT},
    {STR_INIT("count_values"), TOK_COUNT_VALUES},
    {STR_INIT("group"), TOK_GROUP},
    {STR_INIT("limitk"), TOK_LIMITK},
    {STR_INIT("limit_ratio"), TOK_LIMIT_RATIO},
    {STR_INIT("max"), TOK_MAX},
    {STR_INIT("min"), TOK_MIN},
    {STR_INIT("quantile"), TOK_QUANTILE},
    {STR_INIT("stddev"), TOK_STDDEV},
    {STR_INIT("stdvar"), TOK_STDVAR},
    {STR_INIT("sum"), TOK_SUM},
    {STR_INIT("topk"), TOK_TOPK},
    {STR_INIT("anchored"), TOK_ANCHORED},
    {STR_INIT("bool"), TOK_BOOL},
    {STR_INIT("by"), TOK_BY},
    {STR_INIT("fill"), TOK_FILL},
    {STR_INIT("fill_left"), TOK_FILL_LEFT},
    {STR_INIT("fill_right"), TOK_FILL_RIGHT},
    {STR_INIT("group_left"), TOK_GROUP_LEFT},
    {STR_INIT("group_right"), TOK_GROUP_RIGHT},
    {STR_INIT("ignoring"), TOK_IGNORING},
    {STR_INIT("offset"), TOK_OFFSET},
    {STR_INIT("on"), TOK_ON},
    {STR_INIT("smoothed"), TOK_SMOOTHED},
    {STR_INIT("without"), TOK_WITHOUT},
    {STR_INIT("start"), TOK_START},
    {STR_INIT("end"), TOK_END},
    {STR_INIT("step"), TOK_STEP},
    {STR_INIT("range"), TOK_RANGE},
    {STR_INIT("max_of"), TOK_MAX_OF},
    {STR_INIT("min_of"), TOK_MIN_OF},
    {STR_INIT("inf"), TOK_NUMBER},
    {STR_INIT("nan"), TOK_NUMBER},
};
enum { WORDS_N = sizeof words / sizeof *words };

str token_text(enum token_kind k)
{
    for (size_t i = 0; i < WORDS_N; i++)
        if (words[i].kind == k)
            return words[i].text;
    return STR("");
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_alnum(int c)
{
    return is_alpha(c) || is_digit(c);
}

void lexer_init(struct lexer *lx, str text)
{
    *lx = (struct lexer){.text = text};
}

/* The byte at the cursor, or -1 at the end. */
static int peek(const struct lexer *lx)
{
    return lx->pos < lx->text.n ? (unsigned char)lx->text.p[lx->pos] : -1;
}

static bool in_set(const char *set, int c)
{
    return c > 0 && strchr(set, c) != NULL;
}

static bool accept(struct lexer *lx, const char *set)
{
    if (!in_set(set, peek(lx)))
        return false;
    lx->pos++;
    return true;
}

static struct token token_at(struct lexer *lx, enum token_kind k, size_t start)
{
    return (struct token){k, (uint32_t)start, (uint32_t)lx->pos};
}

static struct token fail(struct lexer *lx, size_t start, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static struct token fail(struct lexer *lx, size_t start, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(lx->error, sizeof lx->error, fmt, ap);
    va_end(ap);
    lx->failed = true;
    return (struct token){TOK_ERROR, (uint32_t)start, (uint32_t)lx->text.n};
}

/* Fails with `before`, the code point at `at` in single quotes (as Go's %q), and `after`. */
static struct token fail_rune(struct lexer *lx, size_t start, size_t at, const char *before,
                              const char *after)
{
    size_t w;
    str rest = str_sub(lx->text, at, lx->text.n);
    char quoted[16];
    if (rest.n == 0) {
        snprintf(quoted, sizeof quoted, "'\xef\xbf\xbd'");
    } else {
        uint32_t rune = utf8_get(rest, &w);
        const char *esc = rune == '\n'   ? "\\n"
                          : rune == '\t' ? "\\t"
                          : rune == '\'' ? "\\'"
                          : rune == '\\' ? "\\\\"
                                         : NULL;
        if (esc)
            snprintf(quoted, sizeof quoted, "'%s'", esc);
        else if (rune < 0x20 || rune == 0x7f)
            snprintf(quoted, sizeof quoted, "'\\x%02x'", (unsigned)rune);
        else if (rune == 0xFFFD)
            snprintf(quoted, sizeof quoted, "'\xef\xbf\xbd'");
        else
            snprintf(quoted, sizeof quoted, "'%.*s'", (int)w, rest.p);
    }
    return fail(lx, start, "%s%s%s", before, quoted, after);
}

/* True when a number stands at the cursor; the cursor is behind it, or where it went wrong. */
static bool scan_number(struct lexer *lx)
{
    size_t start = lx->pos;
    const char *digits = "0123456789";
    bool hex = false, dot = false, exponent = false;
    if (accept(lx, "0") && accept(lx, "xX")) {
        hex = true;
        accept(lx, "_");
        digits = "0123456789abcdefABCDEF";
    }
    accept(lx, ".");
    accept(lx, digits);
    while (in_set(digits, peek(lx)) || in_set("._eE", peek(lx))) {
        if (peek(lx) == '.') {
            lx->pos++;
            if (dot || hex || accept(lx, "_."))
                return false;
            dot = true;
        } else if (!hex && in_set("eE", peek(lx))) {
            lx->pos++;
            if (exponent)
                return false;
            exponent = true;
            accept(lx, "+-");
            if (accept(lx, "._eE") || peek(lx) < 0)
                return false;
        } else if (accept(lx, "_")) {
            if (accept(lx, hex ? "._" : "._eE") || peek(lx) < 0)
                return false;
        } else {
            while (accept(lx, digits))
                ;
        }
    }
    return lx->pos > start && !is_alnum(peek(lx));
}

/* The rest of a duration whose first digits were read: unit, then digits and unit again. */
static bool scan_duration(struct lexer *lx)
{
    if (!accept(lx, "smhdwy"))
        return false;
    accept(lx, "s");
    while (accept(lx, "0123456789")) {
        while (accept(lx, "0123456789"))
            ;
        if (!accept(lx, "smhdw"))
            return false;
        accept(lx, "s");
    }
    if (is_alnum(peek(lx))) {
        lx->pos++;
        return false;
    }
    return true;
}

double number_suffix(str number, str *digits)
{
    static const char letters[] = "kmgt";
    bool binary = false;
    str s = number;
    *digits = number;
    if (s.n > 2 && (s.p[1] | 32) == 'x')
        return 1;
    if (s.n > 1 && (s.p[s.n - 1] | 32) == 'b')
        s.n--;
    if (s.n > 1 && (s.p[s.n - 1] | 32) == 'i')
        binary = true, s.n--;
    const char *letter = s.n > 1 ? strchr(letters, s.p[s.n - 1] | 32) : NULL;
    if (!letter || !*letter || !in_set("0123456789.", (unsigned char)s.p[s.n - 2]))
        return 1;
    s.n--;
    *digits = s;
    double m = 1;
    for (const char *l = letters; l <= letter; l++)
        m *= binary ? 1024 : 1000;
    return m;
}

/* The letters of 1Ki, 5M, 2.5TB behind the digits. */
static bool scan_suffix(struct lexer *lx, size_t start, size_t digits_end)
{
    str digits;
    lx->pos = digits_end;
    while (is_alpha(peek(lx)))
        lx->pos++;
    return !is_alnum(peek(lx)) && number_suffix(str_sub(lx->text, start, lx->pos), &digits) != 1 &&
           digits.n == digits_end - start;
}

static struct token lex_number(struct lexer *lx, size_t start)
{
    lx->duration_mode = false;
    if (scan_number(lx))
        return token_at(lx, TOK_NUMBER, start);
    size_t digits_end = lx->pos;
    if (scan_duration(lx))
        return token_at(lx, TOK_DURATION, start);
    size_t bad_end = lx->pos;
    if (lx->metricsql && !lx->in_brackets && scan_suffix(lx, start, digits_end))
        return token_at(lx, TOK_NUMBER, start);
    lx->pos = bad_end;
    return fail(lx, start, "bad number or duration syntax: \"%.*s\"",
                (int)(lx->pos - start > 100 ? 100 : lx->pos - start), lx->text.p + start);
}

static int digit_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* One escape after the backslash. False: the lexer failed. */
static bool lex_escape(struct lexer *lx, size_t start, int quote)
{
    int c = peek(lx);
    if (c < 0)
        return fail(lx, start, "escape sequence not terminated"), false;
    if (in_set("abfnrtv\\", c) || c == quote) {
        lx->pos++;
        return true;
    }
    int n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : (c >= '0' && c <= '7') ? 3 : 0;
    if (n == 0) {
        size_t w;
        str rest = str_sub(lx->text, lx->pos, lx->text.n);
        uint32_t rune = utf8_get(rest, &w);
        return fail(lx, start, "unknown escape sequence U+%04X '%.*s'", (unsigned)rune, (int)w,
                    rest.p),
               false;
    }
    unsigned base = n == 3 ? 8 : 16, x = 0, max = n <= 3 ? 255 : 0x10FFFF;
    if (n != 3)
        lx->pos++;
    for (; n > 0; n--, lx->pos++) {
        c = peek(lx);
        if (c < 0)
            return fail(lx, start, "escape sequence not terminated"), false;
        unsigned d = (unsigned)digit_value(c);
        if (d >= base)
            return fail(lx, start, "illegal character U+%04X '%c' in escape sequence", (unsigned)c,
                        c < 0x80 && c >= 0x20 ? c : '?'),
                   false;
        x = x * base + d;
    }
    if (x > max || (x >= 0xD800 && x < 0xE000))
        return fail(lx, start, "escape sequence is an invalid Unicode code point"), false;
    return true;
}

/* A string whose quote stands at the cursor. */
static struct token lex_string(struct lexer *lx)
{
    size_t start = lx->pos, w;
    int quote = peek(lx);
    bool raw = quote == '`';
    for (lx->pos++;;) {
        int c = peek(lx);
        if (c < 0 || (c == '\n' && !raw))
            return fail(lx, start, raw ? "unterminated raw string" : "unterminated quoted string");
        if (c == '\\' && !raw) {
            lx->pos++;
            if (!lex_escape(lx, start, quote))
                return (struct token){TOK_ERROR, (uint32_t)start, (uint32_t)lx->text.n};
            continue;
        }
        str rest = str_sub(lx->text, lx->pos, lx->text.n);
        if (utf8_get(rest, &w) == 0xFFFD)
            return fail(lx, start, "invalid UTF-8 rune");
        lx->pos += w;
        if (c == quote)
            return token_at(lx, TOK_STRING, start);
    }
}

static bool paren_follows(const struct lexer *lx)
{
    size_t i = lx->pos;
    while (i < lx->text.n && is_space((unsigned char)lx->text.p[i]))
        i++;
    return i < lx->text.n && lx->text.p[i] == '(';
}

static bool is_metricsql_operator(enum token_kind k)
{
    return k >= TOK_DEFAULT && k <= TOK_IFNOT;
}

static struct token lex_word(struct lexer *lx)
{
    size_t start = lx->pos;
    bool colon = false;
    for (int c = peek(lx); is_alnum(c) || c == ':'; c = peek(lx)) {
        colon |= c == ':';
        lx->pos++;
    }
    struct token t = token_at(lx, colon ? TOK_METRIC_IDENT : TOK_IDENT, start);
    str word = str_sub(lx->text, start, lx->pos);
    for (size_t i = 0; i < WORDS_N && !colon; i++)
        if (str_eq_nocase(words[i].text, word) && !is_metricsql_operator(words[i].kind))
            t.kind = words[i].kind;
    if (t.kind >= TOK_FILL && t.kind <= TOK_FILL_RIGHT && !paren_follows(lx))
        t.kind = TOK_IDENT;
    return t;
}

static struct token one(struct lexer *lx, enum token_kind k)
{
    size_t start = lx->pos++;
    return token_at(lx, k, start);
}

static struct token two(struct lexer *lx, enum token_kind k)
{
    size_t start = lx->pos;
    lx->pos += 2;
    return token_at(lx, k, start);
}

/* step, range, max_of, min_of inside brackets; false leaves the cursor behind the letters. */
static bool lex_duration_word(struct lexer *lx, struct token *t)
{
    size_t start = lx->pos;
    while (is_alpha(peek(lx)))
        lx->pos++;
    str word = str_sub(lx->text, start, lx->pos);
    for (size_t i = 0; i < WORDS_N; i++)
        if (words[i].kind >= TOK_STEP && words[i].kind <= TOK_MIN_OF &&
            str_eq_nocase(words[i].text, word)) {
            *t = token_at(lx, words[i].kind, start);
            return true;
        }
    return false;
}

static struct token lex_close_paren(struct lexer *lx)
{
    /* Upstream hands out the parenthesis and then fails behind it. */
    if (lx->parens == 0)
        return fail(lx, lx->pos + 1, "unexpected right parenthesis ')'");
    lx->parens--;
    return one(lx, TOK_RPAREN);
}

static enum token_kind arithmetic(int c)
{
    switch (c) {
    case '*':
        return TOK_MUL;
    case '/':
        return TOK_DIV;
    case '%':
        return TOK_MOD;
    case '+':
        return TOK_ADD;
    case '-':
        return TOK_SUB;
    case '^':
        return TOK_POW;
    case ',':
        return TOK_COMMA;
    default:
        return TOK_EOF;
    }
}

static bool starts_duration_word(int c)
{
    return in_set("srmSRM", c);
}

/* Behind [ and the operators in it, until a number came. */
static struct token lex_in_duration(struct lexer *lx)
{
    int c = peek(lx);
    size_t start = lx->pos;
    struct token t;
    if (arithmetic(c) != TOK_EOF)
        return one(lx, arithmetic(c));
    if (c == ']') {
        lx->duration_mode = lx->in_brackets = lx->got_colon = false;
        return one(lx, TOK_RBRACKET);
    }
    if (c == ':') {
        if (!lx->got_duration)
            return fail(lx, start + 1, "unexpected colon before duration in duration expression");
        if (lx->got_colon)
            return fail(lx, start + 1, "unexpected repeated colon in duration expression");
        lx->got_colon = true;
        return one(lx, TOK_COLON);
    }
    if (c == '(') {
        lx->parens++;
        return one(lx, TOK_LPAREN);
    }
    if (c == ')')
        return lex_close_paren(lx);
    if (is_digit(c) || (c == '.' && lx->pos + 1 < lx->text.n && is_digit(lx->text.p[start + 1]))) {
        lx->got_duration = true;
        return lex_number(lx, start);
    }
    if (c < 0)
        return fail(lx, start, "unexpected end of input in duration expression");
    if (starts_duration_word(c) && lex_duration_word(lx, &t)) {
        lx->got_duration = true;
        return t;
    }
    lx->pos = lx->metricsql ? start : lx->pos;
    if (lx->metricsql && is_alpha(c)) {
        while (is_alnum(peek(lx)))
            lx->pos++;
        lx->got_duration = true;
        return token_at(lx, TOK_IDENT, start);
    }
    return fail_rune(lx, start, start, "unexpected character in duration expression: ", "");
}

static struct token lex_in_braces(struct lexer *lx)
{
    int c = peek(lx);
    int d = lx->pos + 1 < lx->text.n ? lx->text.p[lx->pos + 1] : -1;
    size_t start = lx->pos;
    if (c < 0)
        return fail(lx, start, "unexpected end of input inside braces");
    if (is_alpha(c)) {
        while (is_alnum(peek(lx)))
            lx->pos++;
        return token_at(lx, TOK_IDENT, start);
    }
    if (lx->metricsql && c == '+')
        return one(lx, TOK_ADD);
    switch (c) {
    case ',':
        return one(lx, TOK_COMMA);
    case '"':
    case '\'':
    case '`':
        return lex_string(lx);
    case '=':
        return d == '~' ? two(lx, TOK_EQL_REGEX) : one(lx, TOK_EQL);
    case '!':
        if (d == '~')
            return two(lx, TOK_NEQ_REGEX);
        if (d == '=')
            return two(lx, TOK_NEQ);
        return fail_rune(lx, start, start + 1,
                         "unexpected character after '!' inside braces: ", "");
    case '{':
        return fail(lx, start, "unexpected left brace '{'");
    case '}':
        lx->in_braces = false;
        return one(lx, TOK_RBRACE);
    default:
        return fail_rune(lx, start, start, "unexpected character inside braces: ", "");
    }
}

/* A letter or colon inside brackets, after the first number. */
static struct token lex_letter_in_brackets(struct lexer *lx)
{
    size_t start = lx->pos;
    struct token t;
    if (peek(lx) == ':') {
        if (lx->got_colon)
            return fail(lx, start, "unexpected colon ':'");
        lx->got_colon = true;
        lx->duration_mode = true;
        lx->got_duration = true;
        return one(lx, TOK_COLON);
    }
    if (starts_duration_word(peek(lx)) && lex_duration_word(lx, &t))
        return t;
    return fail_rune(lx, start, start, "unexpected character: ", ", expected ':'");
}

static struct token lex_comparison(struct lexer *lx, int c, int d)
{
    size_t start = lx->pos;
    switch (c) {
    case '=':
        if (d == '=')
            return two(lx, TOK_EQLC);
        if (d == '~')
            return fail(lx, start, "unexpected character after '=': '~'");
        return one(lx, TOK_EQL);
    case '!':
        if (d == '=')
            return two(lx, TOK_NEQ);
        return fail_rune(lx, start, start + 1, "unexpected character after '!': ", "");
    case '<':
        return d == '=' ? two(lx, TOK_LTE) : d == '/' ? two(lx, TOK_TRIM_UPPER) : one(lx, TOK_LSS);
    default:
        return d == '=' ? two(lx, TOK_GTE) : d == '/' ? two(lx, TOK_TRIM_LOWER) : one(lx, TOK_GTR);
    }
}

static struct token lex_bracket(struct lexer *lx, int c)
{
    size_t start = lx->pos;
    switch (c) {
    case '{':
        lx->in_braces = true;
        return one(lx, TOK_LBRACE);
    case '[':
        if (lx->in_brackets)
            return fail(lx, start, "unexpected left bracket '['");
        lx->in_brackets = lx->duration_mode = true;
        lx->got_colon = lx->got_duration = false;
        return one(lx, TOK_LBRACKET);
    case ']':
        if (!lx->in_brackets)
            return fail(lx, start, "unexpected right bracket ']'");
        lx->in_brackets = false;
        return one(lx, TOK_RBRACKET);
    case '(':
        lx->parens++;
        return one(lx, TOK_LPAREN);
    default:
        return lex_close_paren(lx);
    }
}

static struct token lex_end(struct lexer *lx)
{
    if (lx->parens)
        return fail(lx, lx->pos, "unclosed left parenthesis");
    if (lx->in_brackets)
        return fail(lx, lx->pos, "unclosed left bracket");
    return token_at(lx, TOK_EOF, lx->pos);
}

static struct token lex_statement(struct lexer *lx)
{
    int c = peek(lx);
    int d = lx->pos + 1 < lx->text.n ? (unsigned char)lx->text.p[lx->pos + 1] : -1;
    if (c < 0)
        return lex_end(lx);
    if (arithmetic(c) != TOK_EOF)
        return one(lx, arithmetic(c));
    if (is_digit(c) || (c == '.' && is_digit(d)))
        return lex_number(lx, lx->pos);
    if (is_alpha(c) || c == ':')
        return lx->in_brackets ? lex_letter_in_brackets(lx) : lex_word(lx);
    if (in_set("=!<>", c))
        return lex_comparison(lx, c, d);
    if (in_set("{[]()", c))
        return lex_bracket(lx, c);
    if (in_set("\"'`", c))
        return lex_string(lx);
    if (c == '@')
        return one(lx, TOK_AT);
    return fail_rune(lx, lx->pos, lx->pos, "unexpected character: ", "");
}

static void skip_blanks(struct lexer *lx)
{
    for (;;) {
        while (is_space(peek(lx)))
            lx->pos++;
        if (peek(lx) != '#' || lx->duration_mode)
            return;
        while (peek(lx) >= 0 && peek(lx) != '\n' && peek(lx) != '\r')
            lx->pos++;
    }
}

struct token lexer_next(struct lexer *lx)
{
    if (lx->failed)
        return (struct token){TOK_ERROR, (uint32_t)lx->pos, (uint32_t)lx->text.n};
    skip_blanks(lx);
    if (lx->in_braces)
        return lex_in_braces(lx);
    if (lx->duration_mode)
        return lex_in_duration(lx);
    return lex_statement(lx);
}

void token_describe(struct token t, str text, struct strbuf *out)
{
    str s = str_sub(text, t.start, t.end);
    static const char *const kinds[] = {
        [TOK_IDENT] = "identifier ", [TOK_METRIC_IDENT] = "metric identifier ",
        [TOK_NUMBER] = "number ",    [TOK_DURATION] = "duration ",
        [TOK_STRING] = "string ",
    };
    if (t.kind == TOK_EOF) {
        strbuf_addz(out, "end of input");
        return;
    }
    if (t.kind < sizeof kinds / sizeof *kinds && kinds[t.kind])
        strbuf_addz(out, kinds[t.kind]);
    if (token_is_keyword(t.kind)) {
        strbuf_addf(out, "<%.*s>", STR_ARG(s));
    } else if (token_is_operator(t.kind)) {
        strbuf_addf(out, "<op:%.*s>", STR_ARG(s));
    } else if (token_is_aggregator(t.kind)) {
        strbuf_addf(out, "<aggr:%.*s>", STR_ARG(s));
    } else {
        bool cut = s.n > 10 && t.kind != TOK_IDENT && t.kind != TOK_METRIC_IDENT;
        string_quote(cut ? str_sub(s, 0, 10) : s, out);
        if (cut)
            strbuf_addz(out, "...");
    }
}
