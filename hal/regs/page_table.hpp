// SPDX-License-Identifier: MIT
// Page-table entries of 4-level long-mode paging (APM2 5.3, SDM 3A 4.5): bits, and how an address is cut up.
// constexpr only; builds anywhere. What walks and changes tables is page_walk.hpp.
#pragma once
#include <cstdint>

namespace regs {

namespace pte {
inline constexpr std::uint64_t present = 1ull << 0, write = 1ull << 1, user = 1ull << 2, write_through = 1ull << 3,
                               cache_disable = 1ull << 4, accessed = 1ull << 5, dirty = 1ull << 6,
                               large = 1ull << 7,  // PS: levels 3 and 2 only; in level 1 this bit selects a PAT entry
    global = 1ull << 8, no_execute = 1ull << 63;
inline constexpr std::uint64_t address_mask = 0x000f'ffff'ffff'f000;  // bits 51..12: a table's or a 4 KiB page's frame
}  // namespace pte

namespace paging {
inline constexpr unsigned levels = 4;  // 4 = PML4, 3 = page-directory pointers, 2 = page directory, 1 = page table
inline constexpr unsigned entries = 512;
inline constexpr std::uint64_t page_4k = 1ull << 12, page_2m = 1ull << 21, page_1g = 1ull << 30;
inline constexpr std::uint64_t user_end = 0x0000'8000'0000'0000;      // first address above the lower half
inline constexpr std::uint64_t kernel_start = 0xffff'8000'0000'0000;  // first address of the upper half
inline constexpr unsigned kernel_first_entry = 256;                   // of the root table

// Bytes that one entry of a table of this level covers.
constexpr std::uint64_t entry_bytes(unsigned level) { return 1ull << (12 + 9 * (level - 1)); }
// Which entry of a table of this level translates `virtual_address`.
constexpr unsigned index(std::uint64_t virtual_address, unsigned level) {
    return unsigned(virtual_address >> (12 + 9 * (level - 1))) & (entries - 1);
}
// Bits 63..47 are copies of one another (48-bit addresses).
constexpr bool canonical(std::uint64_t virtual_address) {
    const auto top = std::int64_t(virtual_address) >> 47;
    return top == 0 || top == -1;
}
}  // namespace paging

static_assert(paging::entry_bytes(1) == paging::page_4k && paging::entry_bytes(2) == paging::page_2m);
static_assert(paging::entry_bytes(3) == paging::page_1g);
static_assert(paging::index(0xffff'ffff'8020'0000, 4) == 511 && paging::index(0xffff'ffff'8020'0000, 3) == 510);
static_assert(paging::index(0xffff'ffff'8020'0000, 2) == 1 && paging::index(0xffff'ffff'8020'0000, 1) == 0);
static_assert(paging::index(paging::kernel_start, 4) == paging::kernel_first_entry);
static_assert(paging::canonical(0x0000'7fff'ffff'ffff) && !paging::canonical(0x0000'8000'0000'0000));
static_assert(paging::canonical(0xffff'8000'0000'0000) && !paging::canonical(0xffff'7fff'ffff'ffff));

}  // namespace regs
