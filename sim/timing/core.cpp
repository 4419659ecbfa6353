// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/core.hpp>

namespace sim::timing {

Core::Core(const Machine& machine, const std::vector<Operation>& operations, Memory* memory)
    : machine_(machine),
      operations_(operations),
      memory_(memory),
      integer_(machine.integer_scheduler),
      vector_(machine.vector_scheduler),
      loads_(machine.load_queue),
      reorder_(machine.reorder_buffer),
      store_queue_(machine.store_queue),
      stores_(std::size_t{1} << store_slot_bits) {}

void Core::drain(unsigned cycles) {
    const std::uint64_t done = std::max(retired(), slot_ / (2 * machine_.dispatch_width)) + cycles;
    hold_until(done);
    retire_slot_ = std::max(retire_slot_, done * machine_.retire_width);
}

// A slot in order, a place in the reorder buffer, and one in the store queue.
std::uint64_t Core::dispatch(const Recipe& recipe) {
    const std::uint64_t half_slots = 2 * machine_.dispatch_width;
    const unsigned entries = std::max(1u, recipe.half_slots / 2u);
    const std::uint64_t room = reorder_[(entry_ + entries - 1) % reorder_.size()];
    slot_ = std::max(slot_, room * half_slots);
    if (recipe.store_bytes) slot_ = std::max(slot_, store_queue_[store_ % store_queue_.size()] * half_slots);
    return slot_ / half_slots;
}

std::uint64_t Core::retire(std::uint64_t complete, unsigned slots) {
    retire_slot_ = std::max(retire_slot_, (complete + 1) * machine_.retire_width);
    const std::uint64_t at = retire_slot_ / machine_.retire_width;
    retire_slot_ += slots;
    return at;
}

// The L1 takes one line a cycle; neighbours in program order that go to the same line go together.
void Core::commit_store(const Recipe& recipe, const Access& access, std::uint64_t retired) {
    const std::uint64_t line = access.physical_address >> 6;
    const bool crossing = (access.physical_address & 63) + access.size > 64;
    const bool merges = line == last_line_ && !crossing && !recipe.vector_store && merged_ < machine_.stores_merged &&
                        last_commit_ > retired;
    if (!merges) {
        last_commit_ = std::max(last_commit_ + 1 + crossing + (access.size > 32), retired + 1);
        if (memory_ && !access.io) last_commit_ += memory_->store(access, last_commit_);
        merged_ = 0;
    }
    ++merged_;
    last_line_ = line;
    store_queue_[store_++ % store_queue_.size()] = last_commit_;
    for (std::uint64_t granule = access.virtual_address >> 3;
         granule <= (access.virtual_address + access.size - 1) >> 3; ++granule)
        stores_[slot_of(granule)].commit = last_commit_;
}

void Core::remember_store(const Recipe& recipe, const Access& access, std::uint64_t data) {
    const std::uint64_t end = access.virtual_address + access.size;
    for (std::uint64_t granule = access.virtual_address >> 3; granule <= (end - 1) >> 3; ++granule)
        stores_[slot_of(granule)] = {granule, store_, access.virtual_address, end, data, ~0ull,
                                          recipe.store_name, version(recipe), recipe.vector_store};
}

std::uint64_t Core::loaded_at(const Operation& operation, const Recipe& recipe, const Access& access,
                              std::uint64_t issue) {
    std::uint64_t at = issue + operation.latency;
    if (memory_ && !access.io) at += memory_->load(access, issue);
    const std::uint64_t start = access.virtual_address, end = start + access.size;
    if ((start & 63) + access.size > 64) at += machine_.load_crossing;
    const Store* youngest = nullptr;
    const Store* oldest = nullptr;
    for (std::uint64_t granule = start >> 3; granule <= (end - 1) >> 3; ++granule) {
        const Store& store = stores_[slot_of(granule)];
        if (store.granule != granule || store.commit <= issue || store.end <= start || store.start >= end) continue;
        if (!youngest || store.sequence > youngest->sequence) youngest = &store;
        if (!oldest || store.sequence < oldest->sequence) oldest = &store;
    }
    if (!youngest) return at;
    const bool covers = youngest->start <= start && youngest->end >= end;
    if (!covers) return std::max(at, youngest->data + (recipe.vector_load ? machine_.forward_failed_vector : machine_.forward_failed));
    if (machine_.memory_renaming && recipe.load_name && recipe.load_name == youngest->name && youngest->start == start &&
        youngest->version == version(recipe))
        return youngest->data;
    const unsigned forward = recipe.vector_load || youngest->vector ? machine_.forward_vector + (access.size > 32 ? 3 : access.size > 16 ? 1 : 0) : machine_.forward_integer;
    return std::max(at, youngest->data + forward);
}

// Issues one operation; the cycle in which it did.
std::uint64_t Core::run_operation(const Operation& operation, const Recipe& recipe, std::span<const Access> accesses,
                                  std::uint64_t dispatched) {
    std::uint64_t ready = dispatched + 1;
    for (unsigned i = 0; i < operation.source_count; ++i) ready = std::max(ready, ready_[operation.sources[i]]);
    if (recipe.locked && operation.kind == OperationKind::load) ready = std::max(ready, lock_free_);
    std::uint64_t issue = operation.units ? units_.book(operation.units, operation.busy, ready) : ready;
    std::uint64_t done = issue + operation.latency;
    if (operation.kind == OperationKind::load) {
        done = issue + operation.latency;
        bool first = true;
        for (const Access& access : accesses) {
            if (access.kind == AccessKind::store) continue;
            const std::uint64_t at = loaded_at(operation, recipe, access, issue);
            done = first ? at : std::max(done, at);
            first = false;
        }
        if (recipe.locked) lock_free_ = issue + recipe.locked_cycles;
    } else if (operation.kind == OperationKind::store_data) {
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) remember_store(recipe, access, ready);
        done = ready;
    }
    for (unsigned i = 0; i < operation.result_count; ++i) {
        ready_[operation.results[i]] = done;
        ++versions_[operation.results[i]];
    }
    if (operation.vector) vector_.leave(issue);
    else integer_.leave(issue);
    last_store_data_ = done;
    return issue;
}

Times Core::step(const Recipe& recipe, std::span<const Access> accesses, bool taken) {
    std::uint64_t dispatched = dispatch(recipe);
    const std::uint64_t half_slots = 2 * machine_.dispatch_width;
    if (taken) {
        if (dispatched < last_taken_ + 1) dispatched = last_taken_ + 1;
        slot_ = std::max(slot_, dispatched * half_slots);
        last_taken_ = dispatched;
    }
    Times times{dispatched, dispatched, dispatched, 0};
    constexpr unsigned rsp = 4;
    if (recipe.stack_sync && stack_moved_) {
        ready_[rsp] = std::max(ready_[rsp], dispatched + 1) + 1;
        slot_ += 2;
        stack_moved_ = false;
    }
    if (recipe.stack_written) stack_moved_ = false;
    stack_moved_ |= recipe.stack_engine;
    if (recipe.kind == RecipeKind::move) {
        ++versions_[recipe.to];
        ready_[recipe.to] = ready_[recipe.from];
    } else if (recipe.kind == RecipeKind::exchange) {
        std::swap(ready_[recipe.from], ready_[recipe.to]);
    } else if (recipe.operations) {
        const Operation* operations = operations_.data() + recipe.first;
        for (unsigned i = 0; i < recipe.operations; ++i)
            dispatched = (operations[i].vector ? vector_ : integer_).enter(dispatched);
        if (recipe.load_bytes) dispatched = loads_.enter(dispatched);
        slot_ = std::max(slot_, dispatched * half_slots);
        times.dispatch = dispatched;
        times.issue = ~0ull;
        units_.forget_before(dispatched);
        for (unsigned i = 0; i < recipe.operations; ++i) {
            times.issue = std::min(times.issue, run_operation(operations[i], recipe, accesses, dispatched));
            times.complete = std::max(times.complete, last_store_data_);
        }
    }
    slot_ += recipe.fused ? 0 : recipe.half_slots;
    const unsigned entries = std::max(1u, recipe.half_slots / 2u);
    times.retire = retire(times.complete, recipe.fused || recipe.kind == RecipeKind::nop ? 0 : entries);
    for (unsigned i = 0; i < entries; ++i) reorder_[entry_++ % reorder_.size()] = times.retire;
    if (recipe.load_bytes) loads_.leave(times.retire);
    if (recipe.store_bytes)
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) commit_store(recipe, access, times.retire);
    return times;
}

}  // namespace sim::timing
