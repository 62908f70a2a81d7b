// SPDX-License-Identifier: Apache-2.0
#include "base/num_std.h"

#include <charconv>

enum num_status num_std_parse(const char *p, size_t n, int hex, double *out)
{
    auto format = hex ? std::chars_format::hex : std::chars_format::general;
    auto r = std::from_chars(p, p + n, *out, format);
    if (r.ec == std::errc::result_out_of_range && r.ptr == p + n)
        return NUM_RANGE;
    return r.ec == std::errc() && r.ptr == p + n ? NUM_OK : NUM_BAD;
}

size_t num_std_fixed(double v, char *out, size_t cap)
{
    auto r = std::to_chars(out, out + cap, v, std::chars_format::fixed);
    return r.ec == std::errc() ? static_cast<size_t>(r.ptr - out) : 0;
}

size_t num_std_shortest(double v, char *out, size_t cap)
{
    auto r = std::to_chars(out, out + cap, v, std::chars_format::scientific);
    return r.ec == std::errc() ? static_cast<size_t>(r.ptr - out) : 0;
}
