// SPDX-License-Identifier: GPL-2.0-or-later
// The few instructions that the plugin must know by their bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace exo_plugin {

enum class InstructionKind : uint8_t {
    ordinary,
    changes_translations,  // MOV to CR, CLTS, LMSW, INVLPG, INVPCID, WRMSR: page translations may be others after it
    load_idt,
    halt
};

inline bool is_prefix(uint8_t byte) {
    switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67:
        case 0xf0:
        case 0xf2:
        case 0xf3:
            return true;
        default:
            return (byte & 0xf0) == 0x40;  // REX; INC and DEC outside 64-bit mode, which are a whole instruction there
    }
}

inline InstructionKind kind_of_instruction(const uint8_t* bytes, size_t size) {
    size_t at = 0;
    while (at + 1 < size && is_prefix(bytes[at])) ++at;
    const uint8_t* opcode = bytes + at;
    const size_t left = size - at;
    if (left >= 1 && opcode[0] == 0xf4) return InstructionKind::halt;
    if (left < 2 || opcode[0] != 0x0f) return InstructionKind::ordinary;
    switch (opcode[1]) {
        case 0x06:
        case 0x22:
        case 0x30:
            return InstructionKind::changes_translations;
        case 0x38:
            return left >= 3 && opcode[2] == 0x82 ? InstructionKind::changes_translations : InstructionKind::ordinary;
        case 0x01: {
            if (left < 3) return InstructionKind::ordinary;
            const unsigned mode = opcode[2] >> 6, operation = opcode[2] >> 3 & 7;
            if (operation == 6 || (operation == 7 && mode != 3)) return InstructionKind::changes_translations;
            return operation == 3 && mode != 3 ? InstructionKind::load_idt : InstructionKind::ordinary;
        }
        default:
            return InstructionKind::ordinary;
    }
}

}  // namespace exo_plugin
