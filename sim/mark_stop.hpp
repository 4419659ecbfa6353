// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a CPU that is about to execute the instruction at a mark, in whichever engine: engines that cannot
// be led step by step are compared there.
#pragma once
#include <cstdint>
#include <sim/imposed.hpp>
#include <vector>

namespace sim {

inline constexpr unsigned mark_stops_default = 3, mark_stops_most = 1000;  // of each mark

struct MarkStop {
    std::uint64_t address = 0;  // virtual
    // Not from every engine: hidden parts of segments, the bases of FS and GS, x87.
    ArchitecturalState state{};
    // Since the stop before: instructions, with each iteration of a string instruction and each one that faulted;
    // where interrupts and exceptions were delivered to; what was read from outside the CPU and its RAM (time stamp,
    // CPUID, port, device, MSR).
    std::uint64_t ticks = 0;
    std::vector<std::uint64_t> deliveries;
    std::uint64_t inputs = 0;  // 0 from engines that do not tell
    std::uint16_t live = 0;    // general registers that were read before they were written; 0 likewise
};

}  // namespace sim
