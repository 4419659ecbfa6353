// SPDX-License-Identifier: GPL-2.0-or-later
// LLVM's x86 decoder and printer, reduced to what a simulator needs of an instruction.
//
// Flow::trap is what goes where no operand says: syscall, sysret, iret, int, ud. Flow::stop is hlt. Far jumps, calls
// and returns have the flow of the near ones and Special::far_transfer; clts and lmsw are Special::mov_to_cr, insb and
// outsb Special::in and out.
//
// In 16 and 32-bit code every operand names its segment, the default one where no prefix does.
//
// Memory operands hold addresses as of the state before the instruction: a push stores at rsp - 8, and `pop [rsp]` at
// rsp + 8. iret is one load of all its slots (outside 64-bit mode: of the three
// that it always has). A write to an 8 or 16-bit register also reads it, as the rest stays.
// Prefixes in any order are part of their instruction; one that LOCK makes illegal (#UD) is none.
//
// Limits: `bt`, `bts`, `btr`, `btc` with a register index tell the word at the base, not the one that the index
// selects; xlat tells rbx without al; enter tells its first push; xsave areas count 576 bytes whatever XCR0 enables;
// icebp (f1) is no instruction to LLVM; vector indices (gather, scatter) are left
// out of memory operands.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <sim/events.hpp>
#include <sim/image/operands.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sim {

enum class Syntax : std::uint8_t { att, intel };

class Decoder {
  public:
    static std::unique_ptr<Decoder> make(CodeMode = {});
    virtual ~Decoder() = default;
    // Decodes one instruction of the decoder's mode. Empty if the bytes are none. Not thread-safe.
    virtual std::optional<Instruction> decode(std::span<const std::uint8_t> bytes, std::uint64_t address) = 0;
    // Of the instruction that decode() returned last.
    virtual Operands operands() const = 0;
    virtual std::string text(std::span<const std::uint8_t> bytes, std::uint64_t address, Syntax = Syntax::intel) = 0;
    virtual std::string_view opcode_name(std::uint16_t opcode) const = 0;  // LLVM's, e.g. "ADD64rr"
    virtual std::string version() const = 0;                               // LLVM's
};

}  // namespace sim
