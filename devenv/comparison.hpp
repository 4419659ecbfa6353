// SPDX-License-Identifier: GPL-2.0-or-later
// What changed between two runs, by mark and by function. Pure: two profiles in, a list of differences out.
#pragma once
#include <cstdint>
#include <sim/trace/profile.hpp>
#include <string>
#include <vector>

namespace devenv {

struct Cost {
    std::uint64_t instructions = 0, cycles = 0;
    sim::CyclesByWait by_wait{};  // of totals and functions; the same cycles for other reasons are no change
    bool operator==(const Cost& other) const { return instructions == other.instructions && cycles == other.cycles; }
};

struct Costs {  // of one run
    Cost total;
    std::vector<sim::MarkSummary> marks;
    std::vector<sim::FunctionSummary> functions;
};

struct MarkChange {
    std::string name;
    std::uint64_t count_before = 0, count_after = 0;  // 0: not there
    Cost median_before, median_after;                 // of one window
    Cost total_before, total_after;                   // of all of them
};

struct FunctionChange {
    std::string name;
    Cost before, after;  // exclusive of callees
};

struct Comparison {
    Cost before, after;
    // Only what changed; by the absolute change of total cycles, then of instructions, then by name.
    std::vector<MarkChange> marks;
    std::vector<FunctionChange> functions;
    bool same() const { return before == after && marks.empty() && functions.empty(); }
};

Comparison compare(const Costs& before, const Costs& after);

// Marks of both runs whose median window got slower by more than `percent`.
std::vector<std::string> slower_marks(const Comparison&, double percent);

}  // namespace devenv
