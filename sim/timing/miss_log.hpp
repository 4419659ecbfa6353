// SPDX-License-Identifier: GPL-2.0-or-later
// What missed while a block ran, by instruction. Misses are few: what does not miss costs nothing here.
#pragma once
#include <sim/timing/model.hpp>
#include <span>
#include <vector>

namespace sim::timing {

class MissLog {
  public:
    void clear() { misses_.clear(); }
    // Of which instruction is what comes now.
    void at(std::uint32_t instruction) { at_ = instruction; }
    void note(Miss miss) {
        if (misses_.empty() || misses_.back().instruction != at_) misses_.push_back({at_, {}});
        ++misses_.back().counts[static_cast<std::size_t>(miss)];
    }
    std::span<const InstructionMisses> all() const { return misses_; }

  private:
    std::vector<InstructionMisses> misses_;  // in the order of instructions
    std::uint32_t at_ = 0;
};

}  // namespace sim::timing
