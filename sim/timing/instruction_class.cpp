// SPDX-License-Identifier: GPL-2.0-or-later
// The opcode maps (APM3 appendix A), reduced to classes of cost.
#include <optional>
#include <sim/timing/instruction_class.hpp>

namespace sim {
namespace {

using enum InstructionClass;

struct Encoding {
    bool operand16 = false, f2 = false, f3 = false, rex_w = false, rex_r = false, rex_b = false;
    unsigned map = 0;  // 0 one byte, 1 0F, 2 0F38, 3 0F3A
    std::uint8_t opcode = 0;
    std::uint8_t modrm = 0;  // 0 if there is none
    std::uint8_t sib = 0;

    bool registers_only() const { return modrm >> 6 == 3; }
    unsigned digit() const { return modrm >> 3 & 7; }
    bool same_register() const { return registers_only() && (modrm >> 3 & 7) == (modrm & 7) && rex_r == rex_b; }
};

// Empty for VEX and EVEX, and when the bytes end too early.
std::optional<Encoding> parse(std::span<const std::uint8_t> bytes) {
    Encoding e;
    std::size_t i = 0;
    auto next = [&]() -> int { return i < bytes.size() ? bytes[i++] : -1; };
    int byte = next();
    for (;; byte = next()) {
        if (byte == 0x66) e.operand16 = true;
        else if (byte == 0xf2) e.f2 = true;
        else if (byte == 0xf3) e.f3 = true;
        else if (byte != 0x67 && byte != 0xf0 && byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26 &&
                 byte != 0x64 && byte != 0x65)
            break;
    }
    if (byte >= 0x40 && byte <= 0x4f) {
        e.rex_w = byte & 8;
        e.rex_r = byte & 4;
        e.rex_b = byte & 1;
        byte = next();
    }
    if (byte == 0x0f) {
        e.map = 1;
        byte = next();
        if (byte == 0x38 || byte == 0x3a) {
            e.map = byte == 0x38 ? 2 : 3;
            byte = next();
        }
    } else if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        return std::nullopt;
    }
    if (byte < 0) return std::nullopt;
    e.opcode = static_cast<std::uint8_t>(byte);
    if (int modrm = next(); modrm >= 0) e.modrm = static_cast<std::uint8_t>(modrm);
    if (int sib = next(); sib >= 0) e.sib = static_cast<std::uint8_t>(sib);
    return e;
}

InstructionClass move_class(const Encoding& e, bool full_width) {
    if (!e.registers_only()) return load_store;
    return full_width && !e.operand16 ? move : alu;
}

bool lea_has_three_parts(const Encoding& e) {
    bool has_sib = (e.modrm & 7) == 4;
    bool displacement = (e.modrm >> 6) != 0 || (has_sib && (e.sib & 7) == 5);
    bool base = !has_sib || (e.sib & 7) != 5 || (e.modrm >> 6) != 0;
    bool index = has_sib && (e.sib >> 3 & 7) != 4;
    return base && index && displacement;
}

InstructionClass one_byte(const Encoding& e) {
    std::uint8_t op = e.opcode;
    if (op < 0x40 && (op & 7) < 6) {
        bool clears = op == 0x31 || op == 0x33 || op == 0x29 || op == 0x2b;
        return clears && e.same_register() && !e.operand16 ? zero_idiom : alu;
    }
    if (op >= 0x50 && op < 0x60) return stack;
    if (op >= 0x70 && op < 0x80) return control;
    if (op >= 0xb0 && op < 0xc0) return alu;
    if (op >= 0xd8 && op < 0xe0) return unknown;  // x87
    if (op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3)) return shift;
    switch (op) {
        case 0x68:
        case 0x6a:
        case 0x8f:
            return stack;
        case 0x69:
        case 0x6b:
            return multiply;
        case 0x63:
        case 0x80:
        case 0x81:
        case 0x83:
        case 0x84:
        case 0x85:
        case 0x98:
        case 0x99:
        case 0xa8:
        case 0xa9:
        case 0xc9:
        case 0x9e:
        case 0x9f:
        case 0xf5:
        case 0xf8:
        case 0xf9:
        case 0xfc:
        case 0xfd:
            return alu;
        case 0x86:
        case 0x87:
            return e.registers_only() ? (op == 0x87 ? move : alu) : xchg_memory;
        case 0x88:
        case 0x8a:
            return move_class(e, false);
        case 0x89:
        case 0x8b:
            return move_class(e, true);
        case 0xa0:
        case 0xa1:
        case 0xa2:
        case 0xa3:
        case 0xc6:
        case 0xc7:
            return e.registers_only() ? alu : load_store;
        case 0x8c:
        case 0x8e:
            return unknown;  // segment registers
        case 0x8d:
            return lea_has_three_parts(e) ? lea_complex : alu;
        case 0x90:
            return e.rex_b ? move : nop;
        case 0x91:
        case 0x92:
        case 0x93:
        case 0x94:
        case 0x95:
        case 0x96:
        case 0x97:
            return move;
        case 0xc2:
        case 0xc3:
        case 0xe0:
        case 0xe1:
        case 0xe2:
        case 0xe3:
        case 0xe8:
        case 0xe9:
        case 0xeb:
            return control;
        case 0xf6:
        case 0xf7:
            if (e.digit() < 4) return alu;
            if (e.digit() < 6) return multiply;
            return e.rex_w ? divide64 : divide32;
        case 0xfe:
            return alu;
        case 0xff:
            return e.digit() < 2 ? alu : e.digit() == 6 ? stack : control;
        default:
            return unknown;
    }
}

InstructionClass two_byte(const Encoding& e) {
    std::uint8_t op = e.opcode;
    if (op == 0x0d || (op >= 0x18 && op <= 0x1f)) return nop;  // prefetches and hints
    if (op >= 0x40 && op < 0x50) return shift;                 // cmov
    if (op >= 0x80 && op < 0x90) return control;
    if (op >= 0x90 && op < 0xa0) return shift;  // setcc
    if (op >= 0xc8 && op < 0xd0) return alu;    // bswap
    switch (op) {
        case 0xa3:
            return e.registers_only() ? alu : bit_memory_read;
        case 0xab:
        case 0xb3:
        case 0xbb:
            return e.registers_only() ? alu : bit_memory_write;
        case 0xa4:
        case 0xa5:
        case 0xac:
        case 0xad:
            return double_shift;
        case 0xaf:
            return multiply;
        case 0xb0:
        case 0xb1:
            return cmpxchg;
        case 0xb6:
        case 0xb7:
        case 0xb8:
        case 0xba:
        case 0xbc:
        case 0xbd:
        case 0xbe:
        case 0xbf:
            return alu;
        case 0xc0:
        case 0xc1:
            return xadd;
        case 0xc3:
            return load_store;  // movnti
        case 0xc7:
            return e.digit() == 1 ? cmpxchg16b : unknown;
        case 0x51:
        case 0x53:
        case 0x5e:
            return vector_divide;
        default:
            break;
    }
    bool sse = (op >= 0x10 && op < 0x18) || (op >= 0x28 && op < 0x30) || (op >= 0x50 && op < 0x80) || op == 0xc2 ||
               (op >= 0xc4 && op < 0xc7) || op >= 0xd0;
    return sse ? vector : unknown;
}

}  // namespace

InstructionClass classify(std::span<const std::uint8_t> bytes, const Instruction& instruction) {
    auto e = parse(bytes);
    if (!e) return unknown;
    InstructionClass kind = unknown;
    switch (e->map) {
        case 0:
            kind = one_byte(*e);
            break;
        case 1:
            kind = two_byte(*e);
            break;
        case 2:
            if (e->opcode == 0xf0 || e->opcode == 0xf1) kind = e->f2 ? multiply : load_store;  // crc32, movbe
            else kind = e->opcode == 0xf6 ? alu : vector;                                      // adcx, adox
            break;
        default:
            kind = vector;
            break;
    }
    if (instruction.locked && (kind == alu || kind == bit_memory_write)) return locked_other;
    return kind;
}

}  // namespace sim
