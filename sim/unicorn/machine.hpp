// SPDX-License-Identifier: GPL-2.0-or-later
// One run: the board, its CPUs, and which of them goes on.
#pragma once
#include <memory>
#include <sim/engine.hpp>
#include <sim/unicorn/cpu.hpp>
#include <vector>

namespace sim::unicorn {

class Machine {
  public:
    Machine(const RunConfig&, const CpuidTable&);  // throws EngineError
    RunResult run();
    std::shared_ptr<std::deque<CachedBlock>> blocks() const { return run_.code.blocks(); }

  private:
    void run_next();
    void stop_halted();

    RunState run_;
    std::uint64_t entry_address_ = 0;
    std::vector<std::unique_ptr<Cpu>> cpus_;
};

}  // namespace sim::unicorn
