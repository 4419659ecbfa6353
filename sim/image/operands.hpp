// SPDX-License-Identifier: GPL-2.0-or-later
// Which registers an instruction reads and writes, as a renamer sees them: parts of the state that are renamed on their
// own. The flags are two units, since instructions that write one part and leave the other are common: the carry, and
// all others. x87 registers are counted from the top of the stack.
#pragma once
#include <array>
#include <cstdint>

namespace sim {

namespace unit {
inline constexpr std::uint8_t general = 0;  // 16, numbered as in MemoryOperand
inline constexpr std::uint8_t vector = 16;  // zmm0..31
inline constexpr std::uint8_t mask = 48;    // k0..7
inline constexpr std::uint8_t x87 = 56;     // st0..7; mm0..7
inline constexpr std::uint8_t carry = 64, flags = 65, mxcsr = 66, x87_state = 67;
inline constexpr std::uint8_t count = 68;
}  // namespace unit

struct RegisterUse {
    std::uint8_t unit;
    std::uint8_t bytes;  // 1..64; of flags 0
    bool written;
    bool merged;  // written, and the rest of the register stays: so it is read too
    bool high;    // ah, bh, ch, dh
};

struct Operands {
    static constexpr unsigned most = 24;
    std::array<RegisterUse, most>
        registers{};  // neither those of memory operands nor the stack pointer of push and pop
    std::uint8_t count = 0;
    std::array<std::uint8_t, 2> address{0xff, 0xff};  // units of the encoded memory operand: base, index
    bool encoded_memory = false;                      // there is one, maybe only an address (lea)
    bool has_immediate = false;
    std::int64_t immediate = 0;  // the last
};

}  // namespace sim
