// SPDX-License-Identifier: MIT
#include <core/archive.hpp>

// From the linker script; absent on the host, where programs are linked in.
extern "C" {
[[gnu::weak]] extern const std::byte __exo_archive_start[];
}

namespace exo {

Result<std::span<const std::byte>> archive_find(std::string_view name) {
    if (__exo_archive_start == nullptr) return Error::not_found;
    const auto* header = reinterpret_cast<const ArchiveHeader*>(__exo_archive_start);
    EXO_ASSERT(header->magic == archive_magic);
    const auto* entries = reinterpret_cast<const ArchiveEntry*>(header + 1);
    for (std::uint64_t i = 0; i < header->count; ++i) {
        const std::string_view padded(entries[i].name, sizeof entries[i].name);
        if (padded.substr(0, padded.find('\0')) == name)
            return std::span(__exo_archive_start + entries[i].offset, entries[i].bytes);
    }
    return Error::not_found;
}

}  // namespace exo
