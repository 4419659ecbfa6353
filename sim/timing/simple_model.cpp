// SPDX-License-Identifier: GPL-2.0-or-later
// The first, simple timing model: a dataflow scoreboard over general registers with the window of a Zen 4.
//
// Each instruction dispatches in order (six a cycle, never more than a reorder buffer ahead of retirement), starts when
// its general registers, flags and loads are ready, and retires in order (eight a cycle). Loads and stores go through
// LRU caches; stores forward to loads; branches are predicted; system instructions take what a table says. Groups of
// execution units limit throughput. There are no single ports, no TLBs, no prefetchers, no limit on outstanding misses,
// and vector registers are not tracked: the out-of-order model that follows has them.
//
// Time is counted in ticks of 1/24 cycle, so that a sixth (dispatch), an eighth (retirement) and a twelfth (nops) are
// whole numbers.
#include <algorithm>
#include <array>
#include <sim/timing/branch_predictor.hpp>
#include <sim/timing/cache.hpp>
#include <sim/timing/instruction_class.hpp>
#include <sim/timing/model.hpp>
#include <sim/timing/zen4_costs.hpp>

namespace sim {
namespace {

using Tick = std::uint64_t;
constexpr unsigned ticks_per_cycle = 24;
constexpr unsigned half_slot_ticks = ticks_per_cycle / (2 * zen4::dispatch_width);
constexpr unsigned retire_ticks = ticks_per_cycle / zen4::retire_width;

// Places in the table of times at which registers are ready.
constexpr std::uint8_t flags_register = 16, always_ready = 17, nowhere = 18, register_count = 19;

// What there is to know of a static instruction, prepared once.
struct Cost {
    std::uint8_t address[4];  // registers that a memory access waits for
    std::uint8_t data[4];     // registers that the operation itself waits for
    std::uint8_t result[3];
    std::uint8_t dispatch;    // ticks of the dispatcher
    std::uint8_t retire;      // ticks of retirement
    std::uint8_t unit;        // zen4::Unit
    std::uint8_t unit_ticks;  // that it is taken for
    std::uint8_t load_extra;  // ticks beyond the plain load latency
    bool new_line : 1;        // the first of its code block, or in another line than the one before
    bool placeholder : 1;
    bool special : 1;  // takes `fixed` cycles and occupies the dispatcher meanwhile
    bool drains : 1;
    bool string : 1;
    bool locked : 1;
    bool stack : 1;  // rsp or rbp based: stores are forwarded at rename
    bool writes_many : 1;
    std::uint16_t latency;  // ticks
    std::uint32_t fixed;    // cycles
};

bool is_system(Special special) {
    return special != Special::plain && special != Special::nop && special != Special::string;
}

// rdfsbase, rdgsbase have ModRM digits 0 and 1; the writes 2 and 3.
bool writes_segment_base(std::span<const std::uint8_t> bytes) { return !bytes.empty() && (bytes.back() >> 3 & 7) >= 2; }

template <std::size_t n>
void fill_from_mask(std::uint8_t (&out)[n], std::uint8_t filler, std::uint32_t mask) {
    std::size_t used = 0;
    for (std::uint8_t reg = 0; reg < 17 && used < n; ++reg)
        if (mask >> reg & 1) out[used++] = reg;
    while (used < n) out[used++] = filler;
}

Cost prepare(const Instruction& instruction, std::span<const std::uint8_t> bytes) {
    InstructionClass kind = classify(bytes, instruction);
    const zen4::ClassCost& cost = zen4::class_cost(kind);
    Cost c{};
    constexpr std::uint32_t rsp = 1u << 4, rbp = 1u << 5;
    std::uint32_t addresses = 0;
    for (unsigned i = 0; i < instruction.operand_count && i < 2; ++i) {
        const MemoryOperand& operand = instruction.memory[i];
        if (operand.base < 16) addresses |= 1u << operand.base;
        if (operand.index < 16) {
            addresses |= 1u << operand.index;
            c.load_extra = zen4::l1_indexed_extra * ticks_per_cycle;
        }
    }
    std::uint32_t reads = (instruction.reads & ~addresses) | (instruction.reads_flags ? 1u << flags_register : 0);
    std::uint32_t writes = instruction.writes | (instruction.writes_flags ? 1u << flags_register : 0);
    bool moves_rsp = kind == InstructionClass::stack || instruction.flow == Flow::call ||
                     instruction.flow == Flow::indirect_call || instruction.flow == Flow::ret;
    if (moves_rsp) reads &= ~rsp, writes &= ~rsp, addresses &= ~rsp;  // the stack engine does it ahead of time
    if (kind == InstructionClass::zero_idiom) reads = 0;
    c.stack = moves_rsp || (addresses && !(addresses & ~(rsp | rbp)));
    fill_from_mask(c.address, always_ready, addresses);
    fill_from_mask(c.data, always_ready, reads);
    fill_from_mask(c.result, nowhere, writes);
    c.dispatch = static_cast<std::uint8_t>(cost.slots * half_slot_ticks);
    c.retire = static_cast<std::uint8_t>(std::min<unsigned>(c.dispatch, retire_ticks));
    c.latency = static_cast<std::uint16_t>(cost.latency_half_cycles * (ticks_per_cycle / 2));
    c.unit = static_cast<std::uint8_t>(cost.unit);
    c.unit_ticks = static_cast<std::uint8_t>(cost.unit_twelfths * (ticks_per_cycle / 12));
    c.placeholder = cost.provenance == Provenance::placeholder;
    c.locked = instruction.locked || kind == InstructionClass::xchg_memory;
    c.string = instruction.special == Special::string;
    if (c.string) c.placeholder = false;
    if (is_system(instruction.special)) {
        const zen4::SystemCost& system = zen4::system_cost(instruction.special, writes_segment_base(bytes));
        c.special = true;
        c.fixed = system.cycles;
        c.drains = system.drains;
        c.placeholder = system.provenance == Provenance::placeholder;
    }
    return c;
}

// Stores in flight or done, by 8-byte granule: when their data can be forwarded to a load.
class StoreForwarding {
  public:
    void store(std::uint64_t address, Tick ready) { entries_[slot(address)] = {address >> 3, ready}; }
    Tick ready(std::uint64_t address) const {  // 0: no such store
        const Entry& entry = entries_[slot(address)];
        return entry.granule == address >> 3 ? entry.ready : 0;
    }

  private:
    struct Entry {
        std::uint64_t granule = ~0ull;
        Tick ready = 0;
    };
    static std::size_t slot(std::uint64_t address) { return (address >> 3) % 512; }
    std::array<Entry, 512> entries_{};
};

class SimpleModel final : public TimingModel {
  public:
    std::string name() const override { return "simple"; }
    std::string cpu() const override { return "zen4"; }
    std::string description() const override {
        return "a dataflow scoreboard with the widths, caches and branch costs of a Zen 4; no single ports, TLBs or "
               "prefetchers; system instructions rest on placeholders";
    }

    void on_code(const CodeBlock& code) override {
        if (blocks_.size() <= code.id) blocks_.resize(std::size_t{code.id} + 1);
        std::vector<Cost>& costs = blocks_[code.id];
        costs.clear();
        costs.reserve(code.instructions.size());
        std::uint64_t line = ~0ull;
        bool after_compare = false;
        for (const Instruction& instruction : code.instructions) {
            std::size_t offset = std::min<std::size_t>(instruction.address - code.address, code.bytes.size());
            std::size_t length = std::min<std::size_t>(instruction.length, code.bytes.size() - offset);
            Cost c = prepare(instruction, std::span(code.bytes).subspan(offset, length));
            std::uint64_t its_line = instruction.address >> line_bits;
            c.new_line = its_line != line;
            line = its_line;
            if (instruction.flow == Flow::conditional && after_compare) c.dispatch = c.retire = 0;  // fused
            after_compare = instruction.flow == Flow::next && instruction.writes_flags && !c.special;
            costs.push_back(c);
        }
    }

    void run(const Block& block, std::span<RetireTime> out) override {
        const CodeBlock& code = *block.code;
        resolve(code.instructions.empty() ? code.address : code.instructions[block.first].address);
        const Cost* costs = blocks_[code.id].data() + block.first;
        const Access* access = block.accesses.data();
        const Access* const accesses_end = access + block.accesses.size();
        for (std::uint32_t i = 0; i < block.count; ++i) {
            const Cost& cost = costs[i];
            const Access* first = access;
            while (access != accesses_end && access->instruction <= block.first + i) ++access;
            if (cost.new_line || i == 0) fetch(code, block.first + i);
            Tick start = dispatch(cost);
            if (cost.special | cost.string) [[unlikely]]
                out[i] = special(cost, start, first, access);
            else out[i] = ordinary(cost, start, first, access);
        }
        if (block.count && block.first + block.count == code.instructions.size()) branch(block);
    }

    RetireTime transfer(const Transfer& transfer) override {
        resolve(transfer.source);
        const zen4::SystemCost& cost = transfer.kind == TransferKind::exception   ? zen4::exception_entry()
                                       : transfer.kind == TransferKind::interrupt ? zen4::interrupt_entry()
                                                                                  : zen4::software_interrupt_entry();
        Tick done = std::max(retired_, dispatch_) + Tick{cost.cycles} * ticks_per_cycle;
        dispatch_ = done;
        RetireTime time = retire_at(done, 0);
        if (cost.provenance == Provenance::placeholder) time.placeholder_cycles = std::min(time.cycles, cost.cycles);
        return time;
    }

    Cycle now() const override { return retired_ / ticks_per_cycle; }

  private:
    // In-order dispatch: a slot, and room in the reorder buffer.
    Tick dispatch(const Cost& cost) {
        Tick start = std::max(dispatch_, reorder_[(count_ - zen4::reorder_buffer) % reorder_.size()]);
        dispatch_ = start + cost.dispatch;
        return start;
    }

    // When a unit of the group starts on what was dispatched at `start`.
    Tick take(unsigned unit, unsigned ticks, Tick start) {
        Tick from = std::max(unit_free_[unit], start);
        unit_free_[unit] = from + ticks;
        return from;
    }

    RetireTime ordinary(const Cost& cost, Tick start, const Access* first, const Access* last) {
        // Units are booked in the order and from the time of dispatch: a limit on throughput. Booking them from when
        // operands are ready would put late operations ahead of earlier free time.
        Tick unit = take(cost.unit, cost.unit_ticks, start);
        Tick ready =
            std::max({unit, ready_[cost.data[0]], ready_[cost.data[1]], ready_[cost.data[2]], ready_[cost.data[3]]});
        bool placeholder = cost.placeholder;
        std::uint32_t guessed = cost.latency / ticks_per_cycle;
        bool stores = false;
        Tick address_ready = 0;
        if (first != last) {
            address_ready = std::max({start, ready_[cost.address[0]], ready_[cost.address[1]], ready_[cost.address[2]],
                                      ready_[cost.address[3]], fence_});
            for (const Access* access = first; access != last; ++access) {
                if (access->io) {
                    const zen4::SystemCost& device = zen4::device_access();
                    ready = std::max(ready, std::max(address_ready, retired_) + Tick{device.cycles} * ticks_per_cycle);
                    dispatch_ = std::max(dispatch_, ready);
                    placeholder = true;
                    guessed += device.cycles;
                } else if (access->kind != AccessKind::store) {
                    Tick port =
                        take(static_cast<unsigned>(zen4::Unit::load), ticks_per_cycle / zen4::loads_a_cycle, start);
                    ready = std::max(ready, load(cost, *access, std::max(address_ready, port)));
                }
                stores |= access->kind != AccessKind::load && !access->io;
            }
        }
        Tick done = ready + cost.latency;
        for (std::uint8_t reg : cost.result) ready_[reg] = done;
        if (cost.locked) fence_ = done;
        RetireTime time = retire_at(done, cost.retire);
        if (stores)
            for (const Access* access = first; access != last; ++access)
                if (access->kind != AccessKind::load && !access->io) store(*access, address_ready, done);
        if (placeholder) [[unlikely]]
            time.placeholder_cycles = std::min(time.cycles, guessed);
        return time;
    }

    // System and string instructions: a fixed or computed time during which nothing else dispatches.
    RetireTime special(const Cost& cost, Tick start, const Access* first, const Access* last) {
        Tick ready = cost.drains ? std::max(start, retired_) : start;
        for (std::uint8_t reg : cost.data) ready = std::max(ready, ready_[reg]);
        for (std::uint8_t reg : cost.address) ready = std::max(ready, ready_[reg]);
        std::uint32_t guessed = cost.placeholder ? cost.fixed : 0;
        Tick busy = Tick{cost.fixed} * ticks_per_cycle;
        if (first != last || cost.string) busy += touch_all(cost, first, last, guessed);
        Tick done = ready + busy;
        dispatch_ = std::max(dispatch_, done);
        for (std::uint8_t reg : cost.result) ready_[reg] = done;
        fence_ = std::max(fence_, done);
        RetireTime time = retire_at(done, cost.retire);
        time.placeholder_cycles = std::min(time.cycles, guessed);
        return time;
    }

    // The accesses of a string or state-saving instruction: each line once; misses overlap four deep (an estimate).
    Tick touch_all(const Cost& cost, const Access* first, const Access* last, std::uint32_t& guessed) {
        std::uint64_t lines[2] = {~0ull, ~0ull}, bytes[2] = {0, 0};
        Tick misses = 0, devices = 0;
        for (const Access* access = first; access != last; ++access) {
            bool writes = access->kind != AccessKind::load;
            bytes[writes] += access->size;
            if (access->io) {
                devices += Tick{zen4::device_access().cycles} * ticks_per_cycle;
                guessed += zen4::device_access().cycles;
            } else if (std::uint64_t line = access->physical_address >> line_bits; line != lines[writes]) {
                lines[writes] = line;
                misses += (data_latency(line) - zen4::l1_latency) * ticks_per_cycle / 4;
            }
        }
        Tick moving = 0;
        if (cost.string)
            moving = Tick{bytes[0] ? zen4::rep_move_cycles(std::max(bytes[0], bytes[1]))
                                   : zen4::rep_store_cycles(bytes[1])} *
                     ticks_per_cycle;
        return moving + misses + devices;
    }

    // When the data of a load is there.
    Tick load(const Cost& cost, const Access& access, Tick start) {
        std::uint64_t line = access.physical_address >> line_bits;
        Tick latency = Tick{data_latency(line)} * ticks_per_cycle + cost.load_extra;
        if ((access.physical_address & 63) + access.size > 64) [[unlikely]] {
            Tick second = Tick{data_latency(line + 1)} * ticks_per_cycle;
            latency = std::max(latency, second) + zen4::line_crossing_extra * ticks_per_cycle;
        }
        if (Tick data = forwarding_.ready(access.virtual_address)) {
            if (cost.stack) return std::max(start, data);  // renamed: no latency of its own
            return std::max(start + latency, data + zen4::forward_latency * ticks_per_cycle);
        }
        return start + latency;
    }

    // A store commits in order after it retired: one a cycle, two to the same line, when its line is there.
    void store(const Access& access, Tick start, Tick data) {
        forwarding_.store(access.virtual_address, data);
        std::uint64_t line = access.physical_address >> line_bits;
        Tick filled = start + Tick{data_latency(line)} * ticks_per_cycle;
        Tick slot = committed_ + (line == commit_line_ ? ticks_per_cycle / 2 : ticks_per_cycle);
        committed_ = std::max({slot, retired_, filled});
        commit_line_ = line;
        Tick& oldest = store_queue_[stores_++ % store_queue_.size()];
        dispatch_ = std::max(dispatch_, oldest);  // no room: dispatch waits for the oldest store
        oldest = committed_;
    }

    unsigned data_latency(std::uint64_t line) {
        if (l1_data_.touch(line)) [[likely]]
            return zen4::l1_latency;
        return beyond_l1(line);
    }
    unsigned beyond_l1(std::uint64_t line) {
        if (l2_.touch(line)) return zen4::l2_latency;
        return l3_.touch(line) ? zen4::l3_latency : zen4::dram_latency;
    }

    // The front end waits for a line of code that is not in the L1 instruction cache.
    void fetch(const CodeBlock& code, std::uint32_t index) {
        std::uint64_t offset = code.instructions[index].address - code.address;
        std::uint64_t line = (code.physical_address + offset) >> line_bits;
        if (line == fetched_line_) return;
        fetched_line_ = line;
        if (!l1_code_.touch(line)) dispatch_ += Tick{beyond_l1(line)} * ticks_per_cycle;
    }

    RetireTime retire_at(Tick done, unsigned slot_ticks) {
        Tick at = std::max(retired_ + slot_ticks, done);
        fraction_ += at - retired_;
        retired_ = at;
        reorder_[count_++ % reorder_.size()] = at;
        std::uint64_t cycles = fraction_ / ticks_per_cycle;
        fraction_ -= cycles * ticks_per_cycle;
        last_done_ = done;
        return {static_cast<std::uint32_t>(cycles), 0};
    }

    // The last instruction of a whole code block: where control goes, and whether the front end knew.
    void branch(const Block& block) {
        const Instruction& last = block.code->instructions.back();
        switch (last.flow) {
            case Flow::conditional:
                if (!predictor_.conditional(last.address, block.taken)) redirect(zen4::mispredict_conditional);
                break;
            case Flow::call:
                predictor_.call(last.address + last.length);
                break;
            case Flow::indirect_call:
                predictor_.call(last.address + last.length);
                [[fallthrough]];
            case Flow::indirect_branch:
            case Flow::ret:
                pending_ = &last;
                break;  // the target is known with the next event
            default:
                break;
        }
        // A taken branch ends the cycle's dispatch.
        if (block.taken) dispatch_ = (dispatch_ + ticks_per_cycle - 1) / ticks_per_cycle * ticks_per_cycle;
    }

    void resolve(std::uint64_t target) {
        if (!pending_) return;
        bool right =
            pending_->flow == Flow::ret ? predictor_.ret(target) : predictor_.indirect(pending_->address, target);
        if (!right) redirect(zen4::mispredict_indirect);
        pending_ = nullptr;
    }

    // The measured cost of a mispredict counts from the branch's own cycle.
    void redirect(unsigned cycles) { dispatch_ = std::max(dispatch_, last_done_ + Tick{cycles - 1} * ticks_per_cycle); }

    std::vector<std::vector<Cost>> blocks_;  // by code id
    Tick dispatch_ = 0, retired_ = 0, fence_ = 0, committed_ = 0, last_done_ = 0;
    Tick fraction_ = 0;  // of a cycle, at retired_
    std::uint64_t count_ = 0, stores_ = 0;
    std::uint64_t commit_line_ = ~0ull, fetched_line_ = ~0ull;
    std::array<Tick, register_count> ready_{};
    std::array<Tick, 512> reorder_{};  // retirement of the last instructions, by number
    std::array<Tick, zen4::store_queue> store_queue_{};
    std::array<Tick, static_cast<std::size_t>(zen4::Unit::count_)> unit_free_{};
    StoreForwarding forwarding_;
    Cache<8> l1_data_{32 << 10}, l1_code_{32 << 10}, l2_{1 << 20};
    Cache<16> l3_{32 << 20};
    BranchPredictor predictor_;
    const Instruction* pending_ = nullptr;
};

}  // namespace

std::unique_ptr<TimingModel> make_simple_model() { return std::make_unique<SimpleModel>(); }

}  // namespace sim
