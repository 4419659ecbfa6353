// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual to physical addresses as the guest's page tables have them now, with a software TLB of the host's own.
//
// It answers "where does this access go", not "is it allowed": the engine checks rights when it executes. Only the
// host's own accesses (exception frames, descriptor tables) are checked here. Nothing that is not mapped is cached, so
// a guest may map without flushing, as on hardware.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <regs/page_walk.hpp>
#include <sim/board/memory.hpp>
#include <sim/unicorn/cpu_state.hpp>

namespace sim::unicorn {

inline constexpr std::uint64_t unmapped = ~0ull;
inline constexpr std::uint64_t page_bytes = regs::paging::page_4k;

// What the CPU raises when the host's access on its behalf is not possible.
struct PageFault {
    std::uint32_t error_code;
    std::uint64_t address;
};

class AddressSpace {
  public:
    AddressSpace(Memory& memory, CpuView cpu) : memory_(memory), cpu_(cpu) { flush(); }

    // Physical address, or `unmapped`.
    std::uint64_t translate(std::uint64_t address) {
        const std::uint64_t page = address & -page_bytes;
        const Entry& entry = entries_[slot(page)];
        if (entry.page == page) [[likely]]
            return entry.physical + (address - page);
        return walk(address);
    }

    void flush() { entries_.fill({no_page, 0}); }
    void flush_page(std::uint64_t address);

    // Accesses at privilege level 0, checked as the CPU's implicit ones are. Nothing is written unless all of it can
    // be. `outside()` tells afterwards whether one left RAM; what it read there is all ones.
    std::optional<PageFault> read(std::uint64_t address, void* to, unsigned bytes);
    std::optional<PageFault> write(std::uint64_t address, const void* from, unsigned bytes);
    std::optional<std::uint64_t> outside() const { return outside_; }

  private:
    struct Entry {
        std::uint64_t page;
        std::uint64_t physical;
    };
    static constexpr std::uint64_t no_page = 1;  // no page begins there
    static constexpr unsigned slots = 4096;
    static unsigned slot(std::uint64_t page) { return unsigned((page >> 12) ^ (page >> 24)) % slots; }

    std::uint64_t walk(std::uint64_t address);
    bool paging() const { return cpu_.state->cr[0] >> 31 & 1; }
    // Physical address of one byte for the CPU's own use; sets accessed and dirty.
    std::optional<PageFault> reach(std::uint64_t address, bool write, std::uint64_t& physical);
    template <typename Copy>
    std::optional<PageFault> access(std::uint64_t address, unsigned bytes, bool write, Copy copy);

    Memory& memory_;
    CpuView cpu_;
    std::optional<std::uint64_t> outside_;
    std::array<Entry, slots> entries_;
};

}  // namespace sim::unicorn
