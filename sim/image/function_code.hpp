// SPDX-License-Identifier: GPL-2.0-or-later
// The code of one function of an ELF file of any kind: object, library, program or kernel.
#pragma once
#include <cstdint>
#include <filesystem>
#include <sim/image/image.hpp>
#include <string_view>
#include <vector>

namespace sim {

struct FunctionCode {
    std::string symbol;  // as the symbol table has it
    std::uint64_t address;
    std::vector<std::uint8_t> bytes;
};

// By the symbol's name, or by its demangled one with or without parameters. Throws ImageError: no x86-64 ELF file, no
// such symbol (the nearest are named), several of that name, or one without code or size.
FunctionCode function_code(const std::filesystem::path& file, std::string_view name);

}  // namespace sim
