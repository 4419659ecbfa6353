// SPDX-License-Identifier: GPL-2.0-or-later
// DWARF line programs, versions 2 to 5 (DWARF 5, 6.2). Read here because LLVM's reader does not survive damaged ones:
// an unknown form in a header, or damaged debug information entries, crash it.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace sim::detail {

struct LineSections {
    std::span<const std::uint8_t> debug_line;
    std::span<const std::uint8_t> debug_line_str;
    std::span<const std::uint8_t> debug_str;
};

// Addresses [start, end) come from `line` of `file` (as the compiler was given it; relative to its folder).
using LineSink =
    std::function<void(std::uint64_t start, std::uint64_t end, const std::string& file, std::uint32_t line)>;

// Reads every unit; what is damaged is left out, from there to the end of its unit.
void read_line_programs(const LineSections&, const LineSink&);

}  // namespace sim::detail
