// SPDX-License-Identifier: GPL-2.0-or-later
// An instruction's prefixes. LLVM decodes prefixes it does not expect as instructions of their own, so they are read
// here, and LLVM is given the instruction in a canonical form: only the prefixes that change its meaning, in the order
// that assemblers write. Legacy prefixes may come in any order and repeat; a REX prefix counts only as the last one
// (SDM 2A 2.1.1, 2.2.1) and exists in 64-bit mode only, where es, cs, ss and ds overrides mean nothing (APM2 4.5.3).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <span>

namespace sim::detail {

inline constexpr std::size_t max_length = 15;

struct Canonical {
    CodeMode mode;
    std::array<std::uint8_t, 2 * max_length> bytes{};
    std::size_t size = 0;
    std::size_t prefix_bytes = 0;             // in the original
    std::size_t canonical_prefix_bytes = 0;   // of `bytes`
    std::uint8_t repeat = 0;                  // the last of f2 and f3, or 0
    std::uint8_t address_bits = 64;           // 16, 32 or 64
    std::uint8_t operand_bytes = 8;           // of a slot of the stack: 2, 4 or 8
    SegmentBase segment = SegmentBase::none;  // the last override that counts
    bool lock = false;
    bool string = false;
    bool vex = false;  // VEX, EVEX or XOP

    void add(std::uint8_t byte) { bytes[size++] = byte; }
    // An operand with the instruction's address size, in the overriding segment or else in `usual`.
    MemoryOperand operand(SegmentBase usual) const;
    MemoryOperand stack_operand() const;
};

// Empty: the bytes end before the opcode, or its prefixes make the instruction illegal.
std::optional<Canonical> canonicalise(std::span<const std::uint8_t> bytes, CodeMode);

}  // namespace sim::detail
