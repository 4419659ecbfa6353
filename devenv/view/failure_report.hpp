// SPDX-License-Identifier: GPL-2.0-or-later
// Why a run did not end well, for people: the fault chain with registers, or where it spun.
#pragma once
#include <cstdint>
#include <devenv/simulate.hpp>
#include <devenv/view/style.hpp>
#include <string>

namespace devenv {

std::string exception_name(std::uint8_t vector);          // "#PF page fault"
std::string page_fault_reason(std::uint32_t error_code);  // "write, not present, ring 3"
std::string registers_text(const sim::Registers&);        // four lines and more, indented
// Empty for a run that ended with power-off. Otherwise several lines.
std::string failure_text(const Simulated&, const sim::Image&, const Style&);
// Where a run was when it was ended from outside: the second half of that, indented lines.
std::string place_text(const Simulated&, const sim::Image&);

}  // namespace devenv
