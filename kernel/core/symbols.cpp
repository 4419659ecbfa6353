// SPDX-License-Identifier: MIT
#include <core/symbols.hpp>

// Table: u64 base, u32 count, u32 bytes of names; count times {u32 address - base, u32 offset of the name}, ascending;
// then the zero-terminated names. Empty in the first link step and on the host.
extern "C" {
[[gnu::weak]] extern const unsigned char __ksyms_start[];
[[gnu::weak]] extern const unsigned char __ksyms_end[];
}

namespace exo {

namespace {
struct Header {
    std::uint64_t base;
    std::uint32_t count;
    std::uint32_t name_bytes;
};
struct Entry {
    std::uint32_t offset;
    std::uint32_t name;
};
}  // namespace

Symbol symbol_at(std::uintptr_t address) {
    if (__ksyms_start == nullptr || __ksyms_end - __ksyms_start < static_cast<long>(sizeof(Header))) return {};
    const auto* header = reinterpret_cast<const Header*>(__ksyms_start);
    const auto* entries = reinterpret_cast<const Entry*>(header + 1);
    const auto* names = reinterpret_cast<const char*>(entries + header->count);
    if (address < header->base || header->count == 0) return {};
    const std::uint64_t offset = address - header->base;
    std::uint32_t low = 0, high = header->count;  // the first entry above `offset` is in (low, high]
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (entries[middle].offset <= offset) low = middle + 1;
        else high = middle;
    }
    if (low == 0 || low == header->count) return {};  // the last entry marks the end of the code
    const Entry& entry = entries[low - 1];
    return {names + entry.name, offset - entry.offset};
}

}  // namespace exo
