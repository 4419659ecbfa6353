// SPDX-License-Identifier: GPL-2.0-or-later
// What the CPUs of one run share: the board, the decoded code, and how the run goes.
#pragma once
#include <cstdint>
#include <exception>
#include <sim/board/board.hpp>
#include <sim/engine.hpp>
#include <sim/unicorn/code_cache.hpp>
#include <sim/unicorn/cpuid.hpp>

namespace sim::unicorn {

struct RunState {
    RunState(const RunConfig& the_config, const CpuidTable& the_cpuid)  // throws EngineError
        : config(the_config), cpuid(the_cpuid), board(the_config), code(board.memory), random_state(the_config.seed) {}

    const RunConfig& config;
    const CpuidTable& cpuid;
    Board board;
    CodeCache code;
    std::uint64_t random_state;
    InstructionIndex retired = 0;  // by all CPUs; the one that runs counts on by itself
    bool stopping = false;
    std::exception_ptr failure;  // thrown by a sink or a console, to be thrown again outside of the engine's C code
    RunResult result;
};

}  // namespace sim::unicorn
