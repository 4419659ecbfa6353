// SPDX-License-Identifier: GPL-2.0-or-later
// What Bochs's debugger prints about a stopped CPU (`r`, `creg`, `sreg`, `sse`, `ptime`), a line at a time, into
// the state of sim/mark_stop.hpp.
#pragma once
#include <optional>
#include <sim/mark_stop.hpp>
#include <string_view>

namespace sim::bochs {

// "(0) Breakpoint 3, 0xffffffff80207353 in ?? ()"
struct StopLine {
    unsigned breakpoint;
    std::uint64_t address;
};
std::optional<StopLine> parse_stop_line(std::string_view);

// "00449403935: exception (not softint) 0x0008:ffffffff80201402 (0x...)": the handler, after `show extint`.
std::optional<std::uint64_t> parse_delivery_line(std::string_view);

// "ptime: 444194509"
std::optional<std::uint64_t> parse_time_line(std::string_view);

// Adds what the line tells. One that tells nothing is passed over.
void take_state_line(std::string_view, MarkStop&);

// The commands after which every line above has been printed, `ptime` last.
inline constexpr std::string_view state_commands = "r\ncreg\nsreg\nsse\nptime\n";

}  // namespace sim::bochs
