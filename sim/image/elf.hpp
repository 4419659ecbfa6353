// SPDX-License-Identifier: GPL-2.0-or-later
// Reading an x86 executable ELF file, of either class, that nobody vouches for: every offset is checked before it is
// followed, and what cannot be run is refused with the file's name, the cause and what to do.
#pragma once
#include <cstdint>
#include <optional>
#include <sim/image/image.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim::detail {

struct ElfSection {
    std::string_view name;
    std::uint32_t type;
    std::uint64_t flags;
    std::uint64_t address;
    std::uint64_t memory_bytes;
    std::span<const std::uint8_t> bytes;  // empty for NOBITS
};

struct ElfSymbol {
    std::string_view name;
    std::uint64_t address;
    std::uint64_t size;
    std::uint16_t section;
    bool function;  // STT_FUNC; else a label (STT_NOTYPE) or data
    bool label;     // STT_NOTYPE
    bool global;
};

struct ElfFile {
    std::uint64_t entry_virtual;
    std::uint64_t entry_physical;            // Image::no_entry: in no segment
    std::optional<std::uint64_t> pvh_entry;  // physical, of the Xen note
    std::vector<Segment> segments;           // those that occupy memory, in file order
    std::vector<ElfSection> sections;
    std::vector<ElfSymbol> symbols;  // named ones in a section, of .symtab
};

// Throws ImageError. The result points into `bytes`. `name` is what messages call the file.
ElfFile read_elf(std::span<const std::uint8_t> bytes, const std::string& name);

struct ElfNote {
    std::string_view name;
    std::uint32_t type;
    std::span<const std::uint8_t> descriptor;
};

// The notes of a section; stops at the first malformed one.
std::vector<ElfNote> read_notes(std::span<const std::uint8_t> section);

[[noreturn]] void image_error(const std::string& name, const std::string& cause, const std::string& next_step);

// A little-endian value at `offset`, which the caller has checked.
template <typename T>
T read_value(std::span<const std::uint8_t> bytes, std::size_t offset) {
    T value;
    __builtin_memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

}  // namespace sim::detail
