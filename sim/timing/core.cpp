// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <sim/timing/core.hpp>
#include <utility>

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
      commits_{machine.stores_a_cycle},
      renames_{machine.renamed_loads_a_cycle},
      eliminated_{machine.eliminated_a_cycle},
      reorder_(machine.reorder_buffer),
      store_queue_(machine.store_queue),
      foretold_(machine.foretold_loads),
      stores_(std::size_t{1} << store_slot_bits),
      older_(stores_.size()) {}

void Core::drain(unsigned cycles, Provenance rests) {
    const std::uint64_t done = std::max(retired(), dispatch_.cycle) + cycles;
    hold_until(done, Wait::serialisation, rests);
    retire_.advance(done);
}

const InstructionTimes& Core::step_total(const Recipe& recipe, std::span<const Access> accesses, unsigned cycles,
                                         bool drains, Provenance rests) {
    if (drains) {
        const std::uint64_t start = std::max(retired(), dispatch_.cycle);
        drain(cycles, rests);
        times_ = {start, start, start, retired(), retired(), Wait::serialisation, rests, 0};
        return times_;
    }
    step(recipe, accesses, false);
    const std::uint64_t done = times_.dispatch + cycles;
    hold_until(done, Wait::serialisation, rests);
    if (times_.retire >= done) return times_;
    retire_.advance(done);
    times_.complete = times_.retire = done;
    times_.wait = Wait::serialisation;
    times_.rests = rests;
    return times_;
}

// A slot in order, a place in the reorder buffer, and one in the store queue.
std::uint64_t Core::dispatch(const Recipe& recipe) {
    hold_until(reorder_.oldest(entries_of(recipe)), Wait::window, machine_.from.reorder_buffer);
    if (recipe.store_bytes) hold_until(store_queue_.oldest(1), Wait::window, machine_.from.store_queue);
    return dispatch_.cycle;
}

std::uint64_t Core::retire(std::uint64_t complete, unsigned slots) {
    retire_.advance(complete + 1);
    const std::uint64_t at = retire_.cycle;
    retire_.take(slots);
    return at;
}

// The L1 takes some aligned pieces of a line a cycle; neighbours in program order that go to the same one go together.
void Core::commit_store(const Access& access, bool nontemporal, std::uint64_t retired) {
    const std::uint64_t piece = access.physical_address / machine_.store_merge_bytes;
    const bool crossing = (access.physical_address & 63) + access.size > 64;
    const bool merges = piece == last_piece_ && !crossing && last_commit_ > retired;
    if (!merges) {
        // Lines are asked for as stores retire, several at a time, though stores go to the cache in order.
        const std::uint64_t asked = retired + 1;
        if (crossing) commits_.take(machine_.store_crossing);
        commits_.advance(asked);
        last_commit_ = commits_.cycle;
        if (memory_ && !access.io) {
            const Memory::Delay delay =
                nontemporal ? memory_->store_past(access, asked) : memory_->store(access, asked);
            last_commit_ = std::max(last_commit_, asked + delay.cycles);
        }
        commits_.advance(last_commit_);
        commits_.take(1);
    }
    last_piece_ = piece;
    ++store_, store_queue_.put(last_commit_);
    for (std::uint64_t granule = access.virtual_address >> 3;
         granule <= (access.virtual_address + access.size - 1) >> 3; ++granule)
        stores_[slot_of(granule)].commit = last_commit_;
}

void Core::remember_store(const Recipe& recipe, const Access& access, std::uint64_t data) {
    const std::uint64_t end = access.virtual_address + access.size;
    const bool traceable = address_is_old(recipe);
    for (std::uint64_t granule = access.virtual_address >> 3; granule <= (end - 1) >> 3; ++granule) {
        Store& store = stores_[slot_of(granule)];
        const std::uint64_t first = granule << 3, behind = first + 8;
        const bool partly = access.virtual_address > first || end < behind;
        store.older = partly && store.granule == granule &&
                      (std::max(store.start, first) < access.virtual_address || std::min(store.end, behind) > end);
        if (store.older) older_[slot_of(granule)] = store;
        store.granule = granule;
        store.sequence = store_;
        store.start = access.virtual_address, store.end = end;
        store.data = data, store.commit = ~0ull;
        store.maker = number_;
        store.name = traceable ? recipe.store_name : 0, store.version = version(recipe);
        store.vector = recipe.vector_store;
    }
}

// When the bytes of one access are there, if that is later than what `loaded` holds.
void Core::load(const Operation& operation, const Recipe& recipe, const Access& access, std::uint64_t issue,
                Ready& loaded) {
    loaded.at = issue + operation.latency;
    loaded.by = {number_, Wait::none, operation.rests};
    if (memory_ && !access.io) {
        const Memory::Delay delay = memory_->load(access, issue);
        if (delay.why != Wait::none) {
            loaded.at += delay.cycles;
            loaded.by = {number_, delay.why, machine_.from.levels[static_cast<std::size_t>(delay.why)]};
        }
    }
    const std::uint64_t start = access.virtual_address, end = start + access.size;
    if ((start & 63) + access.size > 64) {  // two lines: it goes twice
        loaded.at += machine_.load_crossing;
        units_.book(machine_.load_units, 1, issue + 1);
    }
    const Store* youngest = nullptr;
    const Store* last = nullptr;  // to have its data
    const auto overlapped = [&](const Store& store) {
        if (store.end <= start || store.start >= end) return;
        if (!youngest || store.sequence > youngest->sequence) youngest = &store;
        if (!last || store.data > last->data) last = &store;
    };
    for (std::uint64_t granule = start >> 3; granule <= (end - 1) >> 3; ++granule) {
        const Store& store = stores_[slot_of(granule)];
        if (store.granule != granule) continue;
        overlapped(store);
        if (store.older) [[unlikely]]
            overlapped(older_[slot_of(granule)]);
    }
    if (!youngest) return;
    // The renamer knows the last stores by name (or foretells which one it is), whether they are in the cache by now or
    // not.
    const bool whole = youngest->start <= start && youngest->end >= end;
    const bool may = machine_.memory_renaming && recipe.load_name && whole && youngest->start == start &&
                     store_ - youngest->sequence < machine_.store_queue;
    const auto known = [&] {
        return machine_.renaming_by_address
                   ? youngest->name && address_is_old(recipe)
                   : recipe.load_name == youngest->name && youngest->version == version(recipe);
    };
    if (may && (known() || (!youngest->vector && youngest->commit > issue && foretold_.seen(&recipe)))) {
        renamed_ = true;
        verified_ = std::max(verified_, loaded.at);
        loaded.at = youngest->data;
        loaded.by = {youngest->maker, Wait::dependency, machine_.from.memory_renaming};
        return;
    }
    if (youngest->commit <= issue) return;
    const unsigned wide = access.size > 32   ? machine_.forward_64_bytes
                          : access.size > 16 ? machine_.forward_32_bytes
                                             : 0;
    // Of a part the load waits for the cache.
    const unsigned way = !whole ? recipe.vector_load ? machine_.forward_failed_vector : machine_.forward_failed
                         : youngest->vector
                             ? recipe.vector_load ? machine_.forward_vector + wide : machine_.forward_from_vector
                         : recipe.vector_load ? machine_.forward_to_vector
                                              : machine_.forward_integer;
    // Stores go to the cache in order: all that the load overlaps have to be there.
    const Store& from = whole ? *youngest : *last;
    if (from.data + way < loaded.at) return;
    loaded.at = from.data + way;
    loaded.by = {from.maker, Wait::forwarding, machine_.from.forwarding};
}

void Core::run_operation(const Operation& operation, const Recipe& recipe, std::span<const Access> accesses,
                         std::uint64_t dispatched, Ready& last) {
    std::uint64_t at = dispatched + 1;
    Cause by;
    for (unsigned i = 0; i < operation.source_count; ++i) {
        const std::uint8_t source = operation.sources[i];
        std::uint64_t ready = ready_[source];
        if (operation.kin && kin_[source] == operation.kin) ready -= std::min<std::uint64_t>(ready, operation.shortcut);
        if (ready > at) at = ready, by = makers_[source];
    }
    if (recipe.locked && operation.kind == OperationKind::load && lock_free_ > at)
        at = lock_free_, by = {0, Wait::serialisation, operation.rests};
    const std::uint64_t issue = operation.units ? units_.book(operation.units, operation.busy, at) : at;
    if (issue > at) at = issue, by = {0, Wait::unit, operation.rests};
    std::uint64_t complete = issue + operation.latency;
    Cause made{number_, Wait::none, operation.rests};
    if (operation.kind == OperationKind::load) {
        bool first = true;
        for (const Access& access : accesses) {
            if (access.kind == AccessKind::store) continue;
            Ready loaded;
            load(operation, recipe, access, issue, loaded);
            if (first || loaded.at > complete) complete = loaded.at, made = loaded.by;
            first = false;
        }
        if (recipe.locked) lock_free_ = issue + recipe.locked_cycles;
        if (made.why() != Wait::none && complete > issue + operation.latency) at = complete, by = made;
    } else if (operation.kind == OperationKind::store_data) {
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) remember_store(recipe, access, at);
        complete = at;
    }
    // Who waits for this one waits for what it waited for, if that was memory.
    if (made.why() == Wait::none && by.why() >= Wait::forwarding && by.why() <= Wait::coherence)
        made = {number_, Wait::dependency, operation.rests};
    for (unsigned i = 0; i < operation.result_count; ++i) {
        ready_[operation.results[i]] = complete;
        makers_[operation.results[i]] = made;
        kin_[operation.results[i]] = operation.kin;
        versions_[operation.results[i]] = place();
    }
    (operation.vector ? vector_ : integer_).leave(issue);
    times_.issue = std::min(times_.issue, issue);
    if (complete < times_.complete) return;
    times_.complete = complete;
    // An operation that waited for another one of its instruction waited for what that one waited for.
    if (by.maker() == number_ && by.why() == Wait::none) return;
    last.at = at, last.by = by;
    times_.units = operation.units;
}

// rsp as a register of its own is behind the stack engine's count: an operation brings it up to date.
void Core::stack(const Recipe& recipe, std::uint64_t dispatched) {
    constexpr unsigned rsp = 4;
    if (recipe.stack_sync && stack_moved_) {
        ready_[rsp] = std::max(ready_[rsp], dispatched + 1) + 1;
        dispatch_.take(2);
        stack_moved_ = false;
    }
    if (recipe.stack_written) stack_moved_ = false;
    stack_moved_ |= recipe.stack_engine;
}

const InstructionTimes& Core::step(const Recipe& recipe, std::span<const Access> accesses, bool taken) {
    ++number_;
    const std::uint64_t before = dispatch_.cycle;
    std::uint64_t dispatched = dispatch(recipe);
    if (taken) {
        places_skipped_ += machine_.renaming_distance;
        next_taken_ = std::max(next_taken_, 8 * dispatched);
        hold_until(next_taken_ / 8, Wait::front_end, machine_.from.taken_branches);
        next_taken_ += machine_.taken_branch_eighths;
        dispatched = dispatch_.cycle;
    }
    stack(recipe, dispatched);
    times_.fetch = before;
    times_.dispatch = times_.issue = times_.complete = dispatched;
    Ready last;
    last.at = dispatched;
    if (recipe.kind == RecipeKind::move) {
        ready_[recipe.to] = ready_[recipe.from], makers_[recipe.to] = makers_[recipe.from];
        kin_[recipe.to] = kin_[recipe.from];
        versions_[recipe.to] = place();
    } else if (recipe.kind == RecipeKind::exchange) {
        std::swap(ready_[recipe.from], ready_[recipe.to]);
        std::swap(makers_[recipe.from], makers_[recipe.to]);
        std::swap(kin_[recipe.from], kin_[recipe.to]);
        versions_[recipe.to] = versions_[recipe.from] = place();
    } else if (recipe.operations) {
        run_operations(recipe, accesses, dispatched, last);
    }
    if (recipe.kind == RecipeKind::idiom || (recipe.kind == RecipeKind::move && recipe.to >= unit::vector)) {
        eliminated_.advance(before);
        hold_until(eliminated_.cycle, Wait::front_end, machine_.from.dispatch_width);
        eliminated_.take(1);
    }
    if (renamed_) {
        renamed_ = false;
        times_.complete = std::max(times_.complete, std::exchange(verified_, 0));
        renames_.advance(before);
        hold_until(renames_.cycle, Wait::window, machine_.from.memory_renaming);
        renames_.take(1);
    }
    if (!recipe.fused) dispatch_.take(recipe.half_slots);
    const unsigned entries = entries_of(recipe);
    const std::uint64_t retired = retire(times_.complete, recipe.fused || recipe.kind == RecipeKind::nop ? 0 : entries);
    times_.retire = retired;
    for (unsigned i = 0; i < entries; ++i) reorder_.put(retired);
    if (recipe.load_bytes && recipe.operations) loads_.leave(retired);  // who has entered
    if (recipe.store_bytes)
        for (const Access& access : accesses)
            if (access.kind != AccessKind::load) commit_store(access, recipe.nontemporal, retired);
    blame(last.at, last.by);
    times_.complete = std::max(times_.complete, times_.issue);  // a renamed load issues after its value is there
    return times_;
}

void Core::run_operations(const Recipe& recipe, std::span<const Access> accesses, std::uint64_t dispatched,
                          Ready& last) {
    const Operation* operations = operations_.data() + recipe.first;
    for (unsigned i = 0; i < recipe.operations; ++i)
        dispatched = (operations[i].vector ? vector_ : integer_).enter(dispatched);
    const std::uint64_t scheduled = dispatched;
    if (recipe.load_bytes) dispatched = loads_.enter(dispatched);
    hold_until(dispatched, Wait::window, dispatched > scheduled ? machine_.from.load_queue : machine_.from.schedulers);
    times_.dispatch = dispatched;
    times_.issue = ~0ull;
    units_.forget_before(dispatched);
    for (unsigned i = 0; i < recipe.operations; ++i) run_operation(operations[i], recipe, accesses, dispatched, last);
}

// What came last before it could retire: an operand, a unit, memory, or its dispatch.
void Core::blame(std::uint64_t waited_until, Cause cause) {
    times_.wait = Wait::none;
    times_.rests = machine_.from.dispatch_width;
    times_.on = 0;
    if (cause.why() != Wait::none || waited_until > times_.dispatch + 1) {
        times_.wait = cause.why() == Wait::none ? Wait::dependency : cause.why();
        times_.rests = cause.rests();
        if (cause.maker() && cause.maker() < number_)
            times_.on = static_cast<std::uint32_t>(std::min<std::uint64_t>(number_ - cause.maker(), ~0u));
    } else if (held_until_ >= times_.dispatch) {
        times_.wait = held_;
        times_.rests = held_rests_;
    }
    if (times_.wait != Wait::unit) times_.units = 0;
}

}  // namespace sim::timing
