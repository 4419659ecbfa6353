// SPDX-License-Identifier: GPL-2.0-or-later
// A place in the guest's code as people want it: symbol, source line, disassembly.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <sim/image/decoder.hpp>
#include <sim/image/image.hpp>
#include <span>
#include <string>
#include <vector>

namespace devenv {

class CodeView {
  public:
    // Without an image only what bytes are handed over is known.
    explicit CodeView(const sim::Image* image, sim::Syntax syntax = sim::Syntax::intel);

    std::string symbol(std::uint64_t address) const;  // "name+0x1c", "name" at its start, "?" if unknown
    std::string source(std::uint64_t address) const;  // "file:line", empty if unknown
    // Disassembly; "(not code)" if the bytes are none. Without bytes they are looked up in the image.
    // `code_bits`: 16, 32 or 64, as the instruction was executed.
    std::string text(std::uint64_t address, std::span<const std::uint8_t> bytes, unsigned code_bits = 64) const;
    std::string text(std::uint64_t address, unsigned code_bits = 64) const;
    // All of it in a line: address, symbol, disassembly, source.
    std::string line(std::uint64_t address, std::span<const std::uint8_t> bytes = {}, unsigned code_bits = 64) const;

  private:
    std::span<const std::uint8_t> image_bytes(std::uint64_t address) const;

    const sim::Image* image_;
    sim::Decoder& decoder(unsigned code_bits) const;  // made at first use
    mutable std::array<std::unique_ptr<sim::Decoder>, 3> decoders_;
    sim::Syntax syntax_;
};

}  // namespace devenv
