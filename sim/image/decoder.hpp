// SPDX-License-Identifier: GPL-2.0-or-later
// LLVM's x86-64 decoder and printer, reduced to what a simulator needs of an instruction.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <sim/events.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sim {

enum class Syntax : std::uint8_t { att, intel };

class Decoder {
  public:
    static std::unique_ptr<Decoder> make();
    virtual ~Decoder() = default;
    // Decodes one instruction in 64-bit mode. Empty if the bytes are none. Not thread-safe.
    virtual std::optional<Instruction> decode(std::span<const std::uint8_t> bytes, std::uint64_t address) = 0;
    virtual std::string text(std::span<const std::uint8_t> bytes, std::uint64_t address, Syntax = Syntax::intel) = 0;
    virtual std::string_view opcode_name(std::uint16_t opcode) const = 0;  // LLVM's, e.g. "ADD64rr"
    virtual std::string version() const = 0;                               // LLVM's
};

}  // namespace sim
