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
std::string wait_key(sim::Wait);              // "front_end": in JSON
std::string provenance_key(sim::Provenance);  // "llvm" of what LLVM's scheduling data has
std::string miss_key(sim::Miss);              // "l1_code": in JSON
// The same in seven columns at most, for a column of its own; empty for base.
std::string wait_word(sim::Wait);

// What most cycles were spent on, and how much of them: "dependency 43 %"; empty without cycles.
std::string main_wait(const sim::Spending&);
// All causes, the most expensive first: "dependency 43.1 %, L2 8.0 %, ..."; those below 0.1 % are left out.
std::string waits_text(const sim::Spending&);
// "45.1 % rest on estimates: 6,000-9,000", "nothing rests on estimates".
std::string certainty_text(const sim::Spending&);

// Where the numbers come from that the cycles rest on, most first: "LLVM 40.0 %, measured 35.1 %, ...".
std::string provenance_text(const sim::Spending&);
// Misses of 1,000 instructions: "L1D 3.10, L2 0.40, ..."; those below 0.01 are left out.
std::string misses_text(const sim::Spending&);

// Tables with rows for the marks and for `rows` of the functions. What was spent on what:
std::string stack_table(const std::vector<sim::MarkSummary>&, const std::vector<sim::FunctionSummary>&,
                        std::size_t rows, const Style&);
// Misses of 1,000 instructions.
std::string misses_table(const std::vector<sim::MarkSummary>&, const std::vector<sim::FunctionSummary>&,
                         std::size_t rows, const Style&);
// Cycles by where the numbers come from that they rest on, and their range.
std::string provenance_table(const std::vector<sim::MarkSummary>&, const std::vector<sim::FunctionSummary>&,
                             std::size_t rows, const Style&);

// {"base": 120, "front_end": 17, ...}: cycles, all causes that there are.
nlohmann::ordered_json waits_json(const sim::Spending&);
// {"measured": 120, "llvm": 30, ...}: cycles, all kinds that there are.
nlohmann::ordered_json provenance_json(const sim::Spending&);
// {"l1_code": 3, ...}: how often, with what was asked for: "accesses", "branches".
nlohmann::ordered_json misses_json(const sim::Spending&);
// {"low": 180, "high": 310}
nlohmann::ordered_json range_json(std::uint64_t value, std::uint64_t less, std::uint64_t more);

// Marks of whose cycles more than `percent` rest on estimates.
std::vector<const sim::MarkSummary*> guessed_marks(const std::vector<sim::MarkSummary>&, double percent);

}  // namespace devenv
