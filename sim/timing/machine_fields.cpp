// SPDX-License-Identifier: GPL-2.0-or-later
#include <iterator>
#include <sim/timing/machine_fields.hpp>

namespace sim::timing {

namespace {

#define FIELD(name, ...) \
    { #name, &Machine::name __VA_OPT__(, ) __VA_ARGS__ }

constexpr NumberField numbers[] = {
    FIELD(dispatch_width, 1, 32),
    FIELD(retire_width, 1, 64),
    FIELD(eliminated_a_cycle, 1, 32),
    FIELD(taken_branch_eighths, 1, 800),
    FIELD(pipeline, 0, 100),
    FIELD(reorder_buffer, 16, 4096),
    FIELD(integer_scheduler, 32, 4096),
    FIELD(vector_scheduler, 32, 4096),
    FIELD(load_queue, 4, 4096),
    FIELD(store_queue, 4, 4096),
    FIELD(vector_path_bytes, 16, 64),
    FIELD(vector_latency, 1, 10),
    FIELD(load_integer, 1, 100),
    FIELD(load_indexed, 0, 100),
    FIELD(load_vector, 1, 100),
    FIELD(load_crossing, 0, 100),
    FIELD(store_crossing, 0, 100),
    FIELD(forward_integer, 0, 200),
    FIELD(forward_vector, 0, 200),
    FIELD(forward_to_vector, 0, 200),
    FIELD(forward_from_vector, 0, 200),
    FIELD(forward_32_bytes, 0, 200),
    FIELD(forward_64_bytes, 0, 200),
    FIELD(forward_failed, 0, 200),
    FIELD(forward_failed_vector, 0, 200),
    FIELD(store_merge_bytes, 1, 64),
    FIELD(locked, 1, 200),
    FIELD(locked_compare, 1, 200),
    FIELD(locked_compare_16, 1, 200),
    FIELD(stores_a_cycle, 1, 8),
    FIELD(renamed_loads_a_cycle, 1, 8),
    FIELD(renaming_distance, 0, 100),
    FIELD(foretold_loads, 0, 4096),
    FIELD(l1_branch_targets, 1, 1 << 20),
    FIELD(l1_branch_target_ways, 1, 64),
    FIELD(l2_branch_targets, 1, 1 << 20),
    FIELD(l2_branch_target_ways, 1, 64),
    FIELD(l2_target_bubble, 0, 100),
    FIELD(decode_bubble, 0, 100),
    FIELD(return_stack, 1, 1024),
    FIELD(op_cache_entries, 1, 1 << 20),
    FIELD(op_cache_ways, 1, 64),
    FIELD(decode_width, 1, 64),
    FIELD(l1_data_kib, 1, 1 << 20),
    FIELD(l1_data_ways, 1, 64),
    FIELD(l1_code_kib, 1, 1 << 20),
    FIELD(l1_code_ways, 1, 64),
    FIELD(l2_kib, 1, 1 << 20),
    FIELD(l2_ways, 1, 64),
    FIELD(l2_latency, 1, 10'000),
    FIELD(l2_interval, 1, 1000),
    FIELD(l3_kib, 1, 1 << 22),
    FIELD(l3_ways, 1, 64),
    FIELD(l3_latency, 1, 10'000),
    FIELD(l3_interval, 1, 1000),
    FIELD(dram_latency, 1, 100'000),
    FIELD(dram_interval, 1, 1000),
    FIELD(dram_write_interval, 1, 1000),
    FIELD(l1_misses, 1, 1024),
    FIELD(l2_misses, 1, 1024),
    FIELD(l1_lines_ahead, 0, 256),
    FIELD(l2_lines_ahead, 0, 256),
    FIELD(code_lines_ahead, 0, 64),
    FIELD(l1_data_tlb, 1, 1 << 16),
    FIELD(l2_data_tlb, 1, 1 << 16),
    FIELD(l2_data_tlb_ways, 1, 64),
    FIELD(l1_code_tlb, 1, 1 << 16),
    FIELD(l2_code_tlb, 1, 1 << 16),
    FIELD(l2_code_tlb_ways, 1, 64),
    FIELD(l2_tlb_latency, 0, 1000),
    FIELD(walk_cache, 1, 1 << 16),
    FIELD(page_walkers, 1, 64),
    FIELD(transfer_smt, 1, 100'000),
    FIELD(transfer_near, 1, 100'000),
    FIELD(transfer_far, 1, 100'000),
};

constexpr UnitsField units[] = {
    FIELD(load_units),    FIELD(store_units),  FIELD(vector_load_units), FIELD(vector_store_units),
    FIELD(zeroing_units), FIELD(vector_units), FIELD(branch_units),
};

constexpr FlagField flags[] = {FIELD(nops_paired), FIELD(memory_renaming), FIELD(renaming_by_address),
                               FIELD(move_fusion)};

#undef FIELD

constexpr std::size_t whole_words(std::size_t bytes) { return (bytes + 3) / 4 * 4; }
static_assert(sizeof(Machine) == 4 * (std::size(numbers) + std::size(units)) +
                                     whole_words(std::size(flags) + sizeof(Placement) + sizeof(Origins)),
              "each field of Machine has a line here: else no file could set it");

}  // namespace

std::span<const NumberField> number_fields() { return numbers; }
std::span<const FlagField> flag_fields() { return flags; }
std::span<const UnitsField> units_fields() { return units; }

}  // namespace sim::timing
