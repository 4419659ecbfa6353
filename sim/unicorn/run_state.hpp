// SPDX-License-Identifier: GPL-2.0-or-later
// What the CPUs of one run share: the board, the decoded code, and how the run goes.
#pragma once
#include <cstdint>
#include <exception>
#include <sim/board/board.hpp>
#include <sim/engine.hpp>
#include <sim/unicorn/code_cache.hpp>
#include <sim/unicorn/cpuid.hpp>
#include <sim/unicorn/interleaving.hpp>
#include <vector>

namespace sim::unicorn {

struct RunState {
    RunState(const RunConfig& the_config, const CpuidTable& the_cpuid)  // throws EngineError
        : config(the_config),
          cpuid(the_cpuid),
          board(the_config),
          code(board.memory),
          interleaving(the_config.quantum, the_config.seed),
          random_state(the_config.seed),
          stale_pages(the_config.cpus) {}

    bool several() const { return config.cpus > 1; }

    const RunConfig& config;
    const CpuidTable& cpuid;
    Board board;
    CodeCache code;
    Interleaving interleaving;
    std::uint64_t random_state;
    InstructionIndex retired = 0;  // by all CPUs; the one that runs counts on by itself
    // Physical pages by CPU, written to by others: what its instance has translated of them must go.
    std::vector<std::vector<std::uint64_t>> stale_pages;
    bool stopping = false;
    std::exception_ptr failure;  // thrown by a sink or a console, to be thrown again outside of the engine's C code
    RunResult result;
};

}  // namespace sim::unicorn
