// SPDX-License-Identifier: MIT
// Native time in core cycles: time-stamp ticks scaled by how long a chain of dependent additions takes beside the
// batch. Each addition waits for the one before, so a chain of n takes n core cycles whatever the core's frequency.
#pragma once
#include <cstdint>

namespace bench {

// Time stamp with everything before it done and nothing after it begun.
inline std::uint64_t ticks() {
    std::uint32_t low, high;
    asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return std::uint64_t(high) << 32 | low;
}

// Core cycles a time-stamp tick now, by a chain of some 20,000 additions (about 10 microseconds).
double core_per_tick();

double ticks_per_second();  // against CLOCK_MONOTONIC, 20 ms; measured once

}  // namespace bench
