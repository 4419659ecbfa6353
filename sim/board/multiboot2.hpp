// SPDX-License-Identifier: GPL-2.0-or-later
// The two structures of Multiboot2 (specification 2.0): the header that an image carries (3.1) and the information that
// it is handed (3.6).
#pragma once
#include <cstdint>
#include <optional>
#include <sim/board/memory.hpp>
#include <sim/image/image.hpp>
#include <span>
#include <string>
#include <vector>

namespace sim::multiboot2 {

inline constexpr std::uint32_t loader_magic = 0x36d7'6289;

struct Header {
    std::vector<Segment> segments;       // of the address tag; empty: those of the ELF file count
    std::optional<std::uint64_t> entry;  // of the entry address tag, physical
};

// The header in the image's first 32 KiB; empty if there is none. Throws ImageError if it is malformed or asks for what
// the board has not.
std::optional<Header> find_header(const Image&);

struct Told {
    std::string command_line;
    std::vector<exo::abi::StartInfoMemory> memory_map;
    std::span<const std::uint8_t> rsdp;  // the structure itself; empty: there is none
};

// The information structure, complete; it holds no address of itself.
std::vector<std::uint8_t> information(const Image&, const Told&);

}  // namespace sim::multiboot2
