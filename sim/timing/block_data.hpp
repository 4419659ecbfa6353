// SPDX-License-Identifier: GPL-2.0-or-later
// What a BlockTimer is made of: a CPU's data and what has been made of it so far.
#pragma once
#include <optional>
#include <sim/timing/block_run.hpp>
#include <sim/timing/cache.hpp>
#include <sim/timing/cpu.hpp>
#include <unordered_set>

namespace sim::timing {

struct BlockTimer::Data {
    explicit Data(std::string_view name);
    void forget_recipes();

    std::shared_ptr<const Cpu> cpu;
    std::unique_ptr<Decoder> decoder;
    std::unique_ptr<RecipeBook> book;
    std::unordered_map<std::string, Recipe> recipes;                   // by an instruction's bytes
    std::unordered_map<std::string, std::pair<Recipe, Recipe>> fused;  // by those of a compare and its branch
    std::vector<std::uint8_t> code;                                    // of the block at hand so far
};

// Repetitions of a block through a core of its own, one after the other.
class Repetitions {
  public:
    Repetitions(const Machine& machine, const std::vector<Operation>& operations, const RawBlock& block)
        : core_(foretelling(machine, block), operations), block_(block) {
        for (const BlockInstruction& one : block.instructions)
            flushes_ |= one.recipe.system && one.recipe.system->modified;
    }

    std::uint64_t once() {
        return once([](const InstructionTimes&) {});
    }
    // Runs it once; `each` is told of every instruction. The cycle in which its last one has retired.
    template <typename F>
    std::uint64_t once(F each) {
        for (const BlockInstruction& one : block_.instructions) {
            addresses_.accesses(one.instruction, accesses_);
            if (const auto total = total_of(one)) [[unlikely]] {
                drained_ += total->cycles;
                const std::span<const Access> accesses = one.recipe.string ? std::span<const Access>() : accesses_;
                each(core_.step_total(one.recipe, accesses, total->cycles, total->drains, Provenance::measured));
            } else {
                each(core_.step(one.recipe, accesses_, one.taken));
                if (flushes_ && one.recipe.store_bytes) written_.insert(accesses_.front().virtual_address >> line_bits);
            }
            addresses_.execute(one.instruction, one.effect);
        }
        return core_.retired();
    }

    std::uint64_t drained() const { return drained_; }  // cycles so far of instructions that are totals

  private:
    // Copies in a row are more loads than are foretold; a loop's are few.
    static Machine foretelling(Machine machine, const RawBlock& block) {
        if (block.instructions.empty() || !block.instructions.back().counter) machine.foretold_loads = 0;
        return machine;
    }
    struct Total {
        std::uint32_t cycles;
        bool drains;
    };
    std::optional<Total> total_of(const BlockInstruction&);  // empty: it is made of operations

    Core core_;
    AddressInterpreter addresses_;
    std::vector<Access> accesses_;
    const RawBlock& block_;
    std::uint64_t drained_ = 0;
    bool flushes_ = false;                       // lines, whose time hangs on whether they were written
    std::unordered_set<std::uint64_t> written_;  // lines since they were flushed last, where the block flushes any
};

// Cycles an iteration, from the slope behind a warm-up.
double steady_state(const Machine&, const std::vector<Operation>&, const RawBlock&);

}  // namespace sim::timing
