// SPDX-License-Identifier: GPL-2.0-or-later
// Gates and descriptors, as far as both ways of delivery need them.
#pragma once
#include <cstdint>
#include <regs/exceptions.hpp>

namespace sim::unicorn {

using regs::vector::double_fault, regs::vector::general_protection, regs::vector::invalid_opcode,
    regs::vector::invalid_tss, regs::vector::page_fault, regs::vector::segment_not_present;

constexpr unsigned interrupt_gate = 0xe, trap_gate = 0xf;  // of 32 or 64 bits

// Of the IDT. Outside long mode a gate has 8 bytes, the lower half of this; the upper one is zero then.
struct Gate {
    std::uint64_t low, high;
    std::uint64_t target() const { return (low & 0xffff) | (low >> 32 & 0xffff'0000) | high << 32; }
    std::uint16_t selector() const { return std::uint16_t(low >> 16); }
    unsigned stack_table() const { return low >> 32 & 7; }
    unsigned type() const { return low >> 40 & 0x1f; }
    unsigned privilege() const { return low >> 45 & 3; }
    bool present() const { return low >> 47 & 1; }
};

struct CodeDescriptor {
    std::uint64_t value;
    bool code() const { return (value >> 43 & 3) == 3; }  // S and executable
    bool conforming() const { return value >> 42 & 1; }
    unsigned privilege() const { return value >> 45 & 3; }
    bool present() const { return value >> 47 & 1; }
    bool code64() const { return (value >> 53 & 3) == 1; }  // L and not D
};

constexpr std::uint32_t error_idt = 2, error_external = 1;  // in a selector's error code

}  // namespace sim::unicorn
