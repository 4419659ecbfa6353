// SPDX-License-Identifier: GPL-2.0-or-later
// The model on a block of code alone: how many cycles a repetition takes once it is in full swing. Everything is in the
// L1, branches go as they fall, and addresses follow from a small interpreter: registers begin with distinct values,
// sums and moves are followed, and what is loaded or computed otherwise is the same at each repetition.
#pragma once
#include <cstdint>
#include <sim/image/decoder.hpp>
#include <sim/timing/core.hpp>
#include <span>
#include <string>
#include <vector>

namespace sim::timing {

struct BlockInstruction {
    Instruction instruction;
    Operands operands;
    Recipe recipe;
    std::string name;
    std::string text;
};

class BlockRun {
  public:
    // Throws std::runtime_error naming the offset of bytes that are no instruction.
    BlockRun(const Cpu&, RecipeBook&, Decoder&, std::span<const std::uint8_t> bytes);

    // Cycles of a repetition, from the slope between two numbers of repetitions.
    double throughput();
    const std::vector<BlockInstruction>& instructions() const { return instructions_; }

  private:
    std::uint64_t run(unsigned repetitions);
    std::vector<Access> accesses(const BlockInstruction&);
    void execute(const BlockInstruction&);
    std::uint64_t string_bytes(const BlockInstruction&) const;

    const Cpu& cpu_;
    RecipeBook& book_;
    std::vector<BlockInstruction> instructions_;
    std::uint64_t values_[16] = {};
};

}  // namespace sim::timing
