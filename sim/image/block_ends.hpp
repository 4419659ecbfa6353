// SPDX-License-Identifier: GPL-2.0-or-later
// Where the code blocks of sim/events.hpp end.
#pragma once
#include <sim/events.hpp>

namespace sim {

// After these control goes elsewhere, or what the following bytes mean may have changed.
inline bool ends_code_block(const Instruction& instruction) {
    if (instruction.flow != Flow::next) return true;
    switch (instruction.special) {
        case Special::hlt:
        case Special::cpuid:
        case Special::wrmsr:
        case Special::mov_to_cr:
        case Special::mov_dr:
        case Special::invlpg:
        case Special::lgdt:
        case Special::lidt:
        case Special::ltr:
        case Special::lldt:
        case Special::xsetbv:
        case Special::wbinvd:
        case Special::far_transfer:
        case Special::ud:
        case Special::unsupported:
            return true;
        default:
            return false;
    }
}

}  // namespace sim
