// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/image/canonical.hpp>

namespace sim::detail {
namespace {

bool is_string_opcode(std::uint8_t opcode) {
    return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) ||
           (opcode >= 0xaa && opcode <= 0xaf);
}

bool is_vex(std::span<const std::uint8_t> body, CodeMode mode) {
    if (body[0] == 0xc4 || body[0] == 0xc5 || body[0] == 0x62)  // outside 64-bit mode also les, lds, bound with memory
        return mode.bits == 64 || (body.size() > 1 && body[1] >= 0xc0);
    return body[0] == 0x8f && body.size() > 1 && (body[1] & 0x1f) >= 8;  // XOP; else pop
}

SegmentBase override_of(std::uint8_t byte, CodeMode mode, SegmentBase before) {
    if (byte == 0x64) return SegmentBase::fs;
    if (byte == 0x65) return SegmentBase::gs;
    if (mode.bits == 64) return before;
    return byte == 0x26   ? SegmentBase::es
           : byte == 0x2e ? SegmentBase::cs
           : byte == 0x36 ? SegmentBase::ss
                          : SegmentBase::ds;
}

std::uint8_t prefix_of(SegmentBase segment) {
    constexpr std::uint8_t bytes[] = {0, 0x64, 0x65, 0x26, 0x2e, 0x36, 0x3e};
    return bytes[unsigned(segment)];
}

}  // namespace

MemoryOperand Canonical::operand(SegmentBase usual) const {
    MemoryOperand m;
    m.address_bits = address_bits;
    m.segment = segment;
    if (mode.bits == 64) return m;
    if (m.segment == SegmentBase::none) m.segment = usual;
    m.linear32 = true;
    return m;
}

MemoryOperand Canonical::stack_operand() const {
    MemoryOperand m;
    m.address_bits = mode.stack_bits;
    if (mode.bits == 64) return m;
    m.segment = SegmentBase::ss;
    m.linear32 = true;
    return m;
}

std::optional<Canonical> canonicalise(std::span<const std::uint8_t> bytes, CodeMode mode) {
    Canonical c{.mode = mode};
    bool operand_size = false, address_size = false;
    std::uint8_t rex = 0;
    std::size_t i = 0;
    for (; i < bytes.size() && i < max_length; ++i) {
        const std::uint8_t byte = bytes[i];
        bool legacy = true;
        switch (byte) {
            case 0xf0:
                c.lock = true;
                break;
            case 0xf2:
            case 0xf3:
                c.repeat = byte;
                break;
            case 0x66:
                operand_size = true;
                break;
            case 0x67:
                address_size = true;
                break;
            case 0x26:
            case 0x2e:
            case 0x36:
            case 0x3e:
            case 0x64:
            case 0x65:
                c.segment = override_of(byte, mode, c.segment);
                break;
            default:
                legacy = false;
        }
        if (legacy) rex = 0;
        else if (mode.bits == 64 && (byte & 0xf0) == 0x40) rex = byte;
        else break;
    }
    if (i == bytes.size() || i == max_length) return std::nullopt;
    const auto body = bytes.subspan(i, std::min(bytes.size(), max_length) - i);
    if (mode.bits == 64 && body[0] == 0xd5) return std::nullopt;  // REX2: #UD without APX
    c.prefix_bytes = i;
    c.string = is_string_opcode(body[0]);
    c.vex = is_vex(body, mode);
    if (c.vex && (rex != 0 || operand_size || c.repeat != 0 || c.lock)) return std::nullopt;  // #UD, SDM 2A 2.3.2

    const std::uint8_t other_bits = mode.bits == 32 ? 16 : 32;
    c.address_bits = address_size ? other_bits : mode.bits;
    c.operand_bytes = std::uint8_t((operand_size ? (mode.bits == 16 ? 32 : 16) : mode.bits) / 8);

    if (address_size) c.add(0x67);
    if (operand_size) c.add(0x66);
    if (c.segment != SegmentBase::none) c.add(prefix_of(c.segment));
    const bool two_byte = body[0] == 0x0f;
    const bool pause = body[0] == 0x90 && c.repeat == 0xf3 && (rex & 1) == 0;
    // Lockable instructions have no mandatory prefix: there f2 and f3 are hints (xacquire, xrelease).
    if (c.repeat != 0 && !c.lock && (two_byte || pause)) c.add(c.repeat);
    if (rex != 0) c.add(rex);
    c.canonical_prefix_bytes = c.size;
    for (const std::uint8_t byte : body) c.add(byte);
    return c;
}

}  // namespace sim::detail
