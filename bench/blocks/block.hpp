// SPDX-License-Identifier: MIT
// Measures a straight-line block of machine code on this CPU, in the manner of BHive (Chen et al., IISWC 2019): in a
// child process, unrolled twice with different counts, registers set to mapped values, every page it touches put behind
// a few physical ones when it faults. The child can do no harm: a system call from the block's code kills it (seccomp),
// and so do its time limits and the death of its parent.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace bench {

struct BlockTime {
    double cycles = 0;    // core cycles an iteration; nothing if `failure` is not empty
    unsigned pages = 0;   // that it touched
    std::string failure;  // "illegal instruction", "touches address 0x10, which cannot be mapped", ...
};

// One pass. `instructions`: how many are in the block, for the number of repetitions. Forks, and waits for the child:
// milliseconds, `limit_s` of CPU time at most.
BlockTime measure_block(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s);

}  // namespace bench
