// SPDX-License-Identifier: GPL-2.0-or-later
// The out-of-order model: each block's recipes through the core, with branch prediction, memory, and system
// instructions as events that drain.
#include <algorithm>
#include <array>
#include <map>
#include <sim/image/decoder.hpp>
#include <sim/timing/branch_predictor.hpp>
#include <sim/timing/core.hpp>
#include <sim/timing/cpu.hpp>
#include <sim/timing/ideal.hpp>
#include <sim/timing/memory.hpp>
#include <sim/timing/model.hpp>
#include <sim/timing/opcode_rules.hpp>

namespace sim {
namespace {

using timing::Recipe;

constexpr unsigned region_bits = 5;  // of code that an entry of the op cache holds

struct Prepared {
    Recipe recipe;
    bool new_region = false;  // of code, as the op cache knows them
};
struct PreparedBlock {
    std::vector<Prepared> instructions;
    std::vector<std::pair<std::size_t, std::uint64_t*>> unknown;  // which have no cost, and where they are counted
};

class OutOfOrderModel final : public TimingModel {
  public:
    OutOfOrderModel(std::shared_ptr<const timing::Cpu> cpu, std::shared_ptr<timing::SharedMemory> shared)
        : cpu_(std::move(cpu)),
          book_(*cpu_),
          shared_(std::move(shared)),
          memory_(cpu_->machine, *shared_),
          core_(cpu_->machine, book_.operations(), &memory_),
          device_(cpu_->overlay.event(timing::SystemEvent::device_access)),
          branch_target_rests_(cpu_->origin("l2_target_bubble")),
          decode_rests_(cpu_->origin("decode_width")),
          redirect_rests_(cpu_->origin("pipeline")) {
        // What a transfer between two CPUs takes is known; which CPUs the guest's are may not be.
        const timing::Machine& machine = cpu_->machine;
        if (is_guess(cpu_->origin("placement"))) {
            const auto [least, most] = std::minmax({machine.transfer_smt, machine.transfer_near, machine.transfer_far});
            placed_ = {machine.transfer(), machine.transfer() - least, most - machine.transfer()};
        }
    }

    std::string name() const override { return "out-of-order"; }
    std::string cpu() const override { return cpu_->name; }
    std::string description() const override {
        const bool measured = cpu_->counts()[static_cast<std::size_t>(Provenance::measured)] != 0;
        return "an out-of-order core with widths, units and latencies of " + cpu_->describes + " (" +
               cpu_->scheduling.origin() + (measured ? ", corrected by measurements" : ", nothing of it measured") +
               "); system instructions rest on estimates";
    }

    void on_code(const CodeBlock& code) override {
        if (blocks_.size() <= code.id) blocks_.resize(std::size_t{code.id} + 1);
        std::vector<Prepared>& block = blocks_[code.id].instructions;
        block.clear();
        block.reserve(code.instructions.size());
        blocks_[code.id].unknown.clear();
        std::uint64_t region = ~0ull;
        std::string before;
        for (std::size_t i = 0; i < code.instructions.size(); ++i) {
            const Instruction& instruction = code.instructions[i];
            const std::size_t offset = std::min<std::size_t>(instruction.address - code.address, code.bytes.size());
            const std::size_t length = std::min<std::size_t>(instruction.length, code.bytes.size() - offset);
            const auto bytes = std::span(code.bytes).subspan(offset, length);
            Prepared one;
            Decoder& decoder = decoder_of(instruction);
            if (const auto decoded = decoder.decode(bytes, instruction.address)) {
                const std::string name(decoder.opcode_name(decoded->opcode));
                const Operands operands = decoder.operands();
                one.recipe = book_.make(*decoded, operands, name, bytes);
                if (i) book_.fuse_move(block.back().recipe, name, operands, one.recipe);
                if (i && timing::fuses(before, code.instructions[i - 1], name))
                    book_.fuse(block.back().recipe, one.recipe);
                if (!one.recipe.known) blocks_[code.id].unknown.emplace_back(i, &unknown_[name]);
                before = name;
            } else {
                one.recipe.guessed = 1;
                blocks_[code.id].unknown.emplace_back(i, &unknown_["(no instruction)"]);
                before.clear();
            }
            one.new_region = instruction.address >> region_bits != region;
            region = instruction.address >> region_bits;
            block.push_back(one);
        }
    }

    std::span<const InstructionMisses> run(const Block& block, std::span<RetireTime> out,
                                           std::span<InstructionTimes> details) override {
        const CodeBlock& code = *block.code;
        timing::MissLog& misses = memory_.misses();
        misses.clear();
        resolve(code.instructions.empty() ? code.address : code.instructions[block.first].address);
        if (mispredicted_) misses.at(InstructionMisses::before), misses.note(Miss::mispredict);
        mispredicted_ = false;
        const PreparedBlock& known = blocks_[code.id];
        if (!known.unknown.empty()) [[unlikely]]
            count_unknown(known, block);
        const Prepared* prepared = known.instructions.data() + block.first;
        const Access* access = block.accesses.data();
        const Access* const accesses_end = access + block.accesses.size();
        const bool whole = block.count && block.first + block.count == code.instructions.size();
        for (std::uint32_t i = 0; i < block.count; ++i) {
            const Prepared& one = prepared[i];
            misses.at(i);
            const Access* first = access;
            while (access != accesses_end && access->instruction <= block.first + i) ++access;
            if (one.new_region || i == 0) fetch(code, block.first + i);
            if (decoding_) [[unlikely]]
                decode();
            InstructionTimes* const detail = details.empty() ? nullptr : &details[i];
            if (one.recipe.system || one.recipe.string) [[unlikely]]
                total(one.recipe, {first, access}, out[i], detail);
            else ordinary(one, {first, access}, whole && i + 1 == block.count && block.taken, out[i], detail);
        }
        // A string instruction that goes on in another block.
        misses.at(block.count);
        if (access != accesses_end && block.first + block.count < code.instructions.size())
            fetch(code, block.first + block.count);
        for (; access != accesses_end; ++access) move(begun_, *access);
        if (whole) branch(block);
        return misses.all();
    }

    RetireTime transfer(const Transfer& transfer) override {
        resolve(transfer.source);
        using enum timing::SystemEvent;
        const timing::SystemCost& cost =
            cpu_->overlay.event(transfer.kind == TransferKind::exception   ? exception_entry
                                : transfer.kind == TransferKind::interrupt ? interrupt_entry
                                                                           : software_entry);
        RetireTime out;
        finish(core_.step_total({}, {}, cost.cycles.likely, true, cost.evidence.provenance),
               guess(cost.cycles, cost.evidence), Provenance::estimate, out, nullptr);
        return out;
    }

    void on_control(const Control& control) override { memory_.control(control); }

    Cycle now() const override { return retired_; }

    std::vector<UnknownInstruction> unknown() const override {
        std::vector<UnknownInstruction> all;
        for (const auto& [name, count] : unknown_)
            if (count) all.push_back({name, count});
        return all;
    }
    std::string unit_names(std::uint32_t units) const override { return cpu_->units.text(units); }

  private:
    Decoder& decoder_of(const Instruction& instruction) {
        auto& decoder = decoders_[instruction.code_bits == 64 ? 0 : instruction.code_bits == 32 ? 1 : 2];
        if (!decoder) decoder = Decoder::make({instruction.code_bits, instruction.code_bits});
        return *decoder;
    }
    void count_unknown(const PreparedBlock& known, const Block& block) {
        for (const auto& [instruction, count] : known.unknown)
            if (instruction >= block.first && instruction - block.first < block.count) ++*count;
    }

    // A part of an instruction's time that rests on estimates.
    struct Guess {
        std::uint32_t likely = 0, less = 0, more = 0;
        void add(const Guess& other, std::uint64_t times = 1) {
            const auto sum = [&](std::uint32_t& to, std::uint64_t one) {
                to = static_cast<std::uint32_t>(std::min<std::uint64_t>(to + one * times, 1u << 30));
            };
            sum(likely, other.likely), sum(less, other.less), sum(more, other.more);
        }
    };
    static Guess guess(const timing::Range& range, const timing::Evidence& evidence) {
        if (!is_guess(evidence.provenance)) return {};
        return {range.likely, range.likely - range.low, range.high - range.likely};
    }

    void ordinary(const Prepared& one, std::span<const Access> accesses, bool taken, RetireTime& out,
                  InstructionTimes* detail) {
        Guess guessed{one.recipe.guessed, one.recipe.less, one.recipe.more};
        for (const Access& access : accesses)
            if (access.io) [[unlikely]] {
                core_.drain(device_.cycles.likely, device_.evidence.provenance);
                guessed.add(guess(device_.cycles, device_.evidence));
            }
        finish(core_.step(one.recipe, accesses, taken), guessed,
               one.recipe.known ? Provenance::estimate : Provenance::placeholder, out, detail);
    }

    // An estimate that passes beside others costs less than its time: no more of it is a guess.
    // `kind`: of the guess. Fields are written one by one: a copy of a structure whose parts were just written waits
    // for all of them.
    void finish(const InstructionTimes& times, const Guess& guessed, Provenance kind, RetireTime& out,
                InstructionTimes* detail) {
        const std::uint64_t retire = std::max(times.retire, retired_);
        const auto cycles = static_cast<std::uint32_t>(retire - retired_);
        retired_ = retire;
        complete_ = times.complete;
        const Provenance rests = times.rests;
        out.cycles = cycles;
        out.wait = cycles ? times.wait : Wait::none;
        out.rests = rests;
        if (!guessed.likely && !is_guess(rests)) [[likely]] {
            out.placeholder_cycles = out.less = out.more = 0;
        } else {
            out.placeholder_cycles = is_guess(rests) ? cycles : std::min(cycles, guessed.likely);
            out.less = std::min(cycles, guessed.less);
            out.more = cycles ? guessed.more : 0;
            out.guess = is_guess(rests) ? rests : kind;
            if (times.wait == Wait::coherence && cycles) {
                out.less = std::max(out.less, std::min(cycles, placed_.less));
                out.more = std::max(out.more, placed_.more);
            }
        }
        if (detail) [[unlikely]]
            *detail = times;
    }

    // System and string instructions.
    void total(const Recipe& recipe, std::span<const Access> accesses, RetireTime& out, InstructionTimes* detail) {
        const bool drains = recipe.system && recipe.system->drains;
        const bool flushes = recipe.system && recipe.system->special == Special::clflush;
        const bool here = recipe.string || (drains && !flushes);  // its accesses count here; else the core makes them
        Moved moved;
        if (recipe.string) std::swap(moved, begun_);
        if (here)
            for (const Access& access : accesses) move(moved, access);
        const timing::Range cycles =
            recipe.system ? system_cycles(*recipe.system, accesses) : recipe.string->cycles(moved.most());
        Guess guessed = guess(cycles, recipe.system ? recipe.system->evidence : recipe.string->evidence);
        guessed.add(guess(device_.cycles, device_.evidence), moved.device_accesses);
        if (drains) core_.count();
        // Its lines arrive while it works.
        const std::uint64_t whole = std::max<std::uint64_t>(cycles.likely, moved.last_line_at) +
                                    std::uint64_t{moved.device_accesses} * device_.cycles.likely;
        const auto limited = static_cast<unsigned>(std::min<std::uint64_t>(whole, 1u << 30));
        const Provenance rests = (recipe.system ? recipe.system->evidence : recipe.string->evidence).provenance;
        finish(core_.step_total(recipe, here ? std::span<const Access>() : accesses, limited, drains, rests), guessed,
               Provenance::estimate, out, detail);
    }

    // A fence and a flush wait until the stores before them are in the cache. A flush takes longer where the line was
    // written: of clflush that is known with a store that has to fetch the line first, which is modelled apart.
    timing::Range system_cycles(const timing::SystemCost& cost, std::span<const Access> accesses) {
        const bool flushes = cost.special == Special::clflush;
        if (flushes || cost.special == Special::mfence)
            core_.hold_until(core_.stored(), Wait::memory, cost.evidence.provenance);
        if (!flushes) return cost.cycles;
        const bool evicts = std::ranges::find(cost.opcodes, "CLWB") == cost.opcodes.end();
        bool modified = false;
        for (const Access& access : accesses) modified |= memory_.flush(access, evicts);
        if (!modified || !cost.modified) return cost.cycles;
        const std::uint32_t fetch = evicts ? std::min(cpu_->machine.dram_latency, cost.modified) : 0;
        const std::uint32_t likely = std::max(cost.modified - fetch, cost.cycles.likely);
        return {cost.cycles.low, likely, std::max(cost.modified, likely)};
    }

    // What a string instruction moves, or one that saves much state. It asks for a line a cycle.
    struct Moved {
        std::uint64_t bytes[2] = {0, 0};  // loaded, stored
        std::uint64_t device_accesses = 0, lines = 0;
        std::uint64_t last_line_at = 0;  // cycles since it began; 0: all were in the L1
        std::uint64_t line = ~0ull;
        std::uint64_t most() const { return std::max(bytes[0], bytes[1]); }
    };
    void move(Moved& moved, const Access& access) {
        moved.bytes[access.kind != AccessKind::load] += access.size;
        if (access.io) {
            ++moved.device_accesses;
        } else if (access.physical_address >> line_bits != moved.line) {
            moved.line = access.physical_address >> line_bits;
            const std::uint64_t asked = moved.lines++;
            const std::uint64_t at = core_.retired() + asked;
            if (const unsigned wait =
                    (access.kind == AccessKind::store ? memory_.store_line(access, at) : memory_.load(access, at))
                        .cycles)
                moved.last_line_at = std::max(moved.last_line_at, asked + wait);
        }
    }

    void fetch(const CodeBlock& code, std::uint32_t index) {
        const std::uint64_t virtual_address = code.instructions[index].address,
                            address = code.physical_address + (virtual_address - code.address);
        if (const std::uint64_t region = address >> region_bits; region != fetched_region_) {
            fetched_region_ = region;
            decoding_ = !op_cache_.touch(region);
        } else {
            decoding_ = false;  // a short loop: decoded before
        }
        if (address >> line_bits == fetched_line_) return;
        fetched_line_ = address >> line_bits;
        if (const auto wait = memory_.fetch(virtual_address, address, core_.dispatching()); wait.cycles)
            core_.delay_dispatch(wait.cycles, cpu_->machine.from.levels[static_cast<std::size_t>(wait.why)]);
    }

    // An instruction that the op cache does not hold. Decoding runs ahead of dispatch by what its queue holds.
    void decode() {
        constexpr std::uint64_t ahead = 8;
        if (core_.dispatching() > ahead) decode_.advance(core_.dispatching() - ahead);
        decode_.take(1);
        core_.hold_until(decode_.cycle, Wait::front_end, decode_rests_);
    }

    // The last instruction of a whole code block: where control goes, and whether the front end knew.
    void branch(const Block& block) {
        memory_.misses().at(block.count - 1);
        const Instruction& last = block.code->instructions.back();
        switch (last.flow) {
            case Flow::conditional:
                if (!predictor_.conditional(last.address, block.taken))
                    memory_.misses().note(Miss::mispredict), redirect();
                else if (block.taken) target(last);
                break;
            case Flow::branch:
                target(last);
                break;
            case Flow::call:
                predictor_.call(last.address + last.length);
                target(last);
                break;
            case Flow::indirect_call:
                predictor_.call(last.address + last.length);
                [[fallthrough]];
            case Flow::indirect_branch:
            case Flow::ret:
                pending_ = &last;  // the target is known with the next event
                break;
            default:
                break;
        }
    }

    void resolve(std::uint64_t target) {
        if (!pending_) return;
        const bool right = pending_->flow == Flow::ret ? predictor_.ret(pending_->address, target)
                                                       : predictor_.indirect(pending_->address, target);
        if (right) this->target(*pending_);
        else mispredicted_ = true, redirect();
        pending_ = nullptr;
    }
    // A taken branch whose target the front end may have to wait for.
    void target(const Instruction& branch) {
        if (const unsigned wait = predictor_.bubble(branch.address)) core_.delay_dispatch(wait, branch_target_rests_);
    }
    void redirect() { core_.hold_until(complete_ + cpu_->machine.pipeline, Wait::mispredict, redirect_rests_); }

    const std::shared_ptr<const timing::Cpu> cpu_;
    timing::RecipeBook book_;
    std::array<std::unique_ptr<Decoder>, 3> decoders_;  // of 64, 32 and 16-bit code
    std::shared_ptr<timing::SharedMemory> shared_;      // with the models of the other CPUs
    timing::Memory memory_;
    timing::Core core_;
    Guess placed_;  // of a line that comes from another CPU
    const timing::SystemCost& device_;
    const Provenance branch_target_rests_, decode_rests_, redirect_rests_;
    std::map<std::string, std::uint64_t> unknown_;  // instructions without a cost: how often each was executed
    std::vector<PreparedBlock> blocks_;             // by code id
    std::uint64_t complete_ = 0;                    // when the instruction that ran last was
    Cycle retired_ = 0;
    std::uint64_t fetched_line_ = ~0ull, fetched_region_ = ~0ull;
    Cache op_cache_{cpu_->machine.op_cache_entries, cpu_->machine.op_cache_ways};
    timing::Slots decode_{cpu_->machine.decode_width};
    bool decoding_ = false;  // the code at hand is not in the op cache
    BranchPredictor predictor_{cpu_->machine};
    Moved begun_;  // by a string instruction that has not retired yet
    const Instruction* pending_ = nullptr;
    bool mispredicted_ = false;  // the branch that ended the block before
};

}  // namespace

std::vector<std::unique_ptr<TimingModel>> make_models(std::string_view name, unsigned cpus) {
    const auto cpu = timing::load_cpu(name);
    std::vector<std::unique_ptr<TimingModel>> models;
    const auto shared = cpu->ideal ? nullptr : std::make_shared<timing::SharedMemory>(cpu->machine);
    for (unsigned i = 0; i < cpus; ++i)
        if (cpu->ideal) models.push_back(timing::make_ideal_model(*cpu));
        else models.push_back(std::make_unique<OutOfOrderModel>(cpu, shared));
    return models;
}

std::string_view miss_name(Miss miss) {
    static constexpr std::string_view names[] = {"L1I", "L1D", "L2", "L3", "ITLB", "DTLB", "page walk", "mispredict"};
    return names[static_cast<std::size_t>(miss)];
}

std::string_view wait_name(Wait wait) {
    static constexpr std::string_view names[] = {
        "none", "front end", "mispredict", "window", "dependency", "unit",          "forwarding",
        "L2",   "L3",        "memory",     "TLB",    "coherence",  "serialisation", "device"};
    return names[static_cast<std::size_t>(wait)];
}

}  // namespace sim
