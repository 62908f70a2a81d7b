// SPDX-License-Identifier: Apache-2.0
/* The only C++ of the reader of expressions: RE2 with bounded memory, quiet, errors as values. */
#include "codec/regex_int.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace
{

/* Program and automata of one expression; past it RE2 goes on more slowly without its cache. */
constexpr int64_t memory_bytes_max = 8 << 20;
constexpr size_t groups_on_stack = 16;

const char *problem_text(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "unknown escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid range in a character class";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "closing ) without its (";
    case RE2::ErrorTrailingBackslash:
        return "backslash at the end";
    case RE2::ErrorRepeatArgument:
        return "nothing to repeat before the operator";
    case RE2::ErrorRepeatSize:
        return "invalid number of repetitions (at most 1000)";
    case RE2::ErrorRepeatOp:
        return "repetition of a repetition";
    case RE2::ErrorBadPerlOp:
        return "unknown or unsupported group syntax (look-around does not exist here)";
    case RE2::ErrorBadUTF8:
        return "not valid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid group name";
    case RE2::ErrorPatternTooLarge:
        return "expression needs too much memory";
    default:
        return "cannot be compiled";
    }
}

RE2 *re2_of(struct regex_re2 *re)
{
    return reinterpret_cast<RE2 *>(re);
}

const RE2 *re2_of(const struct regex_re2 *re)
{
    return reinterpret_cast<const RE2 *>(re);
}

} // namespace

struct regex_re2 *regex_re2_new(struct regex_span pattern, bool dot_nl, const char **problem,
                                struct regex_span *where, char *where_buf, size_t where_cap)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(dot_nl);
    options.set_max_mem(memory_bytes_max);
    RE2 *re = new RE2(re2::StringPiece(pattern.p, pattern.n), options);
    /* Go refuses a name used twice, RE2 keeps the first. */
    bool twice = re->ok() && re->CapturingGroupNames().size() != re->NamedCapturingGroups().size();
    if (re->ok() && !twice)
        return reinterpret_cast<struct regex_re2 *>(re);
    *problem = twice ? "a group name is used twice" : problem_text(re->error_code());
    const std::string &arg = re->error_arg();
    where->n = std::min(arg.size(), where_cap);
    std::memcpy(where_buf, arg.data(), where->n);
    where->p = where_buf;
    delete re;
    return nullptr;
}

void regex_re2_free(struct regex_re2 *re)
{
    delete re2_of(re);
}

bool regex_re2_match(const struct regex_re2 *re, struct regex_span text, size_t from, bool anchored,
                     struct regex_span *groups, size_t groups_n)
{
    size_t n = std::min(groups_n, 1 + regex_re2_groups(re));
    re2::StringPiece few[groups_on_stack];
    std::vector<re2::StringPiece> many;
    re2::StringPiece *found = few;
    if (n > groups_on_stack) {
        many.resize(n);
        found = many.data();
    }
    re2::StringPiece subject(text.p ? text.p : "", text.n);
    if (!re2_of(re)->Match(subject, from, text.n, anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED,
                           found, static_cast<int>(n)))
        return false;
    for (size_t i = 0; i < groups_n; i++)
        groups[i] = i < n ? regex_span{found[i].data(), found[i].size()} : regex_span{nullptr, 0};
    return true;
}

size_t regex_re2_groups(const struct regex_re2 *re)
{
    return static_cast<size_t>(re2_of(re)->NumberOfCapturingGroups());
}

int regex_re2_group_named(const struct regex_re2 *re, struct regex_span name)
{
    const auto &names = re2_of(re)->NamedCapturingGroups();
    auto it = names.find(std::string(name.p ? name.p : "", name.n));
    return it == names.end() ? -1 : it->second;
}
