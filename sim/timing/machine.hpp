// SPDX-License-Identifier: GPL-2.0-or-later
// The numbers of a CPU that the core model is built of; read from its file in sim/timing/cpus.
#pragma once
#include <cstdint>
#include <string>

namespace sim::timing {

// How far apart the CPUs are: hyperthreads of a core, cores over one L3, cores over different ones.
enum class Placement : std::uint8_t { smt, near, far };

struct Machine {
    std::string name = "znver4";
    // Front end, in instructions a cycle (a nop takes half a slot where nops_paired).
    unsigned dispatch_width = 6, retire_width = 8;
    bool nops_paired = true;
    unsigned taken_branches_a_cycle = 1;
    unsigned pipeline = 18;  // cycles from a branch's execution to the dispatch of what follows: 21-24 measured in all
    // Windows, in instructions or operations.
    unsigned reorder_buffer = 320, integer_scheduler = 96, vector_scheduler = 128, load_queue = 136, store_queue = 64;
    // Load to use, in cycles, with the data in L1.
    unsigned load_integer = 4, load_indexed = 1, load_vector = 7, load_crossing = 1;
    // Store to load: from the store's data to the load's use.
    unsigned forward_integer = 6, forward_vector = 9, forward_to_vector = 7, forward_32_bytes = 1, forward_64_bytes = 3,
             forward_failed = 19, forward_failed_vector = 20;
    bool memory_renaming = true;

    // Branch targets: entries of the two buffers; what a hit in the second and a miss in both cost the front end.
    unsigned l1_branch_targets = 1536, l1_branch_target_ways = 6, l2_branch_targets = 7168, l2_branch_target_ways = 7;
    unsigned l2_target_bubble = 4, decode_bubble = 10, return_stack = 32;
    // Caches. Latencies in cycles from load to use; `interval`: cycles a line on the way up from there.
    unsigned l1_data_kib = 32, l1_data_ways = 8, l1_code_kib = 32, l1_code_ways = 8;
    unsigned l2_kib = 1024, l2_ways = 8, l2_latency = 17, l2_interval = 2;
    unsigned l3_kib = 32768, l3_ways = 16, l3_latency = 50, l3_interval = 3;
    unsigned dram_latency = 440, dram_interval = 9;
    unsigned l1_misses = 24, l2_misses = 64;  // at once
    // Prefetchers: the most lines that they are ahead (0: none).
    unsigned l1_lines_ahead = 4, l2_lines_ahead = 32, code_lines_ahead = 2;
    // Translations: entries, cycles that the second level takes, entries of a page-walk cache of each level.
    unsigned l1_data_tlb = 72, l2_data_tlb = 3072, l2_data_tlb_ways = 24;
    unsigned l1_code_tlb = 64, l2_code_tlb = 512, l2_code_tlb_ways = 8;
    unsigned l2_tlb_latency = 7, walk_cache = 64, page_walkers = 6;
    // A line that another CPU has written, from load to use.
    unsigned transfer_smt = 100, transfer_near = 225, transfer_far = 890;
    Placement placement = Placement::near;

    // What an access takes beyond a hit in the L1.
    unsigned beyond_l1(unsigned latency) const { return latency > load_integer ? latency - load_integer : 0; }
    unsigned transfer() const {
        return placement == Placement::smt ? transfer_smt : placement == Placement::far ? transfer_far : transfer_near;
    }
};

}  // namespace sim::timing
