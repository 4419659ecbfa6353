// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers on the command line. The option parser's own conversion takes -1 and 2^64 as other numbers than were typed;
// here a number is what it looks like and inside its range, or the command ends with one line that says so.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace devenv {

inline constexpr std::uint64_t any_unsigned = std::numeric_limits<std::uint64_t>::max();

// Decimal digits, or hexadecimal ones after 0x, and nothing else. Empty if it is no such number or above 2^64 - 1.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

// For Option::transform(), also of options that take several: a whole number in least .. most.
CLI::Validator whole_number(std::uint64_t least = 0, std::uint64_t most = any_unsigned);
// For Option::check(): a decimal number in least .. most; no infinity, no NaN.
CLI::Validator decimal_number(double least, double most);

}  // namespace devenv
