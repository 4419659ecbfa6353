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
      dispatch_{2 * machine.dispatch_width},
      retire_{machine.retire_width},
      reorder_(machine.reorder_buffer),
      store_queue_(machine.store_queue),
      stores_(std::size_t{1} << store_slot_bits) {}

void Core::drain(unsigned cycles) {
    const std::uint64_t done = std::max(retired(), dispatch_.cycle) + cycles;
    hold_until(done, Wait::serialisation);
    retire_.advance(done);
}

InstructionTimes Core::step_total(const Recipe& recipe, std::span<const Access> accesses, unsigned cycles,
                                  bool drains) {
    if (drains) {
        const std::uint64_t start = std::max(retired(), dispatch_.cycle);
        drain(cycles);
        return {start, start, start, retired(), retired(), Wait::serialisation, 0};
    }
    InstructionTimes times = step(recipe, accesses, false);
    const std::uint64_t done = times.dispatch + cycles;
    hold_until(done, Wait::serialisation);
    if (times.retire >= done) return times;
    retire_.advance(done);
    times.complete = times.retire = done;
    times.wait = Wait::serialisation;
    return times;
}

// A slot in order, a place in the reorder buffer, and one in the store queue.
std::uint64_t Core::dispatch(const Recipe& recipe) {
    hold_until(reorder_.oldest(entries_of(recipe)), Wait::window);
    if (recipe.store_bytes) hold_until(store_queue_.oldest(1), Wait::window);
    return dispatch_.cycle;
}

std::uint64_t Core::retire(std::uint64_t complete, unsigned slots) {
    retire_.advance(complete + 1);
    const std::uint64_t at = retire_.cycle;
    retire_.take(slots);
    return at;
}

// The L1 takes one line a cycle; neighbours in program order that go to the same line go together.
void Core::commit_store(const Access& access, std::uint64_t retired) {
    const std::uint64_t line = access.physical_address >> 6;
    const bool crossing = (access.physical_address & 63) + access.size > 64;
    const bool merges = line == last_line_ && !crossing && last_commit_ > retired;
    if (!merges) {
        // Lines are asked for as stores retire, several at a time, though stores go to the cache in order.
        const std::uint64_t asked = retired + 1;
        last_commit_ = std::max(last_commit_ + 1 + crossing, asked);
        if (memory_ && !access.io) last_commit_ = std::max(last_commit_, asked + memory_->store(access, asked).cycles);
    }
    last_line_ = line;
    ++store_, store_queue_.put(last_commit_);
    for (std::uint64_t granule = access.virtual_address >> 3;
         granule <= (access.virtual_address + access.size - 1) >> 3; ++granule)
        stores_[slot_of(granule)].commit = last_commit_;
}

void Core::remember_store(const Recipe& recipe, const Access& access, std::uint64_t data) {
    const std::uint64_t end = access.virtual_address + access.size;
    for (std::uint64_t granule = access.virtual_address >> 3; granule <= (end - 1) >> 3; ++granule)
        stores_[slot_of(granule)] = {
            granule,           store_,          access.virtual_address, end, data, ~0ull, number_,
            recipe.store_name, version(recipe), recipe.vector_store};
}

Core::Ready Core::loaded_at(const Operation& operation, const Recipe& recipe, const Access& access,
                            std::uint64_t issue) {
    Ready loaded{issue + operation.latency, number_, Wait::none};
    if (memory_ && !access.io) {
        const Memory::Delay delay = memory_->load(access, issue);
        loaded.at += delay.cycles;
        loaded.why = delay.why;
    }
    const std::uint64_t start = access.virtual_address, end = start + access.size;
    if ((start & 63) + access.size > 64) {  // two lines: it goes twice
        loaded.at += machine_.load_crossing;
        units_.book(machine_.load_units, 1, issue + 1);
    }
    const Store* youngest = nullptr;
    for (std::uint64_t granule = start >> 3; granule <= (end - 1) >> 3; ++granule) {
        const Store& store = stores_[slot_of(granule)];
        if (store.granule != granule || store.end <= start || store.start >= end) continue;
        if (!youngest || store.sequence > youngest->sequence) youngest = &store;
    }
    if (!youngest) return loaded;
    // The renamer knows the last stores by name, whether they are in the cache by now or not.
    if (machine_.memory_renaming && recipe.load_name && recipe.load_name == youngest->name &&
        youngest->start == start && youngest->end >= end && youngest->version == version(recipe) &&
        store_ - youngest->sequence < machine_.store_queue)
        return renamed_ = true, Ready{youngest->data, youngest->maker, Wait::dependency};
    if (youngest->commit <= issue) return loaded;
    const auto forwarded = [&](std::uint64_t at) {
        return at >= loaded.at ? Ready{at, youngest->maker, Wait::forwarding} : loaded;
    };
    if (youngest->start > start || youngest->end < end)  // not all of it: the load waits for the cache
        return forwarded(youngest->data +
                         (recipe.vector_load ? machine_.forward_failed_vector : machine_.forward_failed));
    const unsigned wide = access.size > 32   ? machine_.forward_64_bytes
                          : access.size > 16 ? machine_.forward_32_bytes
                                             : 0;
    return forwarded(youngest->data + (youngest->vector     ? machine_.forward_vector + wide
                                       : recipe.vector_load ? machine_.forward_to_vector
                                                            : machine_.forward_integer));
}

Core::Issued Core::run_operation(const Operation& operation, const Recipe& recipe, std::span<const Access> accesses,
                                 std::uint64_t dispatched) {
    Ready last{dispatched + 1, 0, Wait::none};
    for (unsigned i = 0; i < operation.source_count; ++i) {
        const Ready& source = ready_[operation.sources[i]];
        if (source.at > last.at) last = source;
    }
    if (recipe.locked && operation.kind == OperationKind::load && lock_free_ > last.at)
        last = {lock_free_, 0, Wait::serialisation};
    const std::uint64_t issue = operation.units ? units_.book(operation.units, operation.busy, last.at) : last.at;
    if (issue > last.at) last = {issue, 0, Wait::unit};
    Ready result{issue + operation.latency, number_, Wait::none};
    if (operation.kind == OperationKind::load) {
        bool first = true;
        for (const Access& access : accesses) {
            if (access.kind == AccessKind::store) continue;
            const Ready loaded = loaded_at(operation, recipe, access, issue);
            if (first || loaded.at > result.at) result = loaded;
            first = false;
        }
        if (recipe.locked) lock_free_ = issue + recipe.locked_cycles;
        if (result.why != Wait::none && result.at > issue + operation.latency) last = result;
    } else if (operation.kind == OperationKind::store_data) {
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) remember_store(recipe, access, last.at);
        result.at = last.at;
    }
    // Who waits for this one waits for what it waited for, if that was memory.
    if (result.why == Wait::none && last.why >= Wait::forwarding && last.why <= Wait::coherence)
        result.why = Wait::dependency;
    for (unsigned i = 0; i < operation.result_count; ++i) {
        ready_[operation.results[i]] = result;
        ++versions_[operation.results[i]];
    }
    (operation.vector ? vector_ : integer_).leave(issue);
    return {issue, result.at, last};
}

// rsp as a register of its own is behind the stack engine's count: an operation brings it up to date.
void Core::stack(const Recipe& recipe, std::uint64_t dispatched) {
    constexpr unsigned rsp = 4;
    if (recipe.stack_sync && stack_moved_) {
        ready_[rsp].at = std::max(ready_[rsp].at, dispatched + 1) + 1;
        dispatch_.take(2);
        stack_moved_ = false;
    }
    if (recipe.stack_written) stack_moved_ = false;
    stack_moved_ |= recipe.stack_engine;
}

InstructionTimes Core::step(const Recipe& recipe, std::span<const Access> accesses, bool taken) {
    ++number_;
    const std::uint64_t before = dispatch_.cycle;
    std::uint64_t dispatched = dispatch(recipe);
    if (taken) {
        next_taken_ = std::max(next_taken_, 8 * dispatched);
        hold_until(next_taken_ / 8, Wait::front_end);
        next_taken_ += machine_.taken_branch_eighths;
        dispatched = dispatch_.cycle;
    }
    InstructionTimes times{before, dispatched, dispatched, dispatched, 0, Wait::none, 0};
    stack(recipe, dispatched);
    Ready last{dispatched, 0, Wait::none};
    if (recipe.kind == RecipeKind::move) {
        ready_[recipe.to] = ready_[recipe.from];
        ++versions_[recipe.to];
    } else if (recipe.kind == RecipeKind::exchange) {
        std::swap(ready_[recipe.from], ready_[recipe.to]);
        ++versions_[recipe.to], ++versions_[recipe.from];
    } else if (recipe.operations) {
        const Operation* operations = operations_.data() + recipe.first;
        for (unsigned i = 0; i < recipe.operations; ++i)
            dispatched = (operations[i].vector ? vector_ : integer_).enter(dispatched);
        if (recipe.load_bytes) dispatched = loads_.enter(dispatched);
        hold_until(dispatched, Wait::window);
        times.dispatch = dispatched;
        times.issue = ~0ull;
        units_.forget_before(dispatched);
        for (unsigned i = 0; i < recipe.operations; ++i) {
            const Issued done = run_operation(operations[i], recipe, accesses, dispatched);
            times.issue = std::min(times.issue, done.issue);
            if (done.complete < times.complete) continue;
            times.complete = done.complete;
            // An operation that waited for another one of its instruction waited for what that one waited for.
            if (done.last.maker != number_ || done.last.why != Wait::none) last = done.last;
        }
    }
    if (renamed_) {  // one a cycle
        renamed_ = false;
        const std::uint64_t next = std::max(last_renamed_ + 1, before);
        hold_until(next, Wait::window);
        last_renamed_ = next;
    }
    if (!recipe.fused) dispatch_.take(recipe.half_slots);
    const unsigned entries = entries_of(recipe);
    times.retire = retire(times.complete, recipe.fused || recipe.kind == RecipeKind::nop ? 0 : entries);
    for (unsigned i = 0; i < entries; ++i) reorder_.put(times.retire);
    if (recipe.load_bytes && recipe.operations) loads_.leave(times.retire);  // who has entered
    if (recipe.store_bytes)
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) commit_store(access, times.retire);
    blame(times, last);
    times.complete = std::max(times.complete, times.issue);  // a renamed load issues after its value is there
    return times;
}

// What came last before it could retire: an operand, a unit, memory, or its dispatch.
void Core::blame(InstructionTimes& times, const Ready& last) {
    if (last.why != Wait::none || last.at > times.dispatch + 1) {
        times.wait = last.why == Wait::none ? Wait::dependency : last.why;
        if (last.maker && last.maker < number_) {
            times.on = static_cast<std::uint32_t>(std::min<std::uint64_t>(number_ - last.maker, ~0u));
        }
    } else if (held_until_ >= times.dispatch) {
        times.wait = held_;
    }
}

}  // namespace sim::timing
