// SPDX-License-Identifier: GPL-2.0-or-later
// What the decoder does not tell of an instruction: its opcode's own bytes.
#pragma once
#include <cstdint>

namespace sim::unicorn {

// The bytes of an instruction after its prefixes, and the REX prefix if it has one.
struct Opcode {
    const std::uint8_t* at;
    std::uint8_t rex = 0;
    bool operand16 = false;

    unsigned reg() const { return (at[2] >> 3 & 7) | (rex & 4) << 1; }  // of 0F xx /r
    unsigned rm() const { return (at[2] & 7) | (rex & 1) << 3; }
};

inline Opcode skip_prefixes(const std::uint8_t* at) {
    Opcode result{at};
    for (;; ++result.at) {
        const std::uint8_t byte = *result.at;
        if (byte == 0x66) result.operand16 = true;
        else if (byte != 0xf0 && byte != 0xf2 && byte != 0xf3 && byte != 0x2e && byte != 0x36 && byte != 0x3e &&
                 byte != 0x26 && byte != 0x64 && byte != 0x65 && byte != 0x67)
            break;
    }
    if ((*result.at & 0xf0) == 0x40) result.rex = *result.at++;
    return result;
}

// IDIV of 32 bits, by which the engine divides as the host does.
inline bool is_idiv32(const std::uint8_t* at, unsigned code_bits) {
    const Opcode opcode = skip_prefixes(at);
    if (*opcode.at != 0xf7 || (opcode.at[1] >> 3 & 7) != 7) return false;
    return code_bits == 64 ? !(opcode.rex & 8) && !opcode.operand16
                           : !opcode.rex && opcode.operand16 == (code_bits == 16);
}

}  // namespace sim::unicorn
