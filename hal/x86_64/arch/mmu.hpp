// SPDX-License-Identifier: MIT
// x86-64: 4-level page tables (hal/regs/page_walk.hpp) over the direct map.
#pragma once
#include <arch/layout.h>
#include <arch/asm.hpp>

namespace hal {

struct PageTable {
    PhysAddr root;
    bool operator==(const PageTable&) const = default;
};

inline constexpr bool isolation_enforced = true;
// One page below the end of the lower half: no instruction ends there, so no return address is non-canonical.
inline constexpr VirtAddr user_limit{0x0000'7fff'ffff'f000};

inline std::byte* phys_to_virt(PhysAddr address) {
    return reinterpret_cast<std::byte*>(address.value() + std::uint64_t{HAL_DIRECT_MAP});
}
inline PhysAddr virt_to_phys(const void* pointer) {
    return PhysAddr(reinterpret_cast<std::uint64_t>(pointer) - std::uint64_t{HAL_DIRECT_MAP});
}

MmuResult mmu_init(const BootInfo&, TableFrames&);
PageTable kernel_page_table();
MmuResult page_table_make(TableFrames&, PageTable& out);
void page_table_destroy(PageTable, TableFrames&);
MmuResult map(PageTable, VirtAddr, PhysAddr, Access, TableFrames&);
PendingFlush unmap(PageTable, VirtAddr);
PendingFlush protect(PageTable, VirtAddr, Access);
std::optional<Mapping> translate(PageTable, VirtAddr);
// Noted before it is loaded: see shootdown.cpp.
inline void activate(PageTable table) {
    asm volatile("movq %0, %%gs:%c1" ::"r"(table.root.value()), "i"(HAL_PERCPU_ACTIVE_ROOT) : "memory");
    x86::write_cr3(table.root.value());
}
PhysAddr flush(PendingFlush&&);
inline VirtAddr user_alias(VirtAddr va, PhysAddr) { return va; }

}  // namespace hal
