// SPDX-License-Identifier: MIT
// Page tables in the arena, by the portable walker. The kernel half has one root for all address spaces: an upper-half
// address goes through the kernel's, whichever table is named.
#include <hal/mmu.hpp>
#include <regs/page_walk.hpp>

#include "state.hpp"

namespace hal {
namespace {

constinit PageTable kernel_table{no_frame};

struct ArenaMemory {
    std::uint64_t* table(std::uint64_t physical) const {
        if (physical - host::arena_physical >= host::arena.bytes) return nullptr;
        return reinterpret_cast<std::uint64_t*>(phys_to_virt(PhysAddr(physical)));
    }
};

struct Frames {
    TableFrames& source;
    std::uint64_t allocate() { return source.allocate(source.self).value(); }
    void release(std::uint64_t physical) { source.release(source.self, PhysAddr(physical)); }
};

constinit ArenaMemory memory;

std::uint64_t root_for(PageTable table, VirtAddr page) {
    return (page.value() >= regs::paging::kernel_start ? kernel_table : table).root.value();
}

std::uint64_t bits_of(Access access) {
    using namespace regs;
    return (has(access, Access::write) ? pte::write : 0) | (has(access, Access::user) ? pte::user : 0) |
           (has(access, Access::execute) ? 0 : pte::no_execute);
}

PendingFlush pending(VirtAddr page, std::uint64_t old_entry) {
    if (old_entry == 0) return {};
    return {page.page_floor(), PhysAddr(old_entry & regs::pte::address_mask)};
}

}  // namespace

namespace host {
void reset_page_tables() { kernel_table = {no_frame}; }
}  // namespace host

MmuResult mmu_init(const BootInfo&, TableFrames& frames) { return page_table_make(frames, kernel_table); }

PageTable kernel_page_table() { return kernel_table; }

MmuResult page_table_make(TableFrames& frames, PageTable& out) {
    const PhysAddr root = frames.allocate(frames.self);
    if (root == no_frame) return MmuResult::no_frames;
    out = {root};
    return MmuResult::ok;
}

void page_table_destroy(PageTable table, TableFrames& frames) {
    Frames source{frames};
    regs::release_user_half(memory, source, table.root.value());
    source.release(table.root.value());
}

MmuResult map(PageTable table, VirtAddr page, PhysAddr frame, Access access, TableFrames& frames) {
    Frames source{frames};
    switch (regs::map_page(memory, source, root_for(table, page), page.value(), frame.value(), bits_of(access))) {
        case regs::MapEnd::ok:
            return MmuResult::ok;
        case regs::MapEnd::exists:
            return MmuResult::exists;
        case regs::MapEnd::no_frames:
            break;
    }
    return MmuResult::no_frames;
}

PendingFlush unmap(PageTable table, VirtAddr page) {
    return pending(page, regs::unmap_page(memory, root_for(table, page), page.value()));
}

PendingFlush protect(PageTable table, VirtAddr page, Access access) {
    return pending(page, regs::protect_page(memory, root_for(table, page), page.value(), bits_of(access)));
}

std::optional<Mapping> translate(PageTable table, VirtAddr address) {
    const regs::WalkResult found = regs::walk(memory, root_for(table, address), address.value());
    if (!found.mapped()) return std::nullopt;
    Access access = Access::read;
    if (found.write) access = access | Access::write;
    if (found.execute) access = access | Access::execute;
    if (found.user) access = access | Access::user;
    return Mapping{PhysAddr(found.physical), access};
}

void activate(PageTable table) { host::this_cpu().active_table = table.root.value(); }

PhysAddr flush(PendingFlush&& change) { return change.settle(); }

}  // namespace hal
