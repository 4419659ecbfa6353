// SPDX-License-Identifier: GPL-2.0-or-later
// Costs on a Zen 4, each with its provenance: measured where ring 3 can measure, else published or a placeholder.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
#include <sim/timing/instruction_class.hpp>
#include <sim/timing/model.hpp>
#include <string_view>

namespace sim::zen4 {

struct SystemCost {
    std::string_view name;
    std::uint32_t cycles;
    Provenance provenance;
    bool drains;              // waits until everything before it has retired
    std::string_view source;  // how measured, where published, or what the guess leans on
};

// Of an instruction with a Special other than plain, nop and string. fsgsbase: `writes_base` picks the write.
const SystemCost& system_cost(Special, bool writes_base = false);
const SystemCost& exception_entry();
const SystemCost& interrupt_entry();
const SystemCost& software_interrupt_entry();
const SystemCost& device_access();  // memory-mapped device, a load or a store

// Groups of execution units with a throughput of their own. `none`: only dispatch limits it.
enum class Unit : std::uint8_t { none, alu, shift, multiply, divide, load, count_ };

struct ClassCost {
    std::uint16_t latency_half_cycles;  // without memory access
    std::uint8_t slots;                 // of the six a cycle at dispatch, in halves: a nop takes one half
    Unit unit;
    std::uint8_t unit_twelfths;  // of a cycle that the unit's group is taken: 3 is four a cycle
    Provenance provenance;
};
const ClassCost& class_cost(InstructionClass);

// Cycles of a REP string instruction that moved so many bytes with everything in L1.
std::uint32_t rep_move_cycles(std::uint64_t bytes);
std::uint32_t rep_store_cycles(std::uint64_t bytes);

// Load latencies to the first use, core cycles (measured; DRAM as the flat lowest value).
inline constexpr unsigned l1_latency = 4, l1_indexed_extra = 1, l2_latency = 17, l3_latency = 50, dram_latency = 440;
inline constexpr unsigned line_crossing_extra = 2;                                // measured: 6 in place of 4
inline constexpr unsigned forward_latency = 7;                                    // store to load, not renamed: 6.3-6.5
inline constexpr unsigned loads_a_cycle = 3;                                      // measured
inline constexpr unsigned mispredict_conditional = 22, mispredict_indirect = 26;  // measured: 21-24; 26
inline constexpr unsigned dispatch_width = 6, retire_width = 8, reorder_buffer = 320, store_queue = 64;

}  // namespace sim::zen4
