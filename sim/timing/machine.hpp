// SPDX-License-Identifier: GPL-2.0-or-later
// The numbers of a CPU that the core model is built of; read from its file in sim/timing/cpus.
#pragma once
#include <cstdint>
#include <string>

namespace sim::timing {

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
    unsigned forward_integer = 6, forward_vector = 9, forward_to_vector = 7, forward_32_bytes = 1, forward_64_bytes = 3, forward_failed = 19,
             forward_failed_vector = 20;
    bool memory_renaming = true;
};

}  // namespace sim::timing
