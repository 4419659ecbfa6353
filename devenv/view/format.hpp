// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers and names as people read them. Pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace devenv {

std::string grouped(std::uint64_t value);            // 1234567 -> "1,234,567"
std::string signed_grouped(std::int64_t value);      // -1234 -> "-1,234", 5 -> "+5", 0 -> "0"
std::string percent(double part, double whole);      // one decimal; "-" if whole is 0
std::string signed_percent(double from, double to);  // change; "new" from 0, "-100.0 %" to 0
std::string byte_size(std::uint64_t bytes);          // "812 B", "1.4 KiB", "12.0 MiB"
std::string hex(std::uint64_t value);                // "0x1f"
std::string address(std::uint64_t value);            // 16 digits, no prefix
std::string seconds(double value);                   // "0.42 s"
std::string decimal(double value, int digits);

std::size_t columns(std::string_view utf8);                     // code points
std::string shorten(std::string_view utf8, std::size_t limit);  // the middle gives way to an ellipsis
// Breaks at spaces so that lines have at most `width` columns; all but the first begin with `indent` spaces. Width 0:
// as it is.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace devenv
