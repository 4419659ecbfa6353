// SPDX-License-Identifier: MIT
// Measures a straight-line block of machine code on this CPU, in the manner of BHive (Chen et al., IISWC 2019): in a
// child process, unrolled twice with different counts, and in a loop with different counts; registers set to mapped
// values, every page it touches put behind a few physical ones when it faults. The child can do no harm: a system call
// from the block's code kills it (seccomp), and so do its time limits and the death of its parent.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace bench {

struct BlockTime {
    double cycles = 0;       // core cycles an iteration, unrolled; nothing if `failure` is not empty
    double loop_cycles = 0;  // the same, where a loop goes over some hundred instructions
    double width = 0;        // nops a cycle meanwhile: less where another hardware thread has a part of the core
    unsigned pages = 0;      // that it touched
    std::string failure;     // "illegal instruction", "touches address 0x10, which cannot be mapped", ...
};

// Nops a cycle now; 20 microseconds.
double core_width();

// One pass. `instructions`: how many are in the block, for the number of repetitions. `width`: of the core when it is
// not shared, if that is known; samples taken while it is less do not count, as long as there are others. Forks, and
// waits for the child: milliseconds, `limit_s` of CPU time at most.
BlockTime measure_block(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s, double width);

}  // namespace bench
