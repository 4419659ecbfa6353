// SPDX-License-Identifier: GPL-2.0-or-later
// The out-of-order model: each block's recipes through the core, with branch prediction, memory, and system
// instructions as events that drain.
#include <algorithm>
#include <sim/image/decoder.hpp>
#include <sim/timing/branch_predictor.hpp>
#include <sim/timing/core.hpp>
#include <sim/timing/data.hpp>
#include <sim/timing/memory.hpp>
#include <sim/timing/model.hpp>
#include <sim/timing/zen4_costs.hpp>

namespace sim {
namespace {

using timing::Recipe;

struct Prepared {
    Recipe recipe;
    const zen4::SystemCost* system = nullptr;
    bool string = false;
    bool new_line = false;
};

bool is_system(Special special) {
    return special != Special::plain && special != Special::nop && special != Special::string;
}

// rdfsbase, rdgsbase have ModRM digits 0 and 1; the writes 2 and 3.
bool writes_segment_base(std::span<const std::uint8_t> bytes) { return !bytes.empty() && (bytes.back() >> 3 & 7) >= 2; }

class OutOfOrderModel final : public TimingModel {
  public:
    explicit OutOfOrderModel(std::shared_ptr<timing::SharedMemory> shared)
        : scheduling_(timing::scheduling_text("znver4"), units_),
          overlay_(timing::overlay_text("znver4"), units_),
          book_(machine_, scheduling_, &overlay_, units_),
          decoder_(Decoder::make()),
          shared_(std::move(shared)),
          memory_(machine_, *shared_),
          core_(machine_, book_.operations(), &memory_) {}

    std::string name() const override { return "out-of-order"; }
    std::string cpu() const override { return "znver4"; }
    std::string description() const override {
        return "an out-of-order core with Zen 4's widths, units and latencies (" + scheduling_.origin() +
               ", corrected by measurements); system instructions rest on placeholders";
    }

    void on_code(const CodeBlock& code) override {
        if (blocks_.size() <= code.id) blocks_.resize(std::size_t{code.id} + 1);
        std::vector<Prepared>& block = blocks_[code.id];
        block.clear();
        block.reserve(code.instructions.size());
        std::uint64_t line = ~0ull;
        std::string before;
        for (std::size_t i = 0; i < code.instructions.size(); ++i) {
            const Instruction& instruction = code.instructions[i];
            const std::size_t offset = std::min<std::size_t>(instruction.address - code.address, code.bytes.size());
            const std::size_t length = std::min<std::size_t>(instruction.length, code.bytes.size() - offset);
            const auto bytes = std::span(code.bytes).subspan(offset, length);
            Prepared one;
            if (const auto decoded = decoder_->decode(bytes, instruction.address)) {
                const std::string name(decoder_->opcode_name(decoded->opcode));
                const Operands operands = decoder_->operands();
                one.recipe = book_.make(*decoded, operands, name);
                if (i && timing::RecipeBook::fuses(before, code.instructions[i - 1], operands, name))
                    book_.fuse(block.back().recipe, one.recipe);
                before = name;
            }
            if (is_system(instruction.special))
                one.system = &zen4::system_cost(instruction.special, writes_segment_base(bytes));
            one.string = instruction.special == Special::string;
            one.new_line = instruction.address >> line_bits != line;
            line = instruction.address >> line_bits;
            block.push_back(one);
        }
    }

    void run(const Block& block, std::span<RetireTime> out, std::span<InstructionTimes> details) override {
        const CodeBlock& code = *block.code;
        resolve(code.instructions.empty() ? code.address : code.instructions[block.first].address);
        const Prepared* prepared = blocks_[code.id].data() + block.first;
        const Access* access = block.accesses.data();
        const Access* const accesses_end = access + block.accesses.size();
        const bool whole = block.count && block.first + block.count == code.instructions.size();
        for (std::uint32_t i = 0; i < block.count; ++i) {
            const Prepared& one = prepared[i];
            const Access* first = access;
            while (access != accesses_end && access->instruction <= block.first + i) ++access;
            if (one.new_line || i == 0) fetch(code, block.first + i);
            if (one.system || one.string) [[unlikely]]
                out[i] = special(one, first, access);
            else out[i] = ordinary(one, {first, access}, whole && i + 1 == block.count && block.taken);
            if (!details.empty()) details[i] = times_;
        }
        // A string instruction that goes on in another block.
        if (access != accesses_end && block.first + block.count < code.instructions.size())
            fetch(code, block.first + block.count);
        for (; access != accesses_end; ++access) move(begun_, *access);
        if (whole) branch(block);
    }

    RetireTime transfer(const Transfer& transfer) override {
        resolve(transfer.source);
        const zen4::SystemCost& cost = transfer.kind == TransferKind::exception   ? zen4::exception_entry()
                                       : transfer.kind == TransferKind::interrupt ? zen4::interrupt_entry()
                                                                                  : zen4::software_interrupt_entry();
        return drain(cost.cycles, cost.provenance == Provenance::placeholder ? cost.cycles : 0);
    }

    void on_control(const Control& control) override { memory_.control(control); }

    Cycle now() const override { return retired_; }

  private:
    RetireTime ordinary(const Prepared& one, std::span<const Access> accesses, bool taken) {
        std::uint32_t guessed = one.recipe.known ? 0 : one.recipe.latency;
        for (const Access& access : accesses)
            if (access.io) [[unlikely]] {
                const auto& device = zen4::device_access();
                core_.drain(device.cycles);
                guessed += device.cycles;
            }
        times_ = core_.step(one.recipe, accesses, taken);
        return since(times_.retire, guessed);
    }

    RetireTime since(std::uint64_t retire, std::uint32_t guessed) {
        const auto cycles = static_cast<std::uint32_t>(retire - retired_);
        retired_ = retire;
        return {cycles, std::min(cycles, guessed), 0, 0, cycles ? times_.wait : Wait::none};
    }

    RetireTime drain(unsigned cycles, std::uint32_t guessed) {
        const Cycle start = core_.retired();
        core_.drain(cycles);
        times_ = {start, start, start, core_.retired(), core_.retired(), Wait::serialisation, 0};
        return since(std::max(core_.retired(), retired_), guessed);
    }

    // System and string instructions: everything before them retires, then they take their time.
    RetireTime special(const Prepared& one, const Access* first, const Access* last) {
        std::uint64_t cycles = one.system ? one.system->cycles : 0;
        std::uint64_t guessed =
            one.system && one.system->provenance == Provenance::placeholder ? one.system->cycles : 0;
        core_.count();
        Moved moved;
        if (one.string) std::swap(moved, begun_);
        for (const Access* access = first; access != last; ++access) move(moved, *access);
        if (one.string)
            cycles += moved.bytes[0] ? zen4::rep_move_cycles(std::max(moved.bytes[0], moved.bytes[1]))
                                     : zen4::rep_store_cycles(moved.bytes[1]);
        const std::uint64_t devices = moved.device_accesses * zen4::device_access().cycles;
        // Its lines arrive while it works.
        return drain(static_cast<unsigned>(std::max(cycles, moved.last_line_at) + devices),
                     static_cast<std::uint32_t>(guessed + devices));
    }

    // What a string instruction moves, or one that saves much state. It asks for a line a cycle.
    struct Moved {
        std::uint64_t bytes[2] = {0, 0};  // loaded, stored
        std::uint64_t device_accesses = 0, lines = 0;
        std::uint64_t last_line_at = 0;  // cycles since it began; 0: all were in the L1
        std::uint64_t line = ~0ull;
    };
    void move(Moved& moved, const Access& access) {
        moved.bytes[access.kind != AccessKind::load] += access.size;
        if (access.io) {
            ++moved.device_accesses;
        } else if (access.physical_address >> line_bits != moved.line) {
            moved.line = access.physical_address >> line_bits;
            const std::uint64_t asked = moved.lines++;
            if (const unsigned wait = memory_.load(access, core_.retired() + asked).cycles)
                moved.last_line_at = std::max(moved.last_line_at, asked + wait);
        }
    }

    void fetch(const CodeBlock& code, std::uint32_t index) {
        const std::uint64_t virtual_address = code.instructions[index].address,
                            address = code.physical_address + (virtual_address - code.address);
        if (address >> line_bits == fetched_line_) return;
        fetched_line_ = address >> line_bits;
        if (const unsigned wait = memory_.fetch(virtual_address, address, core_.dispatching()).cycles)
            core_.delay_dispatch(wait);
    }

    // The last instruction of a whole code block: where control goes, and whether the front end knew.
    void branch(const Block& block) {
        const Instruction& last = block.code->instructions.back();
        switch (last.flow) {
            case Flow::conditional:
                if (!predictor_.conditional(last.address, block.taken)) redirect();
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
        else redirect();
        pending_ = nullptr;
    }
    // A taken branch whose target the front end may have to wait for.
    void target(const Instruction& branch) {
        if (const unsigned wait = predictor_.bubble(branch.address)) core_.delay_dispatch(wait);
    }
    void redirect() { core_.hold_until(times_.complete + machine_.pipeline, Wait::mispredict); }

    timing::Machine machine_;
    timing::UnitNames units_;
    timing::Scheduling scheduling_, overlay_;
    timing::RecipeBook book_;
    std::unique_ptr<Decoder> decoder_;
    std::shared_ptr<timing::SharedMemory> shared_;  // with the models of the other CPUs
    timing::Memory memory_;
    timing::Core core_;
    std::vector<std::vector<Prepared>> blocks_;  // by code id
    InstructionTimes times_{};                   // of the instruction that ran last
    Cycle retired_ = 0;
    std::uint64_t fetched_line_ = ~0ull;
    BranchPredictor predictor_{machine_};
    Moved begun_;  // by a string instruction that has not retired yet
    const Instruction* pending_ = nullptr;
};

}  // namespace

std::vector<std::unique_ptr<TimingModel>> make_models(std::string_view cpu, unsigned cpus) {
    if (timing::scheduling_text(cpu).empty()) throw std::runtime_error("no CPU '" + std::string(cpu) + "'");
    std::vector<std::unique_ptr<TimingModel>> models;
    const auto shared = std::make_shared<timing::SharedMemory>(timing::Machine{});
    for (unsigned i = 0; i < cpus; ++i) models.push_back(std::make_unique<OutOfOrderModel>(shared));
    return models;
}

std::string_view wait_name(Wait wait) {
    static constexpr std::string_view names[] = {
        "none", "front end", "mispredict", "window", "dependency", "unit",          "forwarding",
        "L2",   "L3",        "memory",     "TLB",    "coherence",  "serialisation", "device"};
    return names[static_cast<std::size_t>(wait)];
}

}  // namespace sim
