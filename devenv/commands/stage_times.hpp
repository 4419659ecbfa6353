// SPDX-License-Identifier: GPL-2.0-or-later
// When each instruction of a stored run was fetched, dispatched, issued, complete and retired. Traces do not hold it:
// the model runs again over their events.
#pragma once
#include <deque>
#include <devenv/view/trace_lines.hpp>
#include <memory>
#include <optional>
#include <sim/timing/model.hpp>
#include <sim/trace/trace.hpp>
#include <vector>

namespace devenv {

class StageTimes {
  public:
    // `from`: the first instruction that the model gets; what came before it left caches and predictors cold.
    StageTimes(std::vector<std::unique_ptr<sim::TimingModel>>, sim::InstructionIndex from);

    // The visitor that tells the models everything and the one that is given after them.
    sim::TraceVisitor before(sim::TraceVisitor next);

    // Of an instruction of the block at hand; empty if it lies before `from`.
    std::optional<Stages> of(const sim::TraceRecord&) const;

  private:
    struct Cpu {
        std::unique_ptr<sim::TimingModel> model;
        std::deque<Producer> last;  // instructions, the youngest last
    };
    void run(const sim::Block&);

    static constexpr std::size_t remembered = 4096;
    sim::InstructionIndex from_;
    std::vector<Cpu> cpus_;
    sim::InstructionIndex first_ = 0;  // of the block at hand
    std::vector<sim::RetireTime> times_;
    std::vector<sim::InstructionTimes> details_;  // of the block at hand; empty: it was not timed
    std::span<const sim::InstructionMisses> misses_;
};

}  // namespace devenv
