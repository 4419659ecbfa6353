// SPDX-License-Identifier: GPL-2.0-or-later
// Where cycles went, and how sure the figures are: CPI stacks, ranges, shares that rest on estimates.
#pragma once
#include <cstddef>
#include <cstdint>
#include <devenv/view/style.hpp>
#include <nlohmann/json.hpp>
#include <sim/trace/profile.hpp>
#include <string>
#include <vector>

namespace devenv {

// "214", or "214 (180-310)" if it may be less or more.
std::string ranged(std::uint64_t value, std::uint64_t less, std::uint64_t more);

// "base": instructions that retired at the core's width; the other causes by their names.
std::string wait_title(sim::Wait);
std::string wait_key(sim::Wait);  // "front_end": in JSON
// The same in seven columns at most, for a column of its own; empty for base.
std::string wait_word(sim::Wait);

// What most cycles were spent on, and how much of them: "dependency 43 %"; empty without cycles.
std::string main_wait(const sim::Spending&);
// All causes, the most expensive first: "dependency 43.1 %, L2 8.0 %, ..."; those below 0.1 % are left out.
std::string waits_text(const sim::Spending&);
// "45.1 % rest on estimates: 6,000-9,000", "nothing rests on estimates".
std::string certainty_text(const sim::Spending&);

// Rows of what was spent on what; `rows` of the functions.
std::string stack_table(const std::vector<sim::MarkSummary>&, const std::vector<sim::FunctionSummary>&,
                        std::size_t rows, const Style&);

// {"base": 120, "front_end": 17, ...}: cycles, all causes that there are.
nlohmann::ordered_json waits_json(const sim::Spending&);
// {"low": 180, "high": 310}
nlohmann::ordered_json range_json(std::uint64_t value, std::uint64_t less, std::uint64_t more);

// Marks of whose cycles more than `percent` rest on estimates.
std::vector<const sim::MarkSummary*> guessed_marks(const std::vector<sim::MarkSummary>&, double percent);

}  // namespace devenv
