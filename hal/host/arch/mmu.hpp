// SPDX-License-Identifier: MIT
// Physical memory is an arena; page tables are real 4-level structures in it that no CPU walks: tests do. Programs
// reach every page by the direct map, so nothing isolates them from one another.
#pragma once
#include <cassert>
#include <hal/mmu.hpp>

namespace hal {

struct PageTable {
    PhysAddr root;
};

namespace host {
// Physical address = offset in the arena + arena_physical, so that 0 is never memory.
inline constexpr std::uint64_t arena_physical = 0x10'0000;
struct Arena {
    std::byte* base = nullptr;
    std::size_t bytes = 0;
    std::uint64_t shift = 0;  // virtual - physical
};
inline constinit Arena arena;
}  // namespace host

inline constexpr bool isolation_enforced = false;
inline constexpr VirtAddr user_limit{0x0000'8000'0000'0000};

inline std::byte* phys_to_virt(PhysAddr address) {
    assert(address.value() - host::arena_physical < host::arena.bytes);
    return reinterpret_cast<std::byte*>(address.value() + host::arena.shift);
}

inline PhysAddr virt_to_phys(const void* pointer) {
    const PhysAddr address(reinterpret_cast<std::uint64_t>(pointer) - host::arena.shift);
    assert(address.value() - host::arena_physical < host::arena.bytes);
    return address;
}

MmuResult mmu_init(const BootInfo&, TableFrames&);
PageTable kernel_page_table();
MmuResult page_table_make(TableFrames&, PageTable& out);
void page_table_destroy(PageTable, TableFrames&);
MmuResult map(PageTable, VirtAddr, PhysAddr, Access, TableFrames&);
PendingFlush unmap(PageTable, VirtAddr);
PendingFlush protect(PageTable, VirtAddr, Access);
std::optional<Mapping> translate(PageTable, VirtAddr);
void activate(PageTable);
PhysAddr flush(PendingFlush&&);
inline VirtAddr user_alias(VirtAddr, PhysAddr frame) {
    return VirtAddr(reinterpret_cast<std::uint64_t>(phys_to_virt(frame)));
}

}  // namespace hal
