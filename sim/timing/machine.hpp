// SPDX-License-Identifier: GPL-2.0-or-later
// The numbers of a CPU that the model is built of. They come from the CPU's file in sim/timing/cpus, each with its
// source; a new one needs a line here, one in machine_fields.cpp, and one in each file.
#pragma once
#include <array>
#include <cstdint>
#include <sim/timing/provenance.hpp>

namespace sim::timing {

// How far apart the CPUs are: hyperthreads of a core, cores over one L3, cores over different ones.
enum class Placement : std::uint8_t { smt, near, far };

// Where those numbers come from that time can rest on directly.
struct Origins {
    Provenance dispatch_width{}, taken_branches{}, reorder_buffer{}, schedulers{}, load_queue{}, store_queue{},
        memory_renaming{}, load_integer{}, load_vector{}, forwarding{};
    std::array<Provenance, 16> levels{};  // by Wait: of caches, memory, translations, other CPUs' lines
};

struct Machine {
    // Front end, in instructions a cycle (a nop takes half a slot where nops_paired).
    unsigned dispatch_width = 0, retire_width = 0;
    unsigned eliminated_a_cycle = 0;    // moves of vectors and zeroing, which rename only
    unsigned taken_branch_eighths = 0;  // of a cycle from one taken branch to the next, at least
    unsigned pipeline = 0;              // cycles from a branch's execution to the dispatch of what follows
    // Windows, in instructions or operations.
    unsigned reorder_buffer = 0, integer_scheduler = 0, vector_scheduler = 0, load_queue = 0, store_queue = 0;
    // Vectors: the widest that a unit takes in a cycle; cycles at least from operation to operation.
    unsigned vector_path_bytes = 0, vector_latency = 0;
    // Load to use, in cycles, with the data in L1.
    unsigned load_integer = 0, load_indexed = 0, load_vector = 0, load_crossing = 0;
    unsigned store_crossing = 0;  // cycles of the L1 beyond one
    // Store to load: from the store's data to the load's use.
    unsigned forward_integer = 0, forward_vector = 0, forward_to_vector = 0, forward_from_vector = 0,
             forward_32_bytes = 0, forward_64_bytes = 0, forward_failed = 0, forward_failed_vector = 0;
    unsigned store_merge_bytes = 0;  // aligned: stores in a row that go there together; a power of two
    unsigned stores_a_cycle = 0;     // such pieces that reach the L1
    // Memory renaming: loads in a cycle; a register of the address that was written in one of so many instructions
    // before hides it from the renamer; a taken branch between does not.
    unsigned renamed_loads_a_cycle = 0, renaming_distance = 0;
    unsigned foretold_loads = 0;  // static loads that are renamed however their address comes about, once seen; 0: none
    // From one locked operation to the next: of most kinds, CMPXCHG, CMPXCHG16B.
    unsigned locked = 0, locked_compare = 0, locked_compare_16 = 0;

    // Branch targets: entries of the two buffers; what a hit in the second and a miss in both cost the front end.
    unsigned l1_branch_targets = 0, l1_branch_target_ways = 0, l2_branch_targets = 0, l2_branch_target_ways = 0;
    unsigned l2_target_bubble = 0, decode_bubble = 0, return_stack = 0;
    // Decoded instructions: entries of up to 32 bytes of code, and what is decoded a cycle where there is none.
    unsigned op_cache_entries = 0, op_cache_ways = 0, decode_width = 0;
    // Caches. Latencies in cycles from load to use; `interval`: cycles a line on the way up from there.
    unsigned l1_data_kib = 0, l1_data_ways = 0, l1_code_kib = 0, l1_code_ways = 0;
    unsigned l2_kib = 0, l2_ways = 0, l2_latency = 0, l2_interval = 0;
    unsigned l3_kib = 0, l3_ways = 0, l3_latency = 0, l3_interval = 0;
    unsigned dram_latency = 0, dram_interval = 0, dram_write_interval = 0;
    unsigned l1_misses = 0, l2_misses = 0;  // at once
    // Prefetchers: the most lines that they are ahead (0: none).
    unsigned l1_lines_ahead = 0, l2_lines_ahead = 0, code_lines_ahead = 0;
    // Translations: entries, cycles that the second level takes, entries of a page-walk cache of each level.
    unsigned l1_data_tlb = 0, l2_data_tlb = 0, l2_data_tlb_ways = 0;
    unsigned l1_code_tlb = 0, l2_code_tlb = 0, l2_code_tlb_ways = 0;
    unsigned l2_tlb_latency = 0, walk_cache = 0, page_walkers = 0;
    // A line that another CPU has written, from load to use.
    unsigned transfer_smt = 0, transfer_near = 0, transfer_far = 0;
    // Which of the scheduling data's execution units (a bit each, as UnitNames numbers them) work out addresses of
    // loads and of stores, move vectors from and to memory, zero them, belong to the vector scheduler, and branch.
    std::uint32_t load_units = 0, store_units = 0, vector_load_units = 0, vector_store_units = 0, zeroing_units = 0,
                  vector_units = 0, branch_units = 0;
    // What takes the data of every store: the stores' units if they are none of the vectors' own. 0: nothing does.
    std::uint32_t store_data_units() const { return vector_store_units & vector_units ? 0 : vector_store_units; }
    bool nops_paired = false;
    bool memory_renaming = false;  // of loads that only move, 32 and 64 bits
    bool renaming_by_address =
        false;                 // of a store's data by any address and size, but not what extends less than 32 bits
    bool move_fusion = false;  // a move between registers and simple arithmetic on its result are one instruction
    Placement placement = Placement::near;
    Origins from;

    // What an access takes beyond a hit in the L1.
    unsigned beyond_l1(unsigned latency) const { return latency > load_integer ? latency - load_integer : 0; }
    unsigned transfer() const {
        return placement == Placement::smt ? transfer_smt : placement == Placement::far ? transfer_far : transfer_near;
    }
};

}  // namespace sim::timing
