// SPDX-License-Identifier: GPL-2.0-or-later
// How long a CPU's accesses take: its first and second level caches, translations, misses in flight and prefetchers,
// over a third level and memory that all CPUs share. Lines follow MESI: a line is written by one CPU or shared.
//
// Walks of the page tables go through the second-level cache. The events do not tell where the tables lie, so an
// entry's line is named by the address space, the level and the virtual address: eight neighbours share a line, 512 a
// table, as in the real tables, but tables that are shared below the top of the lower half are not known to be.
//
// Each CPU's clock is its own, so CPUs do not wait for each other's traffic: paths to memory are limited for each
// alone.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <sim/timing/cache.hpp>
#include <sim/timing/machine.hpp>
#include <sim/timing/miss_log.hpp>
#include <sim/timing/model.hpp>
#include <sim/timing/prefetcher.hpp>
#include <sim/timing/tlb.hpp>
#include <sim/timing/traffic.hpp>
#include <vector>

namespace sim::timing {

class Memory;

// What the CPUs share. It outlives every access of them; they enter and leave by themselves.
class SharedMemory {
  public:
    explicit SharedMemory(const Machine&);

    struct Reply {
        unsigned cycles;  // load to use
        Wait from;
        bool shared;   // others hold the line, too
        bool to_dram;  // a written line had to leave the third level
    };
    // A line that `asker` has not; `own`: to write it, so nobody else keeps it.
    Reply fetch(const Memory& asker, std::uint64_t line, bool own);
    // The same for who will write all of it. Nothing comes from memory.
    Reply claim(const Memory& asker, std::uint64_t line);
    // From all caches to memory; true: it had been written.
    bool flush(std::uint64_t line, bool evict);
    // Nobody but `owner` keeps the line.
    void take(const Memory& owner, std::uint64_t line);
    // A written line left a second level. Whether another had to go to memory.
    bool write_back(std::uint64_t line);
    void enter(Memory& memory) { cpus_.push_back(&memory); }
    void leave(Memory& memory) { std::erase(cpus_, &memory); }

  private:
    bool insert(std::uint64_t line, Cache::Entry flags);

    const Machine machine_;
    Cache l3_;
    std::vector<Memory*> cpus_;
};

class Memory {
  public:
    Memory(const Machine&, SharedMemory& below);
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory();

    struct Delay {
        unsigned cycles = 0;  // beyond a hit in the L1
        Wait why = Wait::none;
    };
    // Of a load or read-modify-write (the line then comes to be written) issued at `cycle`.
    Delay load(const Access& access, std::uint64_t cycle) {
        const Cache::Entry* const entry = quick(access, cycle);
        if (entry && (access.kind == AccessKind::load || *entry & written)) [[likely]]
            return {};
        return slow(access, cycle, access.kind != AccessKind::load);
    }
    // Of a store that asks for its line at `cycle`: until it may be written.
    Delay store(const Access& access, std::uint64_t cycle) {
        const Cache::Entry* const entry = quick(access, cycle);
        if (entry && *entry & written) [[likely]]
            return {};
        return slow(access, cycle, true);
    }
    // Of a string instruction's store, with which it writes the whole line: nobody has to fetch what was there.
    Delay store_line(const Access& access, std::uint64_t cycle);
    // Of a non-temporal store: the line leaves all caches and goes to memory.
    Delay store_past(const Access& access, std::uint64_t cycle);
    // Writes a modified line back (clwb); `evict`: no cache holds it afterwards (clflush). Whether it was modified.
    bool flush(const Access& access, bool evict) { return shared_.flush(access.physical_address >> line_bits, evict); }
    // Of code, for the line that holds the address.
    Delay fetch(std::uint64_t virtual_address, std::uint64_t physical_address, std::uint64_t cycle);
    // What changes translations.
    void control(const Control&);
    MissLog& misses() { return misses_; }

  private:
    friend class SharedMemory;
    // Flags of lines. Written in the L1: may be written there; in the L2: differs from what is below.
    static constexpr Cache::Entry written = Cache::flag(0), prefetched = Cache::flag(1), shared = Cache::flag(2);

    // The line's entry in the L1 if nothing has to be waited for or learnt.
    Cache::Entry* quick(const Access& access, std::uint64_t cycle) {
        if (!translations_.none_after(cycle)) return nullptr;
        if (!data_tlb_.hit(page_of(space_, access.virtual_address, access.physical_address))) return nullptr;
        if ((access.physical_address & 63) + access.size > 64) return nullptr;
        Cache::Entry* const entry = l1_.find(access.physical_address >> line_bits);
        return entry && !(*entry & prefetched) && l1_fills_.none_after(cycle) ? entry : nullptr;
    }
    struct Arrival {
        std::uint64_t at;  // cycle
        Wait from;
    };
    // A line where it lies and as the program names it (addresses / 64), for the prefetchers.
    struct Place {
        std::uint64_t line, virtual_line;
        bool large;  // in a page of 2 MiB
    };
    Delay slow(const Access&, std::uint64_t cycle, bool own);
    Arrival line_at(const Place&, std::uint64_t cycle, bool own);
    Arrival miss(const Place&, std::uint64_t cycle, bool own, Cache::Entry flags);
    // Who asks: an instruction, whose misses count, or a prefetcher or page walk.
    enum class For : bool { machine, instruction };
    Arrival beyond_l1(const Place&, std::uint64_t cycle, bool own, For, bool learn = true);
    // The line at a distance, if it is known where that is.
    std::optional<Place> ahead(const Place&, int distance) const;
    Arrival arrive(std::uint64_t line, std::uint64_t at, const SharedMemory::Reply&, Cache::Entry flags);
    Arrival beyond_l2(std::uint64_t line, std::uint64_t cycle, bool own, Cache::Entry flags, For);
    bool own_in_l2(std::uint64_t line);
    unsigned translate_data(const Page&, const Access&, std::uint64_t cycle);
    unsigned translate(Tlb&, Miss, const Page&, std::uint64_t virtual_address, std::uint64_t cycle);
    unsigned walk(const Page&, std::uint64_t virtual_address, std::uint64_t cycle);
    void drop(std::uint64_t line);

    const Machine machine_;
    SharedMemory& shared_;
    AddressSpace space_;
    Cache l1_, l1_code_, l2_;
    Tlb data_tlb_, code_tlb_;
    Cache walked_[3];  // page-walk caches: by where they lead, a table of level 1, 2, 3
    Fills l1_fills_, l2_fills_, code_fills_;
    Fills translations_;  // of data, by page: in the TLB, but known only later
    InFlight l1_misses_, l2_misses_, walkers_;
    Path l2_path_, l2_writes_, l3_path_, dram_path_, dram_writes_;
    std::array<std::uint64_t, 8> combining_;  // lines that are being written past the caches
    std::size_t combining_next_ = 0;
    StreamPrefetcher l1_streams_, l2_streams_;
    // Where pages of 4 KiB lay that the second-level TLB was asked for lately, for prefetchers that cross into one.
    struct Mapping {
        std::uint64_t virtual_page = ~0ull, physical_page = 0;
    };
    std::array<Mapping, 1024> mappings_{};
    MissLog misses_;
};

}  // namespace sim::timing
