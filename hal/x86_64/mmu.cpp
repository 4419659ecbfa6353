// SPDX-License-Identifier: MIT
// The final kernel tables: the image one right a section, all RAM no-execute in the direct map (read-only where it is
// the image's text and constants), guard pages and the identity map gone.
#include <arch/apic.hpp>
#include <arch/internal.hpp>
#include <arch/processors.hpp>
#include <arch/screen.hpp>
#include <hal/context.hpp>
#include <hal/mmu.hpp>
#include <regs/page_walk.hpp>
#include <regs/pc.hpp>

namespace hal {
namespace {

using namespace regs;

// regs::TableMemory over the direct map.
struct DirectMap {
    std::uint64_t* table(std::uint64_t physical) const {
        return reinterpret_cast<std::uint64_t*>(phys_to_virt(PhysAddr(physical)));
    }
};
constinit DirectMap memory{};

// regs::TableFrameSource over the kernel's.
struct Frames {
    TableFrames& from;
    std::uint64_t allocate() {
        static_assert(no_frame.value() == no_table_frame);
        return from.allocate(from.self).value();
    }
    void release(std::uint64_t physical) { from.release(from.self, PhysAddr(physical)); }
};

constinit PageTable kernel_table{no_frame};

std::uint64_t leaf_bits(VirtAddr va, Access access) {
    std::uint64_t bits = 0;
    if (has(access, Access::write)) bits |= pte::write;
    if (has(access, Access::user)) bits |= pte::user;
    if (!has(access, Access::execute)) bits |= pte::no_execute;
    if (va.value() >= paging::kernel_start && x86::features.pge) bits |= pte::global;
    return bits;
}

Access access_of(bool write, bool user, bool execute) {
    Access access = Access::read;
    if (write) access = access | Access::write;
    if (user) access = access | Access::user;
    if (execute) access = access | Access::execute;
    return access;
}

MmuResult result_of(MapEnd end) {
    switch (end) {
        case MapEnd::ok:
            return MmuResult::ok;
        case MapEnd::exists:
            return MmuResult::exists;
        case MapEnd::no_frames:
            break;
    }
    return MmuResult::no_frames;
}

bool in(std::uint64_t address, const std::byte* start, const std::byte* end) {
    return address >= x86::address_of(start) && address < x86::address_of(end);
}

bool is_guard(std::uint64_t address) {
    if (address == x86::address_of(x86::boot_stack_guard)) return true;
    if (address == x86::address_of(x86::boot_cpu_stacks.interrupt.guard)) return true;
    for (const auto& stack : x86::boot_cpu_stacks.special)
        if (address == x86::address_of(stack.guard)) return true;
    return false;
}

MmuResult map_image(Frames& frames, std::uint64_t root) {
    using namespace x86;
    for (std::uint64_t page = address_of(__text_start); page < address_of(__image_end); page += page_bytes) {
        if (is_guard(page)) continue;
        Access access = Access::read;
        if (in(page, __text_start, __text_end)) access = access | Access::execute;
        if (in(page, __data_start, __bss_end)) access = access | Access::write;
        const MapEnd end =
            map_page(memory, frames, root, page, page - HAL_KERNEL_BASE, leaf_bits(VirtAddr(page), access));
        if (end != MapEnd::ok) return result_of(end);
    }
    return MmuResult::ok;
}

// One run of physical memory, with the largest pages that fit.
MmuResult map_direct(Frames& frames, std::uint64_t root, std::uint64_t start, std::uint64_t end, Access access) {
    for (std::uint64_t at = start; at < end;) {
        unsigned level = x86::features.page_1g ? 3 : 2;
        while (level > 1 && (at % paging::entry_bytes(level) || end - at < paging::entry_bytes(level))) --level;
        const std::uint64_t va = at + HAL_DIRECT_MAP;
        const MapEnd mapped = map_page(memory, frames, root, va, at, leaf_bits(VirtAddr(va), access), level);
        if (mapped != MapEnd::ok) return result_of(mapped);
        at += paging::entry_bytes(level);
    }
    return MmuResult::ok;
}

MmuResult map_all_memory(Frames& frames, std::uint64_t root, const BootInfo& boot) {
    constexpr Access writable = Access::read | Access::write;
    for (const MemoryRange& range : boot.memory) {
        const MmuResult result =
            map_direct(frames, root, range.start.value(), range.start.value() + range.bytes, writable);
        if (result != MmuResult::ok) return result;
    }
    // The image itself: no writable alias of what must not change.
    const std::uint64_t start = x86::image_start().value(), data = x86::image_phys(x86::__data_start).value(),
                        symbols = x86::image_phys(x86::__ksyms_start).value(), end = x86::image_end().value();
    MmuResult result = map_direct(frames, root, start, data, Access::read);
    if (result == MmuResult::ok) result = map_direct(frames, root, data, symbols, writable);
    if (result == MmuResult::ok) result = map_direct(frames, root, symbols, end, Access::read);
    return result;
}

// The screen's memory, uncached; the processor's MTRRs may still combine its writes (PCD without PWT: SDM 3A 12.11.3).
MmuResult map_screen(Frames& frames, std::uint64_t root) {
    const x86::ScreenShape& screen = x86::screen_shape();
    if (screen.bytes() == 0) return MmuResult::ok;
    constexpr std::uint64_t bits = pte::write | pte::no_execute | pte::cache_disable;
    const std::uint64_t first = screen.physical & ~(paging::page_4k - 1), end = screen.physical + screen.bytes();
    const std::uint64_t to_virtual = HAL_SCREEN_WINDOW - (first & ~(paging::page_2m - 1));
    for (std::uint64_t at = first; at < end;) {
        const unsigned level = at % paging::page_2m == 0 && end - at >= paging::page_2m ? 2 : 1;
        const MapEnd mapped = map_page(memory, frames, root, at + to_virtual, at, bits, level);
        if (mapped != MapEnd::ok) return result_of(mapped);
        at += paging::entry_bytes(level);
    }
    return MmuResult::ok;
}

std::byte* mapped_screen() {
    const x86::ScreenShape& screen = x86::screen_shape();
    if (screen.bytes() == 0) return nullptr;
    return reinterpret_cast<std::byte*>(HAL_SCREEN_WINDOW + screen.physical % paging::page_2m);
}

// Later roots copy the upper half of this one, so every root entry it will ever need exists from the start.
MmuResult reserve_root_entry(Frames& frames, std::uint64_t root, std::uint64_t va) {
    std::uint64_t* entry = memory.table(root) + paging::index(va, paging::levels);
    if (*entry & pte::present) return MmuResult::ok;
    const std::uint64_t frame = frames.allocate();
    if (frame == no_table_frame) return MmuResult::no_frames;
    store_entry(entry, frame | pte::present | pte::write);
    return MmuResult::ok;
}

}  // namespace

MmuResult mmu_init(const BootInfo& boot, TableFrames& source) {
    Frames frames{source};
    const std::uint64_t root = frames.allocate();
    if (root == no_table_frame) return MmuResult::no_frames;
    MmuResult result = map_image(frames, root);
    if (result == MmuResult::ok) result = map_all_memory(frames, root, boot);
    if (result == MmuResult::ok) result = reserve_root_entry(frames, root, HAL_STACK_WINDOW);
    if (result == MmuResult::ok)
        result = result_of(map_page(memory, frames, root, HAL_MMIO_WINDOW, x86::lapic_physical(),
                                    pte::write | pte::no_execute | pte::cache_disable | pte::write_through));
    if (result == MmuResult::ok) result = map_screen(frames, root);
    if (result != MmuResult::ok) return result;
    kernel_table = {PhysAddr(root)};
    x86::lapic_registers = HAL_MMIO_WINDOW;
    activate(kernel_table);
    x86::screen_moved(mapped_screen());
    return MmuResult::ok;
}

PageTable kernel_page_table() { return kernel_table; }

MmuResult page_table_make(TableFrames& source, PageTable& out) {
    const PhysAddr root = source.allocate(source.self);
    if (root == no_frame) return MmuResult::no_frames;
    const std::uint64_t* from = memory.table(kernel_table.root.value());
    std::uint64_t* to = memory.table(root.value());
    for (unsigned i = paging::kernel_first_entry; i < paging::entries; ++i) to[i] = from[i];
    out = {root};
    return MmuResult::ok;
}

void page_table_destroy(PageTable table, TableFrames& source) {
    Frames frames{source};
    release_user_half(memory, frames, table.root.value());
    source.release(source.self, table.root);
}

MmuResult map(PageTable table, VirtAddr va, PhysAddr pa, Access access, TableFrames& source) {
    Frames frames{source};
    return result_of(map_page(memory, frames, table.root.value(), va.value(), pa.value(), leaf_bits(va, access)));
}

namespace {
PendingFlush pending(PageTable table, VirtAddr va, std::uint64_t old_entry) {
    return old_entry ? PendingFlush(va, PhysAddr(old_entry & pte::address_mask), table.root) : PendingFlush();
}
}  // namespace

PendingFlush unmap(PageTable table, VirtAddr va) {
    const std::uint64_t old = unmap_page(memory, table.root.value(), va.value());
    return pending(table, va, old);
}

PendingFlush protect(PageTable table, VirtAddr va, Access access) {
    const std::uint64_t old = protect_page(memory, table.root.value(), va.value(), leaf_bits(va, access));
    return pending(table, va, old);
}

std::optional<Mapping> translate(PageTable table, VirtAddr va) {
    const WalkResult found = walk(memory, table.root.value(), va.value());
    if (!found.mapped()) return std::nullopt;
    return Mapping{PhysAddr(found.physical).page_floor(), access_of(found.write, found.user, found.execute)};
}

PhysAddr flush(PendingFlush&& change) {
    if (!change.empty()) {
        x86::invlpg(change.page().value());
        if (x86::cpus_running != 1) x86::flush_others(change.page(), change.root());
    }
    return change.settle();
}

}  // namespace hal
