// SPDX-License-Identifier: GPL-2.0-or-later
// Why a block takes as long as it does: for each thing that may limit it, how long it would take if nothing else did.
// The dependency chain, the stores and the front end are found by running the same core with everything else made
// endless; units and dispatch by counting.
#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <sim/timing/block_data.hpp>

namespace sim::timing {

namespace {

// Wide enough that no block is held back by it, small enough for the core's arithmetic of slots.
constexpr unsigned endless_width = 64, endless_window = 8192;

Machine without_limits(const Machine& machine) {
    Machine free = machine;
    free.dispatch_width = free.retire_width = endless_width;
    free.reorder_buffer = free.integer_scheduler = free.vector_scheduler = free.load_queue = endless_window;
    free.store_queue = endless_window;
    return free;
}

std::vector<Operation> without_units(std::vector<Operation> operations) {
    for (Operation& operation : operations) operation.units = 0;
    return operations;
}

std::vector<Operation> without_latencies(std::vector<Operation> operations) {
    for (Operation& operation : operations) operation.units = 0, operation.latency = 0;
    return operations;
}

// A core for which nothing but the way of stores into the cache takes time.
Machine stores_only(Machine free, const Machine& machine) {
    free.store_queue = machine.store_queue;
    free.forward_integer = free.forward_vector = free.forward_32_bytes = free.forward_64_bytes = 0;
    free.forward_failed = free.forward_failed_vector = free.load_crossing = 0;
    return free;
}

// The block without what orders instructions besides their operands: locks, drains and taken branches.
RawBlock without_order(RawBlock block) {
    for (BlockInstruction& one : block.instructions) {
        one.recipe.locked = one.taken = false;
        if (one.recipe.system || one.recipe.string) one.recipe = Recipe{.kind = RecipeKind::nop};
    }
    return block;
}

// Operations that bring rsp up to date behind the stack engine take slots, too.
Bound dispatch_bound(const Machine& machine, const RawBlock& block) {
    unsigned half_slots = 0;
    bool moved = false;
    for (int pass = 0; pass < 2; ++pass) {  // the second one begins as the first one ended
        half_slots = 0;
        for (const BlockInstruction& one : block.instructions) {
            if (one.recipe.stack_sync && moved) half_slots += 2, moved = false;
            if (one.recipe.stack_written) moved = false;
            moved |= one.recipe.stack_engine;
            half_slots += one.recipe.fused ? 0 : one.recipe.half_slots;
        }
    }
    return {"dispatch width", std::to_string(machine.dispatch_width) + " a cycle",
            half_slots / (2.0 * machine.dispatch_width)};
}

// Locked operations follow each other; what drains adds to the time of everything else.
Bound order_bound(const Machine& machine, const std::vector<Operation>& operations, const RawBlock& block) {
    Bound bound{"serialisation", "locked and draining instructions", 0};
    for (const BlockInstruction& one : block.instructions)
        if (one.recipe.locked) bound.cycles += one.recipe.locked_cycles;
    constexpr unsigned repetitions = 8;  // counts of repeated strings settle in the first ones
    Repetitions run(machine, operations, block);
    for (unsigned i = 0; i < repetitions; ++i) run.once();
    const std::uint64_t before = run.drained();
    run.once();
    bound.cycles += double(run.drained() - before);
    return bound;
}

double branch_bound(const Machine& machine, const RawBlock& block) {
    const auto taken = std::ranges::count_if(block.instructions, &BlockInstruction::taken);
    return double(taken) * machine.taken_branch_eighths / 8;
}

// The groups are unions of the sets that operations may go to: all of what must go into a group, by its size.
Bound unit_bound(const BlockTimer& timer, const RawBlock& block) {
    std::map<std::uint32_t, unsigned> demand;
    for (const BlockInstruction& one : block.instructions) {
        if (one.recipe.system || one.recipe.string) continue;  // these take time, not units
        for (const Operation& operation : timer.operations(one))
            if (operation.units) demand[operation.units] += operation.busy;
    }
    std::set<std::uint32_t> groups;
    for (const auto& [units, cycles] : demand) {
        constexpr std::size_t groups_most = 4096;
        std::vector<std::uint32_t> more{units};
        for (const std::uint32_t group : groups) more.push_back(group | units);
        if (groups.size() < groups_most) groups.insert(more.begin(), more.end());
    }
    Bound bound{"unit group", "", 0};
    for (const std::uint32_t group : groups) {
        unsigned sum = 0;
        for (const auto& [units, cycles] : demand)
            if (!(units & ~group)) sum += cycles;
        const double cycles = double(sum) / std::popcount(group);
        if (cycles > bound.cycles) bound.cycles = cycles, bound.detail = timer.unit_names(group);
    }
    return bound;
}

// Which instructions the last of the chain waited for, back through the iterations until it repeats.
std::vector<ChainLink> find_chain(const Machine& machine, const std::vector<Operation>& operations,
                                  const RawBlock& block) {
    constexpr unsigned warm_up = 24, walked = 8;
    const std::size_t length = block.instructions.size();
    Repetitions run(machine, operations, block);
    std::vector<InstructionTimes> times;
    for (unsigned i = 0; i < warm_up; ++i) run.once([&](const InstructionTimes& one) { times.push_back(one); });
    // From the instruction that was complete last.
    std::size_t at = times.size() - length;
    for (std::size_t i = at; i < times.size(); ++i)
        if (times[i].complete >= times[at].complete) at = i;
    std::vector<double> sums(length, 0.0);
    std::vector<bool> seen(length, false);
    const std::size_t end = times.size() - walked * length;
    std::size_t first = 0, last = 0;  // of the part that counts
    while (times[at].on && times[at].on <= at && at >= end - walked * length) {
        const std::size_t maker = at - times[at].on;
        if (at < end) {
            if (!last) last = at;
            first = maker;
            sums[at % length] += double(times[at].complete) - double(times[maker].complete);
            seen[at % length] = true;
        }
        at = maker;
    }
    std::vector<ChainLink> chain;
    const double iterations = last > first ? double(last - first) / double(length) : 1.0;
    for (std::size_t i = 0; i < length; ++i)
        if (seen[i]) chain.push_back({static_cast<std::uint32_t>(i), std::max(0.0, sums[i] / iterations)});
    return chain;
}

std::string chain_text(const std::vector<ChainLink>& chain) {
    constexpr std::size_t most = 12;
    std::string out;
    for (std::size_t i = 0; i < chain.size() && i < most; ++i)
        out += (i ? ", " : chain.size() == 1 ? "instruction " : "instructions ") + std::to_string(chain[i].instruction);
    return out + (chain.size() > most ? ", ..." : "");
}

void record_timeline(const Machine& machine, const std::vector<Operation>& operations, const RawBlock& block,
                     unsigned iterations, BlockAnalysis& out) {
    constexpr std::size_t warm_up_instructions = 1500;
    Repetitions run(machine, operations, block);
    for (std::size_t done = 0; done < warm_up_instructions; done += block.instructions.size()) run.once();
    for (unsigned i = 0; i < iterations; ++i)
        run.once([&](const InstructionTimes& times) { out.timeline.push_back(times); });
    out.iterations = iterations;
}

// An instruction a cycle, and nothing else.
BlockAnalysis ideal_analysis(const RawBlock& block, unsigned iterations) {
    BlockAnalysis out{.cycles = double(block.instructions.size()), .limited = true, .iterations = iterations};
    out.bounds.push_back({"dispatch width", "1 a cycle", out.cycles});
    for (std::size_t i = 0; i < iterations * block.instructions.size(); ++i)
        out.timeline.push_back({i, i, i, i, i + 1, Wait::none, Provenance::definition, 0});
    return out;
}

}  // namespace

std::optional<Repetitions::Total> Repetitions::total_of(const BlockInstruction& one) {
    if (one.recipe.system) {
        const SystemCost& cost = *one.recipe.system;
        const bool written =
            cost.modified && written_.erase(addresses_.address_of(one.instruction.memory[0]) >> line_bits);
        return Total{written ? cost.modified : cost.cycles.likely, cost.drains};
    }
    if (!one.recipe.string) return std::nullopt;
    std::uint64_t loaded = 0, stored = 0;
    for (unsigned i = 0; i < one.instruction.operand_count; ++i)
        (one.instruction.memory[i].kind == AccessKind::load ? loaded : stored) += one.instruction.memory[i].size;
    const std::uint64_t times = one.instruction.rep ? addresses_.count() : 1;
    return Total{one.recipe.string->cycles(times * std::max(loaded, stored)).likely, false};
}

// Longer and longer stretches cost the same: the steady state. What never settles is measured over a long one.
double steady_state(const Machine& machine, const std::vector<Operation>& operations, const RawBlock& block) {
    constexpr std::size_t warm_up_instructions = 1000, stretch_instructions = 300, instructions_most = 6000;
    constexpr unsigned period = 12;  // of dispatch: six slots a cycle, in halves
    const std::size_t length = block.instructions.size();
    const auto repetitions = [&](std::size_t instructions) {
        const std::size_t times = instructions / length + 1;
        return length < stretch_instructions ? (times + period - 1) / period * period : times;
    };
    Repetitions run(machine, operations, block);
    const std::size_t warm_up = repetitions(warm_up_instructions), stretch = repetitions(stretch_instructions);
    const std::size_t most = std::max(repetitions(instructions_most), warm_up + 4 * stretch);
    std::vector<std::uint64_t> marks;
    std::uint64_t now = 0;
    for (std::size_t done = 0; done < warm_up; ++done) now = run.once();
    marks.push_back(now);
    for (std::size_t done = warm_up; done < most; done += stretch) {
        for (std::size_t i = 0; i < stretch; ++i) now = run.once();
        marks.push_back(now);
        const std::size_t n = marks.size();
        if (n > 4 && marks[n - 1] - marks[n - 2] == marks[n - 2] - marks[n - 3] &&
            marks[n - 2] - marks[n - 3] == marks[n - 3] - marks[n - 4])
            return double(marks[n - 1] - marks[n - 2]) / double(stretch);
    }
    const std::size_t from = marks.size() / 3;
    return double(marks.back() - marks[from]) / double((marks.size() - 1 - from) * stretch);
}

double BlockTimer::throughput(const RawBlock& block) const {
    if (data_->cpu->ideal) return double(block.instructions.size());
    return steady_state(data_->cpu->machine, data_->book->operations(), block);
}

BlockAnalysis BlockTimer::analyse(const RawBlock& block, unsigned timeline_iterations) const {
    if (data_->cpu->ideal) return ideal_analysis(block, timeline_iterations);
    const Machine& machine = data_->cpu->machine;
    const std::vector<Operation>& operations = data_->book->operations();
    const Machine free = without_limits(machine);
    const auto no_units = without_units(operations), nothing = without_latencies(operations);
    const RawBlock plain = without_order(block);
    BlockAnalysis out;
    out.cycles = throughput(block);
    out.bounds = {{"dependency chain", "", steady_state(free, no_units, plain)},
                  unit_bound(*this, block),
                  dispatch_bound(machine, block),
                  {"stores", "into the L1", 0},
                  order_bound(machine, operations, block),
                  {"front end", "taken branches", branch_bound(machine, block)}};
    if (std::ranges::any_of(block.instructions, [](const auto& one) { return one.recipe.store_bytes != 0; }))
        out.bounds[3].cycles = steady_state(stores_only(free, machine), nothing, plain);
    out.chain = find_chain(free, no_units, plain);
    out.bounds[0].detail = chain_text(out.chain);
    std::ranges::stable_sort(out.bounds, std::ranges::greater(), &Bound::cycles);
    constexpr double close = 0.95;
    if (out.bounds.front().cycles < close * out.cycles) {
        Machine endless = free;
        endless.dispatch_width = machine.dispatch_width, endless.retire_width = machine.retire_width;
        out.cycles_without_windows = steady_state(endless, operations, block);
    }
    out.limited = out.bounds.front().cycles >= close * out.cycles;
    record_timeline(machine, operations, block, timeline_iterations, out);
    return out;
}

}  // namespace sim::timing
