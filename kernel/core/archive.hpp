// SPDX-License-Identifier: MIT
// The ring-3 programs that travel inside the kernel image: section .exo.archive, a table of names, then ELF files.
#pragma once
#include <cstdint>
#include <lib/result.hpp>
#include <span>
#include <string_view>

namespace exo {

inline constexpr std::uint64_t archive_magic = 0x3156484352415845;  // "EXARCHV1"

struct ArchiveHeader {
    std::uint64_t magic;
    std::uint64_t count;  // entries that follow
};
struct ArchiveEntry {
    char name[32];         // zero-padded
    std::uint64_t offset;  // from the header's start
    std::uint64_t bytes;
};
static_assert(sizeof(ArchiveEntry) == 48);

// The program's file; not_found.
Result<std::span<const std::byte>> archive_find(std::string_view name);

}  // namespace exo
