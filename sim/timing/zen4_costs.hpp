// SPDX-License-Identifier: GPL-2.0-or-later
// Costs on a Zen 4, each with its provenance: measured where ring 3 can measure, else published or a placeholder.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
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

// Cycles of a REP string instruction that moved so many bytes with everything in L1.
std::uint32_t rep_move_cycles(std::uint64_t bytes);
std::uint32_t rep_store_cycles(std::uint64_t bytes);

}  // namespace sim::zen4
