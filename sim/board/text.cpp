// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/text.hpp>

#include <cstdarg>
#include <cstdio>

namespace sim {

std::string text(const char* format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    std::string result(length > 0 ? std::size_t(length) : 0, '\0');
    if (length > 0) std::vsnprintf(result.data(), result.size() + 1, format, again);
    va_end(again);
    return result;
}

}  // namespace sim
