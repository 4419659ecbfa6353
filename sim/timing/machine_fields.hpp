// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of a Machine by name, for reading a CPU's file.
#pragma once
#include <sim/timing/machine.hpp>
#include <span>

namespace sim::timing {

struct NumberField {
    const char* name;
    unsigned Machine::*member;
    unsigned least, most;
};
struct FlagField {
    const char* name;
    bool Machine::*member;
};
struct UnitsField {
    const char* name;
    std::uint32_t Machine::*member;
};

std::span<const NumberField> number_fields();
std::span<const FlagField> flag_fields();
std::span<const UnitsField> units_fields();

}  // namespace sim::timing
