// SPDX-License-Identifier: GPL-2.0-or-later
// A loop's machine code, executed by Unicorn at addresses of its own choice, so that the model sees the same ones each
// time; its addresses are worked out from registers before each instruction.
#include <unicorn/unicorn.h>

#include <algorithm>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/loops.hpp>
#include <exception>
#include <map>
#include <memory>
#include <sim/image/decoder.hpp>
#include <sim/timing/model.hpp>

extern "C" {
extern const std::byte exo_loops_begin[], exo_loops_end[];
}

namespace devenv {

namespace {

constexpr std::uint64_t page = 4096, code_at = 0x400000, data_at = 0x1000000000, stack_at = 0x7f0000000000,
                        end_at = 0x7fff00000000;

void check(uc_err error, const char* what) {
    if (error != UC_ERR_OK) throw Failure(Exit::missing, std::string("Unicorn ") + what + ": " + uc_strerror(error));
}

class EmulatedLoop {
  public:
    EmulatedLoop(const Loop& loop, sim::TimingModel& model)
        : loop_(loop), model_(model), decoder_(sim::Decoder::make()) {
        uc_engine* uc = nullptr;
        check(uc_open(UC_ARCH_X86, UC_MODE_64, &uc), "cannot start");
        uc_.reset(uc);
        const auto code_bytes = static_cast<std::uint64_t>(exo_loops_end - exo_loops_begin);
        check(uc_mem_map(uc, code_at, (code_bytes + page - 1) / page * page, UC_PROT_READ | UC_PROT_EXEC),
              "has no memory");
        check(uc_mem_map(uc, stack_at, page, UC_PROT_READ | UC_PROT_WRITE), "has no memory");
        check(uc_mem_write(uc, code_at, exo_loops_begin, code_bytes), "takes no code");
        memory_.resize((memory_of(loop) + page - 1) / page * page + page);
        const auto aligned = (reinterpret_cast<std::uintptr_t>(memory_.data()) + page - 1) / page * page;
        const std::span<std::byte> data(reinterpret_cast<std::byte*>(aligned), memory_.size() - page);
        check(uc_mem_map_ptr(uc, data_at, data.size(), UC_PROT_READ | UC_PROT_WRITE, data.data()), "has no memory");
        prepare(loop, data, data_at);
        uc_hook hook;
        check(uc_hook_add(uc, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(&EmulatedLoop::step), this, 1, 0),
              "refuses a hook");
    }

    // Cycles of one batch.
    sim::Cycle run() {
        const std::uint64_t stack = stack_at + page - 64, entry = code_at + offset();
        set(UC_X86_REG_RDI, data_at), set(UC_X86_REG_RSI, loop_.bytes);
        set(UC_X86_REG_RDX, loop_.parameter), set(UC_X86_REG_RCX, loop_.count);
        set(UC_X86_REG_RSP, stack);
        check(uc_mem_write(uc_.get(), stack, &end_at, sizeof end_at), "has no stack");
        const sim::Cycle before = model_.now();
        const uc_err error = uc_emu_start(uc_.get(), entry, end_at, 0, 0);
        if (failure_) std::rethrow_exception(failure_);
        check(error, "cannot run a loop");
        flush(true);
        return model_.now() - before;
    }
    std::uint64_t instructions() const { return retired_; }

  private:
    struct Close {
        void operator()(uc_engine* uc) const { uc_close(uc); }
    };
    using Block = std::unique_ptr<sim::CodeBlock>;

    std::uint64_t offset() const {
        return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(loop_.code) - exo_loops_begin);
    }
    void set(int number, std::uint64_t value) { check(uc_reg_write(uc_.get(), number, &value), "takes no register"); }
    std::uint64_t general(unsigned number) {
        static constexpr int numbers[] = {UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
                                          UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
                                          UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
                                          UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15};
        std::uint64_t value = 0;
        uc_reg_read(uc_.get(), numbers[number], &value);
        return value;
    }

    static void step(uc_engine*, std::uint64_t address, std::uint32_t, void* user) {
        EmulatedLoop& self = *static_cast<EmulatedLoop*>(user);
        try {
            self.before(address);
        } catch (...) {  // not through Unicorn
            self.failure_ = std::current_exception();
            uc_emu_stop(self.uc_.get());
        }
    }

    void before(std::uint64_t address) {
        if (stop_requested()) throw Failure(Exit::interrupted, "interrupted");
        if (!block_ || count_ == block_->instructions.size()) {
            flush(block_ && address != end_of(*block_));
            block_ = block_from(address);
        } else if (count_ && block_->instructions[count_ - 1].rep &&
                   address == block_->instructions[count_ - 1].address) {
            return;  // its next iteration
        }
        add_accesses(block_->instructions[count_]);
        ++count_;
    }
    static std::uint64_t end_of(const sim::CodeBlock& block) {
        return block.instructions.back().address + block.instructions.back().length;
    }

    sim::CodeBlock* block_from(std::uint64_t address) {
        Block& block = blocks_[address];
        if (block) return block.get();
        block = std::make_unique<sim::CodeBlock>();
        block->id = static_cast<sim::CodeId>(blocks_.size() - 1);
        block->version = 0;
        block->address = block->physical_address = address;
        const std::byte* const bytes = exo_loops_begin;
        while (block->instructions.size() < sim::max_block_instructions) {
            const std::uint64_t at = address - code_at;
            const auto length = static_cast<std::size_t>(exo_loops_end - exo_loops_begin) - at;
            const auto decoded = decoder_->decode(
                {reinterpret_cast<const std::uint8_t*>(bytes) + at, std::min<std::size_t>(length, 15)}, address);
            if (!decoded) throw Failure(Exit::missing, "LLVM does not know an instruction of the loops");
            block->instructions.push_back(*decoded);
            for (unsigned i = 0; i < decoded->length; ++i)
                block->bytes.push_back(static_cast<std::uint8_t>(bytes[at + i]));
            address += decoded->length;
            if (decoded->flow != sim::Flow::next) break;
        }
        model_.on_code(*block);
        return block.get();
    }

    void add_accesses(const sim::Instruction& instruction) {
        const auto number = static_cast<std::uint16_t>(count_);
        for (unsigned i = 0; i < instruction.operand_count; ++i) {
            const sim::MemoryOperand& operand = instruction.memory[i];
            auto at = static_cast<std::uint64_t>(operand.displacement);
            if (operand.base != sim::no_register) at += general(operand.base);
            if (operand.index != sim::no_register) at += general(operand.index) * operand.scale;
            std::uint64_t left = operand.size * (instruction.rep ? general(1) : 1);
            while (left) {  // a string instruction's come as lines
                const std::uint64_t part = instruction.rep ? std::min(left, 64 - at % 64) : left;
                accesses_.push_back({number, operand.kind, static_cast<std::uint8_t>(part), false, at, at + moved_});
                at += part, left -= part;
            }
        }
        // Loads and stores of a string instruction by turns, as they happen.
        if (instruction.rep && instruction.operand_count == 2) interleave(number);
    }

    void interleave(std::uint16_t number) {
        const auto first = std::ranges::find(accesses_, number, &sim::Access::instruction);
        std::vector<sim::Access> mixed;
        const auto middle = first + (accesses_.end() - first + 1) / 2;
        for (auto a = first, b = middle; a != middle; ++a) {
            mixed.push_back(*a);
            if (b != accesses_.end()) mixed.push_back(*b++);
        }
        std::ranges::copy(mixed, first);
    }

    void flush(bool taken) {
        if (!block_ || !count_) return;
        times_.resize(count_);
        const bool whole = count_ == block_->instructions.size();
        model_.run({0, block_, 0, count_, retired_, whole && taken, accesses_}, times_);
        retired_ += count_;
        accesses_.clear();
        count_ = 0;
        block_ = nullptr;
    }

    const Loop& loop_;
    // Pages whose virtual and physical addresses differ by no multiple of 2 MiB are of 4 KiB (sim/timing/tlb.hpp).
    const std::uint64_t moved_ = loop_.small_pages ? 17 * page : 0;
    sim::TimingModel& model_;
    std::unique_ptr<sim::Decoder> decoder_;
    std::vector<std::byte> memory_;
    std::unique_ptr<uc_engine, Close> uc_;
    std::map<std::uint64_t, Block> blocks_;
    sim::CodeBlock* block_ = nullptr;  // the one at hand, of which `count_` instructions were begun
    std::uint32_t count_ = 0;
    std::vector<sim::Access> accesses_;
    std::vector<sim::RetireTime> times_;
    std::uint64_t retired_ = 0;
    std::exception_ptr failure_;
};

}  // namespace

double model_loop(const Loop& loop, const std::string& cpu, double& instructions) {
    const auto model = sim::make_model(cpu);
    EmulatedLoop emulated(loop, *model);
    emulated.run();  // caches and predictors
    const std::uint64_t before = emulated.instructions();
    const auto cycles = static_cast<double>(emulated.run());
    instructions = static_cast<double>(emulated.instructions() - before) / double(loop.count) / loop.units;
    return cycles / double(loop.count) / loop.units;
}

}  // namespace devenv
