// SPDX-License-Identifier: GPL-2.0-or-later
// Where the code blocks of sim/events.hpp end, and which instructions access more than their operands.
#pragma once
#include <sim/events.hpp>
#include <span>

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

// Does it read a descriptor table, which is no operand of it?
inline bool loads_descriptor(const Instruction& instruction, std::span<const std::uint8_t> bytes) {
    switch (instruction.special) {
        case Special::mov_ss:
        case Special::iret:
        case Special::ltr:
        case Special::lldt:
        case Special::far_transfer:
            return true;
        case Special::plain: {  // MOV to a segment register; POP to FS, GS
            const std::uint8_t before = bytes.size() >= 2 ? bytes[bytes.size() - 2] : 0, last = bytes.back();
            return (before == 0x8e && last >= 0xc0) || (before == 0x0f && (last == 0xa1 || last == 0xa9));
        }
        default:
            return false;
    }
}

}  // namespace sim
