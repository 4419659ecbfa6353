// SPDX-License-Identifier: MIT
// Walks and changes 4-level page tables through whatever can reach physical memory: the kernel's direct map, the
// host's arena, an emulator's RAM.
//
// Memory:  std::uint64_t* table(std::uint64_t physical)   the 512 entries of a table frame, or nullptr where there is
//                                                         no memory
// Frames:  std::uint64_t allocate()                       physical address of a zeroed frame, ~0 when there is none
//          void release(std::uint64_t physical)
//
// Entries are loaded and stored in one access each: the CPU reads them at the same time. Rights of intermediate
// entries are wide (present, write, and user in the lower half): the leaf alone decides. Nothing here flushes a TLB.
#pragma once
#include <concepts>
#include <cstdint>
#include <regs/page_table.hpp>

namespace regs {

inline constexpr std::uint64_t no_table_frame = ~0ull;

template <typename M>
concept TableMemory = requires(M& memory, std::uint64_t physical) {
    { memory.table(physical) } -> std::convertible_to<const std::uint64_t*>;
};
template <typename F>
concept TableFrameSource = requires(F& frames, std::uint64_t physical) {
    { frames.allocate() } -> std::same_as<std::uint64_t>;
    frames.release(physical);
};

inline std::uint64_t load_entry(const std::uint64_t* entry) { return __atomic_load_n(entry, __ATOMIC_RELAXED); }
inline void store_entry(std::uint64_t* entry, std::uint64_t value) { __atomic_store_n(entry, value, __ATOMIC_RELEASE); }

enum class WalkEnd : std::uint8_t { mapped, not_present, not_canonical, no_memory };

// Where a walk ended and what it found. `level` is that of the last entry read (4 = root); the rights are those of the
// whole path, as the CPU combines them.
struct WalkResult {
    WalkEnd end = WalkEnd::not_present;
    unsigned level = paging::levels;
    std::uint64_t table = 0;     // physical address of the table that holds the last entry
    std::uint64_t entry = 0;     // its value
    std::uint64_t physical = 0;  // mapped only: the address translated, offset included
    bool write = false, user = false, execute = false, global = false;

    bool mapped() const { return end == WalkEnd::mapped; }
    std::uint64_t page_bytes() const { return paging::entry_bytes(level); }
};

// Translates one address. At most 4 loads.
template <TableMemory M>
WalkResult walk(M& memory, std::uint64_t root, std::uint64_t virtual_address) {
    WalkResult result;
    result.table = root & pte::address_mask;
    if (!paging::canonical(virtual_address)) {
        result.end = WalkEnd::not_canonical;
        return result;
    }
    bool write = true, user = true, execute = true;
    for (unsigned level = paging::levels;; --level) {
        result.level = level;
        const std::uint64_t* entries = memory.table(result.table);
        if (!entries) {
            result.end = WalkEnd::no_memory;
            return result;
        }
        const std::uint64_t entry = load_entry(entries + paging::index(virtual_address, level));
        result.entry = entry;
        if (!(entry & pte::present)) return result;
        write = write && (entry & pte::write);
        user = user && (entry & pte::user);
        execute = execute && !(entry & pte::no_execute);
        if (level == 1 || (level <= 3 && (entry & pte::large))) {
            const std::uint64_t offset = paging::entry_bytes(level) - 1;
            result.end = WalkEnd::mapped;
            result.physical = (entry & pte::address_mask & ~offset) | (virtual_address & offset);
            result.write = write, result.user = user, result.execute = execute;
            result.global = entry & pte::global;
            return result;
        }
        result.table = entry & pte::address_mask;
    }
}

// The entry of level `leaf` for an address, or nullptr if a table on the way is missing or a large page is in it.
template <TableMemory M>
std::uint64_t* find_entry(M& memory, std::uint64_t root, std::uint64_t virtual_address, unsigned leaf = 1) {
    std::uint64_t* entries = memory.table(root & pte::address_mask);
    for (unsigned level = paging::levels; entries; --level) {
        std::uint64_t* slot = entries + paging::index(virtual_address, level);
        if (level == leaf) return slot;
        const std::uint64_t entry = load_entry(slot);
        if (!(entry & pte::present) || (level <= 3 && (entry & pte::large))) return nullptr;
        entries = memory.table(entry & pte::address_mask);
    }
    return nullptr;
}

enum class MapEnd : std::uint8_t { ok, exists, no_frames };

// Enters `physical | bits` (pte::present and, above level 1, pte::large are added) for a page of level `leaf`:
// 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB. Both addresses are aligned to the page's size. Allocates at most `4 - leaf` table
// frames; those stay for a later attempt when one is lacking.
template <TableMemory M, TableFrameSource F>
MapEnd map_page(M& memory, F& frames, std::uint64_t root, std::uint64_t virtual_address, std::uint64_t physical,
                std::uint64_t bits, unsigned leaf = 1) {
    const std::uint64_t inner =
        pte::present | pte::write | (virtual_address < paging::user_end ? pte::user : std::uint64_t{0});
    std::uint64_t* entries = memory.table(root & pte::address_mask);
    for (unsigned level = paging::levels; entries; --level) {
        std::uint64_t* slot = entries + paging::index(virtual_address, level);
        std::uint64_t entry = load_entry(slot);
        if (level == leaf) {
            if (entry & pte::present) return MapEnd::exists;
            store_entry(slot, physical | bits | pte::present | (leaf > 1 ? pte::large : 0));
            return MapEnd::ok;
        }
        if (!(entry & pte::present)) {
            const std::uint64_t frame = frames.allocate();
            if (frame == no_table_frame) return MapEnd::no_frames;
            entry = frame | inner;
            store_entry(slot, entry);
        } else if (level <= 3 && (entry & pte::large)) {
            return MapEnd::exists;
        }
        entries = memory.table(entry & pte::address_mask);
    }
    return MapEnd::no_frames;
}

// Clears the 4 KiB entry of an address and returns what it held, accessed and dirty bits as of that moment; 0 if
// nothing was mapped. The caller flushes.
template <TableMemory M>
std::uint64_t unmap_page(M& memory, std::uint64_t root, std::uint64_t virtual_address) {
    std::uint64_t* slot = find_entry(memory, root, virtual_address);
    if (!slot || !(load_entry(slot) & pte::present)) return 0;
    return __atomic_exchange_n(slot, std::uint64_t{0}, __ATOMIC_ACQ_REL);
}

// Gives the 4 KiB entry of an address the rights in `bits` (write, user, no_execute, ...), keeps its frame and its
// accessed and dirty bits, and returns what it held; 0 if nothing was mapped. The caller flushes.
template <TableMemory M>
std::uint64_t protect_page(M& memory, std::uint64_t root, std::uint64_t virtual_address, std::uint64_t bits) {
    std::uint64_t* slot = find_entry(memory, root, virtual_address);
    if (!slot) return 0;
    std::uint64_t old = load_entry(slot);
    for (;;) {  // a CPU may set accessed or dirty between the load and the exchange
        if (!(old & pte::present)) return 0;
        const std::uint64_t kept = old & (pte::address_mask | pte::accessed | pte::dirty | pte::present);
        if (__atomic_compare_exchange_n(slot, &old, kept | bits, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return old;
    }
}

// Releases a table of level `level` and every table below it; pages are left alone.
template <TableMemory M, TableFrameSource F>
void release_tables(M& memory, F& frames, std::uint64_t table, unsigned level) {
    if (level > 1) {
        const std::uint64_t* entries = memory.table(table);
        for (unsigned i = 0; entries && i < paging::entries; ++i) {
            const std::uint64_t entry = load_entry(entries + i);
            if (!(entry & pte::present) || (entry & pte::large)) continue;
            release_tables(memory, frames, entry & pte::address_mask, level - 1);
        }
    }
    frames.release(table);
}

// Releases every table of the lower half and clears its root entries; the root itself stays.
template <TableMemory M, TableFrameSource F>
void release_user_half(M& memory, F& frames, std::uint64_t root) {
    std::uint64_t* entries = memory.table(root & pte::address_mask);
    for (unsigned i = 0; entries && i < paging::kernel_first_entry; ++i) {
        const std::uint64_t entry = load_entry(entries + i);
        if (!(entry & pte::present)) continue;
        store_entry(entries + i, 0);
        release_tables(memory, frames, entry & pte::address_mask, paging::levels - 1);
    }
}

}  // namespace regs
