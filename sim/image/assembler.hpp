// SPDX-License-Identifier: GPL-2.0-or-later
// Machine code from assembly text, by LLVM's assembler.
#pragma once
#include <cstdint>
#include <sim/image/decoder.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

struct AssemblyError : std::runtime_error {  // line, column and LLVM's own message
    using std::runtime_error::runtime_error;
};

// 64-bit code, as it stands in .text; lines or `;` separate instructions, labels in the text may be used. Throws
// AssemblyError, also if the text needs an address that only a linker knows, or makes more than `bytes_most`.
std::vector<std::uint8_t> assemble(std::string_view text, Syntax, std::size_t bytes_most);

// AT&T registers and immediates carry a sign of their own: % or $ in front.
Syntax guess_syntax(std::string_view text);

}  // namespace sim
